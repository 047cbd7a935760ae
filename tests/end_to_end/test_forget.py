"""`narrative-runs forget`: an experiment and its texts are nowhere any more, and all others are as they were."""

import hashlib
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.test_reproduce import activate
from tests.project import AT_LONGEST_S, Fake, Project, fake_server, wait_until
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

FORGET = ("narrative-runs", "forget", "cases")
# In the narratives, in what the model says of them, and in the prompt.
CANARIES = (b"Quetzalcoatlus", b"Zyzzogeton", b"Xylophagus")
KILLS = 6
INDEX = "search_index.db"
# What the page does when somebody looks at the narratives of an experiment.
INDEXED = """
import sys
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.record.search_index import SearchIndex, update
update(SearchIndex(), sys.argv[1], DEFAULT)
"""


def rows(canary: str, count: int) -> list[list[object]]:
    """Rows of a workbook whose texts hold a word that is nowhere else."""
    texts = [
        (f"{number:04d}", f"{canary} {number} was told.", f"{canary} {number} was seen.") for number in range(count)
    ]
    return [[*text, 1, 0, 1] for text in texts]


def write_experiment(project: Project, fake: Fake, slug: str, canary: str, file: str, **run: object) -> None:
    """A workbook and a params file of an experiment, whose prompt and answers hold canaries too."""
    if not (project.folder / f"data/{slug}.xlsx").exists():
        project.write_workbook(rows(canary, 6), name=f"data/{slug}.xlsx")
    project.write_params(
        fake.url,
        file,
        experiment={"name": slug.title(), "slug": slug},
        data={"file": f"data/{slug}.xlsx"},
        prompt={"system_prompt": f"Decide as of {slug}." + (" Xylophagus." if slug == "cases" else "")},
        run=run,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Fake]]:
    """A project with two experiments, one of them proved by DVC, resumed, extended, retried and exported."""
    project = Project(tmp_path_factory.mktemp("whole"))
    activate(project)
    with fake_server() as fake:
        answer = '{"detected": true, "confidence": 0.9, "indicators": ["Zyzzogeton"], "rationale": "Zyzzogeton ran."}'
        fake.behave(replies={"Quetzalcoatlus": (200, _reply(answer))})
        write_experiment(project, fake, "other", "Ordinary", "other.yaml")
        write_experiment(project, fake, "cases", "Quetzalcoatlus", "params.yaml", max_narratives=4)
        for words in (
            ("snakemake", "--cores", "4", "--configfile", "other.yaml"),
            ("snakemake", "--cores", "4"),
            ("narrative-runs", "export", "cases", "--review", "4"),
        ):
            assert (told := project.run(*words)).returncode == 0, told.stdout
        write_experiment(project, fake, "cases", "Quetzalcoatlus", "params.yaml")
        assert (told := project.run("dvc", "repro")).returncode == 0, told.stdout
        for (experiment_id,) in project.query("SELECT experiment_id FROM experiments"):
            assert (told := project.run("python", "-c", INDEXED, experiment_id)).returncode == 0, told.stdout
        # What killed programs leave behind.
        (project.folder / "results/.experiments.db.backup.draft").write_bytes(CANARIES[0])
        (project.folder / "results/.adopting/cases").mkdir(parents=True)
        (project.folder / "results/.adopting/cases/text").write_bytes(CANARIES[0])
        shutil.copy(
            project.folder / "results/experiments.db", project.folder / "results/experiments.db.backup-20260101"
        )
        yield project, fake


def _reply(content: str) -> str:
    import json

    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return json.dumps({"model": "fake", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})


@pytest.fixture
def here(whole: tuple[Project, Fake], tmp_path: Path) -> Project:
    """A copy of it."""
    folder = tmp_path / "project"
    shutil.copytree(whole[0].folder, folder, symlinks=True)
    environment = {**whole[0].environment, "PYTHONPATH": str(folder / "src")}
    return Project.at(folder, environment)


