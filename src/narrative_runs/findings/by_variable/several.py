"""Variables of several values: each value as a yes or no, and how far the sets are the same."""

from typing import Any

import numpy as np

from narrative_runs.codebook.variables import Multi
from narrative_runs.findings.by_variable.coding import Codes, Mask
from narrative_runs.findings.by_variable.resamples import mean, proportion, ratio, resampled_cells
from narrative_runs.findings.by_variable.units import Units
from narrative_runs.findings.confusion import ConfusionMatrix, accuracy, kappa, mcc, precision, recall, specificity
from narrative_runs.findings.intervals import bootstrap, f1_interval, interval


def measure_multi(variable: Multi, units: Units, seed: int, is_brief: bool = False) -> dict[str, Any]:
    """Answers against labels, where there are both.

    Out: `jaccard`, the mean over rows of how many values are in both sets, out of those in either, 1 where both are
    empty (Jaccard, Bulletin de la Société Vaudoise des Sciences Naturelles 37, 1901); and `by_value`, the measures of
    a binary variable for each value; is_brief: without these.
    """
    compared = units.at(units.is_compared)
    label, answer = compared.label.values, compared.answer.values
    either = (label | answer).sum(axis=1)
    scores = np.where(either > 0, ratio((label & answer).sum(axis=1), either), 1.0)
    jaccard = mean(compared.incident, scores, seed)
    if is_brief:
        return {"jaccard": jaccard}
    answered = units.at(units.is_answered)
    return {
        "jaccard": jaccard,
        "by_value": {
            value: {
                **_of_value(compared.incident, answer[:, at], label[:, at], seed),
                "detection_rate": proportion(answered.incident, answered.answer.values[:, at]),
            }
            for at, value in enumerate(variable.value_names)
        },
    }


def _of_value(incident: Codes, answer: Mask, label: Mask, seed: int) -> dict[str, Any]:
    # The cells are in the order of tp, fp, fn, tn.
    cell = np.where(label, 2 * ~answer, 1 + 2 * ~answer).astype(np.int64)
    _, number = np.unique(incident, return_inverse=True)
    n_incidents = int(number.max()) + 1 if len(number) else 0
    matrices = np.bincount(number * 4 + cell, minlength=4 * n_incidents).reshape(-1, 4).astype(np.int64)
    each = ConfusionMatrix(*matrices.T.astype(np.float64))
    resampled = ConfusionMatrix(*resampled_cells(incident, cell, 4, seed).T)
    return {
        **ConfusionMatrix(*(int(count) for count in matrices.sum(axis=0)))._asdict(),
        "accuracy": interval(accuracy(each)),
        "precision": interval(precision(each)),
        "recall": interval(recall(each)),
        "f1": f1_interval(each),
        "specificity": interval(specificity(each)),
        "kappa": bootstrap(kappa, matrices, resampled),
        "mcc": bootstrap(mcc, matrices, resampled),
    }
