"""Which answers a person should read first: the labels that the model contradicts with certainty, and the answers of
which it is least certain."""

import numpy as np
import pandas as pd

from narrative_runs.findings.columns import OUTCOME_COLUMNS

MOST = 25
NEEDED = ("row_num", "detected", "confidence", "p_detected", "error_occurred", *OUTCOME_COLUMNS)
# Of an answer that agrees with its label, or has none: below it the model doubts.
DOUBT = 0.75
DISAGREEMENT, DOUBTFUL_AGREEMENT, DOUBTFUL_ANSWER = (
    "confident disagreement",
    "doubtful agreement",
    "doubtful answer, without a label",
)


def read_first(results: pd.DataFrame) -> pd.DataFrame:
    """At most MOST disagreements, the most certain first, and then at most MOST doubtful answers, the least certain
    first.

    In: results with the columns of NEEDED; `confidence` and `p_detected` are 0 to 1, or missing. Out: `row_num`, `why`
    (one of the texts above) and `certainty`: how sure the model is of its own answer, 0 to 1, by token probabilities,
    and where there are none by what it says; missing where it says nothing.
    """
    answered = results[results["detected"].notna() & ~results["error_occurred"].astype(bool)]
    table = pd.DataFrame(
        {
            "row_num": answered["row_num"],
            "why": DOUBTFUL_ANSWER,
            "certainty": _certainty(answered),
        }
    )
    is_wrong = _either(answered, "is_false_positive", "is_false_negative")
    table.loc[_either(answered, "is_true_positive", "is_true_negative"), "why"] = DOUBTFUL_AGREEMENT
    table.loc[is_wrong, "why"] = DISAGREEMENT
    wrong = table[is_wrong].sort_values(["certainty", "row_num"], ascending=[False, True], na_position="last")
    doubted = table[~is_wrong & (table["certainty"] < DOUBT)].sort_values(["certainty", "row_num"])
    return pd.concat([wrong.head(MOST), doubted.head(MOST)], ignore_index=True)


def _certainty(answered: pd.DataFrame) -> pd.Series:
    detected = answered["detected"].astype(bool).to_numpy()
    tokens, stated = (
        answered[name].astype("Float64").to_numpy(np.float64, na_value=np.nan) for name in ("p_detected", "confidence")
    )
    of_tokens = np.where(detected, tokens, 1 - tokens)
    return pd.Series(np.where(np.isnan(of_tokens), stated, of_tokens).round(12), index=answered.index)


def _either(rows: pd.DataFrame, *columns: str) -> pd.Series:
    is_any = pd.Series(False, index=rows.index)
    for column in columns:
        is_any |= rows[column].fillna(False).astype(bool)
    return is_any
