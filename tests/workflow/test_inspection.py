"""What a command finds of its experiment before anything runs: each branch of the plan, without Snakemake."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from narrative_runs import __version__, journal
from narrative_runs.derivation.difference import Difference
from narrative_runs.derivation.look import keep
from narrative_runs.findings.seal import seal
from narrative_runs.jobs.record import merge
from narrative_runs.params import Params
from narrative_runs.paths import RECORD, RESULTS, ExperimentFolder
from narrative_runs.record import database
from narrative_runs.source.checksum import md5_of
from narrative_runs.workflow.inspection import plan
from narrative_runs.workflow.plan import Plan
from tests.run_contexts import context_of
from tests.small_experiment import FOLDER, error_of, narratives_of, params_of, read_and_answered, write_workbook
from tests.small_experiment import keep as keep_entries

INCIDENTS = 4
TOTAL = 2 * INCIDENTS
ID = "0b6d"
WORKBOOK = Path("data/cases.xlsx")
Heard = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each command has a folder, and changes nothing of this process for good."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "__all__")
    monkeypatch.setattr(sys, "argv", ["snakemake"])
    handler, umask = signal.getsignal(signal.SIGINT), os.umask(0o077)
    yield
    os.umask(umask)
    signal.signal(signal.SIGINT, handler)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a completed experiment; of its report the page alone is there, and it is empty."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        merge(read_and_answered(INCIDENTS, params_of()))
        FOLDER.report.touch()
        write_params()
    return folder


@pytest.fixture
def completed(finished: Path, tmp_path: Path) -> None:
    """The experiment of this folder is completed."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def unmerged(completed: None) -> None:
    """It was answered, and was not merged."""
    for name in ("metrics.json", "report.html", "derived_by.json", "results.parquet"):
        (FOLDER.path / name).unlink()
    set_row(status="failed")


def write_params(params: Params | None = None, /, **changes: dict[str, Any]) -> None:
    """Write params.yaml; changes: values of its sections."""
    values = (params or params_of()).model_dump(mode="json")
    for section, given in changes.items():
        values[section].update(given)
    Path("params.yaml").write_text(yaml.safe_dump(values))


def set_row(**columns: Any) -> None:
    """Set columns of the experiment's row in the record."""
    with database.transaction() as connection:
        database.update_experiment(connection, ID, columns)


def make_error(category: str) -> None:
    """Make an error of one narrative's result in the record."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE narrative_results SET error_occurred = 1, error_category = ? WHERE result_id = "
            "(SELECT min(result_id) FROM narrative_results)",
            (category,),
        )


def planned(**overrides: Any) -> Plan:
    """The plan of a plain command with these `--config` values."""
    return plan(overrides, [])


def refused(**overrides: Any) -> str:
    """Why a command cannot be run."""
    with pytest.raises(SystemExit) as ended:
        plan(overrides, [])
    assert isinstance(ended.value.code, str) and ended.value.code.startswith("narrative-runs: ")
    return ended.value.code


def force_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is typed with `--forcerun retry_errors`."""
    monkeypatch.setattr(sys, "argv", ["snakemake", "--cores", "4", "--forcerun", "retry_errors"])


def stands(found: Plan) -> tuple[bool, bool, bool]:
    """Whether the experiment is recorded and completed, and whether its record is behind."""
    return found.recorded, found.completed, found.record_is_behind


def test_a_new_experiment() -> None:
    """Of an experiment that nobody began nothing is done, its workbook is checked, and nothing is written."""
    md5 = write_workbook(INCIDENTS)
    write_params()
    found = planned()
    assert (found.state, found.source_md5, stands(found)) == (None, md5, (False, False, False))
    assert not found.retry_errors and found.difference is None and not found.is_whole
    assert found.params == params_of() and not RESULTS.exists()


def test_values_of_the_command_stand_above_the_file() -> None:
    """What `--config` gives stands instead of what the file says, section by section."""
    write_workbook(INCIDENTS)
    write_params()
    found = planned(run={"max_in_flight": "3", "max_narratives": "null"}, report={"show_narratives": "true"})
    assert (found.params.run.max_in_flight, found.params.report.show_narratives) == (3, True)


