"""Which rates of a group say little, because few of it are labelled."""

from collections.abc import Mapping
from typing import Any

FEWEST_LABELLED = 30
FEWEST_POSITIVE = 10


def has_few_labels(measured: Mapping[str, Any]) -> bool:
    """Whether fewer than FEWEST_LABELLED are labelled, or of yes or no fewer than FEWEST_POSITIVE of them positive.

    In: the measures of a group's narratives, or of its incidents, with `n`, and of yes or no `tp` and `fn`.
    """
    has_few_positive = "tp" in measured and measured["tp"] + measured["fn"] < FEWEST_POSITIVE
    return measured["n"] < FEWEST_LABELLED or has_few_positive
