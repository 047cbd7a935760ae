"""What a reader should know about the answers before trusting a number that rests on them."""

import pandas as pd

from narrative_runs.results import REFUSED


def answer_quality(results: pd.DataFrame) -> dict[str, int]:
    """How many answers are not what was asked for; kinds that do not occur are left out.

    In: results with `error_occurred`, `confidence`, `error_message`. Out: `confidence_unreadable`, answers whose
    confidence is missing or no number from 0 to 1; `refused`, narratives about which the model refused to answer.
    """
    is_answer = ~results["error_occurred"].astype(bool)
    counts = {
        "confidence_unreadable": int((is_answer & results["confidence"].isna()).sum()),
        "refused": int(is_refused(results).sum()),
    }
    return {name: count for name, count in counts.items() if count}


def is_refused(results: pd.DataFrame) -> pd.Series:
    """Whether the model refused to answer, of each narrative, as plain bools."""
    return results["error_message"].eq(REFUSED).fillna(False).astype(bool)
