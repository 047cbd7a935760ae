"""From narratives to incidents: one incident has a narrative of each type, such as that of the coroner or medical
examiner (cme) and that of law enforcement (le), or of some of them."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.data_columns import USUAL_TYPES
from narrative_runs.findings.confusion import Proportion, kappa
from narrative_runs.findings.intervals import bootstrap, interval, resample


def by_incident(
    narratives: pd.DataFrame, unasked: Collection[str] = (), inconsistent: Collection[str] = ()
) -> pd.DataFrame:
    """One row an incident, in the order of their ids.

    In: one row a narrative, with `incident_id`, `answered` and `detected` (bool; detected is False where not
    answered), `label` and `manual_flag` (0, 1 or NaN); unasked: incidents with a narrative that was not asked about;
    inconsistent: those with a blank narrative that is labelled 1.
    Out: `incident_id`, `is_unasked`, `answered` (every narrative of it is), `detected` (in any narrative), `label`: the
    incident's own `manual_flag` where given, else, where all its narratives are labelled, 1 if any of them is labelled
    1, else 0; NaN for others, and for inconsistent ones; `is_inconsistent`; and `is_partly_labelled`: whether it has no
    label because some of its narratives lack one.

    An incident of which a narrative failed is not answered, even if another one is positive: otherwise the positives
    with an error would be kept, and the negatives with an error lost. For the same reason one positive label does not
    do for an incident whose other narrative has none.
    """
    grouped = narratives.groupby("incident_id", sort=True)
    n_labelled, n = grouped["label"].count(), grouped.size()
    is_unasked = pd.Series(n.index.isin(list(unasked)), index=n.index)
    own = grouped["manual_flag"].max()
    is_inconsistent = pd.Series(n.index.isin(list(inconsistent)), index=n.index)
    label = own.fillna(grouped["label"].max().where((n_labelled == n) & ~is_unasked)).mask(is_inconsistent)
    return pd.DataFrame(
        {
            "is_unasked": is_unasked,
            "answered": grouped["answered"].all() & ~is_unasked,
            "detected": grouped["detected"].any(),
            "label": label,
            "is_inconsistent": is_inconsistent,
            "is_partly_labelled": label.isna() & (n_labelled > 0) & ~is_inconsistent,
        }
    ).reset_index()


def agreement(narratives: pd.DataFrame, seed: int, types: Sequence[str] = USUAL_TYPES) -> dict[str, Any]:
    """How far the detections in the two narratives of an incident agree; no label is needed.

    In: as for `by_incident`, with `narrative_type`; the two narrative types. Out: the incidents with both narratives
    answered (`n`), in how many of them both, only one (`cme_only`, `le_only`, or by the names of other types) or
    neither is positive, the share in which they agree, and kappa; both as rates.
    """
    answered = narratives[narratives["answered"]].set_index("incident_id")
    detections = [answered.loc[answered["narrative_type"] == kind, "detected"] for kind in types]
    pairs = pd.concat(detections, axis=1, join="inner").to_numpy(dtype=bool)
    first, other = pairs[:, 0], pairs[:, 1]
    cases = np.column_stack([first & other, first & ~other, ~first & other, ~first & ~other]).astype(np.int64)
    both_positive, only_first, only_other, both_negative = (int(number) for number in cases.sum(axis=0))
    # Kappa has no side that is right: the first stands in the place of the detection, the other in that of the label.
    return {
        "n": len(pairs),
        "both_positive": both_positive,
        f"{types[0]}_only": only_first,
        f"{types[1]}_only": only_other,
        "both_negative": both_negative,
        "agreement": interval(Proportion(first == other, np.ones(len(pairs)))),
        "kappa": bootstrap(kappa, cases, resample(cases, seed)),
    }


def completeness(narratives: pd.DataFrame, types: Sequence[str] = USUAL_TYPES) -> dict[str, Any]:
    """How many incidents there are, and which narratives they have; errors count as present.

    Out: `n`, the incidents. Of two narrative types: `both`, and those with only one (`cme_only`, `le_only`, or by the
    names of other types). Of any other number: `complete`, the incidents with all types, and `by_type`, with each.
    """
    having = {kind: set(narratives.loc[narratives["narrative_type"] == kind, "incident_id"]) for kind in types}
    incidents, complete = set.union(*having.values()), set.intersection(*having.values())
    if len(types) != 2:
        by_type = {kind: len(ids) for kind, ids in having.items()}
        return {"n": len(incidents), "complete": len(complete), "by_type": by_type}
    only = {f"{kind}_only": len(ids - complete) for kind, ids in having.items()}
    return {"n": len(incidents), "both": len(complete), **only}
