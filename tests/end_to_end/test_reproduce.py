"""`dvc repro`: do these results follow from this data, these params, these answers and this code?"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import yaml
from openpyxl import load_workbook

from narrative_runs.derivation.answers import dvc_md5
from narrative_runs.paths import ExperimentFolder
from narrative_runs.report.captions import CAPTIONS
from tests.project import BIN, ROOT, Fake, Project, cases, fake_server, wait_until
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

FINDINGS = ("results.parquet", "results.csv", "results.json", "metrics.json")
STAGES = ("source", "classify", "record", "keep")
NOTHING_TO_DO = "Nothing to be done"


def activate(project: Project) -> None:
    """Activate the environment, as for a user who types `dvc repro`, and have it run the project's own code."""
    code = project.folder / "src"
    shutil.copytree(ROOT / "src", code, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    project.environment["PYTHONPATH"] = str(code)
    project.environment["PATH"] = f"{BIN}{os.pathsep}{project.environment['PATH']}"


@pytest.fixture
def ready(project: Project, fake: Fake) -> Project:
    """20 narratives in 3 shards on 4 slots."""
    activate(project)
    project.write_workbook(cases(10))
    project.write_params(fake.url)
    return project


@dataclass
class Proven:
    """An experiment that snakemake completed, and `dvc repro` then proved; what both left, and what was asked."""

    project: Project
    fake: Fake
    told: str
    asked: int
    findings: dict[str, str]
    lock: str


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proven]:
    """A proven experiment, which each test leaves as it was."""
    project = Project(tmp_path_factory.mktemp("proven"))
    activate(project)
    project.write_workbook(cases(10))
    with fake_server() as fake:
        project.write_params(fake.url)
        assert project.snakemake().returncode == 0
        asked, findings = fake.asked, bytes_of(project)
        told = project.run("dvc", "repro")
        assert told.returncode == 0, told.stdout
        yield Proven(project, fake, told.stdout, asked, findings, lock_of(project))


def bytes_of(project: Project, slug: str = "cases") -> dict[str, str]:
    """The MD5s of the findings and shards."""
    folder = project.folder / "results" / slug
    paths = [*(folder / name for name in FINDINGS), *sorted((folder / "shards").iterdir())]
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in paths}


def findings_of(project: Project) -> dict[str, str]:
    """The MD5s of the findings alone: shards also hold when a narrative was asked."""
    return {name: md5 for name, md5 in bytes_of(project).items() if name in FINDINGS}


def lock_of(project: Project) -> str:
    return (project.folder / "dvc.lock").read_text()


def test_snakemake_then_dvc_repro_and_back(proven: Proven) -> None:
    """After snakemake, `dvc repro` runs no job and asks nothing; then neither it nor `snakemake -n` has work to do."""
    # One snakemake a stage, and no job in any of them.
    assert proven.told.count(NOTHING_TO_DO) == 3
    project = proven.project
    second = project.run("dvc", "repro")
    assert second.returncode == 0 and "up to date" in second.stdout and "snakemake" not in second.stdout
    assert NOTHING_TO_DO in project.run("snakemake", "-n").stdout
    assert "up to date" in project.run("dvc", "status", *STAGES).stdout
    assert (proven.fake.asked, bytes_of(project)) == (proven.asked, proven.findings)
    shown = project.run("dvc", "metrics", "show")
    assert shown.returncode == 0 and "overall.recall.value" in shown.stdout
    watched = yaml.safe_load(proven.lock)["stages"]["record"]["deps"]
    md5s = {part["path"]: part["md5"] for part in watched}
    assert md5s["results/cases/.watched_journal"] == dvc_md5(project.folder / "results/cases/journal")


