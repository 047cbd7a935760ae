from typing import Any

import pytest

from narrative_runs.migration.adoption import limit_of
from narrative_runs.migration.matching import Matched, match
from narrative_runs.source.shards import Narrative
from tests.migration import r_system

NARRATIVES = {
    (incident_id, kind): Narrative(number, incident_id, kind, text, None, None)
    for number, (incident_id, kind, text) in enumerate(
        [("1", "cme", "text one"), ("1", "le", "  Une naïveté\nin lines "), ("2", "cme", "three"), ("2", "le", "four")],
        1,
    )
}


def matched(*rows: dict[str, Any], sources: dict[tuple[str, str], str] | None = None, same: bool = False) -> Matched:
    """Rows matched with the workbook."""
    return match(rows, NARRATIVES, sources or {}, same)


def test_rows_meet_their_narratives() -> None:
    """A row answers the narrative of its key and text, whatever blanks, line ends and case R's reader made of them."""
    found = matched(
        r_system.result(1.0, "CME", "text one"),
        r_system.result("1", "le", "Une naïveté\r\nin lines"),
    )
    assert set(found.answers) == {("1", "cme"), ("1", "le")}


def test_every_row_is_in_one_place() -> None:
    """Another text, an unknown key, a missing id and a replaced row are each told apart, and none is adopted."""
    found = matched(
        r_system.result("1", "cme", "an earlier text"),
        r_system.result("1", "cme", "text one"),
        r_system.result("2", "cme", "edited since"),
        r_system.result("7", "le", "not there"),
        r_system.result(None, "le", "four"),
        r_system.result("2", None, "four"),  # type: ignore[arg-type]
    )
    assert list(found.answers) == [("1", "cme")]
    assert found.answers["1", "cme"]["narrative_text"] == "text one"
    assert found.different_text == [("2", "cme")]
    assert found.not_in_workbook == [("7", "le")]
    assert (found.without_id, found.replaced) == (2, 1)


def test_a_row_without_its_text_is_proved_otherwise_or_not_taken() -> None:
    """Its text is the stored source's, or the workbook's if that is proved to be the same file; else nobody knows."""
    row = r_system.result("2", "le", None)
    assert matched(row).unproved == [("2", "le")]
    assert set(matched(row, same=True).answers) == {("2", "le")}
    assert set(matched(row, sources={("2", "le"): "four"}).answers) == {("2", "le")}
    assert matched(row, sources={("2", "le"): "other"}).different_text == [("2", "le")]


@pytest.mark.parametrize(
    ("status", "total", "answered", "limit"),
    [
        ("completed", 4, 4, None),
        # R counted a blank; its rows answer the first three without a gap.
        ("completed", 9, 3, 3),
        ("running", 3, 1, 3),
        ("running", 2, 3, 3),
        ("running", None, 2, None),
        ("running", 42_000, 2, None),
        ("failed", 4, 0, None),
    ],
)
def test_as_many_are_wanted_as_the_r_system_wanted(status: str, total: int, answered: int, limit: int | None) -> None:
    """n_narratives_total is the limit where it is smaller than the workbook; a completed experiment is complete."""
    rows = [r_system.result(*key, narrative.narrative_text) for key, narrative in list(NARRATIVES.items())[:answered]]
    row = r_system.experiment(status=status, n_narratives_total=total)
    assert limit_of(row, matched(*rows), NARRATIVES) == limit
