from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.by_variable.units import Status, Units, VariableLabels, units_of
from narrative_runs.findings.incidents import by_incident

CODEBOOK = Codebook.model_validate(
    {
        "variables": {
            "violence": {"type": "binary"},
            "severity": {
                "type": "ordinal",
                "values": ["control", "threat", "injury"],
                "only_if": {"violence": "yes"},
            },
            "wound": {"type": "category", "values": ["cut", "shot"], "only_if": {"severity": "injury"}},
        }
    }
)
ONE = {
    "binary": Codebook.model_validate({"variables": {"it": {"type": "binary"}}}),
    "category": Codebook.model_validate({"variables": {"it": {"type": "category", "values": ["a", "b", "c"]}}}),
    "ordinal": Codebook.model_validate({"variables": {"it": {"type": "ordinal", "values": ["a", "b", "c"]}}}),
    "number": Codebook.model_validate({"variables": {"it": {"type": "number"}}}),
    "multi": Codebook.model_validate({"variables": {"it": {"type": "multi", "values": ["a", "b", "c"]}}}),
}
UNCLEAR, NOT_ASKED, ERROR = "unclear", "not asked", "error: no answer"
WHY_NOT = (UNCLEAR, NOT_ASKED, ERROR)


def table_of_answers(incidents: list[str], **answers: list[Any]) -> pd.DataFrame:
    """A table of narratives: of each variable its values, or why there are none."""
    columns: dict[str, Any] = {"row_num": range(1, len(incidents) + 1), "incident_id": incidents}
    for name, cells in answers.items():
        columns[name] = pd.Series([None if cell in WHY_NOT else cell for cell in cells], dtype=object)
        columns[f"{name}_missing"] = pd.Series([cell if cell in WHY_NOT else None for cell in cells], dtype="string")
    return pd.DataFrame(columns)


def labels_of(**labels: list[Any]) -> dict[str, VariableLabels]:
    """The labels of narratives, by variable."""
    return {name: VariableLabels(pd.Series(cells, dtype=object)) for name, cells in labels.items()}


def incident_of(kind: str, cells: list[Any], labels: list[Any] | None = None) -> Units:
    """One incident of these narratives."""
    table = table_of_answers(["a"] * len(cells), it=cells)
    return units_of(table, ONE[kind], {} if labels is None else labels_of(it=labels))[1]["it"]


@pytest.mark.parametrize(
    ("kind", "cells", "expected"),
    [
        ("binary", [True, UNCLEAR], True),
        ("binary", [False, UNCLEAR], Status.UNCLEAR),
        ("binary", [False, False], False),
        ("binary", [False, NOT_ASKED], False),
        ("binary", [NOT_ASKED, NOT_ASKED], Status.NOT_ASKED),
        ("binary", [UNCLEAR, NOT_ASKED], Status.UNCLEAR),
        ("binary", [True, ERROR], Status.FAILED),
        ("ordinal", ["a", "c"], 2),
        ("ordinal", ["b", UNCLEAR], 1),
        ("ordinal", [UNCLEAR, UNCLEAR], Status.UNCLEAR),
        ("ordinal", ["c", ERROR], Status.FAILED),
        ("number", [3.5, 12.0, NOT_ASKED], 12.0),
        ("category", ["b", "b"], 1),
        ("category", ["b", UNCLEAR], 1),
        ("category", ["a", "b"], Status.DIFFERING),
        ("multi", ['["a"]', '["c"]'], [True, False, True]),
        ("multi", ["[]", UNCLEAR], [False, False, False]),
    ],
)
def test_the_value_of_an_incident(kind: str, cells: list[Any], expected: Any) -> None:
    """A yes in either narrative, the highest, the union, or what all give; unclear ones are passed over, but a no needs
    all narratives; and with an error there is no value."""
    incident = incident_of(kind, cells)
    if isinstance(expected, Status):
        assert incident.status.tolist() == [expected] and not incident.answer.is_given[0]
    else:
        assert incident.status.tolist() == [Status.ANSWERED]
        assert incident.answer.values[0].tolist() == expected


