"""Whether the difference of two experiments may be chance, where an incident gains any number and not a whole one."""

import numpy as np
from numpy.typing import NDArray

from narrative_runs.findings.mcnemar import mcnemar

DRAWS = 9_999
# Gains that are whole numbers but for what is lost to rounding.
_NEAR = 1e-9
# What the exact test may take: its steps, times the sums that there can be.
_EXACT_WORK = 10_000_000
_NUMBERS_AT_ONCE = 2_000_000


def sign_flips(gains: NDArray[np.float64], seed: int) -> float:
    """The two-sided p value of a sign-flip test (Fisher, The Design of Experiments, 1935, section 21) over incidents.

    In: of each incident, the score of the first experiment less that of the other; the seed of the draws. Were both
    equally good, each of these numbers would be as likely with the other sign: the p value is the share of all such
    signs that give a sum at least as far from 0. Where the gains are whole numbers it is exact (`mcnemar`). Else, and
    where whole numbers are too large for that, it is estimated from DRAWS draws of signs, with those that were observed
    as one more: (b + 1) / (DRAWS + 1), with b draws at least as far from 0, so that it is never 0 and its error rate
    holds (Phipson and Smyth, Permutation p-values should never be zero, Statistical Applications in Genetics and
    Molecular Biology 9, 2010). The order of the incidents, and which experiment is the first, do not matter. 0 to 1; 1
    where no incident has a gain.
    """
    gains = gains[np.abs(gains) > _NEAR]
    whole = np.rint(gains)
    is_whole = np.abs(gains - whole).max(initial=0.0) <= _NEAR
    if is_whole and np.unique(np.abs(whole)).size * np.abs(whole).sum() <= _EXACT_WORK:
        return mcnemar(whole.astype(np.int64))
    # In this order the same signs are drawn, whatever the order of the incidents.
    sizes = np.sort(np.abs(gains))
    total, n_bytes = float(sizes.sum()), -(-len(sizes) // 8)
    least = abs(float(gains.sum())) - _NEAR * max(1.0, total)
    # A seed below 0 is a valid one elsewhere, but not for numpy.
    random = np.random.default_rng(seed % 2**64)
    n_as_far = 0
    at_once = max(1, _NUMBERS_AT_ONCE // len(sizes))
    for first in range(0, DRAWS, at_once):
        some = min(at_once, DRAWS - first)
        drawn = np.frombuffer(random.bytes(some * n_bytes), dtype=np.uint8).reshape(some, n_bytes)
        is_positive = np.unpackbits(drawn, axis=1, count=len(sizes))
        n_as_far += int((np.abs(2 * (is_positive @ sizes) - total) >= least).sum())
    return (n_as_far + 1) / (DRAWS + 1)
