import re

import pytest

from narrative_runs.codebook.result_columns import RESERVED
from narrative_runs.findings.column_meanings import (
    FROM_THE_WORKBOOK,
    OF_NARRATIVES,
    OF_OTHER_SHEETS,
    OF_VARIABLES,
    meaning_of,
)
from narrative_runs.findings.columns import RESULT_TYPES
from narrative_runs.findings.excel import FOR_THE_REVIEWER
from narrative_runs.source.other_columns import SHEET

EVERY_MEANING = [
    *OF_NARRATIVES.values(),
    *OF_VARIABLES.values(),
    *(text for sheet in OF_OTHER_SHEETS.values() for text in sheet.values()),
]


@pytest.mark.parametrize("name", [*RESULT_TYPES, "disagreement", *FOR_THE_REVIEWER, SHEET])
def test_every_column_of_ours_has_a_meaning(name: str) -> None:
    """No column that we write is explained as one of the workbook's."""
    assert meaning_of("results", name) == meaning_of("disagreements", name) == OF_NARRATIVES[name]


def test_no_column_of_the_workbook_passes_for_ours() -> None:
    """Names with a meaning beside narratives are reserved: one of the workbook's cannot have them."""
    assert set(OF_NARRATIVES) <= {*RESERVED, SHEET}
    assert meaning_of("results", "Sex") == meaning_of("results", "value") == FROM_THE_WORKBOOK


@pytest.mark.parametrize("meaning", [*EVERY_MEANING, FROM_THE_WORKBOOK])
def test_a_meaning_is_one_sentence(meaning: str) -> None:
    """Each begins like a sentence, ends like one, and holds no other."""
    assert re.fullmatch(r"[A-Z](?:[^.?!]|\.(?=\w))+\.", meaning)


def test_no_two_columns_mean_the_same() -> None:
    """Whoever reads two meanings can tell the columns apart."""
    assert len(set(EVERY_MEANING)) == len(EVERY_MEANING)


@pytest.mark.parametrize("name", OF_VARIABLES)
def test_columns_of_the_sheets_of_variables_are_ours_there_alone(name: str) -> None:
    """A column of the workbook that is called so is the workbook's in all other sheets."""
    assert meaning_of("weapon", name) == OF_VARIABLES[name]
    assert meaning_of("results", name) == meaning_of("disagreements", name) == FROM_THE_WORKBOOK