@pytest.mark.parametrize(
    ("kind", "labels", "expected"),
    [
        ("binary", [True, False], True),
        ("binary", [True, None], None),
        ("ordinal", ["a", "b"], 1),
        ("ordinal", ["c", None], None),
        ("number", [3.0, -1.0], 3.0),
        ("category", ["a", "a"], 0),
        ("category", ["a", "b"], None),
        ("multi", [("a",), ("c",)], [True, False, True]),
    ],
)
def test_the_label_of_an_incident(kind: str, labels: list[Any], expected: Any) -> None:
    """It follows from the labels of the narratives as its value does from theirs, if all of them are labelled."""
    incident = incident_of(kind, [UNCLEAR, UNCLEAR], labels)
    assert incident.label.is_given.tolist() == [expected is not None]
    if expected is not None:
        assert incident.label.values[0].tolist() == expected
    assert incident.counts["n_partly_labelled"] == (None in labels)
    assert incident.counts.get("n_labels_differing", 0) == (kind == "category" and expected is None)


def test_an_incident_is_not_compared_if_a_narrative_was_left_out() -> None:
    """An incident with a narrative that the limit left out has no value and no label of its narratives."""
    table = table_of_answers(["a", "b"], it=[True, True])
    incident = units_of(table, ONE["binary"], labels_of(it=[True, True]), unasked={"b"})[1]["it"]
    assert incident.status.tolist() == [Status.ANSWERED, Status.UNASKED]
    assert incident.label.is_given.tolist() == [True, False]
    assert (incident.counts["n_incomplete"], incident.counts["n_unasked"]) == (1, 1)
    assert incident.sizes()["n_errors"] == 0


def test_the_own_label_of_an_incident_stands() -> None:
    """Where the workbook labels the incident, that is its label; else its narratives give it; an inconsistent incident
    has none."""
    table = table_of_answers(["a", "a", "b", "c"], it=["a", "b", "c", "c"])
    own = pd.Series(["c", None, "a", "b"], index=["a", "b", "c", "elsewhere"], dtype=object)
    labels = {"it": VariableLabels(pd.Series(["a", None, "b", "b"], dtype=object), own, inconsistent={"c"})}
    incident = units_of(table, ONE["ordinal"], labels)[1]["it"]
    assert incident.label.is_given.tolist() == [True, True, False]
    assert incident.label.values[:2].tolist() == [2, 1]
    assert incident.counts["n_inconsistent"] == 1


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcde"),
            st.sampled_from([True, False, ERROR]),
            st.sampled_from([True, False, None]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.dictionaries(st.sampled_from("abcde"), st.sampled_from([True, False]), max_size=2),
    st.sets(st.sampled_from("abcde"), max_size=1),
    st.sets(st.sampled_from("abcde"), max_size=1),
)
def test_incidents_of_a_binary_variable_are_those_of_the_usual_question(
    rows: list[tuple[str, Any, Any]], own: dict[str, bool], unasked: set[str], inconsistent: set[str]
) -> None:
    """Where nothing is unclear, value, label and counts are those of `by_incident`."""
    incidents, answers, labels = ([row[part] for row in rows] for part in range(3))
    usual = by_incident(
        pd.DataFrame(
            {
                "incident_id": incidents,
                "answered": [answer != ERROR for answer in answers],
                "detected": [answer is True for answer in answers],
                "label": pd.Series(labels, dtype="Float64").astype("float64"),
                "manual_flag": [float(own[each]) if each in own else np.nan for each in incidents],
            }
        ),
        unasked,
        inconsistent,
    )
    of_variable = VariableLabels(pd.Series(labels, dtype=object), pd.Series(own, dtype=object), inconsistent)
    incident = units_of(table_of_answers(incidents, it=answers), ONE["binary"], {"it": of_variable}, unasked)[1]["it"]
    answered = usual["answered"].to_numpy(bool)
    assert incident.is_answered.tolist() == answered.tolist()
    assert incident.answer.values[answered].tolist() == usual["detected"][answered].tolist()
    label = np.where(incident.label.is_given, incident.label.values, np.nan).astype(float)
    assert np.array_equal(label, usual["label"].to_numpy(float), equal_nan=True)
    assert incident.counts["n_incomplete"] == (~answered).sum()
    assert incident.counts["n_partly_labelled"] == usual["is_partly_labelled"][answered].sum()
    assert incident.counts["n_inconsistent"] == usual["is_inconsistent"][answered].sum()


