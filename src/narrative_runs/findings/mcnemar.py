"""Whether the difference of two experiments may be chance: McNemar's test."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.stats import binom


def mcnemar(gains: NDArray[np.int64]) -> float:
    """The exact, two-sided p value of McNemar's test (Psychometrika 12, 1947) over incidents.

    In: of each incident, how many of its narratives only the first experiment has right, less those that only the
    other has. Were both as often right, each of these numbers would be as likely with the other sign: the p value is
    the share of all such signs that give a sum at least as far from 0. Where incidents have one narrative this is
    McNemar's test in its binomial form. 0 to 1; 1 where no incident has a gain.
    """
    sizes, counts = np.unique(np.abs(gains[gains != 0]), return_counts=True)
    chances = np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        # The sums that `count` signs of this size can give, from the lowest up, in steps of twice the size.
        spread = np.zeros(2 * int(size) * int(count) + 1)
        spread[:: 2 * int(size)] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = fftconvolve(chances, spread) if len(chances) > 1 else spread
    sums = np.arange(len(chances)) - (len(chances) - 1) // 2
    return float(min(1.0, max(0.0, chances[np.abs(sums) >= abs(int(gains.sum()))].sum())))
