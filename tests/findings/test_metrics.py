import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from scipy.stats import t as students_t
from sklearn import metrics as sklearn_metrics
from statsmodels.stats.proportion import proportion_confint
from tests.coded_tables import CODEBOOK, case

from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.metrics import measure, write_metrics

ResultTable = Callable[..., pd.DataFrame]

RATES = ("detection_rate", "accuracy", "precision", "recall", "f1", "specificity", "kappa", "mcc")


def test_the_published_example(result_table: ResultTable) -> None:
    """42 true and 14 false positives, 6 false and 338 true negatives give the precision, recall and F1
    published."""
    kinds = [(1, True)] * 42 + [(0, True)] * 14 + [(1, False)] * 6 + [(0, False)] * 338
    results = result_table(*({"manual_flag_ind": label, "detected": detected} for label, detected in kinds))
    overall = measure(results, "id", seed=1)["overall"]
    assert [overall[cell] for cell in ("tp", "fp", "fn", "tn")] == [42, 14, 6, 338]
    assert overall["precision"]["value"] == 0.75
    assert overall["recall"]["value"] == 0.875
    assert round(overall["f1"]["value"], 4) == 0.8077
    for rate, part, whole in (("precision", 42, 56), ("recall", 42, 48), ("specificity", 338, 352)):
        interval = (overall[rate]["low"], overall[rate]["high"])
        # At the quantile of Student's t for so many incidents.
        level = 2 * norm.sf(students_t.ppf(0.975, whole - 1))
        assert interval == pytest.approx(proportion_confint(part, whole, alpha=level, method="wilson"))
    assert overall["f1"]["low"] < overall["f1"]["value"] < overall["f1"]["high"]


def test_every_scope_agrees_with_scikit_learn_on_the_rows_that_count(random_results: ResultTable) -> None:
    """Overall and by type, each rate is that of scikit-learn over the labelled rows without error."""
    results = random_results(200, seed=2)
    found = measure(results, "id", seed=1)
    rows = results[results["manual_flag_ind"].notna() & ~results["error_occurred"]]
    scopes = {
        "overall": (found["overall"], rows),
        "cme": (found["by_type"]["cme"], rows[rows["narrative_type"] == "cme"]),
        "le": (found["by_type"]["le"], rows[rows["narrative_type"] == "le"]),
    }
    for scope, counting in scopes.values():
        label, detected = counting["manual_flag_ind"].astype(int), counting["detected"].astype(int)
        assert scope["n"] == len(counting) == sum(scope[cell] for cell in ("tp", "fp", "fn", "tn"))
        assert scope["accuracy"]["value"] == pytest.approx(sklearn_metrics.accuracy_score(label, detected))
        assert scope["f1"]["value"] == pytest.approx(sklearn_metrics.f1_score(label, detected))
        assert scope["kappa"]["value"] == pytest.approx(sklearn_metrics.cohen_kappa_score(label, detected))
        assert scope["mcc"]["value"] == pytest.approx(sklearn_metrics.matthews_corrcoef(label, detected))


def test_incidents_agree_with_scikit_learn(random_results: ResultTable) -> None:
    """By incident, each rate is that of scikit-learn over incidents of which every narrative is answered and
    labelled."""
    results = random_results(200, seed=6)
    label: list[int] = []
    detected: list[int] = []
    for _, rows in results.groupby("incident_id"):
        labels = rows["manual_flag_ind"].dropna().tolist()
        if not rows["error_occurred"].any() and len(labels) == len(rows):
            label.append(max(labels))
            detected.append(int(rows["detected"].any()))
    found = measure(results, "id", seed=1)["incident"]
    assert found["n"] == len(label) > 90
    for name, score in {
        "accuracy": sklearn_metrics.accuracy_score,
        "precision": sklearn_metrics.precision_score,
        "recall": sklearn_metrics.recall_score,
        "f1": sklearn_metrics.f1_score,
        "kappa": sklearn_metrics.cohen_kappa_score,
        "mcc": sklearn_metrics.matthews_corrcoef,
    }.items():
        assert found[name]["value"] == pytest.approx(score(label, detected)), name


