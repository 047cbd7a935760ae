import json

import numpy as np
import pandas as pd
import pytest
from tests.coded_tables import CODEBOOK, VALUES, case

from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.answers_by_variable import counts_by_variable
from narrative_runs.findings.by_variable.main_measure import main_measure
from narrative_runs.findings.by_variable.measure import measure_variables
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.metrics import measure

WHERE = ("narrative", "incident")


@pytest.mark.slow
def test_every_variable_has_the_measures_of_its_type() -> None:
    """Each has its counts, its distribution and, but for texts, the measure that stands for its type, at both levels
    and for both narrative types; all of it is fit for JSON."""
    table, labels = case(120, 1)
    measured = measure_variables(table, CODEBOOK, 1, labels)
    assert list(measured) == list(CODEBOOK.names)
    counts = counts_by_variable(table, CODEBOOK)
    for name, of_variable in measured.items():
        variable = CODEBOOK.variables[name]
        assert of_variable["type"] == variable.type
        assert counts[name] == {count: of_variable[count] for count in counts[name]}
        main = main_measure(variable.type)
        if main is None:
            assert of_variable["narrative"] is of_variable["incident"] is of_variable["by_type"] is None
            continue
        assert of_variable["narrative"]["n_answered"] == counts[name]["n_answered"]
        assert list(of_variable["by_type"]) == ["cme", "le"]
        levels = [of_variable["narrative"], *of_variable["by_type"].values()]
        for level in levels if variable.type == "quote" else [*levels, of_variable["incident"]]:
            assert level[main]["low"] <= level[main]["value"] <= level[main]["high"]
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured


@pytest.mark.slow
def test_the_first_binary_variable_is_measured_as_the_experiment_is() -> None:
    """Where nothing is unclear, all numbers are those that metrics.json has at its top."""
    table, labels = case(150, 2)
    # One label of incidents for each, as `manual_flag` is read.
    own = table.groupby("incident_id")["manual_flag_ind"].max().astype("boolean").sample(frac=0.5, random_state=1)
    table["manual_flag"] = table["incident_id"].map(own.astype("Int64")).astype("Int64")
    labels["detected"] = VariableLabels(labels["detected"].narrative, own, inconsistent={"0003"})
    unasked = {"0005", "0011"}
    usual = measure(table, "id", 5, unasked=unasked, inconsistent={"0003"}, codebook=CODEBOOK)
    own_measures = measure_variables(table, CODEBOOK, 5, labels, unasked=unasked)["detected"]
    for scope, expected in (
        (own_measures["narrative"], usual["overall"]),
        (own_measures["incident"], usual["incident"]),
        (own_measures["by_type"]["le"], usual["by_type"]["le"]),
    ):
        assert {name: scope[name] for name in expected} == expected


@pytest.mark.slow
def test_neither_the_order_of_rows_nor_that_of_labels_matters() -> None:
    """The same answers give the same numbers to the last digit."""
    table, labels = case(100, 3)
    shuffled = table.sample(frac=1, random_state=1)
    also = {name: VariableLabels(each.narrative.loc[shuffled.index]) for name, each in labels.items()}
    assert measure_variables(table, CODEBOOK, 1, labels) == measure_variables(shuffled, CODEBOOK, 1, also)


def test_labels_of_other_rows_are_refused() -> None:
    """Labels that do not have the rows of the table are no labels of it."""
    table, labels = case(10, 4)
    with pytest.raises(ValueError, match="The labels of weapon have other rows"):
        measure_variables(table.iloc[::-1], CODEBOOK, 1, {"weapon": labels["weapon"]})


def test_without_labels_there_are_counts_and_shares_that_need_none() -> None:
    """The distribution, the detection rate and the share of passages in the text need no label; all else is None."""
    table, _ = case(60, 5)
    measured = measure_variables(table, CODEBOOK, 1, {})
    detected = measured["detected"]["narrative"]
    assert detected["detection_rate"]["value"] == pytest.approx(table["detected"].mean())
    assert detected["f1"] is detected["kappa"] is None
    assert measured["evidence"]["narrative"]["in_text"] is not None
    assert measured["evidence"]["narrative"]["token_f1"] is None
    assert measured["weapon"]["narrative"]["macro_f1"] is measured["age"]["incident"]["mae"] is None
    assert measured["severity"]["narrative"]["n"] == 0
    assert sum(measured["weapon"]["distribution"]["counts"].values()) == measured["weapon"]["n_answered"]


