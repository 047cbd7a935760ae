"""The sheet for a reviewer: the sampled narratives, with room for a outcome."""

from collections.abc import Sequence

import pandas as pd

from narrative_runs.codebook.result_columns import columns_by_variable
from narrative_runs.codebook.values import UNCLEAR
from narrative_runs.codebook.variables import Binary, Category, Codebook, Ordinal, Variable
from narrative_runs.findings.columns import OUTCOME_COLUMNS
from narrative_runs.findings.excel import FOR_THE_REVIEWER, REVIEWED
from narrative_runs.variable_outcomes import variable_in

COLUMNS = (*REVIEWED, "error_occurred", *OUTCOME_COLUMNS)
BLIND = ("row_num", "incident_id", "narrative_type", "narrative_text")
CHOICES = {"reviewer_verdict": ("positive", "negative", "unclear")}
_DRAWN_AS = ("stratum", "stratum_size", "sampling_weight")
# "Data validation": what Excel takes of a list, its commas included.
_LONGEST_LIST = 255


def columns_of(codebook: Codebook, variable: str = "") -> list[str]:
    """The columns of the results that are read for a sample: by one variable, or where none is named, by detection.

    Raises:
        FindingsError: there is no such variable.
    """
    if variable:
        variable_in(codebook, variable)
    if not variable or codebook.fits_the_record:
        return list(COLUMNS)
    return [*BLIND, "manual_flag_ind", *_columns_of_variable(codebook, variable)]


def label_column(name: str, outcomes: pd.DataFrame) -> str:
    """The name of the column of a variable's human labels; outcomes: what `narrative_outcomes` gives of them."""
    return f"{name}_label_of_incident" if outcomes["is_of_incident"].any() else f"{name}_label"


def reviewed_columns(codebook: Codebook, name: str, label: str) -> list[str]:
    """What a reviewer of one variable who is not blind sees of a narrative; label: the column of its labels."""
    return [*BLIND, label, *_columns_of_variable(codebook, name)]


def choices_of(variable: Variable) -> dict[str, Sequence[str]]:
    """What a reviewer can choose from in the column to be filled in; nothing where any text fits, or where a list in a
    cell cannot hold the values."""
    if isinstance(variable, Binary):
        return dict(CHOICES)
    values = [*dict.fromkeys([*variable.value_names, UNCLEAR])]
    is_list = isinstance(variable, Category | Ordinal) and len(",".join(values)) <= _LONGEST_LIST
    return {"reviewer_verdict": values} if is_list and not any("," in each or '"' in each for each in values) else {}


def review_sheet(
    drawn: pd.DataFrame, blind: bool, others: Sequence[str] = (), reviewed: Sequence[str] = REVIEWED
) -> pd.DataFrame:
    """The columns that a reviewer sees, and empty ones to fill in.

    In: what `sample` drew. Blind: without label, answer and all that tells them; the size and the weight of a stratum
    do as well. others: the workbook's other columns that the reviewer sees too; reviewed: what one who is not blind
    sees of a narrative.
    """
    shown = drawn[[*(BLIND if blind else (*_DRAWN_AS, *reviewed)), *others]]
    return shown.assign(**{name: pd.array([pd.NA] * len(shown), dtype="string") for name in FOR_THE_REVIEWER})


def _columns_of_variable(codebook: Codebook, name: str) -> list[str]:
    columns = next(columns for columns in columns_by_variable(codebook) if columns.variable == name)
    return [column for column in columns if column]
