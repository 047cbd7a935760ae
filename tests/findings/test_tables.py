import csv
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.result_tables import others_of

from narrative_runs.findings.columns import CLOCK_BOUND, OUTCOME_COLUMNS, RESULT_TYPES
from narrative_runs.findings.metrics import measure
from narrative_runs.findings.tables import finish, write_tables

ResultTable = Callable[..., pd.DataFrame]

FILES = {"results.parquet", "results.csv", "results.json", "results.xlsx"}


def write(results: pd.DataFrame, folder: Path, csv_json: bool = True, others: pd.DataFrame | None = None) -> Path:
    """All tables of the results, in the folder."""
    write_tables(results, measure(results, "id", seed=1), {"rows_read": 3}, folder, csv_json, others=others)
    return folder


@pytest.mark.parametrize(
    ("label", "detected", "true_outcome"),
    [
        (1, True, "is_true_positive"),
        (0, False, "is_true_negative"),
        (0, True, "is_false_positive"),
        (1, False, "is_false_negative"),
    ],
)
def test_a_labelled_answer_has_one_verdict(
    result_table: ResultTable, label: int, detected: bool, true_outcome: str
) -> None:
    """Of the four verdicts one is true and three are false."""
    finished = finish(result_table({"manual_flag_ind": label, "detected": detected}))
    assert finished.loc[0, list(OUTCOME_COLUMNS)].to_dict() == {name: name == true_outcome for name in OUTCOME_COLUMNS}


def test_without_a_label_or_an_answer_there_is_no_verdict(result_table: ResultTable) -> None:
    """A row with an error or without its own label is neither right nor wrong, whatever its incident's
    label."""
    finished = finish(
        result_table(
            {"manual_flag_ind": None, "manual_flag": 1, "detected": True},
            {"manual_flag_ind": 1, "manual_flag": 1, "detected": None},
        )
    )
    assert finished[list(OUTCOME_COLUMNS)].isna().all(axis=None)


def test_a_finished_table_is_in_order_and_typed(random_results: ResultTable) -> None:
    """Whatever order and types came in, rows go by number and columns have their order and types."""
    results = random_results(30, seed=1).sample(frac=1, random_state=2)
    finished = finish(results.astype(object).assign(surplus=1).drop(columns=["p_detected"]))
    assert list(finished["row_num"]) == list(range(1, len(results) + 1))
    assert {name: str(dtype) for name, dtype in finished.dtypes.items()} == RESULT_TYPES
    assert list(finished.columns) == list(RESULT_TYPES)
    assert finished["p_detected"].isna().all()


@pytest.mark.slow
def test_the_same_answers_give_the_same_bytes(random_results: ResultTable, tmp_path: Path) -> None:
    """Neither the order of the rows, nor when the model was asked, nor how fast it was changes any file."""
    results = random_results(60, seed=3)
    later = results.sample(frac=1, random_state=1).assign(
        response_sec=99.0, processed_at="2031-01-01 00:00:00", last_attempt_at="2031-01-01 00:00:00"
    )
    first, second = write(results, tmp_path / "first"), write(later, tmp_path / "second")
    assert {path.name for path in first.iterdir()} == FILES
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.slow
def test_csv_and_json_are_written_only_where_wanted(random_results: ResultTable, tmp_path: Path) -> None:
    """Without `csv_json` there are the parquet file and the workbook, and nothing else, of an earlier merge neither."""
    write(random_results(6, seed=4), tmp_path)
    folder = write(random_results(5, seed=4), tmp_path, csv_json=False)
    assert {path.name for path in folder.iterdir()} == {"results.parquet", "results.xlsx"}


def test_parquet_gives_the_finished_table_back(random_results: ResultTable, tmp_path: Path) -> None:
    """Values, missing values and types survive the file; only the columns of the clock are left out."""
    results = random_results(40, seed=5)
    write(results, tmp_path)
    expected = finish(results).drop(columns=list(CLOCK_BOUND))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "results.parquet"), expected)
    assert set(pq.read_schema(tmp_path / "results.parquet").names).isdisjoint(CLOCK_BOUND)