@pytest.mark.long
def test_dvc_repro_goes_on_after_a_kill(ready: Project, fake: Fake) -> None:
    """While `dvc repro` runs an experiment nothing else does; after `kill -9` of its group it goes on to the end."""
    # Longer than the refused run takes on a busy machine: something must be left to ask.
    fake.behave(latency_s=4)
    with ready.started("dvc", "repro") as main:
        wait_until(lambda: fake.asked >= 4)
        refused = ready.snakemake()
        assert refused.returncode == 1 and "already running: PID" in refused.stdout
        os.killpg(main.pid, signal.SIGKILL)
    fake.behave(hang=True)
    with ready.started("snakemake", "--cores", "4") as main:
        asked = fake.asked
        wait_until(lambda: fake.asked > asked)
        refused = ready.run("dvc", "repro")
        assert refused.returncode != 0 and f"already running: PID {main.pid}" in refused.stdout
        os.killpg(main.pid, signal.SIGKILL)
    fake.behave()
    result = ready.run("dvc", "repro")
    assert result.returncode == 0, result.stdout
    # What was in flight at the two kills.
    assert 20 <= fake.asked <= 28
    assert ready.query("SELECT status, n_narratives_processed FROM experiments") == [("completed", 20)]


@pytest.mark.long
def test_answers_travel(ready: Project, fake: Fake, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Pushed and pulled on another machine, the answers, retried ones too, give the same shards and findings, without a
    server or key; a clone that has not pulled them asks nothing."""
    fake.behave(only_if="LE text of case 1.", status=400, body='{"error": {"message": "context length exceeded"}}')
    assert ready.run("dvc", "repro").returncode == 0
    fake.behave()
    assert ready.run("snakemake", "--forcerun", "retry_errors").returncode == 0
    assert ready.run("dvc", "repro").returncode == 0
    assert ready.read_json("results/cases/metrics.json")["n_errors"] == 0
    remote, there = tmp_path_factory.mktemp("remote"), tmp_path_factory.mktemp("there") / "clone"
    assert ready.run("dvc", "remote", "add", "-d", "ours", str(remote)).returncode == 0
    pushed = ready.run("dvc", "push")
    assert pushed.returncode == 0, pushed.stdout
    ready.run("git", "add", "-A")
    ready.run("git", "-c", "user.name=n", "-c", "user.email=n@example.org", "commit", "-qm", "Publish")
    subprocess.run(["git", "clone", "-q", ready.folder, there], check=True)
    clone = Project.at(there, {**ready.environment, "PYTHONPATH": str(there / "src")})
    shutil.copy(ready.folder / "data/cases.xlsx", there / "data/cases.xlsx")
    asked = fake.asked
    refused = clone.snakemake()
    assert refused.returncode == 1 and "To restore them: `" in refused.stdout
    assert fake.asked == asked
    fake.stop()
    for words in (["pull"], ["repro"]):
        result = clone.run("dvc", *words)
        assert result.returncode == 0, result.stdout
    assert bytes_of(clone) == bytes_of(ready)
    assert yaml.safe_load(lock_of(clone)) == yaml.safe_load(lock_of(ready))
    assert clone.query("SELECT status, count(*) FROM experiments") == [("completed", 1)]


@pytest.mark.long
def test_published_experiment(project: Project) -> None:
    """In a fresh clone `dvc pull` and `dvc repro` derive the published experiment as its dvc.lock says, unasked."""
    activate(project)
    lock = yaml.safe_load((project.folder / "published/dvc.lock").read_text())
    for words in (["pull"], ["repro", "published/dvc.yaml"]):
        result = project.run("dvc", *words)
        assert result.returncode == 0, result.stdout
    assert "embedded model" not in result.stdout
    journals = project.folder / "results/demo-published/journal"
    assert [path.name for path in sorted(journals.iterdir()) if path.is_dir()] == ["session-0001"]
    outs = {out["path"]: out["md5"] for out in lock["stages"]["record"]["outs"]}
    now = yaml.safe_load((project.folder / "published/dvc.lock").read_text())["stages"]["record"]["outs"]
    assert {out["path"]: out["md5"] for out in now} == outs
    assert len(project.query("SELECT DISTINCT incident_id, narrative_type FROM narrative_results")) == 45


def test_the_two_pipelines_are_one_recipe() -> None:
    """The published experiment's pipeline is that of params.yaml, but for the params file."""
    ours, published = (yaml.safe_load((ROOT / name).read_text()) for name in ("dvc.yaml", "published/dvc.yaml"))
    text = yaml.safe_dump(ours).replace("--config ", "--configfile published/params.yaml --config ")
    text = text.replace(
        "narrative-runs prove", "narrative-runs prove --configfile published/params.yaml --lock published/dvc.lock"
    )
    expected = yaml.safe_load(text.replace("- params.yaml:", "- published/params.yaml:"))
    for stage in expected["stages"].values():
        stage["wdir"] = ".."
    for name in ("metrics", "plots"):
        expected[name] = [f"../{path}" for path in expected[name]]
    assert published == expected


def test_every_figure_is_declared() -> None:
    """`dvc plots show` knows each figure of the report."""
    folder = ExperimentFolder("${experiment.slug}")
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
    assert declared == [str(folder.figure(name, "png")) for name in CAPTIONS]


@pytest.mark.long
def test_metrics_and_figures_from_commit_to_commit(ready: Project, fake: Fake) -> None:
    """After a commit, a pilot that was extended shows its old and new numbers, and its figures."""
    ready.write_params(fake.url, run={"max_narratives": 10})
    commit = ("-c", "user.name=n", "-c", "user.email=n@example.org", "commit", "-qm", "Pilot")
    for words in (["dvc", "repro"], ["git", "add", "-A"], ["git", *commit]):
        result = ready.run(*words)
        assert result.returncode == 0, result.stdout
    kept = "results/cases/kept_metrics.json"
    assert f"{kept}.dvc" in ready.run("git", "ls-files", "results").stdout.splitlines()
    assert kept not in ready.run("git", "ls-files", "results").stdout.splitlines()
    ready.write_params(fake.url)
    assert ready.run("dvc", "repro").returncode == 0
    shown = ready.run("dvc", "metrics", "diff", "--json")
    assert shown.returncode == 0, shown.stdout
    differing = json.loads(shown.stdout[shown.stdout.index("{") :])[kept]
    assert differing["n_total"] == {"old": 10, "new": 20, "diff": 10}
    drawn = ready.run("dvc", "plots", "show")
    assert drawn.returncode == 0, drawn.stdout
    assert len(list((ready.folder / "dvc_plots").rglob("*.png"))) == len(CAPTIONS)
    assert "dvc_plots" not in ready.run("git", "status", "--short").stdout


def other_params(project: Project, url: str) -> None:
    project.write_params(url, prompt={"system_prompt": "Decide otherwise."})


def other_data(project: Project, _: str) -> None:
    project.write_workbook(cases(11))


def altered_results(project: Project, _: str) -> None:
    results = project.folder / "results/cases/results.csv"
    results.write_text(results.read_text().replace("CME text of case 1.", "CME text of case 1!"))


@pytest.mark.parametrize(
    ("mistake", "files", "words"),
    rest_is_long(
        [
            (other_params, ["params.yaml"], ["prompt.system_prompt", "Decide.", "Decide otherwise."]),
            (other_data, ["data/cases.xlsx", "data/cases.xlsx.dvc"], ["Data file has changed", "Original checksum"]),
            (altered_results, ["results/cases/results.csv"], ["results.csv does not follow"]),
        ],
        2,
    ),
)
def test_no_false_proof(
    proven: Proven, mistake: Callable[[Project, str], None], files: list[str], words: list[str]
) -> None:
    """Other params than were asked, other data, or altered results: `dvc repro` exits non-zero and locks nothing."""
    project = proven.project
    before = {name: (project.folder / name).read_bytes() for name in files}
    mistake(project, proven.fake.url)
    try:
        assert files[0] in project.run("dvc", "status").stdout
        result = project.run("dvc", "repro")
    finally:
        for name, content in before.items():
            (project.folder / name).write_bytes(content)
    assert result.returncode != 0 and "Traceback" not in result.stdout
    for word in words:
        assert word in result.stdout, result.stdout
    assert (proven.fake.asked, lock_of(project)) == (proven.asked, proven.lock)


def alter_an_answer(project: Project, keeps_its_time: bool) -> None:
    """Change one answer in a sealed journal, as an editor does, or a disk."""
    path = project.folder / "results/cases/journal/session-0001/2-of-3.jsonl"
    before = path.stat()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"true", b"tru3").replace(b"false", b"fals3")
    # Another file in its place, as editors do it: DVC's cache may share the old one's blocks.
    path.unlink()
    path.write_bytes(b"".join(lines))
    if keeps_its_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("keeps_its_time", [True, False])
