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
from narrative_runs.codebook.variables import Codebook, Quote, Text, columns_for
from narrative_runs.errors import FindingsError
from narrative_runs.variable_outcomes import variable_in

_OF_FIRST_BINARY = ("manual_flag_ind", "manual_flag", "detected", "confidence", "p_detected", *OUTCOME_COLUMNS)
_AS_THEY_ARE = (
    "narrative_type",
    *_OF_FIRST_BINARY,
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


def columns_of(codebook: Codebook, variable: str = "") -> list[str]:
    """The columns that are read for it: those that go out, and the id that is numbered.

    variable: the one variable of the codebook whose values go out; empty for all.

    Raises:
        FindingsError: there is no such variable, or its values are texts.
    """
    if variable and isinstance(variable_in(codebook, variable), Quote | Text):
        kind = codebook.variables[variable].type
        raise FindingsError(
            f"--variable {variable}: it is of type {kind}, so that its values are texts, which --no-text leaves out."
        )
    return [*_KEY, *_free_of_text(codebook, variable)]


def without_text(
    results: pd.DataFrame, others: Sequence[str] = (), codebook: Codebook = DEFAULT, variable: str = ""
) -> pd.DataFrame:
    """The rows by `row_num`, with `incident` (a running number from 1, by first appearance) for the id.

    others: the workbook's other columns that go out too, as they are; codebook: of its variables go out all but quotes
    and texts, or the one that is named.
    """
    ordered = results.sort_values("row_num", ignore_index=True)
    kept = ordered[["row_num", *_free_of_text(codebook, variable), *others]].copy()
    kept["model_answered"] = kept["model_answered"].str.replace(_FOLDERS, "", regex=True)
    kept.insert(1, "incident", pd.factorize(ordered["incident_id"])[0] + 1)
    return kept


def _free_of_text(codebook: Codebook, variable: str) -> list[str]:
    beside = [column.name for column in columns_beside(codebook) if column.is_free_of_text]
    if not variable:
        return [*_AS_THEY_ARE, *beside]
    left_out = () if variable == codebook.first_binary else _OF_FIRST_BINARY
    of_it = columns_for(variable)
    return [*(name for name in _AS_THEY_ARE if name not in left_out), *(name for name in beside if name in of_it)]