NASTY = 'He said: "no",\nthen\rleft\r\n — naïve 😀'


def test_csv_gives_back_what_was_written(result_table: ResultTable, tmp_path: Path) -> None:
    """Quotes, commas, line ends of all kinds and accents survive; missing is empty, logicals are TRUE and FALSE."""
    write(result_table({"narrative_text": NASTY, "incident_id": "0012"}, {"detected": None}), tmp_path)
    raw = (tmp_path / "results.csv").read_bytes()
    assert raw.startswith(b"row_num,incident_id,")
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["row_num"], first["incident_id"], first["narrative_text"]) == ("1", "0012", NASTY)
    assert (first["detected"], first["confidence"], first["manual_flag_ind"]) == ("FALSE", "0.9", "")
    assert (second["detected"], second["error_occurred"], second["rationale"]) == ("", "TRUE", "")


def test_csv_is_read_by_pandas_as_it_is(random_results: ResultTable, tmp_path: Path) -> None:
    """A reader that is told of the ids alone finds all columns with their types, and all rows."""
    results = random_results(20, seed=6)
    write(results, tmp_path)
    read = pd.read_csv(tmp_path / "results.csv", dtype={"incident_id": str}).convert_dtypes()
    expected = finish(results).drop(columns=list(CLOCK_BOUND))
    filled = expected.columns[expected.notna().any()]
    assert list(read) == list(expected)
    pd.testing.assert_frame_equal(read[filled].astype(expected[filled].dtypes), expected[filled])
    assert [str(read[name].dtype) for name in ("detected", "manual_flag_ind")] == ["boolean", "Int64"]


def test_a_column_of_csv_is_of_one_type(result_table: ResultTable, tmp_path: Path) -> None:
    """Fractions look like fractions where they are whole, whole numbers never do, and what is no number is missing."""
    doses = [1.0, 1e22, 1e-9, 0.1 + 0.2, float("nan"), float("-inf")]
    others = pd.DataFrame({"row_num": range(1, 7), "dose": doses, "year": pd.array([2001, *[None] * 5], "Int64")})
    write(result_table(*[{"confidence": 1.0}] * 6), tmp_path, others=others)
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["dose"] for row in rows] == ["1.0", "1e+22", "1e-09", "0.30000000000000004", "", "-inf"]
    assert {row["confidence"] for row in rows} == {"1.0"}
    assert [row["year"] for row in rows] == ["2001", *[""] * 5]


def test_csv_holds_no_formula(result_table: ResultTable, tmp_path: Path) -> None:
    """In every text column, a text that begins like a formula stands behind an apostrophe."""
    attack = '=HYPERLINK("http://example.org","x")'
    texts = [name for name, dtype in RESULT_TYPES.items() if dtype == "string"]
    attacked = {name: attack for name in texts if name not in (*CLOCK_BOUND, "indicators")}
    write(result_table(attacked), tmp_path)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert {row[name] for name in attacked} == {"'" + attack}


def test_json_gives_back_what_was_written(result_table: ResultTable, tmp_path: Path) -> None:
    """One object a row: texts unchanged, indicators a list, missing values null, numbers and booleans as
    such."""
    write(result_table({"narrative_text": NASTY, "manual_flag_ind": 1}, {"detected": None}), tmp_path)
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    assert "naïve 😀" in text
    first, second = json.loads(text)
    assert list(first) == [name for name in RESULT_TYPES if name not in CLOCK_BOUND]
    assert (first["narrative_text"], first["indicators"]) == (NASTY, ["threat", "weapon"])
    assert (first["detected"], first["confidence"], first["manual_flag_ind"]) == (False, 0.9, 1)
    assert first["is_false_negative"] is True
    assert (second["detected"], second["indicators"], second["error_occurred"]) == (None, None, True)


