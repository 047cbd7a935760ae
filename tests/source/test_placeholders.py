import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.source.placeholders import is_placeholder, normal

PLACEHOLDERS = """
N/A|n/a|N.A.|NULL|null|nan|NaN|.|...|-|--|---|?|***|none|None.|NONE|nil|unknown|Unknown.|UNK|x|xxx|TBD|pending|blank
No report on file|no report|No report.|No narrative|No narrative available|NO NARRATIVE PROVIDED|no police report
No LE report on file|no law enforcement narrative available|No CME report received|No information|no info|No data
No records found|No coroner report at this time|Report not available|Report unavailable|CME report not received
Police report pending|narrative missing|No details provided|No text|No report was received|not available|Not applicable
see CME|See CME.|see cme narrative|See CME report|see LE|see le report|See coroner's report|See police report|see report
See medical examiner narrative|Please see CME|refer to CME|Refer to the police report|same as CME
same as above
See above|see the other narrative|See LE narrative|per CME|as per LE|ditto
see attached|not provided|(none)|[redacted]|"N/A"
"""
NARRATIVES = """
No|V shot himself.|Suicide by gun.|No foul play.|No report of domestic violence was made by the neighbours.
The victim was found by her husband.|See CME for the wound; the husband shot her.|None of the witnesses saw him.
No narrative can tell what she went through.|Police report that V was hit by his wife.|Unknown male shot V.
V left a note: see you later.|Same as last year he threatened her.|No history of violence.|Not known to police.
Her partner, unknown to police, shot her.|Overdose.|OD|GSW to head|hanging|Coroner's report: hanging.
"""


@pytest.mark.parametrize("text", [text for line in PLACEHOLDERS.split("\n") for text in line.split("|") if text])
def test_texts_that_stand_for_a_missing_narrative(text: str) -> None:
    """What people write where there is no narrative is known as that, whatever its case and the marks around it."""
    assert is_placeholder(text)
    assert is_placeholder(f"  {text.upper()}\n")


@pytest.mark.parametrize("text", [text for line in NARRATIVES.split("\n") for text in line.split("|") if text])
def test_short_narratives_are_none(text: str) -> None:
    """A text that tells anything of a death is none, however short it is, and whatever words it begins with."""
    assert not is_placeholder(text)


def test_more_of_ones_own() -> None:
    """A list of one's own adds texts, in any case."""
    more = {normal("Akte fehlt.")}
    assert is_placeholder("AKTE FEHLT", more) and is_placeholder("n/a", more)
    assert not is_placeholder("Akte fehlt")


@given(st.text(max_size=40))
def test_any_text_can_be_judged(text: str) -> None:
    """No text makes an error, and what makes no difference changes no judgement."""
    assert is_placeholder(text) == is_placeholder(f" {text}. ")
