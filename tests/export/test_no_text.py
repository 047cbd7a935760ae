from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pyarrow as pa
import pytest

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import RECORD_COLUMNS
from narrative_runs.errors import FindingsError
from narrative_runs.export import no_text
from narrative_runs.export.no_text import without_text
from narrative_runs.findings.columns import RESULT_TYPES
from narrative_runs.findings.sheets import Sheet, table_rows, write_sheets
from narrative_runs.findings.tables import finish, write_csv
from tests.coded_experiment import CODEBOOK
from tests.coded_tables import case
from tests.result_tables import others_of, table_of

SECRET = "Zyxomma"
# What may go out as it is, being one of a few words; all other texts are a person's, a model's or a server's.
WORDS = {"narrative_type", "error_category", "model_answered"}
TEXTS = [name for name, kind in RESULT_TYPES.items() if kind == "string" and name not in WORDS]


def secret_results() -> pd.DataFrame:
    """An answer and an error with a secret word in each text of theirs."""
    texts = dict.fromkeys(TEXTS, f"{SECRET}, known to few")
    return finish(table_of({**texts, "detected": True, "manual_flag_ind": 1}, {**texts, "detected": None}))


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_no_word_of_any_text_leaves_the_house(tmp_path: Path, ending: str) -> None:
    """A secret word in every text of every row is nowhere in the file, nor in the parts of the workbook."""
    table = pa.Table.from_pandas(without_text(secret_results()), preserve_index=False)
    path = tmp_path / f"out{ending}"
    if ending == ".csv":
        write_csv(table, path)
        parts = [path.read_bytes()]
    else:
        write_sheets([Sheet("results", table.column_names, table_rows(table), table.num_rows)], path)
        with ZipFile(path) as archive:
            parts = [path.read_bytes(), *(archive.read(name) for name in archive.namelist())]
    assert len(TEXTS) == 11
    assert any(b"is_true_positive" in part for part in parts)
    assert not [part for part in parts if SECRET.lower().encode() in part.lower()]


def test_columns_are_a_list_of_what_goes_out_not_of_what_stays() -> None:
    """A column that results gain one day does not go out by itself."""
    results = secret_results().assign(new_column=SECRET)
    assert "new_column" not in without_text(results)
    assert set(without_text(results)) == {*no_text.columns_of(DEFAULT), "incident"} - {"incident_id"}


def test_named_columns_of_the_workbook_go_out() -> None:
    """Of the workbook's other columns only those that are named are in the file, behind ours, as they are."""
    results = secret_results()
    results = results.merge(others_of(results), on="row_num")
    table = without_text(results, ["Incident Year", "Sex"])
    assert list(table)[-2:] == ["Incident Year", "Sex"] and "Age" not in table
    assert table["Incident Year"].tolist() == [2001, 2002]
    assert set(without_text(results)) == set(without_text(secret_results()))


def test_incidents_are_numbered_by_first_appearance() -> None:
    """The two narratives of an incident can still be told to belong together, by a number that says no more."""
    results = finish(table_of(*({"incident_id": name} for name in ("0912", "12", "0912", "7"))))
    shuffled = without_text(results.iloc[[3, 1, 0, 2]])
    assert list(shuffled["row_num"]) == [1, 2, 3, 4]
    assert list(shuffled["incident"]) == [1, 2, 1, 3]


@pytest.mark.parametrize(
    ("told", "goes_out"),
    [
        ("/home/anna/models/qwen.gguf", "qwen.gguf"),
        ("C:\\Users\\anna\\qwen.gguf", "qwen.gguf"),
        ("openai/gpt-oss-20b", "openai/gpt-oss-20b"),
        (None, None),
    ],
)
def test_of_a_models_path_the_name_goes_out(told: str | None, goes_out: str | None) -> None:
    """A server that names its model by a path does not tell whose machine it is."""
    table = without_text(finish(table_of({"model_answered": told})))
    assert table["model_answered"].astype(object).where(table["model_answered"].notna(), None).to_list() == [goes_out]


def test_the_table_of_columns_says_the_same_of_what_goes_out() -> None:
    """What goes out is named one by one, and the table of columns marks exactly these as free of text."""
    assert set(no_text.columns_of(DEFAULT)) == {
        *(column.name for column in RECORD_COLUMNS if column.is_free_of_text),
        "row_num",
        "incident_id",
    }


OUTCOMES = {f"is_{right}_{kind}" for right in ("true", "false") for kind in ("positive", "negative")}
OF_DETECTED = {"manual_flag_ind", "manual_flag", "detected", "confidence", "p_detected", "detected_missing"}


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("weapon", {"weapon", "weapon_missing", "p_weapon"}),
        ("severity", {"severity", "severity_missing"}),
        ("persons", {"persons", "persons_missing"}),
        ("age", {"age", "age_missing"}),
        ("detected", {*OF_DETECTED, *OUTCOMES}),
    ],
)
def test_of_one_variable_its_columns_alone_go_out(name: str, columns: set[str]) -> None:
    """Named alone, a variable has its own columns in the file, and the columns that are of no variable; what the first
    binary one has in the record goes out with it and with no other."""
    results, _ = case(20, 1)
    results = finish(results.assign(p_weapon=0.5, p_threat=0.5), CODEBOOK)
    table = without_text(results, (), CODEBOOK, name)
    of_no_variable = set(no_text.columns_of(DEFAULT)) - OF_DETECTED - OUTCOMES
    assert set(table) == {*of_no_variable, "incident", *columns} - {"incident_id"}
    assert set(no_text.columns_of(CODEBOOK, name)) - {"incident_id"} == set(table) - {"incident"}


@pytest.mark.parametrize("name", ["evidence", "summary"])
def test_a_variable_of_texts_does_not_leave_the_house(name: str) -> None:
    """Quotes and texts are refused, with the reason."""
    with pytest.raises(FindingsError, match=f"--variable {name}: .* texts, which --no-text leaves out"):
        no_text.columns_of(CODEBOOK, name)