def files_with_canaries(project: Project) -> list[str]:
    """All files of the project that hold one of the words, but for the user's own: workbook and params files."""
    found = []
    for path in project.folder.rglob("*"):
        if path.is_file() and path.suffix != ".yaml" and any(canary in path.read_bytes() for canary in CANARIES):
            found.append(str(path.relative_to(project.folder)))
    return found


def of_the_other(project: Project) -> tuple[object, ...]:
    """All that there is of the other experiment: its rows in the record, and the bytes of its files."""
    results = project.query("SELECT * FROM narrative_results WHERE narrative_text LIKE 'Ordinary%' ORDER BY result_id")
    sources = project.query(
        "SELECT * FROM source_narratives WHERE narrative_text LIKE 'Ordinary%' ORDER BY narrative_id"
    )
    experiments = project.query("SELECT * FROM experiments WHERE slug = 'other'")
    folder = project.folder / "results/other"
    files = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
    return results, sources, experiments, files


def assert_forgotten(project: Project, other: tuple[object, ...]) -> None:
    """No file holds a text of the experiment, and the other one is as it was, in the record and in its copies."""
    assert files_with_canaries(project) == []
    assert not (project.folder / "results/cases").exists() and not (project.folder / "results/.forgetting").exists()
    assert of_the_other(project) == other
    for path in (project.folder / "results").rglob("*.db*"):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if path.name == INDEX:
            # Words are in one case there.
            assert not any(canary.lower() in path.read_bytes() for canary in CANARIES)
            assert connection.execute("SELECT count(*), sum(n_narratives) FROM experiments").fetchone() == (1, 12)
            connection.close()
            continue
        assert connection.execute("SELECT count(*) FROM experiments WHERE slug = 'cases'").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM narrative_results").fetchone()[0] in (0, 12), path
        connection.close()


def test_an_experiment_is_nowhere_any_more(here: Project) -> None:
    """Record, folder, backups, DVC's cache, lock and leftovers hold no word of it; what stays is said; the other
    experiment is untouched, proves itself, and the same name can begin anew."""
    before = files_with_canaries(here)
    for place in ("results/experiments.db", "results/cases/journal", "results/backups", ".dvc/cache", "dvc.lock"):
        assert any(path.startswith(place) for path in before), (place, before)
    other = of_the_other(here)
    told = here.run(*FORGET, "--yes")
    assert told.returncode == 0 and "Traceback" not in told.stdout, told.stdout
    for words in (
        "results/cases/: ",
        "results/experiments.db: 12 results, 12 narratives",
        "results/search_index.db: the words of its narratives",
        "DVC's cache: ",
        "Not removed",
    ):
        assert words in told.stdout, told.stdout
    assert_forgotten(here, other)
    assert not (here.folder / "dvc.lock").exists()
    proved = here.run("narrative-runs", "prove", "--configfile", "other.yaml")
    assert proved.returncode == 0, proved.stdout
    again = here.run(*FORGET, "--yes")
    assert again.returncode == 1 and "There is no experiment cases" in again.stdout
    anew = here.snakemake()
    assert anew.returncode == 0 and here.query("SELECT count(*) FROM experiments WHERE slug = 'cases'") == [(1,)]


def test_nothing_goes_without_a_word(here: Project) -> None:
    """Without the typed slug nothing changes: not by another word, nor without a terminal."""
    before, other = files_with_canaries(here), of_the_other(here)
    for answer in ("", "y\n", "other\n"):
        told = subprocess.run(
            here.command(*FORGET),
            cwd=here.folder,
            env=here.environment,
            input=answer,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert told.returncode == 1 and "Nothing was removed." in told.stdout, told.stdout
    assert (files_with_canaries(here), of_the_other(here)) == (before, other)
    told = subprocess.run(
        here.command(*FORGET), cwd=here.folder, env=here.environment, input="cases\n", stdout=subprocess.PIPE, text=True
    )
    assert told.returncode == 0, told.stdout
    assert_forgotten(here, other)


@pytest.mark.parametrize("kill", rest_is_long(range(KILLS), 2))
def test_a_killed_removal_is_finished_by_the_same_command(here: Project, kill: int) -> None:
    """Killed at any point, the same command finishes it."""
    other = of_the_other(here)
    chance = random.Random(kill)
    for _ in range(3):
        with here.started(*FORGET, "--yes") as process:
            begun = here.folder / "results/.forgetting/cases.json"
            while process.poll() is None and not begun.exists():
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.15))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    finished = here.run(*FORGET, "--yes")
    assert finished.returncode == 0 or "There is no experiment cases" in finished.stdout, finished.stdout
    assert_forgotten(here, other)


