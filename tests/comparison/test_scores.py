import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, jaccard_score, mean_absolute_error

from narrative_runs.codebook.variables import Variable
from narrative_runs.comparison.scores import are_same, passages_of, score_name, scores
from tests.coded_tables import CODEBOOK

VARIABLES = CODEBOOK.variables


def two_rows_of_values(name: str, seed: int) -> tuple[Variable, NDArray[Any], NDArray[Any]]:
    """A variable, and for 200 narratives two values of it at random."""
    random = np.random.default_rng(seed)
    draws: dict[str, Callable[[], NDArray[Any]]] = {
        "detected": lambda: random.random(200) < 0.5,
        "weapon": lambda: random.integers(0, 3, 200),
        "severity": lambda: random.integers(0, 3, 200),
        "persons": lambda: random.random((200, 3)) < 0.4,
        "age": lambda: random.integers(0, 90, 200) / 2,
    }
    return VARIABLES[name], draws[name](), draws[name]()


def test_scores_agree_with_scikit_learn() -> None:
    """Means of scores are accuracy, Jaccard's index over samples and minus the mean absolute error, of ranks too."""
    for name in ("detected", "weapon"):
        variable, answers, labels = two_rows_of_values(name, 1)
        assert scores(variable, answers, labels).mean() == pytest.approx(accuracy_score(labels, answers))
    for name in ("severity", "age"):
        variable, answers, labels = two_rows_of_values(name, 2)
        assert scores(variable, answers, labels).mean() == pytest.approx(-mean_absolute_error(labels, answers))
    variable, answers, labels = two_rows_of_values("persons", 3)
    expected = jaccard_score(labels, answers, average="samples", zero_division=1)
    assert scores(variable, answers, labels).mean() == pytest.approx(expected)


def test_passages_are_scored_by_their_words() -> None:
    """Token F1 is by hand: two of three words that are two of four; a passage that is missing has none of them."""
    answers = np.array([json.dumps(["the gun", "lay"]), "[]", None], dtype=object)
    labels = np.array(["the gun was loaded", "gun", "gun"], dtype=object)
    assert list(scores(VARIABLES["evidence"], answers, labels)) == pytest.approx([2 * 2 / (3 + 4), 0, 0])
    assert passages_of(None) == passages_of("[]") == []


def test_the_same_value_has_the_best_score_there_is() -> None:
    """Where answer and label are the same value the score is the highest, and nowhere else."""
    for name, best in (("detected", 1), ("weapon", 1), ("severity", 0), ("persons", 1), ("age", 0)):
        variable, answers, labels = two_rows_of_values(name, 4)
        is_same = are_same(variable, answers, labels)
        assert 0 < is_same.sum() < len(is_same)
        assert list(scores(variable, answers, labels) == best) == list(is_same)


def test_numbers_that_differ_by_rounding_are_the_same() -> None:
    """0.1 + 0.2 is 0.3; passages are the same only in the same order."""
    assert list(are_same(VARIABLES["age"], np.array([0.1 + 0.2, 3.0]), np.array([0.3, 3.1]))) == [True, False]
    first, other = (np.array([json.dumps(each)], dtype=object) for each in (["a", "b"], ["b", "a"]))
    assert (
        are_same(VARIABLES["evidence"], first, first).all() and not are_same(VARIABLES["evidence"], first, other).any()
    )


def test_each_type_has_the_name_of_its_score() -> None:
    """The score of a type is called by what it is."""
    names = {name: score_name(variable) for name, variable in VARIABLES.items() if name != "summary"}
    assert names == {
        "detected": "right or wrong",
        "weapon": "right or wrong",
        "severity": "ranks apart",
        "persons": "Jaccard",
        "age": "error",
        "evidence": "token F1",
        "threat": "right or wrong",
    }
