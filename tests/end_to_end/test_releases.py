"""Experiments that an earlier release really made, gone on with by this one."""

import hashlib
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from narrative_runs.source.cells import whole_number
from tests.project import BIN, ROOT, Fake, Project, fake_server, wait_until
from tests.releases.kept import FINDINGS, kept_answers, unpacked, words_for
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

UNFINISHED = ["halfway", "cancelled", "unreadable", "adopted-half"]
COMPLETED = ["completed", "errors", "retried", "no-answers", "wide", "long", "odd", "sheets", "adopted-whole"]
# Of each pilot the number of narratives in its workbook.
PILOTS = {"wide": 17, "long": 15, "odd": 18, "sheets": 6}
OTHER_FIGURES = ("findings/confusion.py", "matrix.tp + matrix.fp)", "matrix.tp + matrix.fp + 1)")


@dataclass
class World:
    """The project that 0.1.0 left, and the server that it is gone on with."""

    project: Project
    fake: Fake
    record_before: str

    def rows(self, slug: str) -> list[tuple[object, ...]]:
        """All that the record holds of an experiment's results."""
        return self.query("r.*", slug)

    def query(self, columns: str, slug: str) -> list[tuple[object, ...]]:
        """Columns of an experiment's results in the record, in the workbook's order."""
        return self.project.query(
            f"SELECT {columns} FROM narrative_results r JOIN experiments USING (experiment_id) WHERE slug = ? "
            "ORDER BY row_num",
            slug,
        )

    def answered(self, slug: str) -> dict[object, tuple[object, ...]]:
        """Incident and type of each result in the record, by its fingerprint."""
        return {row[0]: row[1:] for row in self.query("fingerprint, incident_id, narrative_type", slug)}

    def status(self, slug: str) -> tuple[object, ...]:
        """Status and counts in the record."""
        (row,) = self.project.query(
            "SELECT status, n_narratives_total, n_narratives_processed FROM experiments WHERE slug = ?", slug
        )
        return row


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One project for all tests here; each test has experiments of its own."""
    with fake_server() as fake:
        project = unpacked(tmp_path_factory.mktemp("kept"), fake)
        yield World(project, fake, dump(project.folder / "results/experiments.db"))


@pytest.fixture
def own(tmp_path: Path, fake: Fake) -> World:
    """A project for one test alone, whose code can be changed."""
    project = unpacked(tmp_path, fake)
    code = project.folder / "src"
    shutil.copytree(ROOT / "src", code, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    project.environment["PYTHONPATH"] = str(code)
    project.environment["PATH"] = f"{BIN}{os.pathsep}{project.environment['PATH']}"
    return World(project, fake, dump(project.folder / "results/experiments.db"))


def dump(path: Path) -> str:
    """All that a record holds, as SQL."""
    connection = sqlite3.connect(path)
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()


def findings_of(project: Project, slug: str) -> dict[str, str]:
    """The MD5s of an experiment's findings."""
    paths = [project.folder / "results" / slug / name for name in FINDINGS]
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in paths if path.exists()}


def change_code(project: Project, file: str, old: str, new: str) -> None:
    """Edit the project's own copy of the code, as a release does."""
    path = project.folder / "src/narrative_runs" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("slug", rest_is_long(UNFINISHED))
def test_what_was_begun_is_finished(world: World, slug: str) -> None:
    """Only narratives without an answer are asked, and each answer that is there becomes its narrative's row."""
    project, fake = world.project, world.fake
    before, asked = kept_answers(project, slug), fake.asked
    assert before
    result = project.snakemake(*([] if slug == "halfway" else ["record"]), *words_for(slug, fake))
    assert result.returncode == 0 and "Traceback" not in result.stdout, result.stdout
    assert fake.asked - asked == 24 - len(before)
    now = world.answered(slug)
    assert len(now) == 24 and {name: now[name] for name in before} == before
    assert world.status(slug) == ("completed", 24, 24)
    assert "results are read differently." in result.stdout
    if slug not in ("adopted-half",):
        proved = project.run("narrative-runs", "prove", "--configfile", f"{slug}.yaml")
        assert proved.returncode == 0, proved.stdout


