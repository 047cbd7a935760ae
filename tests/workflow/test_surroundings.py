"""Runs among files and names that were not meant for them."""

import json
import shutil

import pytest

from tests.project import Fake, Project, cases
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

ODD_NAME = """a{x} {{y}} {slug} 100%s $HOME "q" 's' *[a]?#;&|<>!~\\ é"""


@pytest.mark.parametrize("ending", rest_is_long(["xlsx", "csv"]))
def test_any_name_of_a_workbook(project: Project, fake: Fake, ending: str) -> None:
    """A workbook of any name is read, asked about, and found unchanged by the next run; its name is told as it is."""
    name = f"data/{ODD_NAME}.{ending}"
    project.write_params(fake.url, data={"file": name}, shards={"count": 1})
    if ending == "xlsx":
        project.write_workbook(cases(2), name=name)
    else:
        path = project.folder / name
        path.write_text("IncidentID,NarrativeCME,NarrativeLE\n1,CME text,LE text\n2,Other text,More text\n")
        project.track(path)
    result = project.snakemake()
    assert result.returncode == 0, result.stdout
    assert project.query("SELECT data_file, n_narratives_processed FROM experiments") == [(name, 4)]
    again = project.snakemake()
    assert again.returncode == 0 and "was completed" in again.stdout, again.stdout
    assert fake.asked == 4


@pytest.mark.long
def test_copies_among_the_journals(project: Project, fake: Fake) -> None:
    """What a synchronising program leaves among the journals stops no run, answers nothing, and is told in one line."""
    project.write_workbook(cases(4))
    project.write_params(fake.url, run={"max_narratives": 4}, shards={"count": 2})
    assert project.snakemake("retry_errors").returncode == 0
    journals = project.folder / "results/cases/journal"
    session = journals / "session-0001"
    for name in ("2-of-2 (conflicted copy 2026-01-02).jsonl", "2-of-2 2.jsonl"):
        shutil.copy(session / "2-of-2.jsonl", session / name)
    for path in (session / "._2-of-2.jsonl", session / "Icon\r", journals / ".DS_Store", journals / "._session-0001"):
        path.write_bytes(b"\x00\x05\x16\x07")
    shutil.copytree(session, journals / "session-0001 (copy)")
    project.write_params(fake.url, shards={"count": 2})
    result = project.snakemake("retry_errors")
    assert result.returncode == 0, result.stdout
    (told,) = [line for line in result.stdout.splitlines() if "are not journals" in line]
    assert "results/cases/journal/" in told and "7 files" in told
    assert project.query("SELECT n_narratives_processed FROM experiments") == [(8,)]
    assert set(fake.calls()["asked"].values()) == {1} and fake.asked == 8


@pytest.mark.long
def test_a_damaged_neighbour(project: Project, fake: Fake) -> None:
    """An experiment is resumed by its id, and looked at, whatever lies beside it under results/."""
    project.write_workbook(cases(2))
    project.write_params(fake.url, run={"max_narratives": 2}, shards={"count": 1})
    assert project.snakemake("retry_errors").returncode == 0
    results = project.folder / "results"
    shutil.copytree(results / "cases", results / "another")
    (results / "another/journal/session-0001/1-of-1.jsonl").write_bytes(b"\x00\n")
    (results / "gone").symlink_to("nowhere")
    (results / "a file").touch()
    ((experiment_id,),) = project.query("SELECT experiment_id FROM experiments")
    project.write_params(fake.url, experiment={"name": "Other", "slug": "other"})
    result = project.snakemake("--config", f"experiment_id={experiment_id}", "run={max_narratives: 4}")
    assert result.returncode == 0, result.stdout
    assert project.query("SELECT status, n_narratives_processed FROM experiments") == [("completed", 4)]
    for words in (("list",), ("status",), ("export", experiment_id, "--no-text")):
        looked = project.run("narrative-runs", *words)
        assert looked.returncode == 0 and "Traceback" not in looked.stdout, looked.stdout
    unknown = project.snakemake("--config", "experiment_id=0000")
    assert unknown.returncode == 1 and "results/another/ cannot be read" in unknown.stdout


@pytest.mark.long
def test_a_workbook_is_read_as_it_is_to_be_read_now(project: Project, fake: Fake) -> None:
    """Before the first answer a workbook that changed, or is to be read otherwise, is read again; else it is not."""
    name = "data/my {cases}.xlsx"
    rows = cases(3)
    rows[1][1] = "see LE"
    project.write_workbook(rows, name=name)
    quality = project.folder / "results/cases/data_quality.json"

    def read(placeholders: str) -> int:
        project.write_params(fake.url, data={"file": name, "placeholders": placeholders}, shards={"count": 1})
        result = project.snakemake("source")
        assert result.returncode == 0, result.stdout
        return int(json.loads(quality.read_text())["narratives"]["total"])

    assert read("ask") == 6
    first = quality.stat().st_mtime_ns
    assert read("ask") == 6 and quality.stat().st_mtime_ns == first
    assert read("skip") == 5
    project.write_workbook(rows[:2], name=name)
    assert read("skip") == 3
    assert fake.calls()["asked"] == {}