def test_an_experiment_that_is_not_merged_goes_on(unmerged: None) -> None:
    """An experiment with answers and without findings is known by its journals, and is to be gone on with."""
    found = planned()
    assert found.state is not None and found.state.experiment_id == ID and found.state.has_answers
    assert stands(found) == (False, False, False)


def test_a_completed_experiment(completed: None, capsys: Heard) -> None:
    """With all findings, a record that says so, and a report, it is completed, which is told."""
    found = planned()
    assert stands(found) == (True, True, False) and found.difference is None
    assert f"Cases was completed {row()['end_time']}: {TOTAL} narratives" in capsys.readouterr().err


def row() -> dict[str, Any]:
    """The experiment's row in the record."""
    found = database.experiment(ID)
    assert found is not None
    return found


def test_a_report_that_is_missing(completed: None) -> None:
    """Without its report an experiment is recorded, and not completed."""
    FOLDER.report.unlink()
    assert stands(planned()) == (True, False, False)


def lose_the_record() -> None:
    """The record is gone."""
    RECORD.unlink()


def kill_the_merge() -> None:
    """The merge was killed before its last word."""
    set_row(status="running")


@pytest.mark.parametrize("accident", [lose_the_record, kill_the_merge])
def test_a_record_that_is_behind(accident: Callable[[], None], completed: None) -> None:
    """Findings whose record is gone, or does not call them completed, are no reason to merge again: the record is
    filled."""
    accident()
    assert stands(planned()) == (False, False, True)


def test_findings_that_are_missing(completed: None) -> None:
    """Without metrics.json an experiment is merged again, whatever the record says."""
    FOLDER.metrics.unlink()
    assert stands(planned()) == (False, False, False)


def test_findings_that_are_taken_over(completed: None) -> None:
    """With `rederive` the findings are to be made again, whatever the record says; so is nothing of a record behind."""
    assert stands(planned(rederive=1)) == (False, False, False)
    set_row(status="running")
    assert stands(planned(rederive=1)) == (False, False, False)


def test_a_pilot_that_is_extended(capsys: Heard) -> None:
    """A completed pilot is to be gone on with once more narratives are wanted; with as many as before it is
    completed."""
    merge(read_and_answered(INCIDENTS, params_of(max_narratives=3)))
    FOLDER.report.touch()
    write_params(params_of(max_narratives=3))
    assert stands(planned()) == (True, True, False)
    write_params(params_of(max_narratives=5))
    assert stands(planned()) == (False, False, False)
    assert stands(planned(run={"max_narratives": "null"})) == (False, False, False)


@pytest.mark.parametrize("limit", [3, TOTAL - 1])
def test_a_limit_takes_nothing_away(limit: int, completed: None, capsys: Heard) -> None:
    """A limit below what has results is not used, which is told, and the experiment stays completed."""
    found = planned(run={"max_narratives": limit})
    assert found.params.run.max_narratives is None and found.completed
    assert f"run.max_narratives is {limit}, but there are results for all narratives already" in capsys.readouterr().err


def test_a_workbook_whose_quality_was_lost(completed: None) -> None:
    """Without data_quality.json the record's own number tells that nothing more is wanted."""
    FOLDER.data_quality.unlink()
    assert planned().recorded


def test_a_cancelled_experiment_goes_on(unmerged: None, capsys: Heard) -> None:
    """That it was cancelled is told, and does not keep it from going on."""
    set_row(status="cancelled")
    assert stands(planned()) == (False, False, False)
    assert "this experiment was cancelled" in capsys.readouterr().err


def test_an_experiment_by_its_id(unmerged: None) -> None:
    """An experiment that is named by its id is meant whatever the params file says, or without any; its params are
    then those of its last session."""
    write_params(experiment={"name": "Other", "slug": "other"}, model={"temperature": 1.0})
    found = planned(experiment_id=ID, run={"max_in_flight": "3"})
    assert (found.slug, found.params.model.temperature, found.params.run.max_in_flight) == ("cases", 0.0, 3)
    Path("params.yaml").unlink()
    assert planned(experiment_id=ID).params == params_of()
    assert "params.yaml" in refused()


