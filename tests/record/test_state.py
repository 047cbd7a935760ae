from pathlib import Path

import pytest
from tests.run_contexts import context_of
from tests.small_experiment import entry_of, narratives_of, params_of

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.record import database, state
from narrative_runs.results import result_of


@pytest.mark.parametrize("status", ["running", "completed"])
def test_what_the_merge_has_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """A result that is brought into the record late is written while the experiment runs; once the merge has called it
    completed, its rows and counts stay as they are."""
    monkeypatch.chdir(tmp_path)
    params = params_of()
    experiment_id, (narrative,) = context_of(params).experiment_id, narratives_of(1)
    with database.transaction() as connection:
        database.put_experiment(connection, experiment_id, {"experiment_name": "Cases", "status": status})
    late = [result_of(narrative, entry_of(narrative, params), DEFAULT)]
    state.move(experiment_id, late, "cases.xlsx", "md5", total=1, processed=1, completed=1, eta=None, codebook=DEFAULT)
    with database.transaction() as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM narrative_results").fetchall()
        ((processed,),) = connection.execute("SELECT n_narratives_processed FROM experiments").fetchall()
    assert (rows, processed) == ((1, 1) if status == "running" else (0, 0))
