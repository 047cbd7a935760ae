"""A stratified sample of the answers, for manual review.

In proportion, a sample of 100 would hold no false negative at all where these are one in a thousand. So each stratum
gives as many rows as any other, as long as it has them, and each row has a weight, with which rates are estimated
without bias (Horvitz and Thompson, JASA 47, 1952).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from narrative_runs.errors import FindingsError

# Of labelled answers the outcome, of the others the detection.
OUTCOME_STRATA = {
    "true positive": "is_true_positive",
    "false positive": "is_false_positive",
    "false negative": "is_false_negative",
    "true negative": "is_true_negative",
}
STRATA = (*OUTCOME_STRATA, "unlabelled detected", "unlabelled not detected")


def stratum_of(results: pd.DataFrame) -> pd.Series:
    """The stratum of each row, one of STRATA; missing where the row has an error."""
    stratum = pd.Series(pd.NA, index=results.index, dtype="string")
    for name, column in OUTCOME_STRATA.items():
        stratum[results[column].fillna(False).astype(bool)] = name
    is_answered = results["detected"].notna() & ~results["error_occurred"]
    unlabelled = results["detected"].map({True: STRATA[-2], False: STRATA[-1]})
    return stratum.mask(stratum.isna() & is_answered, unlabelled)


class Strata(NamedTuple):
    """What a sample is drawn by. names: of all strata, in their order; of_rows: the stratum of each row of the results,
    by their index, missing where the row is not drawn."""

    names: Sequence[str]
    of_rows: pd.Series


def by_detection(results: pd.DataFrame) -> Strata:
    """The strata of the usual question, and of the first binary variable."""
    return Strata(STRATA, stratum_of(results))


def allocate(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """How many rows each stratum gives, `count` in all, or all there are: equal shares, and what the small ones do not
    have is handed on to the larger.

    With a higher count none gives fewer.
    """
    drawn, left = dict.fromkeys(sizes, 0), count
    smallest_first = sorted(sizes, key=lambda name: sizes[name])
    for place, name in enumerate(smallest_first):
        drawn[name] = min(sizes[name], left // (len(smallest_first) - place))
        left -= drawn[name]
    return drawn


def sample(results: pd.DataFrame, count: int, seed: int, strata: Strata | None = None) -> pd.DataFrame:
    """`count` answers, or all there are, in random order, with `stratum`, `stratum_size` and `sampling_weight`
    (stratum_size divided by the rows drawn from it).

    In: results, in any order: it does not matter; their strata, those of detection when left out, for which they must
    have their outcomes. The same seed draws the same rows; with a higher
    count these and more.

    Raises:
        FindingsError: there are fewer to draw than strata, or no answer at all.
    """
    names, of_rows = by_detection(results) if strata is None else strata
    answers = results.assign(stratum=of_rows)
    answers = answers[answers["stratum"].notna()]
    sizes = {name: int(size) for name in names if (size := (answers["stratum"] == name).sum())}
    if not sizes:
        raise FindingsError("There is no answer to review: all rows are errors.")
    if count < len(sizes):
        raise FindingsError(
            f"--review {count}: the answers fall into {len(sizes)} strata ({', '.join(sizes)}), "
            f"and each needs a row. Ask for {len(sizes)} or more."
        )
    lots = [_lot(seed, *key) for key in zip(answers["incident_id"], answers["narrative_type"], strict=True)]
    answers = answers.assign(lot=lots).sort_values("lot")
    drawn = allocate(sizes, count)
    is_drawn = answers.groupby("stratum").cumcount() < answers["stratum"].map(drawn)
    chosen = answers[is_drawn].drop(columns="lot").reset_index(drop=True)
    chosen["stratum_size"] = chosen["stratum"].map(sizes).astype("int64")
    chosen["sampling_weight"] = chosen["stratum_size"] / chosen["stratum"].map(drawn).astype("int64")
    return chosen


def _lot(seed: int, incident_id: str, narrative_type: str) -> str:
    """A number drawn for a narrative: the same on any machine and with any version of any library."""
    return hashlib.sha256(json.dumps([seed, incident_id, narrative_type]).encode()).hexdigest()
