from pathlib import Path

import pandas as pd
import pytest
from tests.coded_tables import CODEBOOK, case
from tests.result_tables import table_of

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.record import database
from narrative_runs.record.merging import put_merged_results


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a record is to be, which holds the experiments a and b."""
    path = tmp_path / "experiments.db"
    with database.transaction(path) as connection:
        for experiment_id in ("a", "b"):
            database.put_experiment(connection, experiment_id, {"experiment_name": experiment_id})
    return path


def put(path: Path, experiment_id: str, results: pd.DataFrame) -> None:
    """Put the finished results of an experiment into the record."""
    with database.transaction(path) as connection:
        put_merged_results(connection, experiment_id, results, DEFAULT)


def rows_of(path: Path, experiment_id: str) -> dict[str, tuple[int, int | None, str | None]]:
    """What the record holds of an experiment: `result_id`, `detected` and `error_message` by incident."""
    found = database.query("SELECT * FROM narrative_results WHERE experiment_id = ?", (experiment_id,), path)
    return {row["incident_id"]: (row["result_id"], row["detected"], row["error_message"]) for row in found}


def test_a_merged_result_takes_the_place_of_an_earlier_one(path: Path) -> None:
    """What a retry found stands in the same row as the error before it, and its missing values are NULL."""
    put(path, "a", table_of({"incident_id": "7", "detected": None}, {"incident_id": "8"}))
    before = rows_of(path, "a")
    assert before["7"][1:] == (None, "no answer")
    put(path, "a", table_of({"incident_id": "7", "detected": True}, {"incident_id": "8"}))
    assert rows_of(path, "a") == {"7": (before["7"][0], 1, None), "8": before["8"]}


def test_narratives_that_are_none_any_more_leave_the_record(path: Path) -> None:
    """Only the merged results of the experiment stay in the record, and other experiments keep theirs."""
    for experiment_id in ("a", "b"):
        put(path, experiment_id, table_of({"incident_id": "7", "detected": None}, {"incident_id": "8"}))
    put(path, "a", table_of({"incident_id": "8"}))
    assert list(rows_of(path, "a")) == ["8"]
    assert list(rows_of(path, "b")) == ["7", "8"]


@pytest.mark.slow
def test_each_value_and_label_is_its_narratives_own(path: Path) -> None:
    """Of more narratives than are written at once each has its own text, value and label, NULL where it has none."""
    table, _ = case(1_600, seed=3)
    results = table.assign(narrative_text=[f"Text {number}." for number in table["row_num"]])
    with database.transaction(path) as connection:
        labels = ({"weapon": f"label {number}"} for number in results["row_num"])
        put_merged_results(connection, "a", results, CODEBOOK, labels)
    put = database.query(
        "SELECT row_num, narrative_text, value, label, coded_values.error_message FROM narrative_results JOIN "
        "coded_values USING (experiment_id, incident_id, narrative_type) WHERE variable = 'weapon' ORDER BY row_num",
        (),
        path,
    )
    weapons = results.set_index("row_num")["weapon"].astype(object)
    missing = results.set_index("row_num")["weapon_missing"].astype(object)
    assert len(put) == len(results) > 2_000
    for row in put:
        number = row["row_num"]
        assert (row["narrative_text"], row["label"]) == (f"Text {number}.", f"label {number}")
        value = weapons[number] if pd.notna(weapons[number]) else "unclear" if missing[number] == "unclear" else None
        assert (row["value"], row["error_message"] is None) == (value, not str(missing[number]).startswith("error"))
