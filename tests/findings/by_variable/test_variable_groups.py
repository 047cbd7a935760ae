"""What is found of each variable in each group."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.coded_tables import CODEBOOK, case

from narrative_runs.findings.by_variable.coding import Mask
from narrative_runs.findings.by_variable.main_measure import main_measure
from narrative_runs.findings.by_variable.measure import measure_variables
from narrative_runs.findings.by_variable.units import VariableLabels

COLUMN = "Sex"


def groups_at_random(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The sex of each narrative, by `row_num`; in a few incidents it is not the same in both."""
    random = np.random.default_rng(seed)
    of_incident = {each: random.choice(["F", "M"]) for each in table["incident_id"].unique()}
    sexes = [random.choice(["F", "M"]) if random.random() < 0.1 else of_incident[each] for each in table["incident_id"]]
    return pd.DataFrame({COLUMN: sexes}, index=table["row_num"].tolist(), dtype="string")


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.slow
def test_a_group_has_the_measures_of_a_table_that_holds_it_alone(seed: int) -> None:
    """The main measure and the counts of narratives in a group are those of its narratives by themselves, and those of
    incidents those of the incidents that lie in it whole."""
    table, labels = case(150, seed)
    grouped = groups_at_random(table, seed)
    measured = measure_variables(table, CODEBOOK, 1, labels, grouped=grouped)
    sex = grouped[COLUMN].reindex(table["row_num"]).to_numpy()
    sexes = pd.Series(sex, index=table["incident_id"]).groupby(level=0).agg(set)
    for group in ("F", "M"):
        inside = sex == group
        alone = measure_alone(table, labels, inside)
        whole = table["incident_id"].isin(sexes.index[sexes.map(lambda each: each == {group})]).to_numpy(bool)  # noqa: B023
        of_incidents = measure_alone(table, labels, whole)
        for name in CODEBOOK.names:
            found = measured[name]["groups"][COLUMN][group]
            assert found["n_total"] == inside.sum()
            main = main_measure(CODEBOOK.variables[name].type)
            if main is None:
                assert found["narrative"] is found["incident"] is None
                continue
            for key in (main, "n", "n_labelled", "n_answered", "n_errors"):
                assert found["narrative"][key] == alone[name]["narrative"][key]
                if found["incident"] is not None:
                    assert found["incident"][key] == of_incidents[name]["incident"][key]
            assert found["errors"]["n"] == alone[name]["n_errors"]
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured


@pytest.mark.slow
def test_errors_of_one_group_are_no_chance() -> None:
    """Errors of one variable in one group alone have the lowest p value of all, adjusted for all that are tested."""
    table, labels = case(150, 3)
    grouped = groups_at_random(table, 3)
    is_hit = (grouped[COLUMN] == "F").to_numpy(bool) & (np.arange(len(table)) % 3 == 0)
    table.loc[is_hit, "weapon"] = None
    table.loc[is_hit, "weapon_missing"] = "error: no such value"
    measured = measure_variables(table, CODEBOOK, 1, labels, grouped=grouped)
    tests = {
        (name, group): of_group["errors"]
        for name in CODEBOOK.names
        for group, of_group in measured[name]["groups"][COLUMN].items()
    }
    lowest = min(test["p_holm"] for test in tests.values())
    assert {name for (name, _), test in tests.items() if test["p_holm"] == lowest} == {"weapon"}
    assert lowest < 0.01
    assert all(test["p_holm"] >= test["p_value"] for test in tests.values())


@pytest.mark.slow
def test_small_groups_are_marked() -> None:
    """A group with fewer than 30 labelled narratives, or 10 positive ones of a binary variable, is small."""
    table, labels = case(150, 4)
    few = np.arange(len(table)) < 25
    grouped = pd.DataFrame({COLUMN: np.where(few, "F", "M")}, index=table["row_num"].tolist(), dtype="string")
    labels["threat"] = VariableLabels(labels["threat"].narrative.map(lambda label: label and None))
    measured = measure_variables(table, CODEBOOK, 1, labels, grouped=grouped)
    assert measured["weapon"]["groups"][COLUMN]["F"]["is_small"]
    assert not measured["weapon"]["groups"][COLUMN]["M"]["is_small"]
    assert measured["threat"]["groups"][COLUMN]["M"]["is_small"]
    assert not measured["summary"]["groups"][COLUMN]["F"]["is_small"]
    nothing = pd.Series(None, index=table.index, dtype=object)
    of_incidents = pd.Series("low", index=table["incident_id"].unique(), dtype=object)
    labels["weapon"] = VariableLabels(nothing, of_incidents)
    measured = measure_variables(table, CODEBOOK, 1, labels, grouped=grouped)
    assert not measured["weapon"]["groups"][COLUMN]["M"]["is_small"]


def measure_alone(table: pd.DataFrame, labels: dict[str, VariableLabels], rows: Mask) -> dict[str, dict[str, Any]]:
    """The measures of some rows alone."""
    of_rows = {name: VariableLabels(each.narrative[rows]) for name, each in labels.items()}
    return measure_variables(table[rows], CODEBOOK, 1, of_rows)
