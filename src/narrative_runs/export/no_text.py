"""The results without any text: what may leave your network.

Only what is named here goes out, and those of the workbook's other columns that a person names. Left out are all texts
that a person or the model wrote, error messages (a server may quote the narrative in one), the ids, and the
fingerprint: who guesses an id and a text could test the guess with it.
"""

import re
from collections.abc import Sequence

import pandas as pd

from narrative_runs.findings.columns import OUTCOME_COLUMNS

_AS_THEY_ARE = (
    "narrative_type",
    "manual_flag_ind",
    "manual_flag",
    "detected",
    "confidence",
    "p_detected",
    *OUTCOME_COLUMNS,
    "error_occurred",
    "error_category",
    "prompt_tokens",
    "completion_tokens",
    "tokens_used",
    "attempt_count",
    "model_answered",
)
COLUMNS = ("row_num", "incident_id", *_AS_THEY_ARE)
# A server may name its model by a path, in which there is a person's name.
_FOLDERS = re.compile(r"^(?:/|[A-Za-z]:\\).*[/\\]")


def without_text(results: pd.DataFrame, others: Sequence[str] = ()) -> pd.DataFrame:
    """The rows by `row_num`, with `incident` (a running number from 1, by first appearance) for the id.

    others: the workbook's other columns that go out too, as they are.
    """
    ordered = results.sort_values("row_num", ignore_index=True)
    kept = ordered[["row_num", *_AS_THEY_ARE, *others]].copy()
    kept["model_answered"] = kept["model_answered"].str.replace(_FOLDERS, "", regex=True)
    kept.insert(1, "incident", pd.factorize(ordered["incident_id"])[0] + 1)
    return kept
