from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.codebook.labels import Label, incident_label
from narrative_runs.codebook.variables import Codebook, Variable
from narrative_runs.findings.by_variable.coding import Coded, coded, is_one_of, items_of, of_incidents

VALUES = ["low", "middle", "high"]
VARIABLES: dict[str, Variable] = dict(
    Codebook.model_validate(
        {
            "variables": {
                "violence": {"type": "binary"},
                "weapon": {"type": "category", "values": VALUES},
                "severity": {"type": "ordinal", "values": VALUES},
                "persons": {"type": "multi", "values": VALUES},
                "age": {"type": "number"},
                "evidence": {"type": "quote"},
                "summary": {"type": "text"},
            }
        }
    ).variables
)
LABELS: dict[str, st.SearchStrategy[Any]] = {
    "violence": st.booleans(),
    "weapon": st.sampled_from(VALUES),
    "severity": st.sampled_from(VALUES),
    "persons": st.sets(st.sampled_from(VALUES)).map(lambda some: tuple(value for value in VALUES if value in some)),
    "age": st.integers(-3, 90).map(float),
    "evidence": st.text(max_size=3),
    "summary": st.text(max_size=3),
}


def as_label(name: str, known: Coded, row: int) -> Label:
    """The value of a row, as labels are read."""
    if not known.is_given[row]:
        return None
    value = known.values[row]
    match name:
        case "violence":
            return bool(value)
        case "weapon" | "severity":
            return VALUES[int(value)]
        case "persons":
            return tuple(each for each, is_in in zip(VALUES, value, strict=True) if is_in)
        case "age":
            return float(value)
        case _:
            return str(value)


@pytest.mark.parametrize("name", VARIABLES)
@given(st.data())
def test_labels_come_back_as_they_were(name: str, data: st.DataObject) -> None:
    """Each label of any type is kept, and a missing one stays missing."""
    labels = data.draw(st.lists(st.none() | LABELS[name], max_size=8))
    known = coded(name, VARIABLES[name], pd.Series(labels, dtype=object))
    assert [as_label(name, known, row) for row in range(len(labels))] == labels


@pytest.mark.parametrize("name", VARIABLES)
@given(st.data())
def test_the_value_of_an_incident_is_that_of_its_label(name: str, data: st.DataObject) -> None:
    """What narratives give for an incident is what `incident_label` says of their labels."""
    labels = data.draw(st.lists(st.tuples(st.integers(0, 2), st.none() | LABELS[name]), max_size=9))
    known = coded(name, VARIABLES[name], pd.Series([label for _, label in labels], dtype=object))
    incident = np.array([each for each, _ in labels], dtype=np.int64)
    of_each = of_incidents(VARIABLES[name], known, incident, 3)
    for each in range(3):
        of_narratives = [label for number, label in labels if number == each]
        assert as_label(name, of_each, each) == incident_label(VARIABLES[name], of_narratives)


@pytest.mark.parametrize(
    ("name", "cells", "among", "expected"),
    [
        ("violence", [True, False, None], ["yes"], [True, False, False]),
        ("violence", [True, False, None], ["no"], [False, True, False]),
        ("violence", [True, False, None], ["yes", "no"], [True, True, False]),
        ("severity", ["low", "high", None], ["middle", "high"], [False, True, False]),
        ("persons", ['["low", "high"]', "[]", None], ["high", "middle"], [True, False, False]),
    ],
)
def test_which_values_are_among_those_of_a_condition(
    name: str, cells: list[Any], among: list[str], expected: list[bool]
) -> None:
    """One of the values is enough, of several values too; no value is none of them."""
    known = coded(name, VARIABLES[name], pd.Series(cells, dtype=object))
    assert is_one_of(VARIABLES[name], known, among).tolist() == expected


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("violence", pd.array([True, None, False], "boolean")),
        ("weapon", pd.array(["high", None, "low"], "string")),
        ("persons", pd.array(['["low"]', None, "[]"], "string")),
        ("age", pd.array([3.5, None, 0.0], "Float64")),
    ],
)
def test_the_columns_of_results_are_read(name: str, cells: Any) -> None:
    """The types that results have are read as those of labels are."""
    assert coded(name, VARIABLES[name], pd.Series(cells)).is_given.tolist() == [True, False, True]


def test_what_is_none_of_the_values_is_said() -> None:
    """A value of another codebook is an error, and no miss."""
    with pytest.raises(ValueError, match="weapon: 'gun' is none of its values"):
        coded("weapon", VARIABLES["weapon"], pd.Series(["gun"]))
    with pytest.raises(ValueError, match="persons: 'gun'"):
        coded("persons", VARIABLES["persons"], pd.Series(['["low", "gun"]']))


def test_lists_are_read_from_text_and_tuples() -> None:
    """A JSON list and a tuple are the same."""
    assert items_of('["a", "b"]') == items_of(("a", "b")) == ["a", "b"]
    assert items_of("[]") == items_of(()) == []
