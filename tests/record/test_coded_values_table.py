from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.small_experiment import entry_of, narratives_of, params_of

from narrative_runs.codebook.coded import coded_columns
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.values import read_values
from narrative_runs.codebook.variables import Codebook
from narrative_runs.record import coded_values, database, result_rows
from narrative_runs.results import result_of

CODEBOOK = Codebook.model_validate({"variables": {"age": {"type": "number"}, "summary": {"type": "text"}}})


def coded(age: Any) -> dict[str, Any]:
    """The columns of an answer with this age."""
    return coded_columns(CODEBOOK, read_values(CODEBOOK, {"age": age, "summary": "S."}), {}, "Text.")


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts results of three narratives of experiment a into a record, with this age each, and with these labels."""
    monkeypatch.chdir(tmp_path)
    params = params_of()
    results = [result_of(narrative, entry_of(narrative, params), DEFAULT) for narrative in narratives_of(3)]

    def write(codebook: Codebook, ages: list[Any], labels: dict[str, str | None]) -> None:
        rows = [replace(result, coded=coded(age)) for result, age in zip(results, ages, strict=False)]
        with database.transaction() as connection:
            database.put_experiment(connection, "a", {"experiment_name": "Cases"})
            database.put_results(connection, "a", rows)
            coded_values.put_coded_values(connection, "a", codebook, ((row.row, labels) for row in rows))

    return write


def values() -> list[tuple[Any, ...]]:
    """Variable, value, label and error of all rows, in their order."""
    rows = database.query(
        "SELECT variable, value, label, error_message FROM coded_values ORDER BY incident_id, position"
    )
    return [tuple(row.values()) for row in rows]


def test_a_later_value_takes_the_place_of_an_earlier_one(put: Any) -> None:
    """A narrative has one row a variable, whichever was written last."""
    put(CODEBOOK, ["old"], {})
    assert values() == [("age", None, None, "`age` is not a number"), ("summary", "S.", None, None)]
    put(CODEBOOK, [34], {"age": "35"})
    assert values() == [("age", "34", "35", None), ("summary", "S.", None, None)]


def test_the_usual_question_leaves_the_record_as_it_was(put: Any) -> None:
    """Where the record has a column for each variable, there is no such table."""
    put(DEFAULT, [34], {})
    assert not database.query("SELECT 1 FROM sqlite_master WHERE name = 'coded_values'")
    assert not coded_values.has_values_of("a") and coded_values.of_narrative("a", "1", "cme") == []
    assert coded_values.of_variable("a", "age", is_text=False) == []


def test_values_leave_with_their_narrative(put: Any) -> None:
    """After a narrative has no result any more, its values are gone; those of others stay."""
    put(CODEBOOK, [34, 35, 36], {})
    with database.transaction() as connection:
        connection.execute("DELETE FROM narrative_results WHERE row_num = 2")
        coded_values.keep_coded_values_of_results(connection, "a")
    assert [value for variable, value, *_ in values() if variable == "age"] == ["34", "36"]


def test_a_row_is_read_with_its_variables(put: Any) -> None:
    """Who asks for a narrative gets the rows of its variables, in the order of the codebook, and an outcome that does
    not take a missing detection for an error."""
    put(CODEBOOK, [34], {"age": "35"})
    with database.transaction() as connection:
        connection.execute("UPDATE narrative_results SET detected = NULL")
    found = database.query("SELECT incident_id, narrative_type FROM narrative_results LIMIT 1")[0]
    row = result_rows.of_narrative("a", **found)
    assert row is not None and row["outcome"] == "no value"
    assert [(each["variable"], each["value"], each["label"]) for each in row["coded"]] == [
        ("age", "34", "35"),
        ("summary", "S.", None),
    ]
    assert result_rows.ids_with_outcome("a", "error") == []


def test_one_variable_is_read_without_any_text(put: Any) -> None:
    """Of a variable all narratives come in row order, with what each lacks; of a text only whether there is one."""
    put(CODEBOOK, [34, "old", None], {})
    rows = coded_values.of_variable("a", "age", is_text=False)
    assert [row["row_num"] for row in rows] == [1, 2, 3]
    assert [(row["value"], row["failed"], row["is_not_in_text"]) for row in rows] == [
        ("34", 0, None),
        (None, 1, None),
        ("unclear", 0, None),
    ]
    assert [row["value"] for row in coded_values.of_variable("a", "summary", is_text=True)] == ["", "", ""]
    assert coded_values.of_variable("b", "age", is_text=False) == []
