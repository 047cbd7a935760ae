"""What the page tells of the variables of a codebook."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.coded_tables import CODEBOOK, case

from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.by_variable.main_measure import main_measure
from narrative_runs.findings.by_variable.measure import measure_variables
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.report.cells import rate
from narrative_runs.report.measures import TITLES
from narrative_runs.report.variable_groups import group_tables
from narrative_runs.report.variables import GOOD, variable_findings, work_first


def found_in(n_incidents: int = 200, share_unclear: float = 0.1) -> tuple[dict[str, Any], list[Any]]:
    """The measures of random answers and labels, and what the page tells of them."""
    table, labels = case(n_incidents, 1, share_unclear)
    measured = measure_variables(table, CODEBOOK, 1, labels)
    return measured, variable_findings(measured, CODEBOOK.variables)


@pytest.mark.slow
def test_each_variable_has_its_row_its_measure_and_its_levels() -> None:
    """The overview has all variables in the order of the codebook, with the counts and the measure of metrics.json."""
    measured, found = found_in()
    assert [each.name for each in found] == list(CODEBOOK.variables)
    for each in found:
        of_variable = measured[each.name]
        assert (each.n_answered, each.n_errors) == (of_variable["n_answered"], of_variable["n_errors"])
        assert len(each.levels) == sum(of_variable[level] is not None for level in ("narrative", "incident"))
        for level, key in zip(each.levels, ("narrative", "incident"), strict=False):
            rates = {
                name
                for name, value in of_variable[key].items()
                if isinstance(value, dict) and set(value) == {"value", "low", "high"}
            }
            assert {TITLES[name] for name in rates} <= set(level.rates)


def test_a_variable_with_many_errors_needs_work_and_a_good_one_does_not() -> None:
    """What stands out by errors, unclear answers, passages or agreement is named with its figures; nothing else is."""
    codebook = Codebook.model_validate({"variables": {"good": {"type": "binary"}, "bad": {"type": "quote"}}})
    good, bad = (
        {
            "type": kind,
            "n_answered": 90,
            "n_unclear": 0,
            "n_not_asked": 0,
            "n_errors": n_errors,
            "distribution": {"n_empty": 0, "n_passages": 100},
            "narrative": None,
            "incident": None,
        }
        for kind, n_errors in (("binary", 1), ("quote", 10))
    )
    found = variable_findings({"good": good, "bad": bad | {"n_with_passages_not_in_text": 9}}, codebook.variables)
    (only,) = work_first(found)
    assert only.name == "bad"
    assert only.needs_work == [
        "10 of 100 answers (10.0%) could not be read",
        "9 of 90 narratives (10.0%) have a passage that does not stand in the text",
    ]


def test_a_measure_that_is_surely_low_is_a_reason() -> None:
    """A measure of which the whole interval is low is named, with the figures of the overview; others are not."""
    measured, found = found_in(share_unclear=0.0)
    for each in found:
        of_variable, measure = measured[each.name], main_measure(each.type)
        is_low = measure not in (None, "in_text") and of_variable["narrative"][measure]["high"] < GOOD
        reasons = [reason for reason in each.needs_work if "against labels is below" in reason]
        assert len(reasons) == is_low
        assert all(reason.endswith(rate(of_variable["narrative"][measure])) for reason in reasons)
    assert any(each.needs_work for each in found)


@pytest.mark.slow
def test_groups_of_incident_labels_have_the_measure_of_incidents_alone() -> None:
    """Where people coded incidents and no narratives, the tables of groups are of incidents, and a star marks groups of
    few labelled ones; without any labels there are counts and errors alone."""
    table, _ = case(200, 1, share_unclear=0.0)
    ids = sorted(table["incident_id"].unique())
    few = pd.DataFrame(
        {"Sex": np.where(table["incident_id"].isin(ids[:20]), "F", "M")}, index=table["row_num"].tolist()
    )
    nothing = pd.Series(None, index=table.index, dtype=object)
    labels = {"weapon": VariableLabels(nothing, pd.Series("low", index=ids, dtype=object))}
    measured = measure_variables(table, CODEBOOK, 1, labels, grouped=few)
    (weapon,), (age,) = group_tables(measured["weapon"]), group_tables(measured["age"])
    assert weapon.columns == [
        "Sex",
        "Narratives",
        "Labelled incidents",
        "Macro F1 of incidents",
        "Errors",
        "Share of errors",
    ]
    assert [row[0] for row in weapon.rows] == ["F *", "M"]
    groups = measured["weapon"]["groups"]["Sex"]
    assert [row[2:4] for row in weapon.rows] == [
        [str(groups[name]["incident"]["n"]), rate(groups[name]["incident"]["macro_f1"])] for name in ("F", "M")
    ]
    assert age.columns == ["Sex", "Narratives", "Errors", "Share of errors"]
    assert [row[0] for row in age.rows] == ["F", "M"]
