"""Reviews from outside: dealt, filled in, brought in under kills, proved, and removed."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator

import pandas as pd
import pytest

from tests.end_to_end.test_reproduce import activate
from tests.project import Project, cases, fake_server
from tests.reviewed_experiment import fill

pytestmark = pytest.mark.end_to_end

COUNT, KILLS = 60, 12
SHEET = "results/cases/review_ana.xlsx"
EXPORT = ("narrative-runs", "export", "--review", "30", "--coders", "ana,ben", "--overlap", "10", "--blind")
IMPORT = ("narrative-runs", "review", "import", SHEET, "--coder", "ana")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with an experiment that DVC keeps, and a sheet of 30 incidents, which a coder has filled in."""
    project = Project(tmp_path_factory.mktemp("project"))
    activate(project)
    project.write_workbook(cases(COUNT))
    with fake_server() as fake:
        project.write_params(fake.url, run={"max_narratives": 100})
        for words in (("dvc", "repro"), EXPORT):
            assert (done := project.run(*words)).returncode == 0, done.stdout
        fill(project.folder / SHEET, lambda row: "x" if "1" in row["incident_id"] else 0)
        yield project


@pytest.fixture(scope="module")
def reviewed(project: Project) -> Project:
    """The project, with the coder's verdicts in the experiment; to import them once more changes nothing."""
    assert (done := project.run(*IMPORT)).returncode == 0, done.stdout
    return project


def verdicts(project: Project) -> list[tuple[str, str]]:
    """The row and the verdict of each line of a verdict, whole lines alone."""
    content = (project.folder / "results/cases/reviews.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in content.splitlines(keepends=True) if line.endswith("\n")]
    return [(line["row"], line["verdict"]) for line in lines if line["line"] == "verdict"]


@pytest.mark.long
def test_kills_lose_and_double_nothing(project: Project) -> None:
    """Imports that are killed at random moments, and one that is not, bring each verdict in once; DVC tracks the file,
    and the record has the same."""
    moments = random.Random(1)
    began = time.monotonic()
    assert project.run("narrative-runs", "review", "show", "cases").returncode == 0
    usual = time.monotonic() - began
    for _ in range(KILLS):
        with project.started(*IMPORT) as process:
            time.sleep(moments.uniform(0.2, 1.2) * usual)
            os.killpg(process.pid, signal.SIGKILL)
        found = verdicts(project)
        assert len(set(found)) == len(found)
    done = project.run(*IMPORT)
    assert done.returncode == 0 and "0 changed" in done.stdout and "0 not imported" in done.stdout, done.stdout
    sheet = pd.read_excel(project.folder / SHEET, dtype=object, engine="openpyxl")
    wanted = {row["review_row"]: "yes" if row["reviewer_verdict"] == "x" else "no" for _, row in sheet.iterrows()}
    assert sorted(verdicts(project)) == sorted(wanted.items())
    recorded = project.query("SELECT incident_id, narrative_type, verdict FROM reviews WHERE coder = 'ana'")
    assert sorted(recorded) == sorted(
        (row["incident_id"], row["narrative_type"], wanted[row["review_row"]]) for _, row in sheet.iterrows()
    )
    assert (project.folder / "results/cases/reviews.jsonl.dvc").is_file()
    assert project.run("git", "check-ignore", "-q", "results/cases/reviews.jsonl.dvc").returncode == 1
    assert project.run("git", "check-ignore", "-q", "results/cases/reviews.jsonl").returncode == 0


def test_a_lost_record_gets_its_reviews_back(reviewed: Project) -> None:
    """A record that was deleted is filled again by the plain command, reviews among it, and nothing else changes."""
    project = reviewed
    before = project.query("SELECT * FROM reviews ORDER BY incident_id, narrative_type, coder")
    assert before
    (project.folder / "results/experiments.db").unlink()
    assert (done := project.snakemake()).returncode == 0, done.stdout
    assert project.query("SELECT * FROM reviews ORDER BY incident_id, narrative_type, coder") == before


@pytest.mark.long
def test_verdicts_on_older_answers_are_counted_aside(reviewed: Project) -> None:
    """Where more was asked, verdicts on incidents that had not been asked about are of older answers, and say so; after
    a rollback all count again."""
    project = reviewed
    older = "Verdicts on older answers, which are not counted: "
    params = (project.folder / "params.yaml").read_text(encoding="utf-8")
    assert older not in project.run("narrative-runs", "review", "show", "cases").stdout
    assert project.run("narrative-runs", "snapshot", "cases", "--name", "before").returncode == 0
    (project.folder / "params.yaml").write_text(params.replace("max_narratives: 100", "max_narratives: 120"))
    assert (done := project.snakemake()).returncode == 0, done.stdout
    shown = project.run("narrative-runs", "review", "show", "cases").stdout
    assert older in shown and "answer changed since it was dealt" in shown
    (project.folder / "params.yaml").write_text(params)
    assert (done := project.run("narrative-runs", "rollback", "cases", "before", "--yes")).returncode == 0, done.stdout
    shown = project.run("narrative-runs", "review", "show", "cases").stdout
    assert older not in shown and "changed since" not in shown and "unasked" in shown
    assert verdicts(project)


@pytest.mark.long
def test_an_altered_verdict_is_known(reviewed: Project) -> None:
    """`prove` counts the verdicts, and every command refuses them when one was altered, with the way back."""
    project = reviewed
    path = project.folder / "results/cases/reviews.jsonl"
    content = path.read_bytes()
    proved = project.run("narrative-runs", "prove")
    assert proved.returncode == 0 and f"{len(verdicts(project))} verdicts of coders" in proved.stdout, proved.stdout
    path.write_bytes(content.replace(b'"verdict":"no"', b'"verdict":"yes"', 1))
    for words in (("narrative-runs", "prove"), ("narrative-runs", "review", "show", "cases"), IMPORT):
        refused = project.run(*words)
        assert refused.returncode == 1 and "it is not as it was written" in refused.stdout, refused.stdout
        assert "dvc checkout results/cases/reviews.jsonl.dvc" in refused.stdout and "Traceback" not in refused.stdout
    path.write_bytes(content)
    assert project.run("narrative-runs", "review", "show", "cases").returncode == 0


def test_a_removed_experiment_leaves_no_review(reviewed: Project) -> None:
    """`forget` removes reviews from the folder, the record and DVC's cache, those of earlier imports too."""
    project = reviewed
    fill(project.folder / "results/cases/review_ben.xlsx", lambda _: 1)
    words = ("narrative-runs", "review", "import", "results/cases/review_ben.xlsx", "--coder", "ben")
    assert (done := project.run(*words)).returncode == 0, done.stdout
    rows = [row for row, _ in verdicts(project)]
    kept = [path for path in (project.folder / ".dvc/cache").rglob("*") if path.is_file()]
    assert sum(rows[0].encode() in path.read_bytes() for path in kept) >= 2
    assert (done := project.run("narrative-runs", "forget", "cases", "--yes")).returncode == 0, done.stdout
    left = [path for path in project.folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert not [path for path in left if rows[0].encode() in path.read_bytes()]
    assert project.query("SELECT * FROM reviews") == []