@pytest.mark.long
def test_an_altered_answer_is_never_proved(ready: Project, fake: Fake, keeps_its_time: bool) -> None:
    """An answer altered after its sealing is refused with file and line by the start, `prove` and `dvc repro`, before
    DVC takes it for the true one; the command that they print brings the journals back."""
    assert ready.run("dvc", "repro").returncode == 0
    asked, before, lock = fake.asked, bytes_of(ready), lock_of(ready)
    tracked = (ready.folder / "results/cases/journal/session-0001.dvc").read_text()
    alter_an_answer(ready, keeps_its_time)
    # DVC reads no file of which size and time are as before, and a plain start neither.
    commands = [["narrative-runs", "prove"], ["dvc", "repro", "--force"]]
    for words in commands if keeps_its_time else [["dvc", "repro"], *commands, ["snakemake", "--cores", "4"]]:
        refused = ready.run(*words)
        assert refused.returncode != 0 and "Traceback" not in refused.stdout, (words, refused.stdout)
        assert "session-0001/2-of-3.jsonl: line 3 changed since the session was sealed" in refused.stdout, words
        assert "rm -rf" not in refused.stdout
    assert (ready.folder / "results/cases/journal/session-0001.dvc").read_text() == tracked
    assert (fake.asked, bytes_of(ready), lock_of(ready)) == (asked, before, lock)
    (command,) = set(re.findall(r"`(mv [^`]*)`", refused.stdout))
    assert "dvc checkout" in command
    assert ready.run("sh", "-c", command).returncode == 0
    for words in (["snakemake", "--cores", "4"], ["narrative-runs", "prove"], ["dvc", "repro"]):
        accepted = ready.run(*words)
        assert accepted.returncode == 0, accepted.stdout
    assert (fake.asked, bytes_of(ready), lock_of(ready)) == (asked, before, lock)


@pytest.mark.long
def test_an_answer_altered_before_dvc_knew_it_comes_back_by_asking(ready: Project, fake: Fake) -> None:
    """Without DVC and without a backup the way out is the one printed: exactly the altered answer is asked again, and
    the proof tells it."""
    assert ready.snakemake().returncode == 0
    asked = fake.asked
    alter_an_answer(ready, keeps_its_time=False)
    refused = ready.snakemake()
    assert refused.returncode != 0 and "line 3 changed" in refused.stdout, refused.stdout
    (command,) = re.findall(r"`(mv [^`]*)`", refused.stdout)
    path = ready.folder / "results/cases/journal/session-0001/2-of-3.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert ready.run("sh", "-c", command).returncode == 0
    for name in ("shards", "metrics.json"):
        assert ready.run("rm", "-r", f"results/cases/{name}").returncode == 0
    accepted = ready.snakemake()
    assert accepted.returncode == 0, accepted.stdout
    assert fake.asked == asked + 1
    proved = ready.run("narrative-runs", "prove")
    assert proved.returncode == 0, proved.stdout
    assert "session-0001: sealed again after 2-of-3.jsonl was changed by hand" in proved.stdout


@pytest.mark.long
def test_changed_code_derives_again(ready: Project, fake: Fake) -> None:
    """After an edit of the code everything is derived again; other findings from the same answers are refused until
    `rederive` has taken them over, and the lock until it is committed."""
    metrics = ready.folder / "src/narrative_runs/findings/confusion.py"
    assert ready.run("dvc", "repro").returncode == 0
    asked, before = fake.asked, bytes_of(ready)
    metrics.write_text(metrics.read_text() + "\n# An edit that changes nothing.\n")
    assert "src/narrative_runs" in ready.run("dvc", "status").stdout
    result = ready.run("dvc", "repro")
    assert result.returncode == 0 and NOTHING_TO_DO not in result.stdout, result.stdout
    assert (fake.asked, bytes_of(ready)) == (asked, before)
    metrics.write_text(metrics.read_text().replace("matrix.tp + matrix.fp)", "matrix.tp + matrix.fp + 1)"))
    record = yaml.safe_load(lock_of(ready))["stages"]["record"]
    refused = ready.run("dvc", "repro")
    assert refused.returncode != 0 and "narrative-runs rederive cases" in refused.stdout
    assert (fake.asked, bytes_of(ready)) == (asked, before)
    assert ready.run("narrative-runs", "rederive", "cases").returncode == 0
    result = ready.run("dvc", "repro")
    assert result.returncode != 0
    assert "metrics.json is not the one that dvc.lock records as the reference" in result.stdout
    assert yaml.safe_load(lock_of(ready))["stages"]["record"] == record
    assert fake.asked == asked
    assert ready.run("dvc", "commit", "--force", "record").returncode == 0
    accepted = ready.run("dvc", "repro")
    assert accepted.returncode == 0 and "snakemake" not in accepted.stdout, accepted.stdout
    assert "up to date" in ready.run("dvc", "repro").stdout


@pytest.mark.long
def test_same_answers_same_bytes(ready: Project, fake: Fake, tmp_path_factory: pytest.TempPathFactory) -> None:
    """In two folders, on other cores and with answers in another order, one experiment has the same findings' bytes."""
    assert ready.snakemake().returncode == 0
    other = Project(tmp_path_factory.mktemp("other"))
    for name in ("data/cases.xlsx", "data/cases.xlsx.dvc", "params.yaml", "results/cases/experiment.yaml"):
        (other.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ready.folder / name, other.folder / name)
    fake.behave(latency_s=0.1, sigma=1.0)
    assert other.run("snakemake", "--cores", "2").returncode == 0
    assert set(fake.calls()["asked"].values()) == {2}
    orders = [[entry["fingerprint"] for entry in project.journal_entries()] for project in (ready, other)]
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])
    assert findings_of(other) == findings_of(ready)


def test_trace_leads_to_the_cell(proven: Proven) -> None:
    """A result is followed back to its journal entry and, through the workbook's checksum, to its very cell."""
    project = proven.project
    lines = project.run("narrative-runs", "trace", "0007", "le").stdout.splitlines()
    told = {line[:17].strip(): line[18:] for line in lines}
    workbook = project.folder / told["source_file"]
    assert hashlib.md5(workbook.read_bytes()).hexdigest() == told["source_md5"]
    header, *_ = rows = list(load_workbook(workbook)[told["source_sheet"]].iter_rows(values_only=True))
    cell = rows[int(told["source_row"]) - 1][header.index(told["source_column"])]
    assert project.query(
        "SELECT narrative_text, fingerprint, model_answered FROM narrative_results "
        "WHERE incident_id = '0007' AND narrative_type = 'le'"
    ) == [(cell, told["fingerprint"], told["model_answered"])]
    with (project.folder / told["journal"]).open("rb") as journal:
        head = journal.readline().decode()
        journal.seek(int(told["journal_byte"]))
        entry = journal.readline().decode()
    for name in ("software_version", "host", "source_md5"):
        assert told[name] in head
    for name in ("fingerprint", "asked_at"):
        assert told[name] in entry
    unknown = project.run("narrative-runs", "trace", "9999", "le")
    assert unknown.returncode == 1 and "9999 le" in unknown.stdout
