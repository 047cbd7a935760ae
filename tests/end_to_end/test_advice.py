import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from narrative_runs.errors import SourceError
from narrative_runs.source import checksum
from tests.migration import r_system
from tests.project import BIN, Fake, Project, cases, fake_server
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

PROGRAMS = ("cp", "dvc", "echo", "git", "mv", "narrative-runs", "rm", "snakemake")
BESIDE = "elsewhere"


def advised(message: str) -> list[str]:
    """The commands that a message advises, each once: what it has in backticks and begins with a program's name."""
    codes = dict.fromkeys(re.findall(r"`([^`]+)`", message))
    return [code for code in codes if shlex.split(code)[0] in PROGRAMS]


def typed(project: Project, command: str) -> str:
    """What a command prints, typed as it stands in the project folder, with the environment active; it succeeds."""
    environment = {**project.environment, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        ["sh", "-c", command],
        cwd=project.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}"
    return ended.stdout


def refused(workbook: Path) -> str:
    """Why this workbook cannot be used."""
    with pytest.raises(SourceError) as raised:
        checksum.verify(workbook)
    return str(raised.value)


def is_used_after(message: str, workbook: Path) -> bool:
    """Whether the workbook, or the one that the message wants in its place, can be used now."""
    named = re.search(r"set data\.file to (.+?), since DVC", message)
    checksum.verify(Path(named[1]) if named else workbook)
    return True


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with another folder beside it, and in it the working folder, as for the commands of people."""
    (tmp_path / BESIDE).mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Project(tmp_path / "project")


def write(name: str, content: str = "content") -> Path:
    """A file of the project, with the folders that it lies in."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def tracked(project: Project, name: str = "data/cases.csv") -> Path:
    """A file that DVC tracks and has a copy of, as after `dvc add`."""
    path = write(name)
    project.track(path)
    md5 = checksum.md5_of(path)
    cached = Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, cached)
    return path


def _plain(project: Project) -> Path:
    return write("data/cases.csv")


def _no_git(project: Project) -> Path:
    shutil.rmtree(".git")
    return write("data/cases.csv")


def _no_dvc(project: Project) -> Path:
    shutil.rmtree(".dvc")
    return write("data/my cases.csv")


def _neither(project: Project) -> Path:
    shutil.rmtree(".git")
    return _no_dvc(project)


def _within_a_larger_repository(project: Project) -> Path:
    Path(".git").rename(project.folder.parent / ".git")
    return _no_dvc(project)


def _odd_name(project: Project) -> Path:
    return write('data/it\'s 100% {x} "$HOME" *[a]#;&é\\.csv')


def _dash(project: Project) -> Path:
    return write("-cases.csv")


def _outside(project: Project) -> Path:
    return write(f"{project.folder.parent}/{BESIDE}/my cases.csv")


def _outside_and_taken(project: Project) -> Path:
    write("data/my cases.csv", "another")
    return _outside(project)


def _outside_without_data(project: Project) -> Path:
    shutil.rmtree("data")
    return _outside(project)


def _folder_tracked(project: Project) -> Path:
    workbook = write("data/cases.csv")
    Path("data/narratives.xlsx.dvc").unlink()
    typed(project, "dvc add -q data")
    return workbook


def _subfolder_tracked(project: Project) -> Path:
    workbook = write("data/2024/cases.csv")
    typed(project, "dvc add -q data/2024")
    return workbook


def _other_folder_tracked(project: Project) -> Path:
    workbook = write("workbooks/2024/cases.csv")
    typed(project, "dvc add -q workbooks")
    return workbook


def _tracked_by_another_name(project: Project) -> Path:
    workbook = tracked(project)
    Path("data/cases.csv.dvc").rename("data/cases (copy).csv.dvc")
    return workbook


def _subfolder(project: Project) -> Path:
    return write("data/2024/cases.csv")


def _among_results(project: Project) -> Path:
    return write("results/cases.csv")


def _in_git(project: Project) -> Path:
    workbook = write("data/cases.csv")
    typed(project, "git add -f data/cases.csv && git -c user.name=n -c user.email=n@example.org commit -qm x")
    return workbook


def _half_in_git(project: Project) -> Path:
    _in_git(project)
    write("data/cases.csv", "staged")
    typed(project, "git add -f data/cases.csv")
    return write("data/cases.csv", "neither")


def _dvc_files_ignored(project: Project) -> Path:
    with Path(".gitignore").open("a") as ignored:
        ignored.write("*.dvc\n")
    return write("data/cases.csv")


