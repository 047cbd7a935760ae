import html
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.development.configuration import Answered
from narrative_runs.development.page import page, write_page
from narrative_runs.errors import FindingsError
from tests.development.made_tries import configuration, results_of, sample_of, tries
from tests.html_elements import Elements
from tests.result_tables import table_of

HOSTILE = (
    "\"'></title></style></pre><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}&lt;\u202e"
)


def page_with(word: str) -> str:
    """The page of two narratives in which every text is the word."""
    texts: dict[str, Any] = dict.fromkeys(("incident_id", "narrative_text", "rationale", "reasoning_steps"), word)
    rows = [
        {**texts, "indicators": json.dumps([word]), "manual_flag_ind": 0, "detected": True},
        {**texts, "detected": None, "error_message": word, "raw_response": word},
    ]
    table = table_of(*rows)
    return page(sample_of(table), Answered(configuration(word, None), results_of(table, None)))


def test_no_word_from_outside_becomes_markup() -> None:
    """Hostile texts in every place make the same elements and attributes as harmless ones, and are shown as they are,
    without what would turn lines round."""
    hostile, harmless = Elements(page_with(HOSTILE)), Elements(page_with("zebra"))
    assert hostile.found == harmless.found and not hostile.open
    shown = HOSTILE.replace("\u202e", "\\u202e")
    assert sum(shown in text for text in hostile.texts) == sum("zebra" in text for text in harmless.texts) >= 9
    assert "\u202e" not in page_with(HOSTILE)


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    """It has no script, no image, no link to elsewhere, and a policy under which a browser loads nothing."""
    text = page_with("zebra")
    names = {name for name, _ in Elements(text).found}
    assert not names & {"script", "img", "link", "iframe", "form", "object"}
    assert "default-src 'none'" in html.unescape(text) and "http://" not in text and "https://" not in text


def test_each_narrative_stands_with_each_variable() -> None:
    """Each narrative is shown in the order of the sample, with every variable, its label, and a word where it is wrong;
    the agreement so far and the prompt stand there too."""
    sample, answered, tables, labels = tries(10, [3])
    texts = " ".join(" ".join(Elements(page(sample, answered[0])).texts).split())
    assert texts.count("By the label") == len(tables[0])
    places = [texts.index(f"{number} of {len(tables[0])}") for number in range(1, len(tables[0]) + 1)]
    assert places == sorted(places)
    label, cells = labels["weapon"].narrative, tables[0]["weapon"].fillna("")
    n_wrong = sum(bool(one and two) and one != two for one, two in zip(label, cells, strict=True))
    assert len(re.findall(r"\(WRONG: [^)]*weapon", texts)) == n_wrong > 0
    assert texts.count("severity") >= 1 + len(tables[0])
    assert "Decide, says prompt_0." in texts and "narratives right: " in texts


@pytest.mark.slow
def test_the_page_is_its_owners_and_the_same_each_time(tmp_path: Path) -> None:
    """The file can be read by its owner alone; the same answers give the same bytes; where it cannot be written, that
    is said in words."""
    sample, answered, _, _ = tries(5, [3])
    path = tmp_path / "workshop.html"
    write_page(path, sample, answered[0])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_bytes()
    write_page(path, sample, answered[0])
    assert path.read_bytes() == first
    (tmp_path / "file").write_text("")
    with pytest.raises(FindingsError, match="cannot be written"):
        write_page(tmp_path / "file" / "workshop.html", sample, answered[0])
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []
