"""The sheets of variables in results.xlsx; what disagrees is found again row by row, in plain Python."""

import json
import re
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.coded_tables import CODEBOOK, VALUES, Labels, case
from tests.result_tables import table_of

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings import disagreements
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.column_meanings import FROM_THE_WORKBOOK
from narrative_runs.findings.disagreements import Disagreements, disagreements_by_variable, titles_of
from narrative_runs.findings.tables import finish, write_tables

DISAGREEING = ("false positive", "false negative", "wrong")
COMPARED = ["detected", "weapon", "severity", "persons", "age", "threat"]
FIXED = ["results", "read_first", "disagreements", "metrics", "data_quality", "columns"]


def finished(n_incidents: int, seed: int) -> tuple[pd.DataFrame, Labels]:
    """Finished results with all types of variables, and their labels."""
    table, labels = case(n_incidents, seed)
    return finish(table, CODEBOOK), labels


def listed_of(results: pd.DataFrame, labels: Labels) -> dict[str, Disagreements]:
    """What is listed, by variable."""
    return {each.variable: each for each in disagreements_by_variable(results, CODEBOOK, labels)}


def one_variable(name: str, labels: list[Any], answers: list[bool | None], incidents: str) -> list[Disagreements]:
    """What is listed of a binary variable of this name; incidents: one character a narrative."""
    book = Codebook.model_validate({"variables": {name: {"type": "binary", "unclear": "value"}}})
    given = [{"incident_id": incident, "detected": answer} for incident, answer in zip(incidents, answers, strict=True)]
    table = table_of(*given)
    table[name] = table["detected"]
    return disagreements_by_variable(
        finish(table, book), book, {name: VariableLabels(pd.Series(labels, dtype=object), None)}
    )


def agree(name: str, label: Any, answer: Any) -> bool:
    """Whether an answer is as the label says."""
    if name == "persons":
        return set(label) == set(json.loads(answer))
    return abs(label - answer) <= 1 if name == "age" else bool(label == answer)


def wrong_rows(results: pd.DataFrame, labels: Labels, name: str) -> list[int]:
    """The numbers of the narratives with a label that counts and another answer; a binary variable that the model
    passed over counts as no."""
    depends = bool(CODEBOOK.variables[name].only_if)
    answers = results[name]
    if CODEBOOK.variables[name].type == "binary":
        answers = answers.mask(results[f"{name}_missing"].eq("not asked").fillna(False).astype(bool), False)
    rows = zip(results["row_num"], answers, labels[name].narrative, labels["detected"].narrative, strict=True)
    return [
        number
        for number, answer, label, detected in rows
        if is_there(answer) and is_there(label) and (not depends or (is_there(detected) and detected))
        if not agree(name, label, answer)
    ]


def is_there(value: Any) -> bool:
    """Whether it is a value, be it one of several."""
    return isinstance(value, tuple) or not pd.isna(value)


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_narrative_that_disagrees_with_its_label_is_listed(name: str, seed: int) -> None:
    """Those with a label that counts and another answer, beyond the tolerance or with another set, are the rows of
    which the outcome says so; all others are there for their incident."""
    results, labels = finished(150, seed)
    listed = listed_of(results, labels)[name]
    outcome = pd.Series(list(listed.cells["outcome"]), index=list(listed.row_nums))
    expected = wrong_rows(results, labels, name)
    assert sorted(outcome.index[outcome.isin(DISAGREEING)]) == expected and expected
    of_incident = pd.Series(list(listed.cells["incident_outcome"]), index=list(listed.row_nums))
    assert of_incident[~outcome.isin(DISAGREEING)].isin(DISAGREEING).all()


@pytest.mark.parametrize("name", COMPARED)
def test_an_incident_that_disagrees_is_listed_whole(name: str) -> None:
    """All its narratives are there, and each has the incident's label and answer beside its own."""
    results, labels = finished(150, seed=3)
    listed = listed_of(results, labels)[name]
    rows = pd.DataFrame({"row_num": listed.row_nums, **listed.cells}).merge(results[["row_num", "incident_id"]])
    wrong = rows[rows["incident_outcome"].isin(DISAGREEING)]
    assert len(wrong) and wrong["incident_label"].notna().all()
    # A binary variable that the model passed over counts as no.
    assert (wrong["incident_answer"].notna() | (wrong["incident_outcome"] == "false negative")).all()
    for incident, own in wrong.groupby("incident_id"):
        assert sorted(own["row_num"]) == results.loc[results["incident_id"] == incident, "row_num"].tolist()
        assert own["incident_outcome"].nunique() == 1


