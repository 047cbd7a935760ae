import re
from typing import Any

import pytest

from narrative_runs.findings.estimates_file import ANSWERS, BELOW, REVIEWS
from narrative_runs.findings.suppression import MASKED
from narrative_runs.report.canvas import style
from narrative_runs.report.estimates import estimates_shown
from narrative_runs.report.estimates_figure import drawing

RATES = {
    "corrected": {"value": 0.12, "low": 0.1, "high": 0.14},
    "labelled": {"value": 0.121, "low": 0.09, "high": 0.16},
    "naive": {"value": 0.14, "low": 0.136, "high": 0.144},
}
COUNTS = {"n": 900, "n_answered": 880, "n_errors": 12, "n_unasked": 8, "n_without_a_value": 0, "n_reviewed": 400}


def scope(**changed: Any) -> dict[str, Any]:
    return {"prevalence": RATES, **COUNTS, "design": "stratified", "estimator": "PPI++", **changed}


def content(**of_variables: dict[str, Any]) -> dict[str, Any]:
    """What estimates.json holds of these variables, by default of a binary one."""
    usual = {"detected": {"type": "binary", "source": "reviews", "incident": scope(), "narrative": scope()}}
    return {"variables": of_variables or usual, "methods": "What was done.", "references": ["A work."], "refused": {}}


def cells(shown: dict[str, Any]) -> list[dict[str, str]]:
    """Each row of each table, by the heads of the columns."""
    tables = estimates_shown(shown, [], "cases").tables
    return [dict(zip(table.columns, row, strict=True)) for table in tables for row in table.rows]


def test_the_naive_number_is_never_called_a_prevalence() -> None:
    """In tables and figure the corrected number comes first and is the prevalence; the model's own is called so, and
    stands under no head and beside no word that could be taken for it."""
    for row in cells(content()):
        assert row["Prevalence"] == "0.12 (0.10 to 0.14)"
        assert [name for name, cell in row.items() if cell.startswith("0.14 ")] == ["Model alone (naive)"]
        assert list(row)[1] == "Prevalence"
    with style():
        words = drawing(content()).words
    assert "prevalence (corrected) 12.0%" in words and "model alone (naive) 14.0%" in words
    assert not re.search(r"prevalence[^,]*14\.0%( \(13|$)", words)


def test_values_and_groups_have_rows_of_their_own() -> None:
    """Each value of a category is a row, and each group with its difference and ratio, which the reference has not."""
    by_value = {"gun": RATES, "none": {**RATES, "corrected": None}}
    group = scope(prevalence=by_value, difference=by_value, ratio=by_value)
    reference = scope(prevalence=by_value, difference=None, ratio=None)
    level = scope(
        prevalence=by_value, estimator={"gun": "PPI++", "none": "none"}, by={"Sex": {"f": group, "m": reference}}
    )
    rows = cells(content(weapon={"type": "category", "source": "reviews", "incident": level, "narrative": level}))
    first = {row.get("", row.get("Sex", "")): row for row in rows}
    assert first["weapon: gun"]["Prevalence"] == "0.12 (0.10 to 0.14)" and first["weapon: none"]["Prevalence"] == "–"
    assert first["f: gun"]["Difference"] == "0.12 (0.10 to 0.14)" and first["m: gun"]["Difference"] == "–"


def test_means_are_in_tables_alone() -> None:
    """A number has a mean under its own head; a figure of shares would not fit it, and says so."""
    number = {key: value for key, value in scope(mean=RATES).items() if key != "prevalence"}
    shown = content(age={"type": "number", "source": "reviews", "incident": number, "narrative": number})
    assert [row["Mean"] for row in cells(shown)] == ["0.12 (0.10 to 0.14)"] * 2
    with style():
        assert "of numbers there are means" in drawing(shown).words


def test_masked_estimates_show_no_number() -> None:
    """What is masked is called so in each cell, and drawn nowhere."""
    hidden = scope(prevalence=MASKED, n_answered=MASKED, n_reviewed=MASKED)
    shown = content(detected={"type": "binary", "source": "reviews", "incident": hidden, "narrative": hidden})
    assert all(row["Prevalence"] == row["Reviewed"] == row["Model alone (naive)"] == MASKED for row in cells(shown))
    with style():
        assert "report.suppress_below masks" in drawing(shown).words


@pytest.mark.parametrize("older", [[ANSWERS], [REVIEWS], [ANSWERS, REVIEWS]])
def test_older_estimates_are_shown_with_a_warning(older: list[str]) -> None:
    """Estimates of older answers or reviews are shown, behind a warning with the command that makes them anew."""
    section = estimates_shown(content(), older, "cases")
    assert len(section.warnings) == 1 and section.tables
    for name in older:
        assert f"older {name} than there are now" in section.warnings[0]
    assert "`narrative-runs estimate cases`" in section.warnings[0]


def test_estimates_of_another_limit_are_not_shown() -> None:
    """Estimates that masked by another limit are left out whole: they may show what is to be masked now."""
    section = estimates_shown(content(), [BELOW], "cases")
    assert not section.tables and not section.methods and not section.has_figure
    assert "another report.suppress_below" in section.warnings[0]
