from typing import Any

from tests.coded_tables import CODEBOOK

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.page.narratives.one_narrative import as_words, facts_of, listed, narrative_shown
from narrative_runs.record.search_words import terms_of
from narrative_runs.results import RESULT_COLUMNS

CODED: dict[str, Any] = dict.fromkeys(("value", "label", "probability", "confidence", "error_message", "not_in_text"))


def row(**columns: Any) -> dict[str, Any]:
    """A row of the record, with these columns."""
    empty: dict[str, Any] = dict.fromkeys(RESULT_COLUMNS)
    return {**empty, "incident_id": "7", "narrative_type": "cme", "outcome": "no label", "coded": [], **columns}


def marked(shown: Any, kind: str) -> list[str]:
    return [piece.text for piece in shown.text if getattr(piece, kind)]


def test_words_and_passages_are_marked() -> None:
    """Words of the search, passages that the model quotes, and signs that it names are marked where they stand."""
    quoted = {**CODED, "variable": "evidence", "value": '["A KNIFE", "nowhere"]', "not_in_text": '["nowhere"]'}
    text = "He had a knife. He used the knife."
    shown = narrative_shown(row(narrative_text=text, coded=[quoted]), CODEBOOK, terms_of("knife"))
    assert marked(shown, "is_word") == ["knife", "knife"] and marked(shown, "is_passage") == ["a ", "knife"]
    (variable,) = shown.variables
    assert variable.is_text and variable.further == {"not in the narrative": "1 of 2"}
    usual = narrative_shown(row(narrative_text=text, indicators='["used the knife"]'), DEFAULT, [])
    assert marked(usual, "is_passage") == ["used the knife"] and usual.has_passages
    assert usual.texts == {"What the model names as signs": ["used the knife"]}


def test_facts_say_what_there_is() -> None:
    """Answer, label and outcome in words; an error with its message; nothing of what is not there."""
    facts = facts_of(row(detected=1, manual_flag_ind=0, outcome="false positive", p_detected=0.91, confidence=0.5))
    assert facts == {
        "Answer": "detected",
        "Label": "negative",
        "Outcome": "false positive",
        "Confidence": "0.50",
        "Probability of a yes": "0.910",
    }
    failed = facts_of(row(outcome="error", error_message="timed out", attempt_count=2, first_error_message="reset"))
    assert failed == {
        "Answer": "none, as it is an error",
        "Error": "unknown: timed out",
        "Label": "none",
        "Passes": "2",
        "First error": "reset",
    }


def test_values_are_read_as_words() -> None:
    """Several values are read one after the other, none as none; a text that is no list as it is; a long value is shown
    on demand."""
    assert as_words('["family", "friend"]') == "family; friend" and as_words("[]") == "none" and as_words("34") == "34"
    assert listed("no list") == ["no list"] and listed(None) == [] and listed('"one"') == ["one"]
    long = {**CODED, "variable": "weapon", "value": "x" * 61, "label": '["a"]', "error_message": None}
    (variable,) = narrative_shown(row(narrative_text="T.", coded=[long]), CODEBOOK, []).variables
    assert variable.is_text and variable.label == "a"
    lost = {**CODED, "variable": "gone", "error_message": "`gone` is missing"}
    (variable,) = narrative_shown(row(narrative_text=None, coded=[lost]), CODEBOOK, []).variables
    assert variable.values == [] and variable.error == "`gone` is missing"
