"""The results without any text: what may leave your network.

Only what is named here goes out, and those of the workbook's other columns that a person names. Left out are all texts
that a person or the model wrote, error messages (a server may quote the narrative in one), the ids, and the
fingerprint: who guesses an id and a text could test the guess with it.
"""

import re
from collections.abc import Sequence

import pandas as pd

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import OUTCOME_COLUMNS, columns_beside
from narrative_runs.codebook.variables import Codebook

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
_KEY = ("row_num", "incident_id")
# A server may name its model by a path, in which there is a person's name.
_FOLDERS = re.compile(r"^(?:/|[A-Za-z]:\\).*[/\\]")


def columns_of(codebook: Codebook) -> list[str]:
    """The columns that are read for it: those that go out, and the id that is numbered."""
    return [*_KEY, *_free_of_text(codebook)]


def without_text(results: pd.DataFrame, others: Sequence[str] = (), codebook: Codebook = DEFAULT) -> pd.DataFrame:
    """The rows by `row_num`, with `incident` (a running number from 1, by first appearance) for the id.

    others: the workbook's other columns that go out too, as they are; codebook: of its variables go out all but quotes
    and texts.
    """
    ordered = results.sort_values("row_num", ignore_index=True)
    kept = ordered[["row_num", *_free_of_text(codebook), *others]].copy()
    kept["model_answered"] = kept["model_answered"].str.replace(_FOLDERS, "", regex=True)
    kept.insert(1, "incident", pd.factorize(ordered["incident_id"])[0] + 1)
    return kept


def _free_of_text(codebook: Codebook) -> list[str]:
    return [*_AS_THEY_ARE, *(column.name for column in columns_beside(codebook) if column.is_free_of_text)]
