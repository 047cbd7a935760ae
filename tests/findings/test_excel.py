import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import python_calamine
from tests.result_tables import others_of

from narrative_runs.findings.column_meanings import FROM_THE_WORKBOOK
from narrative_runs.findings.columns import CLOCK_BOUND, RESULT_TYPES
from narrative_runs.findings.excel import LEFT_OUT, metric_lines, quality_lines
from narrative_runs.findings.metrics import measure
from narrative_runs.findings.rounding import rounded
from narrative_runs.findings.tables import write_tables
from narrative_runs.findings.text_cells import CUT_NOTE

ResultTable = Callable[..., pd.DataFrame]


def workbook_of(results: pd.DataFrame, folder: Path) -> Any:
    """The workbook of the results, as openpyxl reads it."""
    write_tables(results, measure(results, "id", seed=1), {"rows_read": 3}, folder, csv_json=False)
    return openpyxl.load_workbook(folder / "results.xlsx")


def cell_of(sheet: Any, row: int, column: str) -> Any:
    """The cell of a row, counted from 1 below the header, in the column of this name."""
    names = [cell.value for cell in sheet[1]]
    return sheet.cell(row + 1, names.index(column) + 1)


def test_all_rows_are_there_under_a_frozen_header_with_a_filter(random_results: ResultTable, tmp_path: Path) -> None:
    """The first sheet can be scrolled and filtered, and has every row and column but those left out."""
    results = random_results(30, seed=1)
    sheet = workbook_of(results, tmp_path)["results"]
    assert [cell.value for cell in sheet[1]] == [name for name in RESULT_TYPES if name not in (*CLOCK_BOUND, *LEFT_OUT)]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == sheet.dimensions
    assert [row[0].value for row in sheet.iter_rows(min_row=2)] == list(results["row_num"])


def test_values_keep_their_type(result_table: ResultTable, tmp_path: Path) -> None:
    """Numbers are numbers, booleans booleans, ids text, and what is missing is an empty cell."""
    results = result_table({"incident_id": "0012", "detected": True, "manual_flag_ind": 0})
    sheet = workbook_of(results, tmp_path)["results"]
    values = {name: cell_of(sheet, 1, name).value for name in ("incident_id", "detected", "confidence", "p_detected")}
    assert values == {"incident_id": "0012", "detected": True, "confidence": 0.9, "p_detected": None}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "  =1+1", "\t=1", "#N/A", "=", "1e5", "TRUE"])
def test_every_text_is_text(result_table: ResultTable, tmp_path: Path, text: str) -> None:
    """What looks like a formula, an error value, a number or a boolean is kept as the text it is."""
    cell = cell_of(workbook_of(result_table({"rationale": text}), tmp_path)["results"], 1, "rationale")
    assert (cell.value, cell.data_type) == (text, "s")


def test_a_text_like_a_formula_stays_text_when_it_is_edited(result_table: ResultTable, tmp_path: Path) -> None:
    """Excel is told to treat it as if typed behind an apostrophe, and only it."""
    sheet = workbook_of(result_table({"rationale": "=1"}, {"rationale": "one"}), tmp_path)["results"]
    assert [bool(cell_of(sheet, row, "rationale").quotePrefix) for row in (1, 2)] == [True, False]


def test_no_text_makes_a_workbook_that_cannot_be_opened(result_table: ResultTable, tmp_path: Path) -> None:
    """Control characters are removed and endless texts are cut with a note; another reader finds the same."""
    results = result_table({"narrative_text": "a\x00b\x0b\uffff c", "rationale": "x" * 40_000})
    sheet = workbook_of(results, tmp_path)["results"]
    assert cell_of(sheet, 1, "narrative_text").value == "ab c"
    assert cell_of(sheet, 1, "rationale").value.endswith("x" + CUT_NOTE)
    rows = python_calamine.CalamineWorkbook.from_path(tmp_path / "results.xlsx").get_sheet_by_name("results")
    assert "ab c" in rows.to_python()[1]


def test_disagreements_await_a_reviewer(result_table: ResultTable, tmp_path: Path) -> None:
    """Only false positives and false negatives are listed, each with its kind, its text and room for a
    verdict."""
    results = result_table(
        {"manual_flag_ind": 1, "detected": True},
        {"manual_flag_ind": 0, "detected": True},
        {"manual_flag_ind": 1, "detected": False},
        {"manual_flag_ind": 1, "detected": None},
        {"manual_flag_ind": None, "detected": True},
    )
    header, *rows = workbook_of(results, tmp_path)["disagreements"].values
    assert header[-2:] == ("reviewer_verdict", "reviewer_notes")
    assert [row[:2] for row in rows] == [("false positive", 2), ("false negative", 3)]
    assert rows[0][header.index("narrative_text")] == "Text of narrative 2."
    assert [row[-2:] for row in rows] == [(None, None)] * 2


