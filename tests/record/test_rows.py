from pathlib import Path
from typing import Any

import pytest

from narrative_runs.record import database, experiment_rows, result_rows
from narrative_runs.record.error_rows import error_counts
from narrative_runs.record.result_rows import Tokens


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a folder without a record."""
    monkeypatch.chdir(tmp_path)


def add(experiment_id: str, **columns: Any) -> None:
    """Add an experiment to the record."""
    with database.transaction() as connection:
        database.put_experiment(connection, experiment_id, {"experiment_name": experiment_id.upper(), **columns})


def add_result(experiment_id: str, incident_id: str, **columns: Any) -> None:
    """Add a row of results to the record."""
    values = {"experiment_id": experiment_id, "incident_id": incident_id, "narrative_type": "cme", **columns}
    with database.transaction() as connection:
        connection.execute(
            f"INSERT INTO narrative_results ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            tuple(values.values()),
        )


def test_experiments_come_latest_first() -> None:
    """Experiments are listed by their start, the last one first; where two began at once, by when they were made."""
    add("a", start_time="2026-01-02 03:04:05", created_at="2026-01-02")
    add("b", start_time="2026-01-03 03:04:05")
    add("c", start_time="2026-01-02 03:04:05", created_at="2026-01-03")
    assert [row["experiment_id"] for row in experiment_rows.latest_first()] == ["b", "c", "a"]


def test_an_experiment_is_found_by_its_slug_or_id() -> None:
    """A slug names its own experiment alone; an experiment of the R system, without a slug, is found by its id."""
    add("a", slug="cases")
    add("b", slug=None)
    add("c", slug="")
    assert experiment_rows.slugs() == ["cases"]
    assert [row["experiment_id"] for row in experiment_rows.with_slug("cases")] == ["a"]
    assert experiment_rows.with_slug("b") == []
    assert [
        row["experiment_id"] for which in ("cases", "b", "x") for row in experiment_rows.with_slug_or_id(which)
    ] == [*("a", "b")]


def test_results_are_counted_of_one_experiment() -> None:
    """Tokens, errors and the last row are those of the experiment that is asked for; what nobody counted is 0."""
    add_result("a", "1", row_num=1, prompt_tokens=10, completion_tokens=2, tokens_used=12)
    add_result("a", "2", row_num=2, prompt_tokens=5, tokens_used=5, error_occurred=1, error_category="timeout")
    add_result("a", "3", row_num=9, error_occurred=1)
    add_result("a", "4", row_num=3, error_occurred=1)
    add_result("b", "1", row_num=70, prompt_tokens=100, error_occurred=1, error_category="api_error")
    assert result_rows.tokens_of("a") == Tokens(prompt=15, completion=2, used=17)
    assert list(error_counts("a").items()) == [("unknown", 2), ("timeout", 1)]
    assert result_rows.last_row_num("a") == 9


def test_results_come_in_row_order() -> None:
    """The columns that are asked for are given, in the order of the workbook's rows."""
    add_result("a", "1", row_num=2)
    add_result("a", "2", row_num=1)
    assert result_rows.of_experiment("a", ["incident_id"]) == [{"incident_id": "2"}, {"incident_id": "1"}]


@pytest.mark.parametrize(
    ("columns", "outcome"),
    [
        ({"detected": 1, "manual_flag_ind": 1}, "true positive"),
        ({"detected": 1, "manual_flag_ind": 0}, "false positive"),
        ({"detected": 0, "manual_flag_ind": 1}, "false negative"),
        ({"detected": 0, "manual_flag_ind": 0}, "true negative"),
        ({"detected": 0, "manual_flag_ind": None}, "no label"),
        ({"detected": None, "manual_flag_ind": 1}, "error"),
        ({"detected": 1, "manual_flag_ind": 1, "error_occurred": 1}, "error"),
    ],
)
def test_the_outcome_is_of_answer_and_label(columns: dict[str, Any], outcome: str) -> None:
    """A result's outcome is told by its answer and its label, also while the experiment runs."""
    add_result("a", "1", **columns)
    (result_id,) = result_rows.ids_with_outcome("a", outcome)
    row = result_rows.with_id(result_id)
    assert row is not None and row["outcome"] == outcome
    assert row == result_rows.of_narrative("a", "1", "cme")


def test_without_a_record_there_is_nothing() -> None:
    """Before the first run nothing is found, every sum is 0, and no record is made by asking."""
    assert not experiment_rows.latest_first() and not experiment_rows.slugs()
    assert not experiment_rows.with_slug("a") and not experiment_rows.with_slug_or_id("a")
    assert result_rows.tokens_of("a") == Tokens(0, 0, 0)
    assert result_rows.last_row_num("a") == 0
    assert error_counts("a") == {}
    assert result_rows.of_narrative("a", "1", "cme") is None and result_rows.with_id(1) is None
    assert not Path("results").exists()