def test_rows_with_an_error_or_without_a_label_count_in_no_rate(result_table: ResultTable) -> None:
    """Adding errors and unlabelled rows changes counts alone, and what the detection rate may be with the errors;
    unlabelled ones also the detection rate."""
    counting: list[dict[str, Any]] = [
        {"manual_flag_ind": 1, "detected": True},
        {"manual_flag_ind": 0, "detected": True},
        {"manual_flag_ind": 0, "detected": False},
    ]
    errors = [{"manual_flag_ind": 1, "detected": None}, {"manual_flag_ind": None, "detected": None}]
    unlabelled = [{"manual_flag_ind": None, "detected": True}]
    alone = measure(result_table(*counting), "id", seed=1)
    with_errors = measure(result_table(*counting, *errors), "id", seed=1)
    with_all = measure(result_table(*counting, *errors, *unlabelled), "id", seed=1)
    bounds = ("detection_rate_if_errors_negative", "detection_rate_if_errors_positive")
    assert [alone["overall"][name] for name in bounds] == [None, None]
    assert [with_errors["overall"][name] for name in bounds] == [2 / 5, 4 / 5]
    of_errors = ("n_errors", *bounds)
    for name in of_errors:
        del alone["overall"][name], with_errors["overall"][name], with_all["overall"][name]
    assert with_errors["overall"] == alone["overall"]
    assert with_all["overall"]["detection_rate"]["value"] == 0.75
    for name in ("detection_rate", "n_answered"):
        del alone["overall"][name], with_all["overall"][name]
    assert with_all["overall"] == alone["overall"]
    assert [with_all[count] for count in ("n_total", "n_processed", "n_errors", "n_labelled")] == [6, 6, 2, 4]


def test_two_narratives_with_one_fate_are_no_more_proof_than_one(result_table: ResultTable) -> None:
    """Where the narratives of an incident always agree, F1 is as uncertain as with half of the narratives."""
    kinds = [(1, True)] * 30 + [(0, True)] * 10 + [(1, False)] * 10 + [(0, False)] * 50
    cme = [
        {"incident_id": str(number), "manual_flag_ind": label, "detected": detected}
        for number, (label, detected) in enumerate(kinds)
    ]
    both = cme + [narrative | {"narrative_type": "le"} for narrative in cme]
    one, two = (measure(result_table(*rows), "id", seed=1)["overall"] for rows in (cme, both))
    assert two["n"] == 2 * one["n"]
    assert two["f1"] == pytest.approx(one["f1"])


def test_labels_of_a_chosen_part_are_told(result_table: ResultTable) -> None:
    """Where only what the model flagged is labelled, recall is 1 whatever the truth: the difference of detection rates
    between labelled and other rows tells it; labels of a random part tell nothing."""
    rows = [{"incident_id": str(number), "detected": number % 5 == 0} for number in range(400)]
    flagged = [row | {"manual_flag_ind": 1 if row["detected"] else None} for row in rows]
    found = measure(result_table(*flagged), "id", seed=1)
    labels = found["labels"]
    assert found["overall"]["recall"]["value"] == 1 and labels["differ"]
    assert [labels[name] for name in ("n_labelled", "n_unlabelled")] == [80, 320]
    assert labels["difference"]["value"] == 1 and 0.9 < labels["difference"]["low"] < 1
    fair = [row | {"manual_flag_ind": number % 2 if number % 3 == 0 else None} for number, row in enumerate(rows)]
    assert not measure(result_table(*fair), "id", seed=1)["labels"]["differ"]
    assert measure(result_table(*(row | {"manual_flag_ind": 1} for row in rows)), "id", seed=1)["labels"] is None
    assert measure(result_table(*rows), "id", seed=1)["labels"] is None


@pytest.mark.slow
def test_incidents_with_one_label_of_two_do_not_count(random_results: ResultTable) -> None:
    """Where one of an incident's two labels is missing, the incidents that count have the sensitivity of all: a missing
    label is not taken as negative, nor the positive ones kept."""
    rng = np.random.default_rng(8)
    whole = random_results(4_000, seed=9)
    whole["error_occurred"], whole["detected"] = False, whole["detected"].fillna(False)
    whole["manual_flag_ind"] = whole["manual_flag_ind"].fillna(0)
    whole["manual_flag"] = pd.NA
    truth = measure(whole, "id", seed=1)["incident"]["recall"]["value"]
    partly = whole.copy()
    partly.loc[rng.random(len(partly)) < 0.4, "manual_flag_ind"] = pd.NA
    found = measure(partly, "id", seed=1)["incident"]
    assert found["n_partly_labelled"] > 500
    assert found["recall"]["low"] <= truth <= found["recall"]["high"]
    assert abs(found["recall"]["value"] - truth) < 0.04


def test_an_incident_of_which_a_narrative_was_not_asked_about_does_not_count(result_table: ResultTable) -> None:
    """A pilot's limit can part the narratives of an incident: it is left out, and told."""
    rows = [{"incident_id": name, "manual_flag_ind": 1, "detected": True} for name in ("a", "b")]
    found = measure(result_table(*rows), "id", 1, unasked={"b", "elsewhere"})["incident"]
    assert [found[name] for name in ("n", "n_incomplete", "n_unasked", "n_errors")] == [1, 1, 1, 0]


