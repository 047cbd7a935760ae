from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.project import LABELLED, Project, cases
from tests.run_contexts import context_of
from tests.small_experiment import FOLDER, Listener, narratives_of, params_of, write_workbook

from narrative_runs.errors import FindingsError, NarrativeRunsError, SourceChanged, SourceError
from narrative_runs.jobs.source import read_source
from narrative_runs.paths import RESULTS
from narrative_runs.record import database
from narrative_runs.run_context import RunContext
from narrative_runs.source import workbook
from narrative_runs.source.checksum import md5_of
from narrative_runs.source.shards import iterate_all

WORKBOOK = Path("data/cases.xlsx")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()


class Watched(Listener):
    """A run that sees what is there when the workbook is ready, and each time a line is shown."""

    def __init__(self, context: RunContext) -> None:
        super().__init__(context)
        self.at_ready: list[set[Path]] = []
        self.at_lines: set[Path] = set()

    def source_is_ready(self) -> None:
        self.at_ready.append(files())
        super().source_is_ready()

    def show(self, line: str) -> None:
        super().show(line)
        self.at_lines = files()


def files() -> set[Path]:
    """All files that the job may have written."""
    return {path for path in RESULTS.rglob("*") if path.is_file()}


def read(**run: Any) -> Watched:
    """Read the workbook as it is now; run: values of params.run."""
    watched = Watched(context_of(params_of(**run), source_md5=md5_of(WORKBOOK)))
    read_source(watched.context, watched)
    return watched


def test_nothing_is_written_before_the_workbook_is_ready() -> None:
    """The run is told once that the workbook can be used, while nothing of it is on disk; afterwards all of it is: the
    narratives in their shards, what belongs to them, and the quality of the source."""
    write_workbook(5)
    watched = read()
    assert watched.at_ready == [set()]
    assert list(iterate_all(FOLDER, 2)) == narratives_of(10)
    whole = {FOLDER.narratives_of(1, 2), FOLDER.narratives_of(2, 2), FOLDER.incidents, FOLDER.other_columns}
    assert {*whole, FOLDER.data_quality} <= files()


def test_what_was_found_is_shown() -> None:
    """At the end the user is shown how many narratives there are, when all is written."""
    write_workbook(5)
    watched = read()
    assert any("10 narratives" in line for line in watched.lines)
    assert watched.at_lines == files()


@pytest.mark.parametrize(("limit", "total"), [(None, 10), (4, 4), (99, 10)])
def test_the_record_holds_the_source(limit: int | None, total: int) -> None:
    """The record has all narratives of the workbook with their texts, and the number of those that will be asked."""
    write_workbook(5)
    read(max_narratives=limit)
    kept = database.query("SELECT incident_id, narrative_type, narrative_text FROM source_narratives")
    assert [tuple(row.values()) for row in kept] == [
        (each.incident_id, each.narrative_type, each.narrative_text) for each in narratives_of(10)
    ]
    row = database.experiment("0b6d")
    assert row is not None
    assert (row["n_narratives_total"], row["n_narratives_skipped"]) == (total, 0)


def test_safe_to_repeat() -> None:
    """Read again, the workbook gives the same files to the byte, and the record has each of its narratives once."""
    write_workbook(5)
    read()
    before = {path: path.read_bytes() for path in files() if path.suffix in (".parquet", ".json")}
    read()
    assert {path: path.read_bytes() for path in before} == before
    assert database.query("SELECT count(*) AS rows FROM source_narratives") == [{"rows": 10}]


def not_there() -> None:
    """The workbook is missing, and DVC has no copy of it."""
    write_workbook(2)
    WORKBOOK.unlink()


def not_tracked() -> None:
    """There is no .dvc file."""
    write_workbook(2)
    WORKBOOK.with_name("cases.xlsx.dvc").unlink()


def edited() -> None:
    """It was saved after it was tracked."""
    write_workbook(2)
    dvc = WORKBOOK.with_name("cases.xlsx.dvc").read_bytes()
    write_workbook(3)
    WORKBOOK.with_name("cases.xlsx.dvc").write_bytes(dvc)


def of_no_layout() -> None:
    """It has no narratives."""
    Project.at(Path(), {}).write_workbook([["1", "x"]], header=["A", "B"])


def without_rows() -> None:
    """It has its columns alone."""
    Project.at(Path(), {}).write_workbook([], header=LABELLED)


@pytest.mark.parametrize(
    ("mistake", "kind"),
    [
        (not_there, SourceError),
        (not_tracked, SourceError),
        (edited, SourceChanged),
        (of_no_layout, SourceError),
        (without_rows, SourceError),
    ],
)
@pytest.mark.slow
def test_a_workbook_that_cannot_be_used_leaves_nothing(
    mistake: Callable[[], None], kind: type[NarrativeRunsError]
) -> None:
    """Whatever is wrong with the workbook, the job fails before the run hears that it is ready, and writes nothing."""
    mistake()
    md5 = md5_of(WORKBOOK) if WORKBOOK.exists() else "ab" * 16
    watched = Watched(context_of(params_of(), source_md5=md5))
    with pytest.raises(kind):
        read_source(watched.context, watched)
    assert not watched.at_ready and not watched.lines and not files()


def test_another_workbook_than_the_runs() -> None:
    """A workbook that was replaced and tracked anew is not the one that the run is for."""
    md5 = write_workbook(2)
    write_workbook(3)
    watched = Watched(context_of(params_of(), source_md5=md5))
    with pytest.raises(SourceChanged):
        read_source(watched.context, watched)
    assert not watched.at_ready and not files()


def test_a_group_that_is_no_column_leaves_nothing() -> None:
    """A column that report.groups names and the workbook has not is found before anything is written; one that is
    there rides along."""
    rows = [[*row, "F" if number % 2 else "M"] for number, row in enumerate(cases(4))]
    Project.at(Path(), {}).write_workbook(rows, header=[*LABELLED, "Sex"])

    def params(column: str) -> Any:
        found = params_of()
        return found.model_copy(update={"report": found.report.model_copy(update={"groups": [column]})})

    watched = Watched(context_of(params("Gender"), source_md5=md5_of(WORKBOOK)))
    with pytest.raises(FindingsError, match="Gender"):
        read_source(watched.context, watched)
    assert not watched.at_ready and not files()
    watched = Watched(context_of(params("Sex"), source_md5=md5_of(WORKBOOK)))
    read_source(watched.context, watched)
    assert FOLDER.other_columns.exists() and watched.lines


def test_a_workbook_that_is_saved_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that changed between its checksum and the end of its reading is refused, and nothing is written."""
    write_workbook(2)
    reading = workbook.read

    def saved_meanwhile(*values: Any) -> Any:
        found = reading(*values)
        write_workbook(3)
        return found

    monkeypatch.setattr(workbook, "read", saved_meanwhile)
    with pytest.raises(SourceChanged):
        read()
    assert not files()
