"""Scores: how good an answer is by its label, as a number that a paired test of two experiments compares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrative_runs.codebook.variables import Multi, Number, Ordinal, Quote, Variable
from narrative_runs.findings.by_variable.coding import Mask, items_of
from narrative_runs.findings.by_variable.number import is_within
from narrative_runs.findings.by_variable.passages import token_f1
from narrative_runs.findings.by_variable.resamples import Numbers, ratio

RIGHT_OR_WRONG, RANKS, JACCARD, ERROR, TOKEN_F1 = "right or wrong", "ranks apart", "Jaccard", "error", "token F1"


def score_name(variable: Variable) -> str:
    """The name of the score for variables of this type."""
    match variable:
        case Ordinal():
            return RANKS
        case Multi():
            return JACCARD
        case Number():
            return ERROR
        case Quote():
            return TOKEN_F1
        case _:
            return RIGHT_OR_WRONG


def scores(variable: Variable, answers: NDArray[Any], labels: NDArray[Any]) -> Numbers:
    """The score of each answer, the higher the better.

    In: values of the variable as `findings.by_variable.coding` has them. Of yes or no, and of a category, 1 where it is
    right and 0 where it is wrong; of an ordinal variable minus the number of ranks between answer and label; of several
    values Jaccard's index, 1 where both are empty; of a number minus its distance from the label; of passages token F1.
    """
    match variable:
        case Ordinal():
            return np.asarray(-np.abs(answers - labels), dtype=np.float64)
        case Multi():
            either = (answers | labels).sum(axis=1)
            return np.asarray(np.where(either > 0, ratio((answers & labels).sum(axis=1), either), 1.0))
        case Number():
            return np.asarray(-np.abs(answers - labels), dtype=np.float64)
        case Quote():
            pairs = zip(answers, labels, strict=True)
            return np.array([token_f1(passages_of(answer), [str(label)]) for answer, label in pairs], dtype=np.float64)
        case _:
            return np.asarray(answers == labels, dtype=np.float64)


def are_same(variable: Variable, first: NDArray[Any], other: NDArray[Any]) -> Mask:
    """Whether two answers, or two labels, are the same value; of passages, the same ones in the same order."""
    match variable:
        case Multi():
            return np.asarray((first == other).all(axis=1), dtype=np.bool_)
        case Number():
            return is_within(0.0, first, other)
        case Quote():
            pairs = zip(first, other, strict=True)
            return np.array([passages_of(one) == passages_of(another) for one, another in pairs], dtype=np.bool_)
        case _:
            return np.asarray(first == other, dtype=np.bool_)


def passages_of(cell: Any) -> list[str]:
    """The passages in a cell of results; none in an empty one."""
    return items_of(cell) if isinstance(cell, str) and cell else []