def _data_ignored(project: Project) -> Path:
    with Path(".gitignore").open("a") as ignored:
        ignored.write("/data/\n")
    return write("data/cases.csv")


def _data_ignored_by_dvc(project: Project) -> Path:
    with Path(".dvcignore").open("a") as ignored:
        ignored.write("data\n")
    return write("data/cases.csv")


def _linked_outside(project: Project) -> Path:
    shutil.rmtree("data")
    Path("data").symlink_to(project.folder.parent / BESIDE)
    return write("data/cases.csv")


def _linked_inside(project: Project) -> Path:
    Path("linked").symlink_to("data")
    return write("linked/cases.csv")


def _is_a_link(project: Project) -> Path:
    workbook = Path("data/cases.csv")
    workbook.symlink_to(_outside(project))
    return workbook


def _damaged(text: str) -> Callable[[Project], Path]:
    def state(project: Project) -> Path:
        write("data/cases.csv.dvc", text)
        return write("data/cases.csv")

    return state


def _folder_for_a_file(project: Project) -> Path:
    Path("data/cases.csv.dvc").mkdir()
    return write("data/cases.csv")


def _of_an_older_dvc(project: Project) -> Path:
    return _damaged("outs:\n- md5: 9a0364b9e99bb480dd25e1f0284c8555\n  size: 7\n  path: cases.csv\n")(project)


UNTRACKED = {
    "plain": _plain,
    "no git": _no_git,
    "no DVC": _no_dvc,
    "neither": _neither,
    "within a larger repository": _within_a_larger_repository,
    "odd name": _odd_name,
    "dash": _dash,
    "outside": _outside,
    "outside, and its name is taken": _outside_and_taken,
    "outside, and no data/": _outside_without_data,
    "in a tracked folder": _folder_tracked,
    "in a tracked subfolder": _subfolder_tracked,
    "in another tracked folder": _other_folder_tracked,
    "tracked by another name": _tracked_by_another_name,
    "in a subfolder": _subfolder,
    "among results": _among_results,
    "in git": _in_git,
    "in git and changed": _half_in_git,
    "git ignores .dvc files": _dvc_files_ignored,
    "git ignores data/": _data_ignored,
    "DVC ignores data/": _data_ignored_by_dvc,
    "data/ is a link to outside": _linked_outside,
    "a link to data/": _linked_inside,
    "is a link": _is_a_link,
    "empty .dvc file": _damaged(""),
    "damaged .dvc file": _damaged("outs: ["),
    "other .dvc file": _damaged("- a"),
    "folder for a .dvc file": _folder_for_a_file,
    "older DVC": _of_an_older_dvc,
}


@pytest.mark.parametrize("state", rest_is_long(UNTRACKED, 5))
def test_the_command_that_tracks(here: Project, state: str) -> None:
    """Wherever an untracked workbook lies, the command in the message works as printed, and tracks it."""
    workbook = UNTRACKED[state](here)
    message = refused(workbook)
    (command,) = advised(message)
    typed(here, command)
    assert is_used_after(message, workbook)


def _another_is_damaged(project: Project) -> Path:
    write("data/other.csv.dvc", "outs: [")
    return write("data/cases.csv")


def _no_slug(project: Project) -> Path:
    write("params.yaml", "data: {file: data/cases.csv}")
    return write("data/cases.csv")


def _tracked_twice(project: Project) -> Path:
    for name in ("one", "two"):
        write(f"data/{name}.dvc", "outs:\n- path: cases.csv\n")
    return write("data/cases.csv")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (_another_is_damaged, "other.csv.dvc"),
        (_no_slug, "experiment.slug"),
        (_tracked_twice, "data/two.dvc"),
    ],
)
def test_what_no_command_mends_is_told_in_words(here: Project, state: Callable[[Project], Path], words: str) -> None:
    """Where DVC cannot work at all, no command is advised, and what it stumbles over is named."""
    workbook = state(here)
    message = refused(workbook)
    assert advised(message) == []
    assert words in message


def _changed(project: Project) -> Path:
    return write(str(tracked(project)), "changed")


def _changed_and_in_a_remote(project: Project) -> Path:
    workbook = _changed(project)
    remote = project.folder.parent / BESIDE
    shutil.move(".dvc/cache/files", remote)
    write(".dvc/config.local", f"[core]\n    remote = ours\n['remote \"ours\"']\n    url = {remote}\n")
    return workbook


def _changed_without_git(project: Project) -> Path:
    workbook = _changed(project)
    shutil.rmtree(".git")
    return workbook


def _changed_with_a_copy_beside(project: Project) -> Path:
    write("data/cases-changed.csv", "an earlier one")
    return _changed(project)