def test_a_table_without_rows_has_its_files(result_table: ResultTable, tmp_path: Path) -> None:
    """Without a result there are files all the same, with headers and no rows."""
    write(result_table(), tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == []
    assert len(pd.read_csv(tmp_path / "results.csv")) == 0
    assert len(pd.read_parquet(tmp_path / "results.parquet")) == 0


def test_other_columns_ride_along_with_their_types(random_results: ResultTable, tmp_path: Path) -> None:
    """Each value is beside its own narrative, whatever the order of the rows, and a missing one stays missing."""
    results = random_results(40, seed=7)
    others = others_of(results)
    write(results.head(25), tmp_path, others=others.sample(frac=1, random_state=1))
    read = pd.read_parquet(tmp_path / "results.parquet")
    expected = finish(results.head(25)).drop(columns=list(CLOCK_BOUND))
    pd.testing.assert_frame_equal(read[list(expected)], expected)
    names = list(read)[len(expected.columns) :]
    assert names == ["Sex", "Incident Year", "Age", "Veteran"]
    kept = others[others["row_num"].isin(read["row_num"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(read[names], kept[names])


def test_other_columns_are_in_csv_and_json(result_table: ResultTable, tmp_path: Path) -> None:
    """In CSV a name of two words is quoted and a formula guarded; in JSON each value is what it is."""
    results = result_table({}, {}, {})
    write(results, tmp_path, others=others_of(results))
    raw = (tmp_path / "results.csv").read_text(encoding="utf-8")
    assert raw.splitlines()[0].endswith(',source_row,Sex,"Incident Year",Age,Veteran')
    rows = list(csv.DictReader(raw.splitlines()))
    assert [(row["Sex"], row["Incident Year"], row["Age"], row["Veteran"]) for row in rows] == [
        ("M", "2001", "0.5", "FALSE"),
        ("'=F", "2002", "1.0", "TRUE"),
        ("", "", "", ""),
    ]
    first, second, third = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert (first["Sex"], first["Incident Year"], first["Age"], first["Veteran"]) == ("M", 2001, 0.5, False)
    assert second["Sex"] == "=F" and third["Incident Year"] is third["Veteran"] is None


@pytest.mark.parametrize("name", ["=1+1", 'a "b"', "a,b", "a\nb", "-"])
def test_any_name_of_a_column_is_one_column_in_csv(result_table: ResultTable, tmp_path: Path, name: str) -> None:
    """Marks in the name of a column neither divide it nor make it a formula."""
    results = result_table({})
    write(results, tmp_path, others=pd.DataFrame({"row_num": [1], name: ["value"]}))
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row[f"'{name}" if name in ("=1+1", "-") else name] == "value"


def test_infinite_numbers_make_no_invalid_json(result_table: ResultTable, tmp_path: Path) -> None:
    """A number that JSON does not know is null."""
    write(result_table({}), tmp_path, others=pd.DataFrame({"row_num": [1], "dose": [float("inf")]}))
    assert json.loads((tmp_path / "results.json").read_text())[0]["dose"] is None


def test_an_experiment_of_the_first_release_keeps_the_form_of_its_csv(
    result_table: ResultTable, tmp_path: Path
) -> None:
    """Its logicals are true and false, as they were written before; all else is as in today's files."""
    results = result_table({"narrative_text": "Plain.", "incident_id": "0012"}, {"detected": None})
    measured = measure(results, "id", seed=1)
    write_tables(results, measured, {}, tmp_path, csv_json=True, is_of_0_1_0=True)
    before = (tmp_path / "results.csv").read_text(encoding="utf-8")
    write_tables(results, measured, {}, tmp_path, csv_json=True)
    assert ",false," in before and ",true," in before and "TRUE" not in before
    rewritten = before.replace(",false", ",FALSE").replace(",true", ",TRUE")
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        now = list(csv.DictReader(file))
    assert [row["detected"] for row in csv.DictReader(rewritten.splitlines())] == [row["detected"] for row in now]
