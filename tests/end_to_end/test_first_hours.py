"""The first hours of a stranger: wrong turns, each told in a sentence, and each with a way out that works."""

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrative_runs.paths import ExperimentFolder
from tests.project import AT_LONGEST_S, BIN, ROOT, Fake, Project, cases, wait_until

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def ready(project: Project, fake: Fake) -> Project:
    """40 narratives in 3 shards."""
    fake.behave()
    project.write_workbook(cases(20))
    project.write_params(fake.url)
    return project


def typed(project: Project, command: str) -> subprocess.CompletedProcess[str]:
    """A command as a person types it, with the environment active."""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=project.folder,
        env={**project.environment, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=AT_LONGEST_S,
    )


def ids(project: Project) -> dict[tuple[str, str], int]:
    """The result_id of each narrative that has a result."""
    rows = project.query("SELECT incident_id, narrative_type, result_id FROM narrative_results")
    return {(incident_id, kind): result_id for incident_id, kind, result_id in rows}


@pytest.mark.until("record")
def test_a_pilot_tells_what_the_whole_takes_and_how_to_go_on(ready: Project, fake: Fake) -> None:
    """At its end a pilot says how many of how many, seconds and tokens, and the whole's time, tokens and cost; the
    command in its last line asks for the rest alone, and then nothing is said of a pilot."""
    fake.behave(latency_s=0.1)
    prices = {"price_per_million_prompt_tokens": 1000.0, "price_per_million_completion_tokens": 0.0}
    ready.write_params(fake.url, "my params.yaml", run={"max_narratives": 10, "max_in_flight": 2, **prices})
    pilot = typed(ready, "snakemake --cores 4 --configfile 'my params.yaml' > run.log")
    assert pilot.returncode == 0, pilot.stdout
    first, second, command = pilot.stdout.strip().splitlines()[-3:]
    assert re.fullmatch(r"Pilot: 10 of 40 narratives; 0\.1 s an answer, \d+ tokens each\.", first), pilot.stdout
    assert re.match(r"All 40: about \d+ seconds of asking, [\d,]+ tokens, a cost of [\d.]+, at this pace", second)
    assert [line for line in (ready.folder / "run.log").read_text().splitlines() if line] == [
        line for line in pilot.stdout.splitlines() if line in (ready.folder / "run.log").read_text()
    ]
    asked = fake.asked
    rest = typed(ready, command)
    assert rest.returncode == 0 and fake.asked == asked + 30 and "Pilot" not in rest.stdout, rest.stdout


@pytest.mark.until("record")
def test_lines_of_progress_go_into_a_file(ready: Project, fake: Fake) -> None:
    """`> run.log` gets the lines of progress, and none of them slides away after the last answer."""
    ready.write_workbook(cases(110))
    result = typed(ready, "snakemake --cores 4 > run.log 2> err.log")
    written = (ready.folder / "run.log").read_text(encoding="utf-8")
    assert result.returncode == 0 and "[PROGRESS]" in written and "220 narratives" in written
    ends = [line for line in written.splitlines() if "220/220" in line]
    assert all("All answered" in line and "ETA" not in line and "Rate" not in line for line in ends)


@pytest.mark.long
def test_the_pilots_command_again_takes_nothing_away(ready: Project, fake: Fake) -> None:
    """After the full run the pilot's command changes nothing, and says so in one line; so does it half-way."""
    pilot = ("--config", "run={max_narratives: 12}")
    assert ready.snakemake(*pilot).returncode == 0
    before = ids(ready)
    assert len(before) == 12
    fake.behave(latency_s=0.2)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 30)
        os.kill(main.pid, signal.SIGTERM)
        main.wait(timeout=AT_LONGEST_S)
    fake.behave()
    half_way = ready.snakemake(*pilot)
    assert half_way.returncode == 0 and "none is removed" in half_way.stdout, half_way.stdout
    kept = ids(ready)
    assert before.items() <= kept.items() and len(kept) >= 30
    assert ready.snakemake().returncode == 0
    whole, asked = ids(ready), fake.asked
    again = ready.snakemake(*pilot)
    assert again.returncode == 0 and fake.asked == asked == 40
    assert (
        "run.max_narratives is 12, but there are results for all narratives already: none is removed." in again.stdout
    )
    assert ids(ready) == whole and kept.items() <= whole.items() and len(whole) == 40
    assert ready.read_json("results/cases/metrics.json")["n_total"] == 40


