"""Whether the probabilities of a variable's answers can be believed: as `findings.calibration` does for the first
binary variable, for each variable of a codebook.

Of a binary variable they are the probabilities of yes. Of all others they are those that the answer is right, as
`outcomes.is_right_by_label` says.
"""

from typing import Any

import numpy as np

from narrative_runs.codebook.variables import Binary, Quote, Text, Variable
from narrative_runs.findings.by_variable.outcomes import is_right_by_label
from narrative_runs.findings.by_variable.resamples import Numbers
from narrative_runs.findings.by_variable.units import Units
from narrative_runs.findings.calibration import WANTED_RECALLS, fit, positive_probability, threshold_for_recall

_CURVES = ("roc_curve", "precision_recall_curve")


def calibration_of(
    variable: Variable, units: Units, confidence: Numbers, probability: Numbers
) -> dict[str, dict[str, Any] | None] | None:
    """How the probabilities fit the labels of narratives; None where no labelled answer has one, and for passages and
    texts, which are neither right nor wrong.

    In: of each narrative how sure the model says it is, and the probability that follows from its token probabilities,
    0 to 1 or NaN. Out: under `confidence` and `probability` each what `fit` gives, but for the curves, or None without
    a value; in `reliability` the share that is `right` replaces `positive` where the variable is not
    binary. Under `probability` of a binary variable also `thresholds_for_recall`.
    """
    if isinstance(variable, Quote | Text):
        return None
    is_right = is_right_by_label(variable, units)
    event = is_right
    if isinstance(variable, Binary):
        is_yes = units.answer.values & units.is_answered
        event, confidence = is_yes == is_right, positive_probability(is_yes, confidence)
    share = "positive" if isinstance(variable, Binary) else "right"
    fits = {
        "confidence": _fit(event, confidence, units, share),
        "probability": _fit(event, probability, units, share),
    }
    if isinstance(variable, Binary) and fits["probability"] is not None:
        there = units.is_compared & ~np.isnan(probability)
        fits["probability"]["thresholds_for_recall"] = [
            {"recall": wanted, "threshold": threshold_for_recall(event[there], probability[there], wanted)}
            for wanted in WANTED_RECALLS
        ]
    return None if all(each is None for each in fits.values()) else fits


def _fit(event: Any, probability: Numbers, units: Units, name: str) -> dict[str, Any] | None:
    there = units.is_compared & ~np.isnan(probability)
    _, incident = np.unique(units.incident[there], return_inverse=True)
    measured = fit(event[there], probability[there], incident)
    if measured is None:
        return None
    for each in measured["reliability"]:
        each[name] = each.pop("positive")
    return {key: value for key, value in measured.items() if key not in _CURVES}
