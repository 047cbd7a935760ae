import csv
import hashlib
import json
import sqlite3
from collections.abc import Iterator

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, precision_score, recall_score

from tests.fake_server import answer_to
from tests.project import Fake, Project, cases, fake_server

pytestmark = pytest.mark.end_to_end


def finish(project: Project, fake: Fake) -> Project:
    """A project with a completed experiment of 20 narratives."""
    project.write_workbook(cases(10))
    project.write_params(fake.url)
    result = project.snakemake()
    assert result.returncode == 0, result.stdout
    return project


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Fake]]:
    """A completed experiment that tests only look at, and the server that answered."""
    with fake_server() as fake:
        yield finish(Project(tmp_path_factory.mktemp("project")), fake), fake


@pytest.fixture
def finished(project: Project, fake: Fake) -> Project:
    """A completed experiment that a test may change."""
    return finish(project, fake)


def test_one_row_each(looked_at: tuple[Project, Fake]) -> None:
    """Every narrative is asked once and has exactly one row, with the answer to its own text."""
    finished, fake = looked_at
    calls = fake.calls()["asked"]
    assert len(calls) == 20 and set(calls.values()) == {1}
    rows = finished.query(
        "SELECT incident_id, narrative_type, narrative_text, detected, rationale FROM narrative_results"
    )
    assert len(rows) == len({row[:2] for row in rows}) == 20
    for _, _, text, detected, rationale in rows:
        expected = answer_to(f"Narrative: {text}")
        assert (bool(detected), rationale) == (expected["detected"], expected["rationale"])
    assert finished.query("SELECT status, n_narratives_total, n_narratives_processed FROM experiments") == [
        ("completed", 20, 20)
    ]


def test_metrics_agree_with_scikit_learn(looked_at: tuple[Project, Fake]) -> None:
    """metrics.json holds what scikit-learn computes on the same rows of the results."""
    finished, _ = looked_at
    rows = pd.read_parquet(finished.folder / "results/cases/results.parquet")
    label, detected = rows["manual_flag_ind"].astype(int), rows["detected"].astype(int)
    overall = finished.read_json("results/cases/metrics.json")["overall"]
    for name, score in {
        "accuracy": accuracy_score,
        "precision": precision_score,
        "recall": recall_score,
        "f1": f1_score,
        "mcc": matthews_corrcoef,
    }.items():
        assert overall[name]["value"] == pytest.approx(score(label, detected))


def test_second_run_asks_nothing(looked_at: tuple[Project, Fake]) -> None:
    """A plain run of a completed experiment asks nothing, says that it is completed, and exits 0."""
    finished, fake = looked_at
    asked = fake.asked
    result = finished.snakemake()
    assert result.returncode == 0
    assert "completed" in result.stdout
    assert fake.asked == asked


def test_merging_again_gives_the_same_bytes(finished: Project, fake: Fake) -> None:
    """Shards, results and metrics made anew from the journals are the same, byte for byte, and nothing is asked."""
    folder = finished.folder / "results/cases"
    names = ["results.parquet", "results.csv", "results.json", "results.xlsx", "metrics.json"]
    before = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in names}
    asked = fake.asked
    for path in [*(folder / "shards").iterdir(), *(folder / name for name in names)]:
        path.unlink()
    result = finished.snakemake()
    assert result.returncode == 0, result.stdout
    assert {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in names} == before
    assert fake.asked == asked


@pytest.mark.long
def test_record_is_made_again(finished: Project, fake: Fake) -> None:
    """A lost record is filled again from the journals, without asking, and what is made from them already stays."""
    asked = fake.asked
    rows = finished.query("SELECT incident_id, detected, rationale FROM narrative_results ORDER BY row_num")
    report = finished.folder / "results/cases/report.html"
    made_at = report.stat().st_mtime_ns
    (finished.folder / "results/experiments.db").unlink()
    assert finished.snakemake().returncode == 0
    assert report.stat().st_mtime_ns == made_at
    assert finished.query("SELECT incident_id, detected, rationale FROM narrative_results ORDER BY row_num") == rows
    assert finished.query("SELECT status FROM experiments") == [("completed",)]
    assert fake.asked == asked