def test_an_id_that_nobody_knows(unmerged: None) -> None:
    """An unknown id is an error that says where to look."""
    assert "Experiment ID not found: dead-beef. No folder under results/ has" in refused(experiment_id="dead-beef")


def test_a_completed_experiment_by_its_id(completed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumed by its id a completed experiment is refused, save where its errors are to be asked again."""
    assert f"Cannot resume completed experiment Cases ({ID})" in refused(experiment_id=ID)
    force_retry(monkeypatch)
    make_error("timeout")
    assert planned(experiment_id=ID).retry_errors


@pytest.mark.parametrize("overrides", [{}, {"experiment_id": ID}])
def test_a_folder_that_was_deleted(overrides: dict[str, Any], completed: None) -> None:
    """Where the record knows an experiment and its answers are gone, no new one takes its place; the ways out are
    told."""
    shutil.rmtree(FOLDER.path)
    reason = refused(**overrides)
    assert f"Cases ({ID}) was run in results/cases/, but its answers are no longer there" in reason
    assert f"the record holds {TOTAL} of its results" in reason and "narrative-runs forget cases" in reason


@pytest.mark.parametrize(
    ("changes", "is_another"),
    [
        ({"experiment": {"name": "Other"}}, False),
        ({"experiment": {"name": "Other"}, "prompt": {"user_template": "Other: <<TEXT>>"}}, True),
        ({"experiment": {"name": "Other"}, "data": {"file": "data/other.xlsx"}}, True),
    ],
)
def test_the_slug_of_another_experiment(changes: dict[str, dict[str, Any]], is_another: bool, unmerged: None) -> None:
    """A file with another name that kept the slug is refused where it asks something else, or about other data; a mere
    change of the name is none."""
    shutil.copy(WORKBOOK, "data/other.xlsx")
    shutil.copy(WORKBOOK.with_name("cases.xlsx.dvc"), "data/other.xlsx.dvc")
    write_params(**changes)
    if is_another:
        assert f"experiment.slug: cases belongs to another experiment, Cases ({ID})" in refused()
    else:
        assert planned().params.experiment.name == "Other"


def test_a_slug_that_the_record_gives_to_another(unmerged: None) -> None:
    """Journals of one experiment under the slug of another, as in a folder that was put in its place, are refused."""
    with database.transaction() as connection:
        database.put_experiment(connection, "ffff", {"experiment_name": "Elder", "slug": "cases"})
    assert "Elder (ffff) was run in results/cases/" in refused()


def test_frozen_values_stay(unmerged: None, capsys: Heard) -> None:
    """A frozen value that was edited is told with both values, and the old one is used; what may change is taken from
    the file."""
    write_params(model={"temperature": 1.0}, run={"max_in_flight": 3})
    found = planned()
    assert (found.params.model.temperature, found.params.run.max_in_flight) == (0.0, 3)
    told = capsys.readouterr().err
    assert "model.temperature has been frozen since the first answer: 0.0 is used, not 1.0 from params.yaml" in told
    assert "start a new experiment" in told


def test_before_the_first_answer_nothing_is_frozen(unmerged: None) -> None:
    """An experiment that has errors alone takes each value from the file."""
    shutil.rmtree(FOLDER.journals)
    context = context_of(params_of(), source_md5=md5_of(WORKBOOK))
    keep_entries(context, "1-of-2", [error_of(narratives_of(1)[0], params_of())])
    write_params(model={"temperature": 1.0})
    assert planned().params.model.temperature == 1.0


def test_a_proof_is_of_the_same_params(completed: None) -> None:
    """What is to prove an experiment is refused where a frozen value differs, and else reads every answer."""
    assert planned(proof=1).completed
    write_params(model={"temperature": 1.0})
    assert "it proves nothing about them:\n  model.temperature: 0.0, not 1.0" in refused(proof=1)


def test_an_altered_answer_is_refused(unmerged: None) -> None:
    """A journal of which a single byte of its last answer is not as it was sealed is refused before anything is
    planned."""
    (path,) = journal.files(FOLDER.journals, "1-of-2")
    before, mark, after = path.read_bytes().rpartition(b"chatcmpl-1")
    path.write_bytes(before + mark[:-1] + b"2" + after)
    assert "1-of-2.jsonl" in refused()


@pytest.mark.slow
def test_a_tracked_session_that_is_not_there(unmerged: None) -> None:
    """Answers that DVC keeps and that were not fetched would all be asked again: their sessions are named instead."""
    (FOLDER.journals / "session-0002.dvc").write_text("outs:\n- md5: 0.dir\n  hash: md5\n  path: session-0002\n")
    assert f"{FOLDER.journals}/ lacks session-0002: answers that are stored in DVC" in refused()


def test_strangers_among_the_journals_are_told(unmerged: None, capsys: Heard) -> None:
    """Files beside the journals that are none are counted and one is named; they stop nothing."""
    (FOLDER.journals / "session-0001" / "1-of-2 (copy).jsonl").touch()
    (FOLDER.journals / "a.txt").touch()
    planned()
    assert f"{FOLDER.journals}/ holds 2 files that are not journals" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": {"api_url": "http://user:secret@localhost:1/v1"}}, "model.api_url holds"),
        ({"model": {"extra_body": {"temperature": 1}}}, "model.extra_body.temperature: set model.temperature"),
        ({"run": {"max_in_flight": 0}}, "run.max_in_flight"),
        ({"data": {"file": "data/none.xlsx"}}, "data/none.xlsx"),
    ],
)
def test_mistakes_in_the_file(changes: dict[str, dict[str, Any]], words: str) -> None:
    """A mistake in the file ends the command with its place and without what may be secret, and nothing is written."""
    write_workbook(INCIDENTS)
    write_params(**changes)
    reason = refused()
    assert words in reason and "secret@" not in reason and not RESULTS.exists()


@pytest.mark.parametrize("is_tracked_anew", [True, False])
def test_a_workbook_that_changed(is_tracked_anew: bool, unmerged: None) -> None:
    """Once there are answers an experiment goes on with its own workbook alone."""
    dvc = WORKBOOK.with_name("cases.xlsx.dvc").read_bytes()
    write_workbook(INCIDENTS + 1)
    if not is_tracked_anew:
        WORKBOOK.with_name("cases.xlsx.dvc").write_bytes(dvc)
    assert "Data file has changed since original load!" in refused()


def test_a_workbook_that_is_not_here_yet(unmerged: None) -> None:
    """A tracked workbook that is to be fetched is known by its checksum."""
    md5 = planned().source_md5
    WORKBOOK.unlink()
    assert planned().source_md5 == md5


@pytest.mark.parametrize("is_done", [True, False])
def test_the_same_question_under_another_name(is_done: bool, completed: None, capsys: Heard) -> None:
    """A new experiment that asks what another has asked already is told with that one's name, and how to go on with
    it; one that asks something else is not."""
    if not is_done:
        set_row(status="failed")
    write_params(experiment={"name": "Other", "slug": "other"})
    assert planned().state is None
    told = capsys.readouterr().err
    assert (
        f"Cases (results/cases/) used the same workbook, prompt and model, and has results for {TOTAL} narratives"
        in told
    )
    assert ("Cases is completed" in told) == is_done and (f"experiment_id={ID}" in told) != is_done
    write_params(experiment={"name": "Other", "slug": "other"}, prompt={"system_prompt": "Other."})
    planned()
    assert "used the same workbook" not in capsys.readouterr().err


def test_errors_are_asked_again(completed: None, monkeypatch: pytest.MonkeyPatch, capsys: Heard) -> None:
    """Forced, the retry is planned with its categories, and it is told how many errors there are."""
    force_retry(monkeypatch)
    make_error("timeout")
    found = planned(retry="timeout,api_error")
    assert (found.retry_errors, found.retry_categories) == (True, ("timeout", "api_error")) and found.completed
    told = capsys.readouterr().err
    assert "Errors: 1 timeout. Asked again: 1 (1 timeout)." in told and "was completed" not in told


def test_a_retry_without_an_error_to_ask_about_is_none(
    completed: None, monkeypatch: pytest.MonkeyPatch, capsys: Heard
) -> None:
    """Where a completed experiment has no error rows, or none of the categories, no retry is planned, which would keep
    a snapshot of the state before it; of one that is not merged, it is planned."""
    force_retry(monkeypatch)
    assert not planned().retry_errors
    assert "There are no error rows: nothing is asked again." in capsys.readouterr().err
    make_error("timeout")
    assert not planned(retry="api_error").retry_errors
    assert "Errors: 1 timeout. Asked again: 0." in capsys.readouterr().err
    (FOLDER.path / "metrics.json").unlink()
    set_row(status="failed")
    assert planned(retry="api_error").retry_errors


@pytest.mark.parametrize(("given", "words"), [("timeout", "Type both"), ("nonsense", "is not an error category")])
def test_a_retry_that_is_not_forced(given: str, words: str, completed: None) -> None:
    """Categories without the forced rule, or that are none, are a mistake."""
    assert words in refused(retry=given)


def test_groups_that_are_no_column(completed: None) -> None:
    """A column that report.groups names and the workbook has not is told before anything runs."""
    write_params(report={"groups": ["Gender"]})
    assert "Gender" in refused()


def by_other_code() -> None:
    """The findings were derived by other code than this."""
    seal(FOLDER, release="0.0.9", code="0" * 32)


@pytest.mark.slow
def test_findings_of_other_code_that_are_the_same(completed: None, capsys: Heard) -> None:
    """A completed experiment of another release is compared once; where this one derives the same and nothing is
    missing it is left alone, and where a file is missing that is made."""
    by_other_code()
    found = planned()
    assert found.difference is None and found.completed and not found.is_whole
    assert "comparing the findings" in capsys.readouterr().err
    for path in map(Path, found.outputs):
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.touch()
    again = planned()
    assert again.is_whole and again.wanted == [str(FOLDER.description)]
    assert "comparing the findings" not in capsys.readouterr().err
    write_params(experiment={"notes": "other"})
    assert not planned().is_whole


def test_findings_that_this_code_derives_differently(
    completed: None, monkeypatch: pytest.MonkeyPatch, capsys: Heard
) -> None:
    """Where other findings would come of the same answers nothing is made again: what differs is told, with the way to
    take it over, and neither a retry nor a proof begins."""
    by_other_code()
    keep(FOLDER, Difference(["metrics.json"], 1, TOTAL, 2, ["overall.tp: 1 is now 2"]))
    FOLDER.changes.touch()
    found = planned()
    assert found.difference is not None and found.wanted == [str(FOLDER.changes)] and not found.is_whole
    told = capsys.readouterr().err
    assert f"Nothing was changed. This release ({__version__}) derives different findings" in told
    assert f"1 of {TOTAL} rows and 2 figures" in told and "narrative-runs rederive cases" in told
    assert "derives different findings" in refused(proof=1)
    force_retry(monkeypatch)
    assert "derives different findings" in refused()


def test_files_are_the_owners_alone(completed: None) -> None:
    """What lies there already is closed to others when a command begins, and so is what it will write."""
    FOLDER.metrics.chmod(0o644)
    planned()
    assert FOLDER.metrics.stat().st_mode & 0o777 == 0o600
    Path("new").touch()
    assert Path("new").stat().st_mode & 0o077 == 0


def test_an_interrupt_ends_what_has_not_begun(completed: None) -> None:
    """Until a run begins Ctrl-C ends the command at once, and says that nothing was asked."""
    planned()
    with pytest.raises(SystemExit, match="stopped before anything was asked"):
        signal.raise_signal(signal.SIGINT)


def test_an_unreadable_neighbour_is_no_hindrance(unmerged: None) -> None:
    """Another folder under results/ whose journals are damaged keeps no experiment from being planned."""
    path = ExperimentFolder("damaged").journals / "session-0001" / "1-of-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([]) + "\n")
    assert planned().state is not None
    assert "results/damaged/ cannot be read" in refused(experiment_id="dead-beef")
