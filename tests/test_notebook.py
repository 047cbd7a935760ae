import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import narrative_runs
from narrative_runs.errors import FindingsError
from narrative_runs.findings.columns import CLOCK_BOUND, RESULT_TYPES
from narrative_runs.findings.tables import finish, write_tables
from tests.result_tables import others_of, table_at_random


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The results of an experiment `cases` in this folder, with other columns behind them."""
    table = table_at_random(30, seed=1)
    write_tables(table, {}, {}, tmp_path / "results/cases", csv_json=False, others=others_of(table))
    monkeypatch.chdir(tmp_path)
    return table


def test_a_table_has_the_types_of_its_columns(results: pd.DataFrame) -> None:
    """In the project folder the slug is enough, and values, missing ones and types are those of the merge."""
    read = narrative_runs.read("cases")
    expected = finish(results).drop(columns=list(CLOCK_BOUND))
    pd.testing.assert_frame_equal(read[list(expected)], expected)
    assert {name: str(read[name].dtype) for name in expected} == {name: RESULT_TYPES[str(name)] for name in expected}
    assert list(read)[len(expected.columns) :] == ["Sex", "Incident Year", "Age", "Veteran"]


def test_a_table_is_read_from_anywhere(results: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another folder the path of the results folder is given, as a text or a path."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    for folder in ("../results", tmp_path / "results"):
        assert len(narrative_runs.read("cases", results=folder)) == len(results)


def test_what_is_not_there_is_told(results: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever mistypes a slug, comes too early, or sits in another folder is told what to do."""
    with pytest.raises(FindingsError, match=r"no experiment case in .*Finished experiments there: cases"):
        narrative_runs.read("case")
    (tmp_path / "results/begun").mkdir()
    with pytest.raises(FindingsError, match=r"begun is not finished: results/begun/results\.parquet is missing"):
        narrative_runs.read("begun")
    (tmp_path / "results/cases/results.parquet").write_bytes(b"PAR1")
    with pytest.raises(FindingsError, match="cannot be read"):
        narrative_runs.read("cases")
    monkeypatch.chdir(tmp_path / "results")
    with pytest.raises(FindingsError, match="Start Python in the project folder, or give the path to the results"):
        narrative_runs.read("cases")


def test_the_import_is_light() -> None:
    """Importing the package loads no pandas, which would cost each of many short jobs a third of a second."""
    code = "import sys, narrative_runs; sys.exit('pandas' in sys.modules or 'pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