@pytest.mark.until("record")
@pytest.mark.long
def test_a_renamed_experiment_is_told_before_it_asks(ready: Project, fake: Fake) -> None:
    """A new name for the same workbook, prompt and model is told with what was answered and how to go on with that."""
    fake.behave(latency_s=0.2)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 12)
        os.kill(main.pid, signal.SIGTERM)
        main.wait(timeout=AT_LONGEST_S)
    done = len(ids(ready))
    ready.write_params(fake.url, experiment={"name": "Renamed", "slug": "renamed"})
    asked = fake.asked
    with ready.started("snakemake", "--cores", "4") as main:
        assert main.stdout is not None
        screen = ""
        while "To continue Cases instead" not in screen:
            line = main.stdout.readline()
            assert line, screen
            screen += line
        os.kill(main.pid, signal.SIGKILL)
    assert "Cases (results/cases/) used the same workbook" in screen and f"results for {done} narratives" in screen
    assert fake.asked == asked
    fake.behave()
    (command,) = re.findall(r"instead: `([^`]+)`", screen)
    assert typed(ready, command).returncode == 0
    assert ready.status() == "completed" and len(ids(ready)) == 40


@pytest.mark.long
def test_a_deleted_folder_has_one_way_out(ready: Project, fake: Fake) -> None:
    """results/SLUG deleted by hand is told alike whichever way the run is started, and the way out works."""
    assert ready.snakemake().returncode == 0
    ((experiment_id,),) = ready.query("SELECT experiment_id FROM experiments")
    copy = ready.folder.parent / "copy"
    shutil.copytree(ready.folder / "results/cases", copy)
    shutil.rmtree(ready.folder / "results/cases")
    told = {
        ready.snakemake(*words).stdout.strip().splitlines()[-1]
        for words in ((), ("--config", f"experiment_id={experiment_id}"))
    }
    assert len(told) == 1 and "If you have none" in next(iter(told)) and "holds 40 of its results" in next(iter(told))
    ready.write_params(fake.url, experiment={"name": "Anew", "slug": "anew"})
    assert ready.snakemake().returncode == 0
    shutil.copytree(copy, ready.folder / "results/cases")
    ready.write_params(fake.url)
    asked = fake.asked
    assert ready.snakemake().returncode == 0 and fake.asked == asked


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "missing.yaml"), "missing.yaml does not exist. Params files in this folder:"),
        (("run", "--narratives", "0"), "a pilot needs at least one narrative"),
        (("run", "broken.yaml"), "broken.yaml is not valid YAML, line 3"),
        (("run", "typo.yaml"), "run.max_narrative: unknown key"),
    ],
)
def test_slips_are_told_in_a_sentence(ready: Project, fake: Fake, words: tuple[str, ...], told: str) -> None:
    """What is mistyped at the front is told in a sentence with file, line or key, before snakemake is started."""
    (ready.folder / "broken.yaml").write_text("experiment:\n  name: a\n model: x\n")
    ready.write_params(fake.url, "typo.yaml", run={"max_narrative": 3})
    result = ready.run("narrative-runs", *words)
    assert result.returncode == 1 and told in result.stdout and "Traceback" not in result.stdout, result.stdout


def test_the_front_starts_what_it_prints(ready: Project, fake: Fake) -> None:
    """`narrative-runs run` prints the snakemake command, which does the same when it is typed, and becomes it."""
    result = ready.run("narrative-runs", "run", "--narratives", "10")
    command = result.stdout.splitlines()[0]
    assert result.returncode == 0 and len(ids(ready)) == 10, result.stdout
    assert shlex.split(command) == ["snakemake", "--cores", "4", "--config", "run={max_narratives: 10}"]
    again = typed(ready, command)
    assert again.returncode == 0 and fake.asked == 10