@pytest.mark.parametrize("name", COMPARED)
def test_labels_and_answers_stand_as_in_the_results(name: str) -> None:
    """Each answer is the cell of the results, without rounding, and each label that counts is written like one."""
    results, labels = finished(60, seed=4)
    listed = listed_of(results, labels)[name]
    answers = dict(zip(results["row_num"], results[name].astype(object), strict=True))
    given = dict(zip(results["row_num"], labels[name].narrative, strict=True))
    for number, answer, label in zip(listed.row_nums, listed.cells[name], listed.cells["label"], strict=True):
        assert answer == answers[number] if answer is not None else pd.isna(answers[number])
        if label is not None:
            assert label == (json.dumps(given[number]) if name == "persons" else given[number])


def test_false_positives_come_first() -> None:
    """Then come false negatives, each in the order of the workbook; a narrative without a label of its own stands
    where its incident does."""
    results, labels = finished(80, seed=5)
    listed = listed_of(results, labels)["detected"]
    rows = zip(listed.cells["outcome"], listed.cells["incident_outcome"], listed.row_nums, strict=True)
    keys = [(DISAGREEING.index(own if own in DISAGREEING else other), number) for own, other, number in rows]
    assert keys == sorted(keys) and {kind for kind, _ in keys} == {0, 1}


def test_incidents_without_labels_of_narratives_are_listed() -> None:
    """Where people labelled incidents alone, both narratives of one with another value are there."""
    book = Codebook.model_validate({"variables": {"weapon": {"type": "category", "values": VALUES}}})
    table = table_of(*({"incident_id": incident} for incident in "aabb"))
    table["weapon"], table["weapon_missing"] = pd.array(["low", None, "high", "high"]), pd.array([None, "unclear"] * 2)
    table.loc[3, "weapon_missing"] = None
    results = finish(table, book)
    own = pd.Series([None] * 4, dtype=object)
    labels = {"weapon": VariableLabels(own, pd.Series({"a": "high", "b": "high"}, dtype=object))}
    (listed,) = disagreements_by_variable(results, book, labels)
    assert listed.row_nums == [1, 2]
    assert listed.cells["outcome"] == ["no label", "unclear"]
    assert listed.cells["incident_outcome"] == ["wrong", "wrong"]
    assert (listed.cells["incident_label"], listed.cells["incident_answer"]) == (["high"] * 2, ["low"] * 2)
    # With a narrative that was not asked the incident has no value yet.
    (unfinished,) = disagreements_by_variable(results, book, labels, unasked={"a"})
    assert unfinished.row_nums == []


def test_passages_that_do_not_stand_in_the_text() -> None:
    """A quote's sheet has each narrative with such passages, labelled or not, and the passages."""
    results, labels = finished(60, seed=6)
    listed = listed_of(results, {name: labels[name] for name in labels if name != "evidence"})["evidence"]
    expected = results[results["evidence_not_in_text"].fillna("[]") != "[]"]
    assert listed.row_nums == expected["row_num"].tolist() and listed.row_nums
    assert listed.cells == {"evidence_not_in_text": expected["evidence_not_in_text"].tolist()}
    assert listed.columns == ["row_num", "incident_id", "narrative_type", "evidence_not_in_text", "narrative_text"]


def test_a_variable_has_a_sheet_where_something_was_compared() -> None:
    """Texts and variables without a label beside an answer have none; one that always agrees has one without rows."""
    results, labels = finished(30, seed=7)
    assert list(listed_of(results, labels)) == [*COMPARED[:5], "evidence", "threat"]
    assert list(listed_of(results, {})) == ["evidence"]
    assert one_variable("abuse", [None, None], [True, False], "ab") == []
    (agreeing,) = one_variable("abuse", [True, False], [True, False], "ab")
    assert agreeing.row_nums == [] and not agreeing.note


def test_without_a_codebook_nothing_is_listed() -> None:
    """The workbook of the usual question keeps its sheets."""
    results = finish(table_of({"manual_flag_ind": 0, "detected": True}))
    assert disagreements_by_variable(results, DEFAULT, {}) == []


