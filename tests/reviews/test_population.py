import pandas as pd
import pytest

from narrative_runs.codebook.variables import Quote, Text
from narrative_runs.findings.by_variable.units import Status, units_of
from narrative_runs.reviews.population import Population, population_of, strata_in_order
from tests.coded_tables import CODEBOOK, case

KEYS = ["row_num", "incident_id", "narrative_type"]
N_UNASKED = 20


def population(name: str, seed: int = 1) -> tuple[Population, pd.DataFrame]:
    """The population of a variable in a workbook of which the last narratives were not asked about, and the results."""
    results, labels = case(80, seed)
    results["row_num"] = range(1, len(results) + 1)
    asked = results.iloc[:-N_UNASKED].copy()
    known = {each: type(given)(given.narrative.iloc[:-N_UNASKED]) for each, given in labels.items()}
    return population_of(name, CODEBOOK, asked, known, results[KEYS]), results


@pytest.mark.parametrize("name", CODEBOOK.names)
def test_each_incident_is_in_one_stratum(name: str) -> None:
    """All incidents of the workbook are in a stratum, those of errors and those that were not asked about too."""
    found, results = population(name)
    incidents = found.incidents
    assert incidents.index.tolist() == sorted(results["incident_id"].unique())
    assert found.narratives.index.tolist() == results["row_num"].tolist()
    unasked = set(results["incident_id"].iloc[-N_UNASKED:])
    assert set(incidents.index[incidents["stratum"] == "unasked"]) == unasked
    asked = results[~results["incident_id"].isin(unasked)]
    failed = asked[f"{name}_missing"].fillna("").str.startswith("error")
    assert set(incidents.index[incidents["stratum"] == "error"]) == set(asked.loc[failed, "incident_id"])
    assert incidents["predicted"][incidents["stratum"].isin(["unasked", "error", "unclear"])].isna().all()
    names = strata_in_order(CODEBOOK.variables[name], incidents["stratum"].unique().tolist())
    assert sorted(names) == sorted(incidents["stratum"].unique()) and names[-2:] == ["error", "unasked"]


@pytest.mark.parametrize("name", CODEBOOK.names)
def test_values_are_those_of_the_findings(name: str) -> None:
    """The model's value of each incident and each narrative is the one that the findings measure, and a label too."""
    results, labels = case(60, 2)
    found = population_of(name, CODEBOOK, results, labels, results[KEYS])
    narratives, incidents = (units[name] for units in units_of(results, CODEBOOK, labels))
    for table, units in ((found.narratives, narratives), (found.incidents, incidents)):
        assert (table["predicted"].notna() == (units.status == Status.ANSWERED)).all() or isinstance(
            CODEBOOK.variables[name], Quote | Text
        )
        assert (table["label"].notna() == units.label.is_given).all()
    given = found.narratives["predicted"].map(lambda value: value is not None)
    own = results.set_index("row_num")[name][given]
    shown = found.narratives["predicted"][given]
    if name == "persons":
        shown = shown.map(lambda value: str(list(value)).replace("'", '"'))
    assert shown.astype(str).tolist() == own.astype(str).tolist()


def test_strata_tell_right_from_wrong() -> None:
    """An incident is in the stratum of its own value and its own label."""
    incidents = population("weapon")[0].incidents
    is_right = incidents["predicted"] == incidents["label"]
    is_compared = incidents["stratum"].isin(["right", "wrong"])
    assert is_compared.any() and (is_right == (incidents["stratum"] == "right"))[is_compared].all()
    unlabelled = incidents[incidents["stratum"].str.startswith("unlabelled")]
    assert len(unlabelled) and ("unlabelled: " + unlabelled["predicted"] == unlabelled["stratum"]).all()


def test_a_checksum_follows_the_answers_alone() -> None:
    """The checksum of an incident changes with a value of one of its narratives, and with nothing else."""
    results, labels = case(40, 3)
    before = population_of("weapon", CODEBOOK, results, labels, results[KEYS]).incidents["checksum"]
    answered = results.index[results["weapon"].notna()][0]
    changed = results.assign(rationale="other words", age=None)
    assert population_of("weapon", CODEBOOK, changed, labels, results[KEYS]).incidents["checksum"].equals(before)
    changed.loc[answered, "weapon"] = "low" if results.loc[answered, "weapon"] != "low" else "high"
    after = population_of("weapon", CODEBOOK, changed, labels, results[KEYS]).incidents["checksum"]
    assert after.index[after != before].tolist() == [results.loc[answered, "incident_id"]]