@pytest.mark.long
def test_answers_are_counted_after_all_outputs_are_deleted(ready: Project, fake: Fake) -> None:
    """After `snakemake --delete-all-output` the block of the resume counts the answers that are kept."""
    assert ready.snakemake().returncode == 0
    assert ready.snakemake("--delete-all-output").returncode == 0
    asked = fake.asked
    result = ready.snakemake()
    assert result.returncode == 0 and fake.asked == asked
    assert "RESUMING" not in result.stdout or "Completed: 40 narratives" in result.stdout, result.stdout
    assert "Total: 0" not in result.stdout


@pytest.mark.parametrize("words", ["--until source", "--touch", "--omit-from record"])
@pytest.mark.long
def test_a_part_of_the_workflow_leaves_a_true_state(ready: Project, fake: Fake, words: str) -> None:
    """Whatever part of the workflow is run, an unfinished experiment is not called running afterwards."""
    fake.behave(latency_s=0.2)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 12)
        os.kill(main.pid, signal.SIGTERM)
        main.wait(timeout=AT_LONGEST_S)
    fake.behave()
    ready.snakemake(*words.split())
    ((status, notes),) = ready.query("SELECT status, notes FROM experiments")
    assert status == "failed" and "[stopped]" in notes
    assert "died" not in ready.run("narrative-runs", "status").stdout
    assert ready.snakemake().returncode == 0 and ready.status() == "completed"


@pytest.mark.long
def test_errors_are_asked_again_by_category(ready: Project, fake: Fake) -> None:
    """`retry=` asks again for these categories alone; before, it says how many of which kind there are, and which are
    hardly worth it."""
    faults = [
        {"fault": "thinking without an end", "narrative": "CME text of case 3."},
        {"fault": "draft that was cut off", "narrative": "LE text of case 4."},
        {"fault": "refusal in words", "narrative": "LE text of case 5."},
    ]
    fake.behave(faults=faults)
    assert ready.snakemake().returncode == 0
    errors = dict(
        ready.query("SELECT error_category, count(*) FROM narrative_results WHERE error_occurred = 1 GROUP BY 1")
    )
    assert errors == {"parse_error": 2, "data_error": 1}
    fake.behave()
    refused = ready.run("snakemake", "--forcerun", "retry_errors", "--config", "retry=timeouts")
    assert refused.returncode == 1 and "'timeouts' is not an error category" in refused.stdout
    unforced = ready.snakemake("--config", "retry=parse_error")
    assert unforced.returncode == 1 and "--forcerun retry_errors" in unforced.stdout
    asked = fake.asked
    result = ready.run("snakemake", "--forcerun", "retry_errors", "--config", "retry=parse_error,timeout")
    assert result.returncode == 0 and fake.asked == asked + 2, result.stdout
    assert "Errors: 2 parse_error, 1 data_error. Asked again: 2 (2 parse_error)." in result.stdout
    everything = ready.run("snakemake", "--forcerun", "retry_errors")
    assert "Probably not worth a retry, as the same text goes to the same model: 1 refused." in everything.stdout


@pytest.mark.long
def test_the_end_of_a_run_with_errors_names_the_command_that_asks_again(ready: Project, fake: Fake) -> None:
    """The last lines hold the retry of this params file, which works as printed; without errors they hold none, and a
    retry then asks nothing and keeps no snapshot."""
    fake.behave(faults=[{"fault": "thinking without an end", "narrative": "CME text of case 3."}])
    ready.write_params(fake.url, "my.yaml")
    result = ready.snakemake("--configfile", "my.yaml")
    assert result.returncode == 0, result.stdout
    command = "snakemake --forcerun retry_errors --configfile my.yaml"
    assert f"1 error: to ask again: `{command}`" in result.stdout, result.stdout
    fake.behave()
    again = typed(ready, command)
    assert again.returncode == 0 and "RESUMING" in again.stdout and "to ask again" not in again.stdout, again.stdout
    folder = ready.folder / "results/cases"
    assert len(list((folder / "snapshots").glob("*.json"))) == 1
    asked = fake.asked
    nothing = typed(ready, command)
    assert nothing.returncode == 0 and "There are no error rows: nothing is asked again." in nothing.stdout
    assert "RESUMING" not in nothing.stdout and "Snapshot" not in nothing.stdout, nothing.stdout
    assert len(list((folder / "snapshots").glob("*.json"))) == 1
    assert fake.asked == asked


