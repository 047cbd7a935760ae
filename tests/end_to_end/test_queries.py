"""Every query of the R design on our record, of a finished experiment and of a running one."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrative_runs.source.checksum import md5_of
from tests.migration.r_queries import ALTERS, PORTABLE, QUERIES, WITH_LIMIT, Case, Query
from tests.project import Project, cases, fake_server, processes_in, wait_until

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A record with two experiments of 40 narratives, one narrative an error: one completed, one killed half-way."""
    project = Project(tmp_path_factory.mktemp("queries"))
    project.write_workbook(cases(20))
    with fake_server() as fake:
        fault = {"only_if": "LE text of case 1.", "status": 400, "body": '{"error": {"message": "context length"}}'}
        fake.behave(**fault)
        project.write_params(fake.url)
        assert project.snakemake().returncode == 0
        # Two are never answered, so that the run cannot end before it is killed.
        never = [{"fault": "no answer", "narrative": f"LE text of case {number}."} for number in (18, 19)]
        fake.behave(faults=never, **fault)
        project.write_params(fake.url, "other.yaml", experiment={"name": "Other", "slug": "other"})
        rows = (
            "SELECT count(*), sum(error_occurred), n_narratives_processed "
            "FROM narrative_results JOIN experiments USING (experiment_id) WHERE slug = 'other'"
        )
        with project.started("snakemake", "--cores", "4", "--configfile", "other.yaml") as main:
            wait_until(lambda: (found := project.query(rows)[0])[0] >= 8 and found[1] and found[0] == found[2])
            os.killpg(main.pid, signal.SIGKILL)
            main.wait()
        # The session ends by itself, and writes no more.
        wait_until(lambda: not processes_in(project.folder))
        yield project.folder / "results" / "experiments.db"


@pytest.fixture(params=["completed", "running"])
def case(request: pytest.FixtureRequest, record: Path) -> Case:
    """One of the two experiments, counted without the statements that are tested."""
    connection = sqlite3.connect(record)
    experiments = connection.execute("SELECT experiment_id, experiment_name, status, data_file FROM experiments")
    (found,) = [row for row in experiments if row[2] == request.param]
    results = [row for row in connection.execute("SELECT * FROM narrative_results") if row[1] == found[0]]
    names = [column[1] for column in connection.execute("PRAGMA table_info(narrative_results)")]
    connection.close()
    failed = {row[2:4] for row in results if row[names.index("error_occurred")]}
    keys = [(row[0], kind) for row in cases(20) for kind in ("cme", "le")]
    md5 = md5_of(record.parents[1] / found[3])
    return Case(found[0], found[1], found[2], found[3], md5, keys, {row[2:4] for row in results}, failed)


@pytest.fixture
def copy(record: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the record, that a statement may change."""
    shutil.copy(record, tmp_path / "copy.db")
    connection = sqlite3.connect(tmp_path / "copy.db")
    yield connection
    connection.close()


def test_the_two_are_what_they_are_called(case: Case) -> None:
    """The completed experiment has all its narratives, the running one some of them, each with one error."""
    assert len(case.failed) == 1
    assert (len(case.answered) == 40) == (case.status == "completed")
    assert len(case.answered) >= 8


@pytest.mark.parametrize("query", QUERIES, ids=[query.section for query in QUERIES])
def test_a_query_gives_what_it_promises(query: Query, case: Case, copy: sqlite3.Connection) -> None:
    """Each statement runs as it stands, and gives, or does, what the design says of it."""
    rows = copy.execute(query.sql, query.values(case)).fetchall()
    assert query.holds(case, rows), rows
    if query.after is not None:
        sql, expected = query.after(case)
        assert copy.execute(sql).fetchall() == expected


def test_an_update_with_a_limit_has_a_portable_form(case: Case, copy: sqlite3.Connection) -> None:
    """Where SQLite knows no UPDATE … LIMIT it says so; the portable form makes ten errors everywhere."""
    ten = min(10, len(case.answered))
    options = {row[0] for row in copy.execute("PRAGMA compile_options")}
    if "ENABLE_UPDATE_DELETE_LIMIT" in options:
        assert copy.execute(WITH_LIMIT, (case.experiment_id,)).rowcount == ten
        copy.rollback()
    else:
        with pytest.raises(sqlite3.OperationalError, match="LIMIT"):
            copy.execute(WITH_LIMIT, (case.experiment_id,))
    assert copy.execute(PORTABLE, (case.experiment_id,)).rowcount == ten


@pytest.mark.parametrize("statement", ALTERS)
def test_what_the_migrations_add_is_there(statement: str, copy: sqlite3.Connection) -> None:
    """Our record has every column that the design's migrations add, so that adding it again is an error."""
    with pytest.raises(sqlite3.OperationalError, match="duplicate column name"):
        copy.execute(statement)
