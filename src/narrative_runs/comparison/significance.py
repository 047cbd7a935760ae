"""Whether a difference may be chance: McNemar's test of two experiments, and Holm's adjustment for more."""

from collections.abc import Sequence

from scipy.stats import binomtest


def mcnemar(only_first: int, only_other: int) -> float:
    """The exact, two-sided p value of McNemar's test (Psychometrika 12, 1947), in its binomial form.

    In: how many narratives only the first experiment has right, and how many only the other; those that both have
    right or wrong say nothing. Were both as often right, each discordant narrative would be a toss of a coin. 0 to 1;
    1 without any discordant narrative. It takes narratives as independent.
    """
    discordant = only_first + only_other
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values, adjusted for their number (Holm, Scand. J. Statistics 6, 1979): none is lower than it was.

    The k-th lowest of m is multiplied by m - k + 1, and is at least as high as the one before; None, where there was
    no test, stays None and does not count.
    """
    ordered = sorted((p_value, place) for place, p_value in enumerate(p_values) if p_value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p_value, place) in enumerate(ordered):
        highest = max(highest, min(1.0, (len(ordered) - rank) * p_value))
        adjusted[place] = highest
    return adjusted