def test_a_table_without_rows_is_measured() -> None:
    """An experiment without an answer has zeros and no rate, for variables of all types."""
    table, _ = case(5, 6)
    measured = measure_variables(table.head(0), CODEBOOK, 1, {})
    for of_variable in measured.values():
        assert of_variable["n_answered"] == 0
        main = main_measure(of_variable["type"])
        assert main is None or of_variable["narrative"][main] is None
    assert measured["age"]["distribution"] == dict.fromkeys(("mean", "sd", "median", "min", "max"))
    json.dumps(measured, allow_nan=False)


def test_a_binary_variable_that_the_model_passed_over_counts_as_no() -> None:
    """Where the labels say that it applies and the model says that it does not, that is a miss, or a no that is right;
    the detection rate leaves it out."""
    codebook = Codebook.model_validate(
        {"variables": {name: CODEBOOK.variables[name].model_dump() for name in ("detected", "threat")}}
    )
    table = pd.DataFrame(
        {
            "row_num": range(1, 7),
            "incident_id": list("abcdef"),
            "narrative_type": "cme",
            "detected": [True, True, False, False, False, True],
            "detected_missing": [None] * 6,
            "threat": [True, False, None, None, None, True],
            "threat_missing": [None, None, "not asked", "not asked", "not asked", None],
        }
    )
    labels = {
        "detected": VariableLabels(pd.Series([True, True, True, True, False, False])),
        "threat": VariableLabels(pd.Series([True, True, True, False, None, None], dtype=object)),
    }
    measured = measure_variables(table, codebook, 1, labels)["threat"]
    for level in WHERE:
        assert [measured[level][cell] for cell in ("tp", "fp", "fn", "tn")] == [1, 0, 2, 1]
        assert measured[level]["n_not_asked_by_model"] == 2
        assert measured[level]["n_answered"] == 3
        assert measured[level]["detection_rate"]["value"] == pytest.approx(2 / 3)
    assert measured["n_not_asked"] == 3
    assert measured["distribution"] == {"counts": {"yes": 2, "no": 1}}


@pytest.mark.slow
def test_a_value_of_another_type_that_the_model_passed_over_is_left_out_of_the_rates() -> None:
    """It is counted, and no value is made up for it."""
    table, labels = case(80, 7)
    severity = measure_variables(table, CODEBOOK, 1, labels)["severity"]["narrative"]
    applies = labels["detected"].narrative.eq(True) & labels["severity"].narrative.notna()
    has_value = table["severity"].notna()
    not_asked = table["severity_missing"].eq("not asked").fillna(False)
    assert severity["n"] == (applies & has_value).sum() == np.sum(severity["confusion"]["counts"])
    assert severity["n_not_asked_by_model"] == (applies & not_asked).sum() > 0


def test_the_values_that_the_model_gave_are_counted() -> None:
    """Of listed values how many of each, of numbers their mean and spread, of passages and texts how many are empty."""
    codebook = Codebook.model_validate(
        {
            "variables": {
                "persons": {"type": "multi", "values": VALUES},
                "age": {"type": "number"},
                "evidence": {"type": "quote"},
                "signs": {"type": "text", "many": True},
                "summary": {"type": "text"},
            }
        }
    )
    table = pd.DataFrame(
        {
            "row_num": [1, 2, 3],
            "incident_id": ["a", "b", "c"],
            "narrative_type": "cme",
            "persons": ['["low", "high"]', "[]", '["low"]'],
            "age": [3.0, 5.0, 10.0],
            "evidence": ['["a", "b"]', "[]", '["c"]'],
            "evidence_not_in_text": ["[]", "[]", '["c"]'],
            "signs": ['["x"]', "[]", "[]"],
            "summary": ["text", "", None],
            **{f"{name}_missing": [None] * 3 for name in codebook.names},
        }
    )
    measured = measure_variables(table, codebook, 1, {})
    given = {name: of_variable["distribution"] for name, of_variable in measured.items()}
    assert given["persons"] == {"counts": {"low": 2, "middle": 0, "high": 1}, "n_empty": 1}
    assert given["age"] == pytest.approx(
        {"mean": 6.0, "sd": np.std([3, 5, 10], ddof=1), "median": 5.0, "min": 3.0, "max": 10.0}
    )
    assert given["evidence"] == {"n_empty": 1, "n_passages": 3}
    assert (given["signs"], given["summary"]) == ({"n_empty": 2}, {"n_empty": 2})
    assert measured["evidence"]["n_with_passages_not_in_text"] == 1
