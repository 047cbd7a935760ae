import pytest

from narrative_runs.codebook.result_columns import RESERVED
from narrative_runs.findings.columns import OUTCOME_COLUMNS, RESULT_TYPES, other_columns
from narrative_runs.results import RESULT_COLUMNS
from narrative_runs.source.other_columns import result_names


def test_a_finished_table_has_every_column_of_a_result_and_the_verdicts() -> None:
    """No column of a result is lost on the way to the tables, and their order stays."""
    assert tuple(name for name in RESULT_TYPES if name not in OUTCOME_COLUMNS) == RESULT_COLUMNS


@pytest.mark.parametrize(
    ("names", "free"),
    [
        (["Sex", "IncidentYear"], ["Sex", "IncidentYear"]),
        (["stratum", "detected", "incident"], ["workbook_stratum", "workbook_detected", "workbook_incident"]),
        (["stratum", "workbook_stratum"], ["workbook_stratum", "workbook_stratum_2"]),
    ],
)
def test_other_columns_keep_their_names_unless_these_are_ours(names: list[str], free: list[str]) -> None:
    """A name that stands in the results, or in a file made of them, gets a prefix, and no two become one."""
    assert list(result_names(names, RESERVED).values()) == free
    assert other_columns([*RESULT_TYPES, *free]) == free