@pytest.mark.parametrize("name", ["outcome", "label", "incident_answer", "answer", "weapon"])
def test_no_two_columns_have_one_name(name: str) -> None:
    """A variable may be called as any column of its sheet: its answer then stands under another name."""
    (listed,) = one_variable(name, [False], [True], "a")
    assert len(set(listed.columns)) == len(listed.columns)
    assert listed.cells[name if name in ("answer", "weapon") else "answer"] == [True]


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True)
LONG = st.sampled_from([f"{'a' * 29}{ending}" for ending in ("", "_2", "_2_more", "_3", "bcdefghij", "bcdefghik")])


@given(st.lists(NAMES | LONG | st.sampled_from([*FIXED, "history"]), unique=True, max_size=12))
def test_any_names_of_variables_make_titles(names: list[str]) -> None:
    """Each is one that Excel takes, and the workbook has not: whatever fits stays as it is, and no title is another
    variable's name."""
    titles = titles_of(names, FIXED)
    assert all(re.fullmatch(r"[^\[\]:*?/\\]{1,31}", title) for title in titles)
    assert len({title.casefold() for title in titles} | {*FIXED, "history"}) == len(titles) + 7
    for name, title in zip(names, titles, strict=True):
        fits = len(name) <= 31 and name not in (*FIXED, "history")
        assert title == name if fits else title not in names


def workbook_of(results: pd.DataFrame, labels: Labels, folder: Path) -> Any:
    """The workbook of results with their sheets of variables, as openpyxl reads it."""
    listed = disagreements_by_variable(results, CODEBOOK, labels)
    write_tables(results, {}, {}, folder, csv_json=False, codebook=CODEBOOK, listed=listed)
    return openpyxl.load_workbook(folder / "results.xlsx")


def test_the_workbook_has_a_sheet_for_each_variable(tmp_path: Path) -> None:
    """They stand behind the usual sheets, in the order of the codebook, each row with the text of its own narrative,
    and `columns` explains their columns as ours."""
    results, labels = finished(40, seed=8)
    results["narrative_text"] = [f"Text {number}." for number in results["row_num"]]
    workbook = workbook_of(results, labels, tmp_path)
    assert workbook.sheetnames == [*FIXED, *COMPARED[:5], "evidence", "threat"]
    listed = listed_of(results, labels)
    for title in workbook.sheetnames[len(FIXED) :]:
        header, *rows = workbook[title].values
        assert list(header) == list(listed[title].columns)
        assert [row[0] for row in rows] == listed[title].row_nums
        for row in rows:
            own = results.iloc[row[0] - 1]
            assert row[1:3] == (own["incident_id"], own["narrative_type"]) and row[-1] == f"Text {row[0]}."
    weapon = [cell.value for cell in workbook["weapon"][1]]
    assert weapon[3:-1] == [
        *("label", "weapon", "p_weapon"),
        *("incident_label", "incident_answer", "outcome", "incident_outcome"),
    ]
    _, *lines = workbook["columns"].values
    sheets = [title for title in workbook.sheetnames if title != "columns"]
    assert [line[:2] for line in lines] == [(title, cell.value) for title in sheets for cell in workbook[title][1]]
    assert FROM_THE_WORKBOOK not in {meaning for *_, meaning in lines}


def test_a_long_sheet_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of each outcome are there; below them, outside of the filter, stands how many there are."""
    results, labels = finished(80, seed=9)
    whole = listed_of(results, labels)["detected"]
    rows = zip(whole.cells["outcome"], whole.cells["incident_outcome"], whole.row_nums, strict=True)
    kinds = pd.DataFrame(
        [(own if own in DISAGREEING else other, number) for own, other, number in rows], columns=["kind", "row_num"]
    )
    monkeypatch.setattr(disagreements, "MOST", 3)
    sheet = workbook_of(results, labels, tmp_path)["detected"]
    _, *shown, last = sheet.values
    assert [row[0] for row in shown] == kinds.groupby("kind", sort=False).head(3)["row_num"].tolist()
    assert last[:-1] == (None,) * (len(last) - 1)
    sizes = kinds["kind"].value_counts()
    assert last[-1] == (
        f"… [cut: the first 3 of {sizes['false positive']} false positives and "
        f"3 of {sizes['false negative']} false negatives; see results.parquet]"
    )
    assert sheet.auto_filter.ref.endswith("7") and sheet.max_row == 8


@pytest.mark.slow
def test_the_same_answers_give_the_same_sheets(tmp_path: Path) -> None:
    """Listed and written again they are the same bytes."""
    for folder in ("first", "second"):
        workbook_of(*finished(30, seed=10), tmp_path / folder)
    assert (tmp_path / "first/results.xlsx").read_bytes() == (tmp_path / "second/results.xlsx").read_bytes()
