"""Whether the probabilities of each variable's answers can be believed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from tests.coded_tables import CODEBOOK, case

from narrative_runs.findings.by_variable.calibration import calibration_of
from narrative_runs.findings.by_variable.measure import measure_variables
from narrative_runs.findings.by_variable.outcomes import outcomes
from narrative_runs.findings.by_variable.units import units_of
from narrative_runs.findings.metrics import measure

NO_NUMBERS = ("evidence", "summary")


@pytest.mark.parametrize("name", [name for name in CODEBOOK.names if name not in NO_NUMBERS])
def test_the_figures_are_those_of_scikit_learn(name: str) -> None:
    """Brier score, ROC area and average precision of a variable's probabilities are scikit-learn's, of the answers that
    have a label and a probability."""
    table, labels = case(200, 4)
    units, variable = units_of(table, CODEBOOK, labels)[0][name], CODEBOOK.variables[name]
    random = np.random.default_rng(5)
    probability = np.where(random.random(len(table)) < 0.2, np.nan, random.random(len(table)))
    found = calibration_of(variable, units, np.full(len(table), np.nan), probability)
    assert found is not None and found["confidence"] is None and found["probability"] is not None
    outcome = outcomes(variable, units)
    event = outcome.isin(["true positive", "false negative"] if variable.type == "binary" else ["right"]).to_numpy(bool)
    judged = outcome.isin(
        ["true positive", "false positive", "false negative", "true negative", "right", "wrong"]
    ).to_numpy(bool) & ~np.isnan(probability)
    # What was not asked for counts as no in the rates, but has no probability.
    judged &= table[f"{name}_missing"].isna().to_numpy(bool)
    assert found["probability"]["n"] == judged.sum()
    for key, oracle in {
        "brier": brier_score_loss,
        "roc_auc": roc_auc_score,
        "average_precision": average_precision_score,
    }.items():
        assert found["probability"][key] == pytest.approx(oracle(event[judged], probability[judged]), abs=1e-12)
    assert sum(each["n"] for each in found["probability"]["reliability"]) == judged.sum()
    share = "positive" if variable.type == "binary" else "right"
    hits = sum(each[share]["value"] * each["n"] for each in found["probability"]["reliability"])
    assert hits == pytest.approx(event[judged].sum())


@pytest.mark.slow
def test_the_first_binary_variable_is_calibrated_as_the_experiment_is() -> None:
    """All that stands under `calibration` of the experiment stands under that of the variable, but for the curves and
    the thresholds."""
    table, labels = case(150, 6)
    table["detected_missing"] = table["detected_missing"].where(table["detected"].isna(), None).astype("string")
    table["p_detected"] = pd.array(np.random.default_rng(1).random(len(table)).round(2), dtype="Float64")
    of_all = measure(table, "id", 1, codebook=CODEBOOK, labels=labels)
    mine, whole = of_all["variables"]["detected"]["calibration"], of_all["calibration"]
    for ours, theirs in (("confidence", "confidence"), ("probability", "p_detected")):
        same = {key: value for key, value in mine[ours].items() if key in whole[theirs]}
        assert len(same) >= 5
        assert same == {key: whole[theirs][key] for key in same}


@pytest.mark.slow
def test_passages_and_texts_have_none() -> None:
    """What is neither right nor wrong has no calibration, and neither has a variable without probabilities."""
    table, labels = case(60, 7)
    measured = measure_variables(table, CODEBOOK, 1, labels)
    assert {name: measured[name]["calibration"] for name in (*NO_NUMBERS, "weapon")} == dict.fromkeys(
        (*NO_NUMBERS, "weapon")
    )
