"""Quotes: whether they are in the text, and how far their words match those of the label."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.findings.by_variable.coding import items_of
from narrative_runs.findings.by_variable.resamples import mean, proportion
from narrative_runs.findings.by_variable.units import Units

_WORD = re.compile(r"\w+")


class Passages:
    """The passages of each narrative, for counting: read once for all parts that are measured.

    number: how many there are; in_text: how many of them are in the text, NaN where that is not known; scores: the
    token F1 of each that has a value and a label, else NaN.
    """

    def __init__(self, units: Units, not_in_text: pd.Series) -> None:
        passages = [
            items_of(cell) if is_answered and not pd.isna(cell) else []
            for cell, is_answered in zip(units.answer.values, units.is_answered, strict=True)
        ]
        self.number = np.array([len(each) for each in passages], dtype=np.float64)
        strangers = [np.nan if pd.isna(cell) else len(items_of(cell)) for cell in not_in_text]
        self.in_text: NDArray[np.float64] = self.number - np.array(strangers, dtype=np.float64)
        self.scores = np.full(len(passages), np.nan)
        for row in np.flatnonzero(units.is_compared):
            self.scores[row] = token_f1(passages[row], [str(units.label.values[row])])

    def measure(self, units: Units, rows: NDArray[np.bool_], seed: int) -> dict[str, Any]:
        """The measures of some of the narratives.

        Out: `n_passages`; `in_text`, the share of the passages that are in their narrative, for which no label is
        needed; and `token_f1`, the mean of what `token_f1` gives.
        """
        known = rows & units.is_answered & ~np.isnan(self.in_text)
        scored = rows & ~np.isnan(self.scores)
        return {
            "n_passages": int(self.number[rows].sum()),
            "in_text": proportion(units.incident[known], self.in_text[known], self.number[known]),
            "token_f1": mean(units.incident[scored], self.scores[scored], seed),
        }


def token_f1(passages: Iterable[str], labels: Iterable[str]) -> float:
    """How far the words of two sets of passages match, whatever their order. 0 to 1.

    The harmonic mean of precision and recall of words, each counted as often as it occurs: Rajpurkar et al., SQuAD,
    2016; but no words are left out. Words are runs of letters and digits, in one case. 1 where neither has any.
    """
    first, other = _words(passages), _words(labels)
    n_words = first.total() + other.total()
    return 2 * (first & other).total() / n_words if n_words else 1.0


def _words(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in _WORD.findall(unicodedata.normalize("NFC", text).casefold()))
