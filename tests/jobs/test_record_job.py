import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fake_server import answer_to
from tests.run_contexts import context_of
from tests.small_experiment import (
    FOLDER,
    entry_of,
    error_of,
    keep,
    narratives_of,
    params_of,
    read_and_answered,
    write_shards_of_results,
)

from narrative_runs import results_file
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.errors import RecordError, ServerError
from narrative_runs.findings.seal import seal_of
from narrative_runs.jobs.record import merge, restore
from narrative_runs.journal import RETRY
from narrative_runs.paths import RECORD
from narrative_runs.record import database, state
from narrative_runs.run_context import RunContext
from narrative_runs.seen_narratives import record_seen, seen_digests
from narrative_runs.source.checksum import md5_of
from narrative_runs.source.shards import Narrative, iterate_all

INCIDENTS = 6
TABLES = ("results.parquet", "results.xlsx", "results.csv", "results.json")
PARAMS = params_of()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunContext]:
    """A project whose experiment is ready to be merged, and what its run is for."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, read_and_answered(INCIDENTS, PARAMS)


@pytest.fixture
def context(whole: tuple[Path, RunContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunContext:
    """What the run of a copy of it is for."""
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return whole[1]


def rows() -> list[dict[str, Any]]:
    """The experiment's results in the record."""
    return database.query("SELECT * FROM narrative_results ORDER BY row_num")


def row() -> dict[str, Any]:
    """The experiment in the record."""
    found = database.experiment("0b6d")
    assert found is not None
    return found


def narratives() -> list[Narrative]:
    """All narratives."""
    return list(iterate_all(FOLDER, 2))


def findings() -> dict[str, bytes]:
    """The files that a merge wrote."""
    names = (*TABLES, FOLDER.metrics.name, FOLDER.derived_by.name, FOLDER.data_quality.name, FOLDER.readme.name)
    return {name: (FOLDER.path / name).read_bytes() for name in names}


def test_all_answers_come_into_the_findings_and_the_record(context: RunContext) -> None:
    """Every narrative has one row with its own answer in the tables and in the record, which calls the experiment
    completed with the figures of metrics.json."""
    merge(context)
    detected = [answer_to(f"Narrative: {narrative.narrative_text}")["detected"] for narrative in narratives()]
    assert [bool(found["detected"]) for found in rows()] == detected
    assert [found["narrative_text"] for found in rows()] == [each.narrative_text for each in narratives()]
    table = json.loads((FOLDER.path / "results.json").read_text())
    assert [each["detected"] for each in table] == detected
    measured, kept = json.loads(FOLDER.metrics.read_text()), row()
    assert kept["status"] == "completed"
    assert kept["n_narratives_total"] == kept["n_narratives_processed"] == measured["n_processed"] == 2 * INCIDENTS
    assert kept["n_true_positive"] == measured["overall"]["tp"]
    assert kept["n_positive_detected"] == sum(detected)
    sealed = seal_of(FOLDER)
    assert sealed is not None and set(TABLES) - {"results.xlsx"} <= set(sealed.md5)


@pytest.mark.slow
def test_safe_to_repeat(context: RunContext) -> None:
    """Merged again, all findings are the same to the byte, and the record's rows keep their ids."""
    merge(context)
    before, kept = findings(), rows()
    merge(context)
    assert (findings(), rows()) == (before, kept)


def test_nothing_of_the_workbooks_part_gets_newer(context: RunContext) -> None:
    """What the merge adds to data_quality.json does not make it newer, so that nothing is made again for it."""
    before, times = json.loads(FOLDER.data_quality.read_text()), FOLDER.data_quality.stat().st_mtime_ns
    entries = [entry_of(narrative, PARAMS) for narrative in narratives()]
    content = entries[0]["response"]["choices"][0]["message"]
    content["content"] = json.dumps({**json.loads(content["content"]), "confidence": "high"})
    shutil.rmtree(FOLDER.journals)
    keep(context, "1-of-2", entries[::2])
    keep(replace(context, session=2), "2-of-2", entries[1::2])
    write_shards_of_results(context)
    merge(context)
    after = json.loads(FOLDER.data_quality.read_text())
    assert after.pop("answers") == {"confidence_unreadable": 1} and after == before
    assert FOLDER.data_quality.stat().st_mtime_ns == times


@pytest.mark.slow
def test_a_retry_stands_in_the_place_of_the_first_pass(context: RunContext) -> None:
    """A row that was asked again has the outcome of its last pass, with the number of the passes."""
    merge(context)
    first = {found["row_num"]: found["result_id"] for found in rows()}
    again = error_of(narratives()[3], PARAMS, attempt=2, first_error_message="a timeout")
    keep(replace(context, session=2), RETRY, [again])
    write_shards_of_results(context)
    merge(context)
    found = rows()[3]
    assert (found["error_category"], found["attempt_count"], found["result_id"]) == ("timeout", 2, first[4])
    assert row()["n_narratives_completed"] == 2 * INCIDENTS - 1


def errors_alone(context: RunContext) -> None:
    """Have every narrative failed."""
    shutil.rmtree(FOLDER.journals)
    keep(context, "1-of-2", [error_of(narrative, PARAMS) for narrative in narratives()[::2]])
    keep(replace(context, session=2), "2-of-2", [error_of(narrative, PARAMS) for narrative in narratives()[1::2]])
    write_shards_of_results(context)


