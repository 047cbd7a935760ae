import csv
import sys
from pathlib import Path

import pandas as pd
import pytest

from narrative_runs import __main__ as command_line
from narrative_runs import experiment
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings import metrics, tables
from narrative_runs.paths import ExperimentFolder
from tests.coded_experiment import write_experiment
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


def test_other_columns_are_given_out_only_where_they_are_named(
    folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results without text tell nothing of the workbook that was not asked for."""
    assert not set(OTHERS) & set(exported(monkeypatch, "--no-text"))
    columns = exported(monkeypatch, "--no-text", "--columns", "Incident Year", "Sex")
    assert [name for name in columns if name in OTHERS] == ["Incident Year", "Sex"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--no-text", "--columns", "Sex", "County"), "named County. There are: Sex, Incident Year, Age, Veteran."),
        (("--no-text", "--columns", "incident_id"), "named incident_id. There are: Sex"),
        (("--review", "9", "--blind", "--columns", "rationale"), "named rationale. There are: Sex"),
        (("--review", "9", "--columns", "Sex"), "--columns can only be used with --no-text or --blind"),
    ],
)
def test_a_column_that_cannot_be_given_out_is_told(
    folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    """A name that is none of the workbook's other columns, or stands where all are, ends with a message and no file."""
    with pytest.raises(SystemExit, match=message):
        exported(monkeypatch, *words)
    assert not Path("out.csv").exists()


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The results of a finished experiment with a codebook, in a project of its own."""
    monkeypatch.chdir(tmp_path)
    return write_experiment()


def export(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Run `narrative-runs export` with these words."""
    monkeypatch.setattr(sys, "argv", ["narrative-runs", "export", *words])
    command_line.main()


def test_the_usual_question_is_the_only_variable_without_a_codebook(
    folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a codebook `--variable detected` writes the very files that are written without it, and no other variable
    is there."""
    export(monkeypatch, "cases", "--no-text", "--output", "without.csv")
    export(monkeypatch, "cases", "--no-text", "--output", "with.csv", "--variable", "detected")
    assert Path("with.csv").read_bytes() == Path("without.csv").read_bytes()
    with pytest.raises(SystemExit, match=r"--variable rationale: there is no such variable. There are: detected\."):
        export(monkeypatch, "cases", "--no-text", "--output", "no.csv", "--variable", "rationale")
    assert not Path("no.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--no-text", "--variable", "gun"), "There are: detected, weapon, severity"),
        (("--no-text", "--variable", "evidence"), "of type quote, so that its values are texts"),
    ],
)
def test_a_variable_that_cannot_be_given_out_is_told(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    """What does not suit the variable ends with a message and no file."""
    with pytest.raises(SystemExit, match=message):
        export(monkeypatch, "coded", *words, "--output", "out.csv")
    assert not Path("out.csv").exists()


@pytest.mark.slow
def test_where_small_counts_are_masked_no_variable_goes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With report.suppress_below, a variable is refused, and without one the values of all are left out."""
    monkeypatch.chdir(tmp_path)
    write_experiment(report={"suppress_below": 5})
    with pytest.raises(SystemExit, match=r"variable weapon: small counts .* cannot be masked .*suppress_below is 5"):
        export(monkeypatch, "coded", "--no-text", "--variable", "weapon")
    export(monkeypatch, "coded", "--no-text")
    assert "Left out are the values of the codebook's variables" in capsys.readouterr().out
    assert "weapon" not in pd.read_csv("results/coded/no_text.csv")