def test_an_inconsistent_incident_counts_in_no_rate_and_is_told(result_table: ResultTable) -> None:
    """An incident of which a blank narrative is labelled 1 has no label, whatever its own or its other narratives'."""
    rows = [
        {"incident_id": name, "manual_flag_ind": 0, "manual_flag": flag, "detected": False}
        for name, flag in (("a", None), ("b", 1), ("c", None))
    ]
    found = measure(result_table(*rows), "id", 1, inconsistent={"a", "b"})["incident"]
    assert [found[name] for name in ("n", "n_answered", "n_inconsistent", "n_partly_labelled")] == [1, 3, 2, 0]


def test_incidents_with_an_error_are_counted_as_incomplete_and_in_no_rate(result_table: ResultTable) -> None:
    """A failed narrative takes its whole incident out of the rates by incident."""
    found = measure(
        result_table(
            {"incident_id": "a", "manual_flag_ind": 1, "detected": True},
            {"incident_id": "a", "narrative_type": "le", "manual_flag_ind": 1, "detected": None},
            {"incident_id": "b", "manual_flag_ind": 0, "detected": False},
            {"incident_id": "b", "narrative_type": "le", "manual_flag_ind": 1, "detected": True},
        ),
        "id",
        seed=1,
    )["incident"]
    assert [found[name] for name in ("n_incomplete", "n", "tp", "fp", "fn", "tn")] == [1, 1, 1, 0, 0, 0]


def test_what_is_undefined_is_null(result_table: ResultTable) -> None:
    """Without a label only the detection rate is defined, and without an answer nothing is: None, never 0 or
    NaN."""
    unlabelled = measure(result_table({"detected": True}, {"detected": False}), "id", seed=1)
    assert [rate for rate in RATES if unlabelled["overall"][rate] is not None] == ["detection_rate"]
    failed = measure(result_table({"detected": None, "manual_flag_ind": 1}), "id", seed=1)
    for scope in (failed["overall"], *failed["by_type"].values(), failed["incident"]):
        assert [scope[rate] for rate in RATES] == [None] * len(RATES)
    assert failed["calibration"] is None


@pytest.mark.parametrize("types", [("examiner",), ("cme", "le", "toxicology")])
@pytest.mark.slow
def test_any_number_of_narrative_types_is_measured(random_results: ResultTable, types: tuple[str, ...]) -> None:
    """Each type has its own rates, those over all are of all, and without two types there is no agreement."""
    results = random_results(80, 7, types)
    found = measure(results, "id", 1, types)
    assert list(found["by_type"]) == list(types)
    for kind, scope in found["by_type"].items():
        assert scope == measure(results[results["narrative_type"] == kind], "id", 1, types)["overall"]
    assert found["overall"]["n"] == sum(scope["n"] for scope in found["by_type"].values())
    assert found["agreement"] is None
    assert found["completeness"]["n"] == results["incident_id"].nunique()


def test_a_table_without_rows_is_measured(result_table: ResultTable) -> None:
    """An experiment without a single answer has metrics: counts of 0, and no rate."""
    found = measure(result_table(), "id", seed=1)
    assert found["n_total"] == found["incident"]["n"] == found["completeness"]["n"] == 0
    assert found["overall"]["detection_rate"] is None


def test_columns_of_probabilities_may_be_missing(random_results: ResultTable) -> None:
    """A table from before probabilities were kept is measured all the same."""
    results = random_results(20, seed=3).drop(columns=["p_detected", "confidence"])
    assert measure(results, "id", seed=1)["calibration"] is None


def test_the_file_is_the_same_whatever_the_order_of_the_rows(random_results: ResultTable, tmp_path: Path) -> None:
    """The same answers give the same bytes, however they were merged."""
    results = random_results(150, seed=4)
    shuffled = results.sample(frac=1, random_state=1)
    assert not np.array_equal(results["row_num"], shuffled["row_num"])
    write_metrics(measure(results, "id", seed=1), tmp_path / "first.json")
    write_metrics(measure(shuffled, "id", seed=1), tmp_path / "second.json")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