@pytest.mark.parametrize("slug", rest_is_long(COMPLETED))
def test_what_was_completed_stays(world: World, slug: str) -> None:
    """The plain command asks nothing and changes no number, but says what this release measures otherwise; `rederive`
    takes that over and changes no result, and then all is proved."""
    project, fake = world.project, world.fake
    before, rows, asked = findings_of(project, slug), world.rows(slug), fake.asked
    words = words_for(slug, fake)
    if slug == "adopted-whole":
        result = project.snakemake(*words)
        assert result.returncode == 1 and "Cannot resume completed experiment" in result.stdout
    else:
        for _ in range(2):
            result = project.snakemake(*words)
            assert result.returncode == 0 and "was completed" in result.stdout, result.stdout
            assert "Nothing was changed." in result.stdout and re.search(r" 0 of \d+ rows and \d+", result.stdout)
    assert (findings_of(project, slug), world.rows(slug), fake.asked) == (before, rows, asked)
    if slug in PILOTS:
        return
    taken = project.run("narrative-runs", "rederive", slug)
    assert taken.returncode == 0, taken.stdout
    assert findings_of(project, slug) == {**before, "metrics.json": findings_of(project, slug)["metrics.json"]}
    assert (world.rows(slug), fake.asked) == (rows, asked)
    if slug != "adopted-whole":
        proved = project.run("narrative-runs", "prove", "--configfile", f"{slug}.yaml", "--lock", "none")
        assert proved.returncode == 0, proved.stdout


@pytest.mark.long
def test_groups_are_there_for_what_an_earlier_release_began(world: World) -> None:
    """report.groups measures an experiment of 0.1.0 by columns that 0.1.0 did not read; nothing is asked, and its
    results keep their form."""
    project, fake = world.project, world.fake
    assert project.snakemake(*words_for("wide", fake)).returncode == 0
    project.run("narrative-runs", "rederive", "wide")
    before, asked = findings_of(project, "wide"), fake.asked
    params = yaml.safe_load((project.folder / "wide.yaml").read_text(encoding="utf-8"))
    (project.folder / "wide.yaml").write_text(yaml.safe_dump({**params, "report": {"groups": ["SiteID"]}}))
    result = project.snakemake(*words_for("wide", fake))
    assert result.returncode == 0 and "by SiteID;" in result.stdout, result.stdout
    after = findings_of(project, "wide")
    assert {name for name in before if before[name] != after[name]} == {"metrics.json"}
    assert fake.asked == asked
    proved = project.run("narrative-runs", "prove", "--configfile", "wide.yaml", "--lock", "none")
    assert proved.returncode == 0, proved.stdout


@pytest.mark.parametrize("slug", rest_is_long(PILOTS))
def test_a_pilot_is_extended_by_the_rules_it_began_with(world: World, slug: str) -> None:
    """The rest of the workbook is read as the pilot was: answers keep their narratives, and none is asked twice."""
    project, fake = world.project, world.fake
    before, asked = kept_answers(project, slug), fake.asked
    params = yaml.safe_load((project.folder / f"{slug}.yaml").read_text())
    params["run"]["max_narratives"] = None
    (project.folder / f"{slug}.yaml").write_text(yaml.safe_dump(params))
    # Figures and report of one of them are enough.
    result = project.snakemake(*([] if slug == "wide" else ["record"]), *words_for(slug, fake))
    assert result.returncode == 0, result.stdout
    total = PILOTS[slug]
    assert fake.asked - asked == total - len(before)
    assert world.status(slug) == ("completed", total, total)
    now = world.answered(slug)
    assert {name: now[name] for name in before} == before
    match slug:
        case "long":
            assert {"2999.0", "1e+05", "123.0"} <= {key[0] for key in now.values()}
        case "sheets":
            assert {key[0] for key in now.values()} == {"2019-0", "2019-1", "2019-2"}
        case "odd":
            assert "numbers of more than 15 digits" in result.stdout


