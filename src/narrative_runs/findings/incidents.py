"""From narratives to incidents: one incident has a narrative of the coroner or medical examiner (cme), of law
enforcement (le), or both."""

from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.findings.confusion import ConfusionMatrix, Proportion, kappa
from narrative_runs.findings.intervals import bootstrap, resample, wilson


def by_incident(narratives: pd.DataFrame) -> pd.DataFrame:
    """One row an incident, in the order of their ids.

    In: one row a narrative, with `incident_id`, `answered` and `detected` (bool; detected is False where not
    answered), `label` and `manual_flag` (0, 1 or NaN). Out: `incident_id`, `answered` (every narrative of it
    is), `detected` (in any narrative), and `label`: the incident's own `manual_flag` where given, else 1 if
    any of its narratives is labelled 1, 0 if all are labelled 0, else NaN.

    An incident of which a narrative failed is not answered, even if the other one is positive: otherwise the
    positives with an error would be kept, and the negatives with an error lost.
    """
    grouped = narratives.groupby("incident_id", sort=True)
    highest = grouped["label"].max()
    all_labelled = grouped["label"].count() == grouped.size()
    from_narratives = highest.where((highest == 1) | all_labelled)
    return pd.DataFrame(
        {
            "answered": grouped["answered"].all(),
            "detected": grouped["detected"].any(),
            "label": grouped["manual_flag"].max().fillna(from_narratives),
        }
    ).reset_index()


def agreement(narratives: pd.DataFrame, seed: int) -> dict[str, Any]:
    """How far the detections in the two narratives of an incident agree; no label is needed.

    In: as for `by_incident`, with `narrative_type`. Out: the incidents with both narratives answered (`n`),
    in how many of them both, only one or neither is positive, the share in which they agree, and kappa; both
    as rates.
    """
    answered = narratives[narratives["answered"]].set_index("incident_id")
    detections = [answered.loc[answered["narrative_type"] == kind, "detected"] for kind in ("cme", "le")]
    pairs = pd.concat(detections, axis=1, join="inner").to_numpy(dtype=bool)
    cme, le = pairs[:, 0], pairs[:, 1]
    cases = np.column_stack([cme & le, cme & ~le, ~cme & le, ~cme & ~le]).astype(np.int64)
    both_positive, cme_only, le_only, both_negative = (int(number) for number in cases.sum(axis=0))
    # Kappa has no side that is right: cme stands in the place of the detection, le in that of the label.
    table = ConfusionMatrix(tp=both_positive, fp=cme_only, fn=le_only, tn=both_negative)
    return {
        "n": len(pairs),
        "both_positive": both_positive,
        "cme_only": cme_only,
        "le_only": le_only,
        "both_negative": both_negative,
        "agreement": wilson(Proportion(both_positive + both_negative, len(pairs))),
        "kappa": bootstrap(kappa, table, resample(cases, seed)),
    }


def completeness(narratives: pd.DataFrame) -> dict[str, int]:
    """How many incidents there are, with both narratives or only one of them; errors count as present."""
    cme, le = (set(narratives.loc[narratives["narrative_type"] == kind, "incident_id"]) for kind in ("cme", "le"))
    return {"n": len(cme | le), "both": len(cme & le), "cme_only": len(cme - le), "le_only": len(le - cme)}