@pytest.mark.parametrize(
    ("violence", "severity", "wound", "severity_counts", "wound_counts"),
    [
        (True, "injury", "cut", True, True),
        (True, "threat", "cut", True, False),
        (False, "injury", "cut", False, False),
        (None, "injury", "cut", False, True),
        (True, None, "cut", False, False),
        (True, "injury", None, True, False),
    ],
)
def test_a_label_counts_where_the_labels_of_its_conditions_meet_them(
    violence: bool | None, severity: str | None, wound: str | None, severity_counts: bool, wound_counts: bool
) -> None:
    """A condition without a label is not met; a label that another label excludes meets no condition."""
    table = table_of_answers(["a"], violence=[True], severity=["injury"], wound=["cut"])
    labels = labels_of(violence=[violence], severity=[severity], wound=[wound])
    for units in units_of(table, CODEBOOK, labels):
        assert units["severity"].label.is_given.tolist() == [severity_counts]
        assert units["wound"].label.is_given.tolist() == [wound_counts]


def test_conditions_are_those_of_the_labels_and_not_of_the_answers() -> None:
    """Where the labels say that a variable applies, a model that was not asked gave no value; where they say that it
    does not, its value counts in no rate."""
    table = table_of_answers(["a", "b"], violence=[False, True], severity=[NOT_ASKED, "threat"], wound=[NOT_ASKED] * 2)
    labels = labels_of(violence=[True, False], severity=["injury", None], wound=[None, None])
    severity = units_of(table, CODEBOOK, labels)[0]["severity"]
    assert severity.is_passed_over.tolist() == [True, False]
    assert severity.is_compared.tolist() == [False, False]
    assert (severity.sizes()["n_labelled"], severity.sizes()["n_not_asked_by_model"]) == (1, 1)


def test_narratives_to_which_a_variable_does_not_apply_leave_the_label_of_their_incident() -> None:
    """Without violence in one narrative there is no severity to label in it; the other one gives that of the
    incident."""
    table = table_of_answers(["a", "a"], violence=[True, False], severity=["threat", NOT_ASKED], wound=[NOT_ASKED] * 2)
    labels = labels_of(violence=[True, False], severity=["injury", None], wound=["shot", None])
    incidents = units_of(table, CODEBOOK, labels)[1]
    assert incidents["severity"].label.is_given.tolist() == incidents["wound"].label.is_given.tolist() == [True]
    assert incidents["severity"].label.values.tolist() == [2]
    assert incidents["severity"].answer.values.tolist() == [1]


def test_sizes_add_up() -> None:
    """Each narrative is answered, unclear, not asked or an error; each labelled one is compared or says why not."""
    cells = ["a", "b", UNCLEAR, UNCLEAR, NOT_ASKED, ERROR, ERROR]
    table = table_of_answers(list("abcdefg"), it=cells)
    sizes = units_of(table, ONE["category"], labels_of(it=["a", None, "b", None, "c", "a", None]))[0]["it"].sizes()
    assert sizes == {
        "n": 1,
        "n_labelled": 4,
        "n_answered": 2,
        "n_errors": 2,
        "n_unclear": 2,
        "n_not_asked": 1,
        "n_labelled_unclear": 1,
        "n_not_asked_by_model": 1,
    }


def test_a_table_without_rows_has_no_units() -> None:
    """No narratives give no incidents, for a variable of any type."""
    for kind, codebook in ONE.items():
        narratives, incidents = units_of(table_of_answers([], it=[]), codebook, labels_of(it=[]))
        assert len(narratives["it"].status) == len(incidents["it"].status) == 0, kind
