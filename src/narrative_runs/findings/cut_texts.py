"""Answers to a text that the server cut without a word (Ollama's num_ctx, LM Studio's overflow policy).

The server's own count of prompt tokens is compared with what the text needs, which is learned from the other rows: the
tokens of a prompt grow linearly with the words of its narrative. Decided on the whole table, so that the
order of the answers does not matter.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import theilslopes

FEWEST_ROWS = 20
FEWEST_LENGTHS = 5
LEARNED_FROM = 400
SHARE = 0.75
DEVIATIONS = 6.0


def words(text: str) -> int:
    """Words of a text: what its tokens grow with, whatever its blank lines and rules of dashes."""
    return len(text.split())


def cut(results: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows have far fewer prompt tokens than their narrative needs.

    In: results with `narrative_text`, `prompt_tokens` (missing where the server does not count). Out: a boolean a row,
    true where the count is below 75% of the expected one and six deviations below it. Fewer than 20 counted
    rows or 5 lengths, or a count that does not grow with the text, are no evidence: all false.
    """
    nothing = np.zeros(len(results), dtype=bool)
    counted = results["prompt_tokens"].notna().to_numpy()
    if counted.sum() < FEWEST_ROWS:
        return nothing
    length = results["narrative_text"].map(words).to_numpy(np.float64)
    tokens = results["prompt_tokens"].to_numpy(np.float64, na_value=np.nan)
    # Rows evenly spread over the lengths: a fit on all pairs of 35,000 rows would take hours.
    by_length = np.flatnonzero(counted)[np.lexsort((tokens[counted], length[counted]))]
    sample = by_length[np.linspace(0, len(by_length) - 1, min(LEARNED_FROM, len(by_length))).astype(int)]
    if len(np.unique(length[sample])) < FEWEST_LENGTHS:
        return nothing
    with np.errstate(invalid="ignore"):
        slope, intercept, *_ = theilslopes(tokens[sample], length[sample])
    if not slope > 0:
        return nothing
    expected = intercept + slope * length
    deviation = 1.4826 * float(np.median(np.abs(tokens[sample] - expected[sample])))
    with np.errstate(invalid="ignore"):
        few: NDArray[np.bool_] = (tokens < SHARE * expected) & (tokens < expected - DEVIATIONS * deviation) & counted
    return few


def mark(results: pd.DataFrame) -> pd.DataFrame:
    """The results, with every answer to a cut text turned into a `data_error`: it answers another text."""
    is_cut = cut(results) & ~results["error_occurred"].to_numpy(bool)
    if not is_cut.any():
        return results
    marked = results.copy()
    marked.loc[is_cut, ["detected", "confidence", "p_detected", "rationale"]] = pd.NA
    marked.loc[is_cut, "indicators"] = "[]"
    marked.loc[is_cut, "error_occurred"] = True
    marked.loc[is_cut, "error_category"] = "data_error"
    marked.loc[is_cut, "error_message"] = [
        f"the server read only {tokens} tokens, far fewer than this narrative needs: give the model a longer context "
        "(Ollama: num_ctx; LM Studio: context length), then run retry_errors"
        for tokens in marked.loc[is_cut, "prompt_tokens"]
    ]
    return marked