def test_errors_alone_complete_no_experiment(context: RunContext) -> None:
    """Where no narrative has an answer the merge fails with the commonest reason and both ways on, and completes
    nothing."""
    errors_alone(context)
    with pytest.raises(ServerError, match=r"none of 12 narratives has an answer: a timeout.*forcerun retry_errors"):
        merge(context)
    assert not FOLDER.metrics.exists() and not (FOLDER.path / "results.parquet").exists()
    assert row()["status"] == "running" and not rows()


@pytest.mark.slow
def test_what_was_completed_stays_completed(context: RunContext) -> None:
    """An experiment that has findings is merged again, though now it holds nothing but errors."""
    merge(context)
    errors_alone(context)
    merge(context)
    assert row()["status"] == "completed" and row()["n_narratives_completed"] == 0


def lacks_one(number: int) -> None:
    """A shard lacks its last result."""
    path = FOLDER.results_of(number, 2)
    results_file.write(list(results_file.read(path))[:-1], path, DEFAULT)


def has_one_twice(number: int) -> None:
    """A shard has its first result instead of its last, too."""
    path = FOLDER.results_of(number, 2)
    found = list(results_file.read(path))
    results_file.write([*found[:-1], found[0]], path, DEFAULT)


@pytest.mark.parametrize("damage", [lacks_one, has_one_twice])
def test_not_one_result_each_is_an_error(damage: Callable[[int], None], context: RunContext) -> None:
    """Where a narrative has no result, or two, nothing is merged, and the way out is told."""
    damage(2)
    with pytest.raises(RecordError, match=r"results for 12 narratives\. Delete results/cases/shards/"):
        merge(context)
    assert not FOLDER.metrics.exists() and not rows() and row()["status"] == "running"


def test_a_pilot_is_complete_with_its_own_narratives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With run.max_narratives the experiment is completed with those alone."""
    monkeypatch.chdir(tmp_path)
    merge(read_and_answered(INCIDENTS, params_of(max_narratives=5)))
    assert (row()["status"], row()["n_narratives_total"], len(rows())) == ("completed", 5, 5)


@pytest.mark.slow
def test_without_exports_there_are_two_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With run.save_csv_json: false neither file is written, and the record names none."""
    monkeypatch.chdir(tmp_path)
    merge(read_and_answered(INCIDENTS, params_of(save_csv_json=False)))
    assert [(FOLDER.path / name).exists() for name in TABLES] == [True, True, False, False]
    assert (row()["csv_file"], row()["json_file"]) == (None, None)


def test_a_list_of_changes_is_taken_over(context: RunContext) -> None:
    """What an earlier look listed as changed is no longer there once it was merged."""
    FOLDER.changes.touch()
    merge(context)
    assert not FOLDER.changes.exists()


@pytest.mark.slow
def test_a_lost_record_is_filled_again(context: RunContext) -> None:
    """Restored, the record has all results, figures and narratives of the workbook as before, and no file of the
    findings is touched."""
    merge(context)
    kept, before = rows(), row()
    times = {path: path.stat().st_mtime_ns for path in FOLDER.path.rglob("*") if path.is_file()}
    RECORD.unlink()
    state.begin(context.experiment_id, context.began_at, FOLDER, PARAMS)
    restore(context)
    assert [{**found, "result_id": 0} for found in rows()] == [{**found, "result_id": 0} for found in kept]
    untold = {"last_progress_update": None, "created_at": None}
    assert {**row(), **untold} == {**before, **untold}
    assert len(database.query("SELECT * FROM source_narratives")) == 2 * INCIDENTS
    assert {path: path.stat().st_mtime_ns for path in FOLDER.path.rglob("*") if path.is_file()} == times


@pytest.mark.slow
def test_what_was_seen_before_the_first_answer_is_left_out_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`unseen` leaves out the incidents that the journals name as seen, one of whose narratives the limit left out
    among them; whatever is seen later changes no byte of the findings."""
    monkeypatch.chdir(tmp_path)
    # The second incident's narrative is row 4, which is not asked.
    seen = [narrative for narrative in narratives_of(2 * INCIDENTS) if narrative.row_num in (1, 4, 12)]
    record_seen(seen, "tried")
    merge(read_and_answered(INCIDENTS, params_of(max_narratives=3), seen_before=tuple(sorted(seen_digests()))))
    before = findings()
    measured = json.loads(before["metrics.json"])
    assert (measured["unseen"]["n_seen_narratives"], measured["unseen"]["n_seen_incidents"]) == (2, 2)
    assert (measured["overall"]["n_answered"], measured["unseen"]["overall"]["n_answered"]) == (3, 0)
    record_seen(narratives_of(2 * INCIDENTS), "shown")
    merge(context_of(params_of(max_narratives=3), source_md5=md5_of(Path("data/cases.xlsx"))))
    assert findings() == before


@pytest.mark.slow
def test_what_nobody_had_seen_has_no_measures_of_its_own(context: RunContext) -> None:
    """Without a word in its journals an experiment has no `unseen`, whatever was seen since."""
    merge(context)
    before = findings()
    record_seen(narratives(), "shown")
    merge(context)
    assert findings() == before and "unseen" not in json.loads(FOLDER.metrics.read_text())
