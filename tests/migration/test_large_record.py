from pathlib import Path

import pytest
from benchmarks import migration

from narrative_runs.migration.migrate import migrate
from tests.migration import r_system

NARRATIVES = 35_000


@pytest.mark.slow
def test_a_production_record_loses_no_row(tmp_path: Path) -> None:
    """Of 35,000 narratives each keeps its latest result, and each of the 350 earlier ones lies in the CSV file."""
    path = tmp_path / "production_20k.db"
    migration.make(path, NARRATIVES)
    told: list[str] = []
    migrate(path, False, told.append)
    assert "narrative_results: 35,350 rows before - 350 duplicates = 35,000 rows after" in told
    assert r_system.rows(path, "SELECT count(*), min(result_id) FROM narrative_results") == [(NARRATIVES, 351)]
    distinct = "SELECT count(*) FROM (SELECT DISTINCT incident_id, narrative_type FROM narrative_results)"
    assert r_system.rows(path, distinct) == [(NARRATIVES,)]
    (removed,) = tmp_path.glob("*.removed-duplicates-*.csv")
    assert removed.read_text(encoding="utf-8").count(r_system.EXPERIMENT_ID) == 350