@pytest.mark.long
def test_new_experiments_follow_the_rules_of_today(world: World) -> None:
    """On the same workbooks a new experiment reads ids as this release does, and is refused what that refuses."""
    project, fake = world.project, world.fake
    project.write_params(
        fake.url, "new.yaml", experiment={"name": "new", "slug": "new"}, data={"file": "data/long.csv"}
    )
    refused = project.snakemake("record", "--configfile", "new.yaml")
    assert refused.returncode == 1 and "with more than one text" in refused.stdout and "data.id" in refused.stdout
    header, *rows = (project.folder / "data/long.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    first = {(whole_number(cells[0]), cells[1]): row for row in reversed(rows) if (cells := row.split(","))}
    path = project.folder / "data/first.csv"
    path.write_text("".join([header, *reversed(first.values())]), encoding="utf-8")
    project.track(path)
    project.write_params(
        fake.url, "new.yaml", experiment={"name": "new", "slug": "new"}, data={"file": "data/first.csv"}
    )
    assert project.snakemake("record", "--configfile", "new.yaml").returncode == 0
    ids = {row[0] for row in world.query("incident_id", "new")}
    assert {"2999", "100000", "123", "000123"} <= ids and not {"2999.0", "1e+05", "123.0"} & ids
    project.write_params(
        fake.url, "odd2.yaml", experiment={"name": "odd2", "slug": "odd2"}, data={"file": "data/odd.xlsx"}
    )
    refused = project.snakemake("--configfile", "odd2.yaml")
    assert refused.returncode == 1 and "(rows 5, 6)" in refused.stdout and "Traceback" not in refused.stdout


@pytest.mark.long
def test_errors_are_asked_again(own: World) -> None:
    """A retry of an experiment that 0.1.0 completed asks for exactly its error rows, once `rederive` has taken over
    what this release measures otherwise."""
    project, fake = own.project, own.fake
    for slug, errors in (("errors", 2), ("retried", 1)):
        assert project.run("narrative-runs", "rederive", slug).returncode == 0
        asked, rows = fake.asked, own.rows(slug)
        result = project.snakemake("record", *words_for(slug, fake), "--forcerun", "retry_errors")
        assert result.returncode == 0, result.stdout
        assert fake.asked - asked == errors
        healed = [new for old, new in zip(rows, own.rows(slug), strict=True) if old != new]
        assert len(healed) == errors and own.status(slug) == ("completed", 24, 24)


def test_they_are_compared(world: World) -> None:
    """Experiments of an earlier release are compared, exported and traced as those of today."""
    project = world.project
    for words in (
        ["compare", "completed", "errors"],
        ["export", "misread", "--no-text"],
        ["export", "completed", "--review", "10"],
        ["trace", "0003", "le", "completed"],
        ["list"],
    ):
        result = project.run("narrative-runs", *words)
        assert result.returncode == 0, result.stdout


@pytest.mark.long
def test_the_record_is_backed_up_before_the_first_write(own: World) -> None:
    """Before this release first writes, the record is kept as 0.1.0 left it, once, for its owner alone."""
    project, fake = own.project, own.fake
    assert project.snakemake("source", *words_for("halfway", fake)).returncode == 0
    (backup,) = (project.folder / "results/backups").glob("before-*.db")
    assert backup.name == "before-0.2.0.db" and backup.stat().st_mode & 0o777 == 0o600
    assert dump(backup) == own.record_before
    assert project.snakemake("source", *words_for("cancelled", fake)).returncode == 0
    assert list((project.folder / "results/backups").glob("before-*.db")) == [backup]


@pytest.mark.long
def test_other_findings_wait_for_the_users_word(own: World) -> None:
    """Where other figures are derived nothing changes until `rederive`, which keeps the old ones and asks nothing."""
    project, fake = own.project, own.fake
    change_code(project, *OTHER_FIGURES)
    before, rows, folder = (
        findings_of(project, "completed"),
        own.rows("completed"),
        project.folder / "results/completed",
    )
    for _ in range(2):
        result = project.snakemake(*words_for("completed", fake))
        assert result.returncode == 0 and "0 of 24 rows and" in result.stdout, result.stdout
        assert "overall.precision.value" in result.stdout and "narrative-runs rederive completed" in result.stdout
    changes = pd.read_csv(folder / "changes.csv", dtype=str)
    assert "overall.precision.value" in set(changes["name"]) and set(changes["file"]) == {"metrics.json"}
    (folder / "results.csv").rename(folder / "moved.csv")
    told = project.snakemake(*words_for("completed", fake))
    assert told.returncode == 0 and "recreates the missing files: results/completed/results.csv" in told.stdout
    (folder / "moved.csv").rename(folder / "results.csv")
    proved = project.run("narrative-runs", "prove")
    assert proved.returncode == 1 and "derived differently by this release" in proved.stdout, proved.stdout
    refused = project.run("dvc", "repro")
    assert refused.returncode != 0 and "narrative-runs rederive completed" in refused.stdout
    again = project.snakemake(*words_for("errors", fake), "--forcerun", "retry_errors")
    assert again.returncode == 1 and "narrative-runs rederive errors" in again.stdout
    assert (findings_of(project, "completed"), own.rows("completed"), fake.asked) == (before, rows, 0)

    taken = project.run("narrative-runs", "rederive", "completed")
    assert taken.returncode == 0 and "results/completed/earlier_findings/0001" in taken.stdout, taken.stdout
    assert findings_of(project, "completed/earlier_findings/0001") == before
    assert findings_of(project, "completed")["metrics.json"] != before["metrics.json"] and fake.asked == 0
    assert not (folder / "changes.csv").exists() and own.status("completed") == ("completed", 24, 24)
    assert project.run("narrative-runs", "prove", "--lock", "none").returncode == 0
    nothing = project.run("narrative-runs", "rederive", "completed")
    assert nothing.returncode == 0 and "nothing to update" in nothing.stdout


@pytest.mark.long
def test_a_lost_record_is_filled_with_the_users_word_only(own: World) -> None:
    """Where the record was lost and other figures are derived, it is filled by `rederive`, and not before."""
    project, fake = own.project, own.fake
    change_code(project, *OTHER_FIGURES)
    (project.folder / "results/experiments.db").unlink()
    before = findings_of(project, "completed")
    refused = project.snakemake(*words_for("completed", fake))
    assert refused.returncode == 1 and "narrative-runs rederive completed" in refused.stdout
    assert findings_of(project, "completed") == before
    taken = project.run("narrative-runs", "rederive", "completed")
    assert taken.returncode == 0, taken.stdout
    assert own.status("completed") == ("completed", 24, 24) and fake.asked == 0


def test_altered_is_not_derived_differently(own: World) -> None:
    """A result, a figure or a file that somebody altered is told as altered, whichever release derived it."""
    project = own.project
    change_code(project, *OTHER_FIGURES)
    folder = project.folder / "results/completed"
    table = pd.read_parquet(folder / "results.parquet")
    table.loc[3, "detected"] = not table.loc[3, "detected"]
    original = (folder / "results.parquet").read_bytes()
    table.to_parquet(folder / "results.parquet")
    told = project.run("narrative-runs", "prove", "--lock", "none")
    assert told.returncode == 1 and "results.parquet does not follow" in told.stdout and "altered" in told.stdout
    (folder / "results.parquet").write_bytes(original)
    metrics = (folder / "metrics.json").read_text()
    (folder / "metrics.json").write_text(metrics.replace('"tp": ', '"tp": 1'))
    told = project.run("narrative-runs", "prove", "--lock", "none")
    assert told.returncode == 1 and "metrics.json does not follow" in told.stdout and "altered" in told.stdout


@pytest.mark.long
def test_a_killed_rederivation_is_completed(own: World) -> None:
    """Killed with -9 while it takes over other findings, it ends in them by the plain command, and the old are kept."""
    project, fake = own.project, own.fake
    change_code(project, *OTHER_FIGURES)
    before = findings_of(project, "completed")
    with project.started("narrative-runs", "rederive", "completed") as main:
        wait_until(lambda: own.status("completed")[0] == "running")
        os.killpg(main.pid, signal.SIGKILL)
        main.wait(timeout=20)
    result = project.snakemake("record", *words_for("completed", fake))
    assert result.returncode == 0, result.stdout
    assert findings_of(project, "completed/earlier_findings/0001") == before
    assert own.status("completed") == ("completed", 24, 24) and fake.asked == 0
    assert project.run("narrative-runs", "prove", "--lock", "none").returncode == 0


def alter(project: Project, slug: str) -> Path:
    """Change an answer of the first release by hand, to another that can be read; the journal that holds it."""
    paths = sorted((project.folder / "results" / slug / "journal/session-0001").glob("*.jsonl"))
    for path in paths:
        content = path.read_text(encoding="utf-8")
        altered = content.replace(r"\"detected\": true", r"\"detected\": false", 1)
        if altered != content:
            path.write_text(altered, encoding="utf-8")
            return path
    raise AssertionError(f"no answer in {paths} can be altered")


def test_an_answer_of_the_first_release_is_compared_with_its_dvc_file(own: World) -> None:
    """What 0.1.0 sealed has no checksums: its .dvc file tells that an answer was altered."""
    path = alter(own.project, "completed")
    told = own.project.run("narrative-runs", "prove", "--configfile", "completed.yaml", "--lock", "none")
    assert told.returncode == 1, told.stdout
    assert f"results/completed/journal/{path.parent.name}: it is not what" in told.stdout
    assert "session-0001.dvc names" in told.stdout and "rm -rf" not in told.stdout


@pytest.mark.long
def test_where_nothing_tells_what_was_altered_that_is_said(own: World) -> None:
    """Of answers that 0.1.0 sealed and DVC does not track, no proof claims that they are the same, nor that only the
    findings were altered."""
    prove = ("narrative-runs", "prove", "--configfile", "wide.yaml", "--lock", "none")
    assert own.project.run("narrative-runs", "rederive", "wide").returncode == 0
    assert own.project.run(*prove).returncode == 0
    alter(own.project, "wide")
    told = own.project.run(*prove)
    assert told.returncode == 1, told.stdout
    assert "or the answers in results/wide/journal/session-0001 were" in told.stdout
    assert "Compare them with a backup first." in told.stdout
