"""What the page says of narratives that were seen while the prompt was chosen."""

from typing import Any

import pytest
from tests.coded_tables import CODEBOOK, case
from tests.report.test_variables_page import page_of

from narrative_runs.findings.metrics import measure
from narrative_runs.report.cells import rate
from narrative_runs.report.unseen import unseen_shown

SEEN = {f"{number:04d}": 2 for number in range(30)}


def measured(n_incidents: int = 200, seen: dict[str, int] = SEEN) -> dict[str, Any]:
    """The metrics of a codebook, some of whose narratives were seen."""
    table, labels = case(n_incidents, 1)
    return measure(table, "id", 1, codebook=CODEBOOK, labels=labels, seen=seen)


def section(text: str) -> str:
    """The section of seen narratives of a page, empty where there is none."""
    return text.partition('aria-labelledby="unseen"')[2].partition("</section>")[0]


@pytest.mark.slow
def test_the_report_has_the_measures_with_and_without() -> None:
    """The section says how many narratives were seen, and has each rate, and each variable's measure, with and without
    their incidents, as metrics.json has them; the summary has a sentence of it."""
    metrics = measured()
    shown = unseen_shown(metrics)
    assert shown is not None
    assert "60 narratives of 30 incidents had been seen" in shown.sentences[0]
    detections, variables = shown.tables
    rows = {row[0]: row[1:] for row in detections.rows}
    scopes = [whole[level] for level in ("overall", "incident") for whole in (metrics, metrics["unseen"])]
    assert rows["TP"] == [str(scope["tp"]) for scope in scopes]
    assert rows["Recall (sensitivity)"] == [rate(scope["recall"]) for scope in scopes]
    row = next(row for row in variables.rows if row[0] == "weapon")
    both = [whole["variables"]["weapon"]["narrative"]["macro_f1"] for whole in (metrics, metrics["unseen"])]
    assert row[2:] == [rate(each) for each in both] and row[2] != row[3]
    text = page_of(metrics)
    assert "60 narratives of 30 incidents had been seen" in section(text)
    assert '<a href="#unseen">' in text and "60 narratives had been seen while the prompt was chosen" in text
    assert section(text).count("<table") == 2


@pytest.mark.slow
def test_a_report_without_seen_narratives_says_nothing_of_them() -> None:
    """Where nothing was seen, there is no section, no link to it and no sentence."""
    metrics = measured(seen={})
    assert unseen_shown(metrics) is None
    text = page_of(metrics)
    assert "unseen" not in text and "had been seen" not in text


@pytest.mark.slow
def test_a_masked_report_says_only_that_there_were_some() -> None:
    """With report.suppress_below no number of seen narratives is on the page, and it says why."""
    text = page_of(measured(600), below=11)
    assert "they would reveal small counts" in section(text) and "<table" not in section(text)
    assert not any(character.isdigit() for character in section(text).replace("h2", ""))
    assert "how many is masked" in text


@pytest.mark.parametrize("n_incidents", [20, 30])
@pytest.mark.slow
def test_where_all_were_seen_the_page_says_that_nothing_is_left(n_incidents: int) -> None:
    """Where no incident is left, the rates are undefined, and the summary says that no labelled answer is left."""
    text = page_of(measured(n_incidents))
    assert "no labelled answer is left" in text and "undefined" in section(text)