def test_all_layouts_and_formats(project: Project, fake: Fake) -> None:
    """A long CSV and a production parquet run as a workbook does, each as an experiment of its own in one record."""
    long = project.folder / "data/long.csv"
    with long.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["incident_id", "narrative_type", "narrative_text", "manual_flag_ind"])
        writer.writerows(
            [["0012", "cme", "First, with a comma.", 1], ["12", "le", "Second.", 0], ["12", "cme", " ", ""]]
        )
    project.track(long)
    production = project.folder / "data/production.parquet"
    pd.DataFrame(
        {
            "IncidentID": [1.0, 2.0],
            "NarrativeCME": ["A.", "B."],
            "NarrativeLE": [None, "C."],
            "IncidentYear": [2020, 2021],
        }
    ).to_parquet(production)
    project.track(production)
    for name, file in {"long": "data/long.csv", "production": "data/production.parquet"}.items():
        project.write_params(fake.url, f"{name}.yaml", experiment={"name": name, "slug": name}, data={"file": file})
        result = project.snakemake("--configfile", f"{name}.yaml")
        assert result.returncode == 0, result.stdout
    assert project.query(
        "SELECT slug, incident_id, narrative_type, manual_flag_ind FROM narrative_results "
        "JOIN experiments USING (experiment_id) ORDER BY slug, row_num"
    ) == [
        ("long", "0012", "cme", 1),
        ("long", "12", "le", 0),
        ("production", "1", "cme", None),
        ("production", "2", "cme", None),
        ("production", "2", "le", None),
    ]
    assert project.read_json("results/long/data_quality.json")["blanks_skipped"]["total"] == 1
    metrics = project.read_json("results/production/metrics.json")
    assert metrics["n_labelled"] == 0 and metrics["overall"]["recall"] is None


def test_unreadable_answers_are_error_rows(project: Project, fake: Fake) -> None:
    """What cannot be read is an error row with its category and the raw text, and the experiment is completed."""
    project.write_workbook(cases(4))
    project.write_params(fake.url)
    nonsense = {"choices": [{"message": {"content": "I would rather not say."}, "finish_reason": "stop"}], "usage": {}}
    fake.behave(only_if="LE text of case 2", body=json.dumps(nonsense))
    assert project.snakemake().returncode == 0
    assert project.query(
        "SELECT incident_id, narrative_type, detected, error_category, raw_response FROM narrative_results "
        "WHERE error_occurred"
    ) == [("0002", "le", None, "parse_error", "I would rather not say.")]
    assert project.query("SELECT status, n_narratives_processed, n_narratives_completed FROM experiments") == [
        ("completed", 8, 7)
    ]
    metrics = project.read_json("results/cases/metrics.json")
    assert metrics["n_errors"] == 1 and metrics["overall"]["n"] == 7


def test_edited_prompt_after_first_answer(finished: Project, fake: Fake) -> None:
    """An edit of a frozen key is named with both values, and never mixes into the experiment nor asks anew."""
    asked = fake.asked
    finished.write_params(fake.url, prompt={"system_prompt": "Decide otherwise."})
    result = finished.snakemake()
    assert result.returncode == 0
    assert "prompt.system_prompt" in result.stdout and "Decide otherwise." in result.stdout
    assert fake.asked == asked


def test_key_is_sent_and_written_nowhere(project: Project, fake: Fake) -> None:
    """The API key reaches the server, and no file of the project holds it."""
    project.write_workbook(cases(2))
    project.write_params(fake.url)
    project.environment["LLM_API_KEY"] = "sk-very-secret-7431"
    assert project.snakemake().returncode == 0
    assert fake.calls()["keys"] == ["Bearer sk-very-secret-7431"]
    for path in project.folder.rglob("*"):
        if path.is_file():
            assert b"sk-very-secret-7431" not in path.read_bytes(), path


def test_record_is_plain_sqlite(looked_at: tuple[Project, Fake]) -> None:
    """The record opens in any SQLite, without files beside it, and passes its own integrity check."""
    finished, _ = looked_at
    connection = sqlite3.connect(finished.folder / "results/experiments.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