def _changed_and_ignored(project: Project) -> Path:
    workbook = _changed(project)
    with Path(".gitignore").open("a") as ignored:
        ignored.write("*.dvc\n")
    return workbook


def _changed_and_lost(project: Project) -> Path:
    workbook = _changed(project)
    shutil.rmtree(".dvc/cache")
    return workbook


def _changed_outside(project: Project) -> Path:
    workbook = _outside(project)
    project.track(workbook)
    return write(str(workbook), "changed")


WAYS: dict[Callable[[Project], Path], int] = {
    _changed: 2,
    _changed_and_in_a_remote: 2,
    _changed_without_git: 2,
    _changed_with_a_copy_beside: 2,
    _changed_and_ignored: 1,
    _changed_and_lost: 1,
    _changed_outside: 1,
}


@pytest.mark.parametrize(
    ("state", "way"), rest_is_long([(state, way) for state, ways in WAYS.items() for way in range(ways)], 3)
)
def test_the_ways_out_of_a_change(here: Project, state: Callable[[Project], Path], way: int) -> None:
    """A changed workbook: the old one comes back where DVC can bring it, or the new one is tracked; none is lost."""
    workbook = state(here)
    message = refused(workbook)
    commands = advised(message)
    assert len(commands) == WAYS[state]
    typed(here, commands[way])
    assert is_used_after(message, workbook)
    assert "changed" in [path.read_text() for path in workbook.parent.glob("*.csv")]


def test_a_change_that_is_tracked_already(here: Project) -> None:
    """Where the .dvc file names the new data, there is nothing to type for either way out."""
    workbook = _changed(here)
    here.track(workbook)
    message = str(checksum.changed(workbook, "0" * 32, checksum.md5_of(workbook)))
    assert advised(message) == []
    assert "from git or a copy" in message and "keep the new data: set a new" in message


def _gone(project: Project) -> Path:
    workbook = tracked(project, "data/cases: 1.csv")
    workbook.unlink()
    return workbook


def _gone_and_in_a_remote(project: Project) -> Path:
    workbook = _changed_and_in_a_remote(project)
    workbook.unlink()
    return workbook


def _gone_and_lost(project: Project) -> Path:
    workbook = _changed_and_lost(project)
    workbook.unlink()
    return workbook


def _never_there(project: Project) -> Path:
    return Path("data/cases.csv")


@pytest.mark.parametrize(
    ("state", "ways"), [(_gone, 1), (_gone_and_in_a_remote, 1), (_gone_and_lost, 0), (_never_there, 0)]
)
def test_the_command_that_brings_a_missing_workbook(here: Project, state: Callable[[Project], Path], ways: int) -> None:
    """A missing workbook comes back by the command in the message; where none can bring it, none is advised."""
    workbook = state(here)
    message = refused(workbook)
    commands = advised(message)
    assert len(commands) == ways
    for command in commands:
        typed(here, command)
        assert is_used_after(message, workbook)


def test_a_download_without_git(here: Project) -> None:
    """A project that was downloaded without its git repository: the demo's workbook comes by the command advised."""
    shutil.rmtree(".git")
    workbook = Path("data/narratives.xlsx")
    with pytest.raises(SourceError) as raised:
        checksum.fetch(workbook)
    (command,) = advised(str(raised.value))
    typed(here, command)
    assert is_used_after(str(raised.value), workbook)


def test_what_dvc_cannot_fetch(here: Project) -> None:
    """A workbook that DVC has just failed to fetch is not to be fetched by the same command."""
    workbook = _gone_and_lost(here)
    with pytest.raises(SourceError) as raised:
        checksum.fetch(workbook)
    assert advised(str(raised.value)) == []


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Fake]]:
    """A completed experiment whose params file has a name of two words, and the server that answered."""
    with fake_server() as fake:
        project = Project(tmp_path_factory.mktemp("finished"))
        project.write_workbook(cases(2))
        project.write_params(fake.url, "my params.yaml", shards={"count": 1})
        result = project.snakemake("--configfile", "my params.yaml")
        assert result.returncode == 0, result.stdout
        yield project.folder, fake


@pytest.fixture
def begun(here: Project, finished: tuple[Path, Fake]) -> Iterator[Project]:
    """A copy of it, in the working folder; of the server nothing more is asked."""
    folder, fake = finished
    asked = fake.asked
    shutil.copytree(folder, here.folder, dirs_exist_ok=True)
    yield here
    assert fake.asked == asked