def test_a_run_that_writes_compacts_the_record_at_its_end(here: Project, whole: tuple[Project, Fake]) -> None:
    """While another experiment runs nothing of it is disturbed, no text is left, and the record is compacted when that
    run has ended; the experiment that runs cannot be removed itself."""
    fake = whole[1]
    write_experiment(here, fake, "third", "Ordinary third", "third.yaml")
    fake.behave(replies={}, latency_s=0.7)
    with here.started("snakemake", "--cores", "4", "--configfile", "third.yaml") as process:
        wait_until(lambda: here.query("SELECT count(*) FROM experiments WHERE slug = 'third'") == [(1,)])
        refused = here.run("narrative-runs", "forget", "third", "--yes")
        assert refused.returncode == 1 and "third is running: PID" in refused.stdout, refused.stdout
        told = here.run(*FORGET, "--yes")
        assert told.returncode == 0 and "as soon as third has ended" in told.stdout, told.stdout
        assert [path for path in files_with_canaries(here) if "journal" not in path] == []
        said, _ = process.communicate(timeout=AT_LONGEST_S)
    assert process.returncode == 0, said
    assert not (here.folder / "results/.forgetting").exists()
    connection = sqlite3.connect(here.folder / "results/experiments.db")
    assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM narrative_results").fetchone() == (24,)
    connection.close()


@pytest.mark.long
def test_what_only_the_record_has_is_removed(here: Project) -> None:
    """An experiment whose folder is gone is removed from the record, as the message about it says."""
    shutil.rmtree(here.folder / "results/cases")
    refused = here.snakemake()
    assert refused.returncode != 0
    (command,) = re.findall(r"`(narrative-runs forget [^`]*)`", refused.stdout)
    told = here.run(*command.split(), "--yes")
    assert told.returncode == 0, told.stdout
    assert here.query("SELECT count(*) FROM narrative_results") == [(12,)]
    assert here.snakemake().returncode == 0


def test_an_id_that_looks_like_a_path_leads_to_no_folder(here: Project) -> None:
    """An experiment of the R system whose id names a path goes from the record alone: no folder is touched."""
    connection = sqlite3.connect(here.folder / "results/experiments.db")
    connection.execute("INSERT INTO experiments (experiment_id, experiment_name) VALUES ('cases/journal', 'R')")
    connection.commit()
    connection.close()
    kept, other = sorted((here.folder / "results/cases").rglob("*")), of_the_other(here)
    told = here.run("narrative-runs", "forget", "cases/journal", "--yes")
    assert told.returncode == 0, told.stdout
    assert sorted((here.folder / "results/cases").rglob("*")) == kept and of_the_other(here) == other
    assert here.query("SELECT count(*) FROM experiments WHERE experiment_id = 'cases/journal'") == [(0,)]
    assert not (here.folder / "results/.forgetting").exists()


def test_damaged_answers_are_removed_too(here: Project) -> None:
    """An experiment whose journals cannot be read is removed as any other."""
    other = of_the_other(here)
    (journal,) = list((here.folder / "results/cases/journal/session-0002").glob("1-of-3.jsonl"))
    journal.write_bytes(b"damaged\n" + journal.read_bytes())
    told = here.run(*FORGET, "--yes")
    assert told.returncode == 0, told.stdout
    assert_forgotten(here, other)
