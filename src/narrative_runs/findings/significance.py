"""Holm's adjustment of p values, where there are several tests."""

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values, adjusted for their number (Holm, Scand. J. Statistics 6, 1979): none is lower than it was.

    The k-th lowest of m is multiplied by m - k + 1, and is at least as high as the one before; None, where there was
    no test, stays None and does not count.
    """
    ordered = sorted((p_value, index) for index, p_value in enumerate(p_values) if p_value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p_value, index) in enumerate(ordered):
        highest = max(highest, min(1.0, (len(ordered) - rank) * p_value))
        adjusted[index] = highest
    return adjusted
