import csv
import sys
from pathlib import Path

import pytest

from narrative_runs import __main__ as command_line
from narrative_runs import experiment
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings import metrics, tables
from narrative_runs.paths import ExperimentFolder
from tests.result_tables import others_of, table_at_random

OTHERS = ["Sex", "Incident Year", "Age", "Veteran"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentFolder:
    """The folder of a finished experiment, `cases`, whose workbook has other columns, in a project of its own."""
    monkeypatch.chdir(tmp_path)
    folder = ExperimentFolder("cases")
    folder.path.mkdir(parents=True)
    results = table_at_random(20, seed=1)
    measured = metrics.measure(results, "id-cases", seed=1)
    tables.write_tables(results, measured, {}, folder.path, csv_json=False, others=others_of(results))
    metrics.write_metrics(measured, folder.metrics)
    experiment.describe(folder, ExperimentState("id-cases", "md5", {"run": {"seed": 1}}, True, "2026-01-01 00:00:00"))
    return folder


def exported(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """The names of the columns of the file that `narrative-runs export cases` writes with these words."""
    monkeypatch.setattr(sys, "argv", ["narrative-runs", "export", "cases", *words, "--output", "out.csv", "--force"])
    command_line.main()
    with Path("out.csv").open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("words", [("--no-text",), ("--review", "10", "--blind")])
def test_other_columns_are_given_out_only_where_they_are_named(
    folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Neither results without text nor a blind sheet tell anything of the workbook that was not asked for."""
    assert not set(OTHERS) & set(exported(monkeypatch, *words))
    columns = exported(monkeypatch, *words, "--columns", "Incident Year", "Sex")
    assert [name for name in columns if name in OTHERS] == ["Incident Year", "Sex"]


def test_who_sees_answers_sees_all_columns(folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet for a reviewer that is not blind has all of the workbook's other columns, before the verdict."""
    assert exported(monkeypatch, "--review", "10")[-6:] == [*OTHERS, "reviewer_verdict", "reviewer_notes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--no-text", "--columns", "Sex", "County"), "called County. There are: Sex, Incident Year, Age, Veteran."),
        (("--no-text", "--columns", "incident_id"), "called incident_id. There are: Sex"),
        (("--review", "9", "--blind", "--columns", "rationale"), "called rationale. There are: Sex"),
        (("--review", "9", "--columns", "Sex"), "--columns goes with --no-text or --blind"),
    ],
)
def test_a_column_that_cannot_be_given_out_is_told(
    folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    """A name that is none of the workbook's other columns, or stands where all are, ends with a message and no file."""
    with pytest.raises(SystemExit, match=message):
        exported(monkeypatch, *words)
    assert not Path("out.csv").exists()