def test_other_columns_are_beside_all_rows_and_disagreements(result_table: ResultTable, tmp_path: Path) -> None:
    """The workbook's other columns stand behind ours, and where a reviewer writes, before what he writes."""
    results = result_table({"manual_flag_ind": 0, "detected": True}, {"manual_flag_ind": 1, "detected": True}, {})
    write_tables(results, {}, {}, tmp_path, csv_json=False, others=others_of(results))
    workbook = openpyxl.load_workbook(tmp_path / "results.xlsx")
    header, *rows = workbook["results"].values
    assert header[-4:] == ("Sex", "Incident Year", "Age", "Veteran")
    assert [row[-4:] for row in rows] == [("M", 2001, 0.5, False), ("=F", 2002, 1, True), (None,) * 4]
    assert cell_of(workbook["results"], 2, "Sex").data_type == "s"
    header, row = workbook["disagreements"].values
    assert header[-7:] == ("rationale", "Sex", "Incident Year", "Age", "Veteran", "reviewer_verdict", "reviewer_notes")
    assert row[-6:] == ("M", 2001, 0.5, False, None, None)


def test_every_column_of_every_sheet_is_explained(result_table: ResultTable, tmp_path: Path) -> None:
    """The last sheet has one line for each column of the others, in their order, and tells which are the workbook's."""
    results = result_table({"manual_flag_ind": 0, "detected": True})
    write_tables(results, measure(results, "id", seed=1), {"rows_read": 3}, tmp_path, False, others=others_of(results))
    *sheets, columns = openpyxl.load_workbook(tmp_path / "results.xlsx").worksheets
    header, *lines = columns.values
    assert (columns.title, header) == ("columns", ("sheet", "column", "meaning"))
    assert [line[:2] for line in lines] == [(sheet.title, cell.value) for sheet in sheets for cell in sheet[1]]
    assert all(meaning.strip() for *_, meaning in lines)
    others = ["Sex", "Incident Year", "Age", "Veteran"]
    assert [name for _, name, meaning in lines if meaning == FROM_THE_WORKBOOK] == others * 2


def test_fractions_are_rounded_but_never_to_a_whole_number(result_table: ResultTable, tmp_path: Path) -> None:
    """Our own fractions have three decimals in both sheets, and more where 1 or 0 would claim too much."""
    answer = {"manual_flag_ind": 0, "detected": True}
    results = result_table(
        answer | {"confidence": 0.123456, "p_detected": 0.99996}, answer | {"confidence": 1.0, "p_detected": 0.00004}
    )
    workbook = workbook_of(results, tmp_path)
    for sheet in (workbook["results"], workbook["disagreements"]):
        cells = [[cell_of(sheet, row, name).value for name in ("confidence", "p_detected")] for row in (1, 2)]
        assert cells == [[0.123, 0.99996], [1, 0.00004]]


def test_the_workbooks_own_fractions_are_not_rounded(result_table: ResultTable, tmp_path: Path) -> None:
    """Another column of the workbook has all its digits, in both sheets."""
    results = result_table({"manual_flag_ind": 0, "detected": True})
    others = pd.DataFrame({"row_num": [1], "Alcohol": [0.123456789]})
    write_tables(results, {}, {}, tmp_path, csv_json=False, others=others)
    workbook = openpyxl.load_workbook(tmp_path / "results.xlsx")
    assert [cell_of(workbook[title], 1, "Alcohol").value for title in ("results", "disagreements")] == [0.123456789] * 2


def test_rounding_changes_no_other_file(result_table: ResultTable, tmp_path: Path) -> None:
    """The table for programs keeps all digits."""
    workbook_of(result_table({"p_detected": 0.123456}), tmp_path)
    assert pd.read_parquet(tmp_path / "results.parquet")["p_detected"].tolist() == [0.123456]


def test_every_sheet_is_set_up_for_printing(result_table: ResultTable, tmp_path: Path) -> None:
    """Each prints in landscape, as wide as one page, under its header."""
    for sheet in workbook_of(result_table({}), tmp_path).worksheets:
        assert (sheet.page_setup.orientation, sheet.sheet_properties.pageSetUpPr.fitToPage) == ("landscape", True)
        assert sheet.print_title_rows == "$1:$1"


