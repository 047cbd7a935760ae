"""How many answers each variable of a codebook has, and how many are missing for which reason."""

import pandas as pd

from narrative_runs.codebook.coded import ERROR
from narrative_runs.codebook.values import NOT_ASKED, UNCLEAR
from narrative_runs.codebook.variables import Codebook, Quote, missing_column, not_in_text_column


def counts_by_variable(results: pd.DataFrame, codebook: Codebook) -> dict[str, dict[str, int]]:
    """By variable: `n_answered`, `n_unclear` (the text does not tell), `n_not_asked` (what it depends on is not met),
    `n_errors`; of quotes also `n_with_passages_not_in_text`.

    In: one row a narrative, with the columns of the codebook.
    """
    counts: dict[str, dict[str, int]] = {}
    for name, variable in codebook.variables.items():
        missing = results[missing_column(name)]
        counts[name] = {
            "n_answered": int(missing.isna().sum()),
            "n_unclear": int((missing == UNCLEAR).sum()),
            "n_not_asked": int((missing == NOT_ASKED).sum()),
            "n_errors": int(is_error(missing).sum()),
        }
        if isinstance(variable, Quote):
            strangers = results[not_in_text_column(name)].fillna("[]") != "[]"
            counts[name]["n_with_passages_not_in_text"] = int(strangers.sum())
    return counts


def is_error(missing: pd.Series) -> pd.Series:
    """Whether a variable could not be read, from the column that says why it has no value."""
    return missing.astype("string").str.startswith(ERROR).fillna(False).astype(bool)