def test_the_file_holds_the_metrics_in_their_order(random_results: ResultTable, tmp_path: Path) -> None:
    """What is read from metrics.json is what was measured, key for key, with a newline at the end."""
    found = measure(random_results(50, seed=5), "0b6d", seed=1)
    write_metrics(found, tmp_path / "new" / "metrics.json")
    text = (tmp_path / "new" / "metrics.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert json.loads(text) == found
    assert list(json.loads(text)) == [
        "experiment_id",
        "n_total",
        "n_processed",
        "n_errors",
        "n_labelled",
        "labels",
        "overall",
        "by_type",
        "incident",
        "agreement",
        "completeness",
        "calibration",
    ]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """What cannot be written whole does not replace what is there."""
    path = tmp_path / "metrics.json"
    write_metrics({"experiment_id": "old"}, path)
    with pytest.raises(ValueError, match="JSON"):
        write_metrics({"experiment_id": float("nan")}, path)
    assert json.loads(path.read_text()) == {"experiment_id": "old"}
    assert list(tmp_path.iterdir()) == [path]


def renumbered(results: pd.DataFrame, left_out: set[str]) -> pd.DataFrame:
    """The results of a workbook that never had these incidents."""
    rest = results[~results["incident_id"].isin(left_out)].sort_values("row_num", ignore_index=True)
    return rest.assign(row_num=range(1, len(rest) + 1))


@pytest.mark.slow
def test_without_what_was_seen_is_as_without_their_incidents(random_results: ResultTable) -> None:
    """`unseen` has the measures of a workbook without the incidents of which a narrative was seen, to the last digit,
    and its rates are those of scikit-learn; all else is as if nothing had been seen."""
    results = random_results(200, seed=11)
    seen = {f"{number:04d}": 1 + number % 2 for number in range(0, 60, 2)}
    unasked, inconsistent = {"0003", "0004"}, {"0005", "0006"}
    found = measure(results, "id", 1, unasked=unasked, inconsistent=inconsistent, seen={**seen, "of another": 1})
    without = measure(renumbered(results, set(seen)), "id", 1, unasked=unasked, inconsistent=inconsistent)
    unseen = found.pop("unseen")
    assert found == measure(results, "id", 1, unasked=unasked, inconsistent=inconsistent)
    assert unseen.pop("n_seen_incidents") == 30 and unseen.pop("n_seen_narratives") == sum(seen.values())
    assert unseen == {name: without[name] for name in ("n_labelled", "overall", "by_type", "incident")}
    rows = results[~results["incident_id"].isin(seen) & results["manual_flag_ind"].notna() & ~results["error_occurred"]]
    label, detected = rows["manual_flag_ind"].astype(int), rows["detected"].astype(int)
    assert unseen["overall"]["n"] == len(rows) < found["overall"]["n"]
    assert unseen["overall"]["recall"]["value"] == pytest.approx(sklearn_metrics.recall_score(label, detected))


@pytest.mark.slow
def test_variables_are_measured_without_what_was_seen_too() -> None:
    """With a codebook, `unseen` has each variable as it is in a workbook without these incidents, labels of incidents
    among them."""
    results, labels = case(150, 3)
    seen = {f"{number:04d}": 2 for number in range(40)}
    own = pd.Series({f"{number:04d}": number % 3 == 0 for number in range(150)}, dtype=object)
    labels["detected"] = VariableLabels(labels["detected"].narrative, own, {"0041"})
    found = measure(results, "id", 1, codebook=CODEBOOK, labels=labels, seen=seen)
    is_left = ~results["incident_id"].isin(seen)
    rest = renumbered(results, set(seen))
    of_rest = {
        name: VariableLabels(each.narrative[is_left].reset_index(drop=True), each.incident, each.inconsistent)
        for name, each in labels.items()
    }
    without = measure(rest, "id", 1, codebook=CODEBOOK, labels=of_rest)
    assert found["unseen"]["variables"] == without["variables"] != found["variables"]


@pytest.mark.slow
def test_where_nothing_was_seen_or_all_nothing_fails(random_results: ResultTable, tmp_path: Path) -> None:
    """Without a seen narrative there is no `unseen`; where all were seen, it has counts of 0 and no rate."""
    results, labels = case(20, 3)
    assert "unseen" not in measure(results, "id", 1, codebook=CODEBOOK, labels=labels, seen={"of another": 1})
    seen = dict.fromkeys(results["incident_id"], 1)
    found = measure(results, "id", 1, codebook=CODEBOOK, labels=labels, seen=seen)
    write_metrics(found, tmp_path / "metrics.json")
    assert found["unseen"]["overall"]["n_answered"] == 0 and found["unseen"]["overall"]["recall"] is None
    plain = random_results(20, seed=1)
    assert measure(plain, "id", 1, seen=dict.fromkeys(plain["incident_id"], 1))["unseen"]["incident"]["n"] == 0
