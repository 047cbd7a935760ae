"""The sheet for a reviewer: the sampled narratives, with room for a outcome."""

from collections.abc import Sequence

import pandas as pd

from narrative_runs.findings.columns import OUTCOME_COLUMNS
from narrative_runs.findings.excel import FOR_THE_REVIEWER, REVIEWED

COLUMNS = (*REVIEWED, "error_occurred", *OUTCOME_COLUMNS)
BLIND = ("row_num", "incident_id", "narrative_type", "narrative_text")
CHOICES = {"reviewer_verdict": ("positive", "negative", "unclear")}
_DRAWN_AS = ("stratum", "stratum_size", "sampling_weight")


def review_sheet(drawn: pd.DataFrame, blind: bool, others: Sequence[str] = ()) -> pd.DataFrame:
    """The columns that a reviewer sees, and empty ones to fill in.

    In: what `sample` drew. Blind: without label, answer and all that tells them; the size and the weight of a stratum
    do as well. others: the workbook's other columns that the reviewer sees too.
    """
    shown = drawn[[*(BLIND if blind else (*_DRAWN_AS, *REVIEWED)), *others]]
    return shown.assign(**{name: pd.array([pd.NA] * len(shown), dtype="string") for name in FOR_THE_REVIEWER})
