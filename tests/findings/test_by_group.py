import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact
from tests.result_tables import table_at_random

from narrative_runs.findings.by_group import chance
from narrative_runs.findings.metrics import measure
from narrative_runs.results import REFUSED


def by_sex(results: pd.DataFrame) -> pd.DataFrame:
    """F for the incidents with an even number, M for all others."""
    is_even = results["incident_id"].astype("int64") % 2 == 0
    return pd.DataFrame({"Sex": np.where(is_even, "F", "M")}, index=results["row_num"].to_numpy())


@pytest.mark.slow
def test_each_group_has_the_findings_of_its_narratives_alone() -> None:
    """The findings of a group are those of a workbook that holds this group only, by narrative and by incident."""
    results = table_at_random(300, seed=4)
    grouped = by_sex(results)
    found = measure(results, "id", seed=1, grouped=grouped)["groups"]["Sex"]
    assert list(found) == ["F", "M"]
    for name, group in found.items():
        alone = measure(results[(grouped["Sex"] == name).to_numpy()], "id", seed=1)
        assert alone["overall"] == {key: group[key] for key in alone["overall"]}
        for key, value in group["incident"].items():
            assert alone["incident"][key] == value, key
        assert group["errors"]["n"] == group["n_errors"] == alone["n_errors"]


def test_an_incident_in_two_groups_counts_in_none() -> None:
    """Narratives of one incident with different values are in their groups; the incident is in neither."""
    results = table_at_random(200, seed=5)
    grouped = pd.DataFrame({"Kind": results["narrative_type"].to_numpy()}, index=results["row_num"].to_numpy())
    found = measure(results, "id", seed=1, grouped=grouped)["groups"]["Kind"]
    alone = results[~results.duplicated("incident_id", keep=False)]
    for name, group in found.items():
        of_one = alone[(alone["narrative_type"] == name) & ~alone["error_occurred"]]
        assert group["incident"]["n_answered"] == len(of_one)
        assert group["n_answered"] == int(((results["narrative_type"] == name) & ~results["error_occurred"]).sum())


@pytest.mark.parametrize(("labelled", "positive", "is_small"), [(30, 10, False), (29, 10, True), (30, 9, True)])
def test_small_groups_are_marked(labelled: int, positive: int, is_small: bool) -> None:
    """Fewer than 30 labelled, or fewer than 10 of them positive, is small."""
    results = table_at_random(60, seed=6, types=("cme",)).assign(error_occurred=False, error_message=None)
    results["detected"] = results["detected"].fillna(False)
    results["manual_flag_ind"] = pd.array(
        [1] * positive + [0] * (labelled - positive) + [pd.NA] * (len(results) - labelled), "Int64"
    )
    everything = pd.DataFrame({"All": ["one"] * len(results)}, index=results["row_num"].to_numpy())
    group = measure(results, "id", seed=1, types=("cme",), grouped=everything)["groups"]["All"]["one"]
    assert group["is_small"] is is_small


@pytest.mark.parametrize(("inside", "others"), [((3, 100), (9, 900)), ((0, 40), (30, 600)), ((20, 50), (31, 80))])
def test_chance_of_single_narratives_is_fishers(inside: tuple[int, int], others: tuple[int, int]) -> None:
    """Where each incident has one narrative the test is Fisher's exact one, but for the error of the draws."""
    is_hit = np.array([place < hits for hits, n in (inside, others) for place in range(n)])
    is_inside = np.arange(len(is_hit)) < inside[1]
    incident = pd.Series([str(number) for number in range(len(is_hit))])
    table = [[hits, n - hits] for hits, n in (inside, others)]
    expected = float(fisher_exact(table).pvalue)
    # Fisher's test counts tables that are as unlikely, this one those as far from what is expected: here the same.
    assert chance(is_hit, is_inside, incident, seed=1) == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
def test_chance_takes_the_narratives_of_an_incident_together() -> None:
    """Where both narratives of an incident always fail together, a test at 5% calls a difference where there is none in
    about 5% of studies, and not in the many more of a test that takes them as independent."""
    rng = np.random.default_rng(7)
    n, called = 120, 0
    incident = pd.Series(np.repeat([str(number) for number in range(n)], 2))
    for study in range(300):
        is_hit = np.repeat(rng.random(n) < 0.2, 2)
        is_inside = np.repeat(rng.random(n) < 0.3, 2)
        called += chance(is_hit, is_inside, incident, seed=study) < 0.05
    assert called <= 300 * 0.08


@pytest.mark.slow
def test_errors_and_refusals_that_hit_one_group_are_found_and_adjusted() -> None:
    """A group that is hit more often stands out after Holm's adjustment over all groups, columns and kinds; one that is
    not does not; with nobody hit, or a single group, there is no test."""
    results = table_at_random(600, seed=8)
    grouped = by_sex(results)
    grouped["Half"] = np.where(results["incident_id"].astype("int64") % 4 < 2, "one", "other")
    is_refused = (grouped["Sex"] == "F").to_numpy() & (results["incident_id"].astype("int64") % 8 == 0).to_numpy()
    results.loc[is_refused, ["error_occurred", "detected", "error_message"]] = (True, pd.NA, REFUSED)
    found = measure(results, "id", seed=1, grouped=grouped)["groups"]
    women = found["Sex"]["F"]["refusals"]
    assert women["n"] == int(is_refused.sum()) and women["p_value"] == 1e-4
    assert women["p_holm"] == pytest.approx(8e-4)
    assert women["difference"]["low"] > 0 > found["Sex"]["M"]["refusals"]["difference"]["high"]
    calm = measure(table_at_random(600, seed=8), "id", seed=1, grouped=by_sex(table_at_random(600, seed=8)))
    assert calm["groups"]["Sex"]["F"]["errors"]["p_holm"] > 0.05
    assert calm["groups"]["Sex"]["F"]["refusals"]["p_value"] is None
    everything = pd.DataFrame({"All": ["one"] * len(results)}, index=results["row_num"].to_numpy())
    assert measure(results, "id", seed=1, grouped=everything)["groups"]["All"]["one"]["errors"]["p_value"] is None


def test_an_experiment_without_groups_has_none_in_its_metrics() -> None:
    """Without report.groups metrics.json is as it was."""
    assert "groups" not in measure(table_at_random(20, seed=1), "id", seed=1)
