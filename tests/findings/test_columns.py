from narrative_runs.findings.columns import RESULT_TYPES, VERDICTS
from narrative_runs.results import RESULT_COLUMNS


def test_a_finished_table_has_every_column_of_a_result_and_the_verdicts() -> None:
    """No column of a result is lost on the way to the tables, and their order stays."""
    assert tuple(name for name in RESULT_TYPES if name not in VERDICTS) == RESULT_COLUMNS
