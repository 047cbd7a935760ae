"""The confusion matrix and the metrics that are read from it.

A detection is compared with the label of the same narrative (or incident). Positive means: partner violence
was detected. Metrics that are proportions come as `Proportion`, for a Wilson interval; the others work on whole
arrays of matrices, for a bootstrap, and give NaN where they are undefined. Formulas: Powers, "Evaluation:
from precision, recall and F-measure to ROC, informedness, markedness and correlation", 2011; Cohen, "A
coefficient of agreement for nominal scales", 1960; Matthews, Biochim. Biophys. Acta 405, 1975.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = int | float | NDArray[np.float64]


class ConfusionMatrix(NamedTuple):
    """Numbers of true positives, false positives, false negatives and true negatives.

    Each field is one number, or for many matrices at once an array, all of one shape.
    """

    tp: Counts
    fp: Counts
    fn: Counts
    tn: Counts


class Proportion(NamedTuple):
    """`part` out of `whole`; undefined where `whole` is 0. Of matrices of arrays these are arrays too."""

    part: Counts
    whole: Counts


def accuracy(matrix: ConfusionMatrix) -> Proportion:
    """(tp + tn) / all: the share of right answers. 0 to 1; undefined without a labelled answer."""
    tp, fp, fn, tn = matrix
    return Proportion(tp + tn, tp + fp + fn + tn)


def precision(matrix: ConfusionMatrix) -> Proportion:
    """tp / (tp + fp): the share of detections that are right. 0 to 1; undefined without a detection."""
    return Proportion(matrix.tp, matrix.tp + matrix.fp)


def recall(matrix: ConfusionMatrix) -> Proportion:
    """tp / (tp + fn), or sensitivity: the share of positives detected. 0 to 1; undefined without a positive."""
    return Proportion(matrix.tp, matrix.tp + matrix.fn)


def specificity(matrix: ConfusionMatrix) -> Proportion:
    """tn / (tn + fp): the share of negatives left alone. 0 to 1; undefined without a negative."""
    return Proportion(matrix.tn, matrix.tn + matrix.fp)


def jaccard_index(matrix: ConfusionMatrix) -> Proportion:
    """tp / (tp + fp + fn), Jaccard's index J: of all that is positive by label or detection, the share that is both.

    0 to 1; undefined where nothing is. F1 is 2 J / (1 + J), and grows with it.
    """
    return Proportion(matrix.tp, matrix.tp + matrix.fp + matrix.fn)


def f1(matrix: ConfusionMatrix) -> NDArray[np.float64]:
    """2 tp / (2 tp + fp + fn), the harmonic mean of precision and recall. 0 to 1.

    Undefined only where nothing is positive, neither by label nor by detection: a detector that detects none of
    the positives has an F1 of 0.
    """
    tp, fp, fn, _ = matrix
    return _ratio(2 * tp, 2 * tp + fp + fn)


def kappa(matrix: ConfusionMatrix) -> NDArray[np.float64]:
    """Cohen's kappa: agreement beyond chance, (observed - expected) / (1 - expected). -1 to 1, 0 at chance.

    Undefined where chance alone would agree always: labels and detections all positive, or all negative.
    The terms are multiplied out, so that this case is an exact zero below the line.
    """
    tp, fp, fn, tn = matrix
    return _ratio(2 * (tp * tn - fp * fn), (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn))


def mcc(matrix: ConfusionMatrix) -> NDArray[np.float64]:
    """Matthews correlation of labels and detections. -1 to 1, 0 at chance.

    Undefined where labels, or detections, are all positive or all negative.
    """
    tp, fp, fn, tn = (np.asarray(count, dtype=np.float64) for count in matrix)
    correlation = _ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    # Rounding can take a perfect correlation past 1 by a last digit.
    return np.minimum(np.maximum(correlation, -1.0), 1.0)


def _ratio(part: Counts, whole: Counts) -> NDArray[np.float64]:
    whole = np.asarray(whole, dtype=np.float64)
    ratio = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole != 0)
    return ratio
