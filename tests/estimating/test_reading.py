from typing import Any, cast

import pytest

from narrative_runs.codebook.variables import Binary
from narrative_runs.estimating.reading import ADJUDICATED, ANOTHER, KAPPA, masked_reading, reading_of
from narrative_runs.findings.suppression import MASKED
from narrative_runs.review_file import Line
from narrative_runs.reviews.experiment_read import ToReview
from narrative_runs.reviews.reviewed import reviewed_of
from tests.reviews.test_reviewed import deal, population, verdicts_on


def read(lines: list[Line]) -> dict[str, Any]:
    """How the sample was read, by these lines."""
    known, _ = population()
    experiment = ToReview(cast(Any, None), "detected", Binary(), known)
    return reading_of(experiment, reviewed_of("detected", Binary(), known, lines), lines, 1)


def adjudicated(line: Line, coder: str) -> list[Line]:
    """The lines by which somebody decides on the narrative of a verdict."""
    names = ("incident_id", "narrative_type")
    own = {name: line[name] for name in names}
    dealt = {"line": "dealt", "deal": "decides", "variable": "detected", "purpose": "adjudication"}
    row = {"row": "theirs", "coder": "", "stratum": "", "position": 1, **own}
    return [{**dealt, "rows": [row]}, {**line, "deal": "decides", "row": "theirs", "coder": coder}]


def test_each_reads_a_part_and_some_is_read_twice() -> None:
    """Of 120 incidents that two coders read 80 each, 40 are common: that is what is said, with blindness as dealt."""
    known, truth = population()
    drawn = deal(known, 120, overlap=40)
    found = read([drawn, *verdicts_on(drawn, truth)])
    assert found["n_incidents_by_coder"] == [80, 80] and found["n_read_by_several"] == 40
    assert found["is_blind"] is True and found["n_decided"] == 0 and found["decided_by"] is None
    assert found["agreement"]["measure"] == KAPPA and found["agreement"]["narratives"] == 80
    assert found["agreement"]["value"] == pytest.approx(1.0)


def test_a_part_of_a_sheet_is_a_part() -> None:
    """Who filled in the first rows alone has read the incidents of which no narrative is left."""
    known, truth = population()
    drawn = deal(known, 60, overlap=0)
    found = read([drawn, *verdicts_on(drawn, truth, "ana"), *verdicts_on(drawn, truth, "ben", upto=21)])
    assert found["n_incidents_by_coder"] == [30, 10] and found["n_read_by_several"] == 0
    assert found["agreement"] is None


def test_blindness_is_said_where_all_sheets_are_alike() -> None:
    """Sheets with and without answers together leave it open."""
    known, truth = population()
    blind, seeing = deal(known, 30), deal(known, 30, 2, blind=False)
    assert read([seeing, *verdicts_on(seeing, truth)])["is_blind"] is False
    assert read([blind, seeing, *verdicts_on(blind, truth), *verdicts_on(seeing, truth)])["is_blind"] is None
    assert read([blind, seeing, *verdicts_on(blind, truth)])["is_blind"] is True


@pytest.mark.parametrize(("who", "decided_by"), [("cleo", ANOTHER), ("Ana", ADJUDICATED)])
def test_decided_disagreements_are_counted(who: str, decided_by: str) -> None:
    """A narrative on which two coders did not agree and somebody decided is one disagreement; who decided is another
    person, unless it is a coder."""
    known, truth = population()
    drawn = deal(known, 60)
    lines = verdicts_on(drawn, truth)
    common = [line for line in lines if sum(other["incident_id"] == line["incident_id"] for other in lines) == 4]
    common[0]["verdict"] = "no" if common[0]["verdict"] == "yes" else "yes"
    found = read([drawn, *lines, *adjudicated(common[0], who)])
    assert (found["n_decided"], found["decided_by"]) == (1, decided_by)
    assert found["agreement"]["value"] < 1


@pytest.mark.parametrize(
    ("by_coder", "several", "is_hidden", "is_masked"),
    [([80, 80], 40, False, False), ([80, 80], 40, True, True), ([80, 45], 5, False, True), ([42, 80], 40, False, True)],
)
def test_small_counts_of_the_reading_are_masked(
    by_coder: list[int], several: int, is_hidden: bool, is_masked: bool
) -> None:
    """Counts of incidents are shown together or not at all: one that is small, or the difference of two, masks all;
    agreement tells how many verdicts differ, and is left out."""
    known = {
        "n_incidents_by_coder": by_coder,
        "n_read_by_several": several,
        "is_blind": True,
        "n_decided": 2,
        "decided_by": ANOTHER,
        "agreement": {"value": 0.9},
    }
    shown = masked_reading(known, is_hidden, 10)
    assert (shown["n_incidents_by_coder"] == MASKED) == (shown["n_read_by_several"] == MASKED) == is_masked
    assert shown["n_decided"] == MASKED and shown["agreement"] is None and shown["is_blind"] is True
    assert masked_reading(known, is_hidden, 0) == known
