from pathlib import Path

import pandas as pd
import pytest

from narrative_runs import experiment, finished
from narrative_runs.errors import ExperimentError, FindingsError
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings import metrics, tables
from narrative_runs.paths import ExperimentFolder
from tests.result_tables import others_of, table_at_random

COLUMNS = ("incident_id", "detected", "error_occurred")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentFolder:
    """The folder of a finished experiment, `cases`, in a project of its own."""
    monkeypatch.chdir(tmp_path)
    folder = ExperimentFolder("cases")
    folder.path.mkdir(parents=True)
    results = table_at_random(20, seed=1)
    measured = metrics.measure(results, "id-cases", seed=1)
    tables.write_tables(results, measured, {}, folder.path, csv_json=False)
    metrics.write_metrics(measured, folder.metrics)
    experiment.describe(folder, ExperimentState("id-cases", "md5", {"run": {"seed": 1}}, True, "2026-01-01 00:00:00"))
    return folder


@pytest.mark.parametrize("which", ["cases", "id-cases"])
def test_an_experiment_is_read_by_its_slug_or_id(folder: ExperimentFolder, which: str) -> None:
    """Its params, metrics and the columns asked for are there, without the record or the journals."""
    found = finished.read(which, COLUMNS)
    assert (found.folder, found.state.source_md5) == (folder, "md5")
    assert tuple(found.results) == COLUMNS
    assert len(found.results) == found.metrics["n_total"]


@pytest.mark.parametrize("name", ["results.parquet", "metrics.json"])
def test_an_experiment_without_findings_is_told(folder: ExperimentFolder, name: str) -> None:
    """The message names the experiment, the file that is missing, and what to do."""
    (folder.path / name).unlink()
    with pytest.raises(FindingsError, match=rf"cases has no findings: .*{name} is missing\. .*start it again"):
        finished.read("cases", COLUMNS)


@pytest.mark.parametrize("name", ["results.parquet", "metrics.json"])
def test_damaged_findings_are_told(folder: ExperimentFolder, name: str) -> None:
    """A file that is none is told, and that it can be made again."""
    (folder.path / name).write_bytes(b"\x00half")
    with pytest.raises(FindingsError, match=r"cannot be read: .*recreated"):
        finished.read("cases", COLUMNS)


def test_findings_of_two_merges_are_not_mixed(folder: ExperimentFolder) -> None:
    """Results that grew since the metrics were written, as by a merge that was killed, are refused."""
    tables.write_tables(table_at_random(30, seed=1), {}, {}, folder.path, csv_json=False)
    with pytest.raises(FindingsError, match="do not come from the same merge"):
        finished.read("cases", COLUMNS)


def test_other_columns_are_read_where_they_are_wanted(folder: ExperimentFolder) -> None:
    """By default none, else those that are named, each once, or all; with the types of the file."""
    results = table_at_random(20, seed=1)
    others = others_of(results)
    tables.write_tables(results, {}, {}, folder.path, csv_json=False, others=others)
    assert finished.read("cases", COLUMNS).others == []
    found = finished.read("cases", COLUMNS, ["Veteran", "Age", "Age"])
    assert (list(found.results), found.others) == ([*COLUMNS, "Veteran", "Age"], ["Veteran", "Age"])
    pd.testing.assert_frame_equal(found.results[["Veteran", "Age"]], others[["Veteran", "Age"]])
    assert finished.read("cases", COLUMNS, None).others == ["Sex", "Incident Year", "Age", "Veteran"]


@pytest.mark.parametrize("name", ["sex", "narrative_text"])
def test_a_column_that_the_workbook_does_not_have_is_told(folder: ExperimentFolder, name: str) -> None:
    """The message repeats the name and lists those that there are; our own columns are none of them."""
    with pytest.raises(FindingsError, match=f"no workbook column named {name}. There is none"):
        finished.read("cases", COLUMNS, [name])
    results = table_at_random(20, seed=1)
    tables.write_tables(results, {}, {}, folder.path, csv_json=False, others=others_of(results))
    with pytest.raises(FindingsError, match=f"named {name}. There are: Sex, Incident Year, Age, Veteran."):
        finished.read("cases", COLUMNS, ["Sex", name])


def test_an_unknown_experiment_is_told(folder: ExperimentFolder) -> None:
    """A name that is no experiment's is repeated in the message."""
    with pytest.raises(FindingsError, match="There is no experiment nothing under results/"):
        finished.read("nothing", COLUMNS)


def test_without_any_experiment_there_is_none_started_last(folder: ExperimentFolder) -> None:
    """No name and an empty record give a message."""
    Path("Snakefile").touch()
    with pytest.raises(ExperimentError, match="no experiment yet"):
        finished.read("", COLUMNS)