def told(project: Project, *words: str) -> str:
    """What a command says that does not do what it was asked for."""
    ended = project.run(*words)
    assert ended.returncode == 1 and "Traceback" not in ended.stdout, ended.stdout
    return ended.stdout


def test_a_run_goes_on_after_the_commands(here: Project, fake: Fake) -> None:
    """From outside: the command of the message is typed, then the same command as before, which runs to its end."""
    here.write_workbook(cases(2), name="data/my {cases}.xlsx")
    Path("data/my {cases}.xlsx.dvc").unlink()
    shutil.rmtree(".git")
    here.write_params(fake.url, "my params.yaml", data={"file": "data/my {cases}.xlsx"}, shards={"count": 1})
    (command,) = advised(told(here, "snakemake", "--cores", "4", "--configfile", "my params.yaml"))
    typed(here, command)
    result = here.snakemake("--configfile", "my params.yaml")
    assert result.returncode == 0, result.stdout
    assert fake.asked == 4


@pytest.mark.long
def test_commands_that_prove_advises(here: Project, fake: Fake) -> None:
    """`prove` without answers, with a finding missing and with one altered: its commands lead to a proof."""
    here.write_workbook(cases(2))
    here.write_params(fake.url, "my params.yaml", shards={"count": 1})
    prove = ("narrative-runs", "prove", "--configfile", "my params.yaml")
    findings = Path("results/cases/metrics.json")
    (run,) = advised(told(here, *prove))
    typed(here, run)
    findings.unlink()
    (make_again,) = advised(told(here, *prove))
    assert make_again == run
    typed(here, make_again)
    findings.write_text(findings.read_text().replace('"n_total": 4', '"n_total": 5'))
    (derive_again,) = advised(told(here, *prove))
    typed(here, derive_again)
    proved = here.run(*prove)
    assert proved.returncode == 0, proved.stdout
    assert fake.asked == 4


@pytest.mark.long
def test_answers_that_dvc_keeps_come_back(begun: Project) -> None:
    """Sessions that lie in DVC's cache alone come back by the command advised; where they are nowhere, none is."""
    sessions = begun.folder / "results/cases/journal/session-0001"
    typed(begun, f"dvc add -q {sessions.relative_to(begun.folder)} && rm -r {sessions}")
    run = ("snakemake", "--cores", "4", "--configfile", "my params.yaml")
    (command,) = advised(told(begun, *run))
    typed(begun, command)
    result = begun.run(*run)
    assert result.returncode == 0 and "completed" in result.stdout, result.stdout
    shutil.rmtree(sessions)
    shutil.rmtree(begun.folder / ".dvc/cache")
    message = told(begun, *run)
    assert advised(message) == [] and "Copy results/cases/journal/" in message


@pytest.mark.long
def test_commands_about_the_record(begun: Project) -> None:
    """A name that nobody knows, an older record, an experiment that did not end: each command works as printed."""
    for words in (("status", "nowhere"), ("resume",)):
        (listing,) = advised(told(begun, "narrative-runs", *words))
        assert "cases" in typed(begun, listing)
    record = sqlite3.connect("results/experiments.db", isolation_level=None)
    record.execute("UPDATE experiments SET status = 'failed'")
    record.execute("ALTER TABLE narrative_results DROP COLUMN p_detected")
    record.close()
    (migrate,) = advised(told(begun, "snakemake", "--cores", "4", "--configfile", "my params.yaml"))
    typed(begun, migrate)
    (resume,) = advised(told(begun, "narrative-runs", "rederive", "cases"))
    typed(begun, resume)
    assert begun.status() == "completed"


@pytest.mark.long
def test_a_record_of_the_r_system_in_our_place(here: Project, fake: Fake) -> None:
    """An R record that lies where ours is to be: it is moved away and adopted, and what it began is gone on with."""
    here.write_workbook(cases(2))
    row = r_system.experiment(api_url=fake.url, status="failed", n_narratives_total=4)
    Path("results").mkdir(exist_ok=True)
    r_system.make(Path("results/experiments.db"))
    r_system.fill(Path("results/experiments.db"), "experiments", [row])
    write("data/r.db", "another")
    (move,) = advised(told(here, "narrative-runs", "adopt", "results/experiments.db", r_system.EXPERIMENT_ID))
    typed(here, move)
    (moved,) = set(Path("data").glob("r*.db")) - {Path("data/r.db")}
    adopted = here.run("narrative-runs", "adopt", str(moved), r_system.EXPERIMENT_ID)
    assert adopted.returncode == 0, adopted.stdout
    (resume,) = advised(adopted.stdout)
    typed(here, resume)
    assert here.status() == "completed" and fake.asked == 4