def test_every_text_wraps_where_people_read(result_table: ResultTable, tmp_path: Path) -> None:
    """Each text of results and disagreements wraps, a reviewer's too, under a header that stays in sight."""
    results = result_table({"manual_flag_ind": 1, "detected": False, "rationale": "=1"}, {"detected": None})
    workbook = workbook_of(results, tmp_path)
    for sheet in (workbook["results"], workbook["disagreements"]):
        cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]
        assert {cell.alignment.wrap_text for cell in cells if cell.data_type == "s"} == {True}
        assert {cell.alignment.vertical for cell in cells} == {"top"}
        assert sheet.freeze_panes == "A2"
    notes = workbook["disagreements"].column_dimensions[
        cell_of(workbook["disagreements"], 1, "reviewer_notes").column_letter
    ]
    assert notes.alignment.wrap_text and notes.width >= 40


def test_names_of_facts_and_metrics_are_read_whole(result_table: ResultTable, tmp_path: Path) -> None:
    """The columns of names are wider than the longest name in them, however long the name of a narrative type is."""
    quality = {"blanks_skipped": {"coroner_report_of_first_examination": 1, "coroner_report_of_second_examination": 2}}
    write_tables(result_table({}), {"by_type": {"a" * 90: {"tp": 1}}}, quality, tmp_path, csv_json=False)
    workbook = openpyxl.load_workbook(tmp_path / "results.xlsx")
    for title, columns in (("data_quality", "A"), ("metrics", "AB")):
        for column in columns:
            longest = max(len(cell.value) for cell in workbook[title][column])
            assert workbook[title].column_dimensions[column].width > longest
            assert workbook[title].freeze_panes == "A2"


def test_metrics_are_lines_of_scope_name_and_interval(random_results: ResultTable, tmp_path: Path) -> None:
    """Every number and rate of metrics.json outside of lists has its line; an undefined one is empty."""
    results = random_results(40, seed=2)
    metrics = measure(results, "id", seed=1)
    header, *lines = workbook_of(results, tmp_path)["metrics"].values
    assert header == ("scope", "metric", "value", "low", "high")
    assert ("experiment", "n_total", len(results), None, None) in lines
    recall = metrics["by_type"]["cme"]["recall"]
    assert ("by_type.cme", "recall", *(rounded(recall[part]) for part in ("value", "low", "high"))) in lines
    assert ("overall", "mcc", None, None, None) in metric_lines({"overall": {"mcc": None}})


def test_metrics_are_rounded_but_never_to_a_whole_number() -> None:
    """Rates and the ends of their intervals have three decimals, and more where 1 or 0 would claim too much."""
    metrics = {"n": 3, "recall": {"value": 0.98765, "low": 0.00004, "high": 0.99996}, "brier": 0.12345, "differ": True}
    assert metric_lines({"overall": metrics}) == [
        ("overall", "n", 3, None, None),
        ("overall", "recall", 0.988, 0.00004, 0.99996),
        ("overall", "brier", 0.123, None, None),
        ("overall", "differ", True, None, None),
    ]


def test_data_quality_is_lines_of_dotted_names() -> None:
    """Nested facts get dotted names, and lists are kept as JSON."""
    repeats = {"same": 1, "listed": [{"rows": [2, 3]}], "more": {"of": None}}
    lines = quality_lines({"file": "a.xlsx", "sheet": ["A", "B"], "repeats": repeats})
    assert lines == [
        ("file", "a.xlsx"),
        ("sheet", '["A", "B"]'),
        ("repeats.same", 1),
        ("repeats.listed", '[{"rows": [2, 3]}]'),
        ("repeats.more.of", None),
    ]


def test_no_narrative_is_left_outside_of_the_folder(
    result_table: ResultTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unfinished sheets lie beside the workbook while it is written, not in the folder of all
    programs."""
    common = tmp_path / "common"
    common.mkdir(mode=0o500)
    monkeypatch.setattr(tempfile, "tempdir", str(common))
    common_before = common.stat().st_mtime_ns
    workbook_of(result_table({}), tmp_path / "results")
    assert common.stat().st_mtime_ns == common_before
    assert tempfile.tempdir == str(common)
    assert [path.name for path in sorted((tmp_path / "results").iterdir())] == [
        "results.parquet",
        "results.xlsx",
    ]


def test_values_of_a_codebook_may_have_the_names_of_bounds() -> None:
    """Counts of values called low and high are counts, and no interval."""
    counts = {"counts": {"none": 1, "low": 2, "high": 3}}
    assert metric_lines({"variables": {"severity": counts}}) == [
        ("variables.severity.counts", name, number, None, None) for name, number in counts["counts"].items()
    ]
