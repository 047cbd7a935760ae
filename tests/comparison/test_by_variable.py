from typing import Any

import pytest

from narrative_runs.codebook.variables import Codebook
from narrative_runs.comparison.by_variable import by_variable
from narrative_runs.comparison.codebooks import IN_NEITHER, ONLY_FIRST
from narrative_runs.errors import FindingsError
from narrative_runs.finished import Finished
from tests.coded_tables import CODEBOOK
from tests.comparison.coded_finished import coded_finished, two_cases

COMPARED = [name for name in CODEBOOK.names if name != "summary"]


def without(*names: str, **others: dict[str, Any]) -> Codebook:
    """The codebook without some variables, and with others."""
    variables = {name: each for name, each in CODEBOOK.model_dump()["variables"].items() if name not in names}
    return Codebook.model_validate({"variables": variables | others})


@pytest.fixture
def experiments() -> list[Finished]:
    """One with the codebook, one with another, and one of the usual question."""
    first, (table, labels) = two_cases(20, 1)
    labels_of_two = {name: each for name, each in labels.items() if name != "age"}
    of_two = table.assign(motive=table["summary"], motive_missing=table["summary_missing"])
    return [
        coded_finished("one", *first),
        coded_finished("two", of_two, labels_of_two, without("age", motive={"type": "text"})),
        coded_finished("three", table, {}, None),
    ]


@pytest.mark.slow
def test_pairs_that_both_have_a_codebook_are_compared(experiments: list[Finished]) -> None:
    """All variables that both have are measured and tested, each with the first experiment; one of the usual question
    is left to the comparison of detections."""
    both = by_variable(experiments, 1)
    assert list(both.pairs) == [1]
    assert [test.variable for test in both.pairs[1].tests] == [name for name in COMPARED if name != "age"]
    assert both.pairs[1].not_compared["age"] == ONLY_FIRST
    shown = dict.fromkeys(row.variable for row in both.measures)
    assert list(shown) == [name for name in COMPARED if name != "age"]
    assert {row.values[2] for row in both.measures} == {None}


@pytest.mark.slow
def test_without_codebooks_nothing_is_compared_by_variable(experiments: list[Finished]) -> None:
    """Two experiments of the usual question have no measures and no tests by variable, nor has one with a codebook."""
    for first, other in ((2, 2), (0, 2), (2, 0)):
        both = by_variable([experiments[first], experiments[other]], 1)
        assert (both.measures, both.pairs) == ([], {})


@pytest.mark.slow
def test_one_variable_alone(experiments: list[Finished]) -> None:
    """A named variable is compared where both have it, without a codebook too; elsewhere the reason is given."""
    detected = by_variable(experiments, 1, "detected")
    assert [[test.variable for test in pair.tests] for pair in detected.pairs.values()] == [["detected"]] * 2
    assert {row.variable for row in detected.measures} == {"detected"}
    assert all(row.values[2] is not None for row in detected.measures if row.measure == "f1")
    age = by_variable(experiments, 1, "age")
    assert [pair.not_compared for pair in age.pairs.values()] == [{"age": ONLY_FIRST}] * 2
    motive = by_variable(experiments, 1, "motive")
    assert motive.pairs[2].not_compared == {"motive": IN_NEITHER} and motive.measures == []


@pytest.mark.slow
def test_a_variable_that_no_experiment_has(experiments: list[Finished]) -> None:
    """The message lists those that there are."""
    with pytest.raises(FindingsError, match=r"has the variable weapons\. There are: .*weapon,"):
        by_variable(experiments, 1, "weapons")