@pytest.mark.long
def test_a_report_that_fails_is_shown(ready: Project) -> None:
    """What fails after the last answer is told with its reason, and the same command makes it up."""
    in_the_way = ready.folder / str(ExperimentFolder("cases").report)
    in_the_way.mkdir(parents=True)
    (in_the_way / "file").write_text("x")
    result = ready.snakemake()
    assert result.returncode == 1 and "report.html" in result.stdout, result.stdout
    shutil.rmtree(in_the_way)
    assert ready.snakemake().returncode == 0


def test_the_code_that_runs_is_the_folders(ready: Project) -> None:
    """In a clone beside the environment of another nothing runs: what it proved would be proved of other code."""
    shutil.copytree(ROOT / "src", ready.folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for words in (("snakemake", "--cores", "4"), ("narrative-runs", "run"), ("narrative-runs", "prove")):
        result = ready.run(*words)
        assert result.returncode == 1 and "the active environment" in result.stdout, result.stdout
        assert f"runs the code in {ROOT}," in result.stdout and "make install" in result.stdout
    assert ready.written() == []


def test_an_environment_of_another_folder_is_made_again(tmp_path: Path) -> None:
    """In a project that was moved or copied, make sets the environment up anew; where it was made, there is nothing to
    do."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    made = tmp_path / ".venv/.installed"

    def planned() -> str:
        return subprocess.run(["make", "-n", "install"], cwd=tmp_path, capture_output=True, text=True).stdout

    made.write_text(f"{tmp_path}\n")
    assert "venv" not in planned()
    made.write_text("/somewhere/else\n")
    assert "venv --clear" in planned()


@pytest.fixture
def small_disk(ready: Project) -> Iterator[Project]:
    """A project whose results lie on a disk of their own."""
    results = ready.folder / "results"
    results.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(results)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this needs the right to mount a disk")
    yield ready
    subprocess.run(["umount", "-l", str(results)], check=True)


@pytest.mark.long
def test_a_full_disk_is_told_each_time(small_disk: Project, fake: Fake) -> None:
    """A run on a full disk ends with that reason, however often it is started; with room again it goes on, and no good
    backup was lost."""
    results = small_disk.folder / "results"
    fake.behave(padding=30_000)
    first = small_disk.snakemake()
    assert first.returncode == 1 and "Traceback" not in first.stdout, first.stdout
    for _ in range(2):
        again = small_disk.snakemake()
        assert again.returncode == 1 and "Traceback" not in again.stdout, again.stdout
        assert re.search("disk|space", again.stdout), again.stdout
        assert "died" not in small_disk.run("narrative-runs", "status").stdout
    subprocess.run(["mount", "-o", "remount,size=200m", str(results)], check=True)
    fake.behave()
    done = small_disk.snakemake()
    assert done.returncode == 0, done.stdout
    assert small_disk.status() == "completed" and len(ids(small_disk)) == 40
    assert all(backup.stat().st_size for backup in (results / "backups").glob("*.db"))


@pytest.mark.long
def test_shell_commands_are_shown_where_they_are_asked_for(ready: Project) -> None:
    """`snakemake --printshellcmds` prints the commands of the jobs, as it does everywhere else."""
    result = ready.snakemake("--printshellcmds")
    assert result.returncode == 0 and "exec python -m narrative_runs classify 1-of-3" in result.stdout, result.stdout
    assert "exec python" not in ready.snakemake("--forcerun", "report").stdout
