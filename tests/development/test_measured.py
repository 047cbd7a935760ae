from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, permutation_test
from sklearn.metrics import cohen_kappa_score, f1_score, recall_score
from statsmodels.stats.multitest import multipletests

from narrative_runs.codebook.variables import Codebook
from narrative_runs.comparison.variables_beside import MeasureBeside
from narrative_runs.development.configuration import Answered
from narrative_runs.development.measured import (
    AGREEMENT,
    Tried,
    agreement_so_far,
    may_be_chance,
    other_less_first,
    spent,
    tried,
)
from tests.coded_tables import CODEBOOK, VALUES, Labels
from tests.comparison.coded_finished import labels_of_incidents_alone
from tests.development.made_tries import configuration, results_of, sample_of, tries
from tests.result_tables import labelled_by_incident, table_of

TEXTS_ALONE = Codebook.model_validate({"variables": {"summary": {"type": "text"}}})


def measure(found: Tried, variable: str, name: str) -> tuple[Any, ...]:
    """One measure of all configurations."""
    rows: list[MeasureBeside] = [row for row in found.measures if (row.variable, row.measure) == (variable, name)]
    (row,) = rows
    return row.values


def compared(table: pd.DataFrame, labels: Labels, name: str) -> tuple[pd.Series, pd.Series]:
    """(labels, answers) of the rows that have both."""
    label = labels[name].narrative
    rows = label.notna() & table[name].notna()
    return label[rows], table[name][rows]


def usual_tries(tables: Sequence[pd.DataFrame], **sample: Any) -> Tried:
    """A try of the usual question, with these answers about the same narratives."""
    answered = [
        Answered(configuration(f"prompt_{number}", None), results_of(table, None))
        for number, table in enumerate(tables)
    ]
    return tried(sample_of(tables[0], **sample), answered)


@pytest.mark.parametrize("codebook", [CODEBOOK, None])
@pytest.mark.slow
def test_rates_of_yes_or_no_are_those_of_scikit_learn(codebook: Codebook | None) -> None:
    """Sensitivity and specificity of each configuration are those of scikit-learn on its labelled answers, with and
    without a codebook, and lie in their intervals."""
    sample, answered, tables, labels = tries(80, [1, 2], codebook)
    found = tried(sample, answered)
    for number, table in enumerate(tables):
        label, answer = compared(table, labels, "detected")
        for name, side in (("recall", True), ("specificity", False)):
            rate = measure(found, "detected", name)[number]
            assert rate["value"] == pytest.approx(recall_score(label.astype(bool), answer.astype(bool), pos_label=side))
            assert rate["low"] < rate["value"] < rate["high"]
        assert measure(found, "detected", "n")[number] == len(label)
        assert measure(found, "detected", "n_errors")[number] == table["error_occurred"].sum() > 0


@pytest.mark.slow
def test_other_variables_have_the_measure_of_their_type() -> None:
    """The main measures of a category and of an ordinal variable are those of scikit-learn, that of a number is the
    share within its tolerance."""
    sample, answered, tables, labels = tries(80, [1, 2])
    found = tried(sample, answered)
    for number, table in enumerate(tables):
        label, answer = compared(table, labels, "weapon")
        expected = f1_score(label.astype(str), answer.astype(str), average="macro")
        assert measure(found, "weapon", "macro_f1")[number]["value"] == pytest.approx(expected)
        # It applies where the label of the condition says so.
        is_yes = labels["detected"].narrative.eq(True)
        label, answer = compared(table[is_yes], {"severity": labels["severity"]}, "severity")
        ranks = [side[label.index].map(VALUES.index) for side in (label, answer)]
        expected = cohen_kappa_score(*ranks, weights="quadratic", labels=range(3))
        assert measure(found, "severity", "weighted_kappa")[number]["value"] == pytest.approx(expected)
        label, answer = compared(table, labels, "age")
        is_near = (label.astype(float) - answer.astype(float)).abs() <= 1
        assert measure(found, "age", "within_tolerance")[number]["value"] == pytest.approx(is_near.mean())


def population(n: int, share: float, sensitivity: float, specificity: float, seed: int) -> pd.DataFrame:
    """Labelled narratives, each an incident of its own, answered as often right as these rates say."""
    random = np.random.default_rng(seed)
    label = random.random(n) < share
    is_right = random.random(n) < np.where(label, sensitivity, specificity)
    return pd.DataFrame({"label": label, "detected": label == is_right})


@pytest.mark.slow
def test_agreement_is_that_of_the_workbook() -> None:
    """From samples with as many positives as negatives, the weighted agreement is on average that of a workbook with
    few positives, which the sample's own share right is not; and its interval holds the truth as often as it says."""
    n_of_label, share, rates = 40, 0.1, (0.6, 0.95)
    truth = share * rates[0] + (1 - share) * rates[1]
    values, own, is_within = [], [], []
    for seed in range(60):
        whole = population(2_000, share, *rates, seed)
        sizes = whole["label"].value_counts()
        drawn = whole.groupby("label").sample(n_of_label, random_state=seed)
        pairs = zip(drawn["label"].tolist(), drawn["detected"].tolist(), strict=True)
        rows = [{"manual_flag_ind": int(label), "detected": detected} for label, detected in pairs]
        weights = [float(sizes[label]) / (n_of_label) for label in drawn["label"]]
        (rate,) = measure(usual_tries([table_of(*rows)], weights=weights), "detected", AGREEMENT)
        values.append(rate["value"])
        own.append((drawn["label"] == drawn["detected"]).mean())
        is_within.append(rate["low"] <= truth <= rate["high"])
    # The standard errors of both means are below .006.
    assert abs(np.mean(values) - truth) < 0.015 < abs(np.mean(own) - truth)
    # Of 60 intervals of 95%, fewer than 53 hold the truth once in a hundred times.
    assert sum(is_within) >= 53


def test_agreement_counts_each_label_by_what_it_stands_for() -> None:
    """It is the mean of the shares right of each label, weighted by the narratives of the workbook that have it; errors
    and narratives without a label count in no share."""
    sample, answered, tables, _ = tries(60, [3, 4], None)
    weight = {"1": 2.5, "0": 30.0, "": 4.0}
    sample = replace(sample, weight=[weight[label] for label in sample.stratum])
    found = measure(tried(sample, answered), "detected", AGREEMENT)
    for rate, table in zip(found, tables, strict=True):
        rows = table[table["detected"].notna() & table["manual_flag_ind"].notna()]
        is_right = rows["detected"].astype(int) == rows["manual_flag_ind"]
        sizes = [weight[str(label)] * (table["manual_flag_ind"] == label).sum() for label in (0, 1)]
        shares = [is_right[rows["manual_flag_ind"] == label].mean() for label in (0, 1)]
        assert rate["value"] == pytest.approx(np.average(shares, weights=sizes))


@pytest.mark.slow
def test_differences_are_those_of_a_permutation_test() -> None:
    """The difference of two configurations is that of their shares right, and its p value that of SciPy's exact test in
    which each incident may change sides."""
    sample, answered, tables, _ = tries(14, [1, 2, 3], None)
    found = tried(sample, answered)
    for number in (1, 2):
        both = tables[0]["detected"].notna() & tables[number]["detected"].notna() & tables[0]["manual_flag_ind"].notna()
        right = [
            (table["detected"][both].astype(int) == table["manual_flag_ind"][both]).astype(int)
            for table in (tables[0], tables[number])
        ]
        sums = [each.groupby(tables[0]["incident_id"][both]).sum() for each in right]
        expected = permutation_test(
            sums,
            lambda first, other, axis: (first - other).sum(axis=axis),
            permutation_type="samples",
            n_resamples=np.inf,
            vectorized=True,
        )
        (test,) = found.pairs[number].tests
        assert test.p_value == pytest.approx(expected.pvalue)
        less = other_less_first(test)
        assert less is not None and less["value"] == pytest.approx(right[1].mean() - right[0].mean())
        assert less["low"] < less["value"] < less["high"]


@pytest.mark.slow
def test_what_may_be_chance_is_judged_among_all_that_is_shown() -> None:
    """P values are adjusted as statsmodels adjusts all of all pairs together, and a difference may be chance from .05
    on."""
    sample, answered, _, _ = tries(60, [1, 2, 3])
    tests = [test for pair in tried(sample, answered).pairs.values() for test in pair.tests]
    _, expected, _, _ = multipletests([test.p_value for test in tests], method="holm")
    assert [test.p_holm for test in tests] == pytest.approx(list(expected))
    assert [may_be_chance(test) for test in tests] == [chance >= 0.05 for chance in expected]
    assert {may_be_chance(test) for test in tests} == {True, False}
    assert len(tests) == 2 * (len(CODEBOOK.names) - 1)


@pytest.mark.slow
def test_narratives_that_differ_are_listed_in_the_order_of_the_sample() -> None:
    """A narrative and variable is listed where two configurations gave different values, unclear and not asked among
    them, with its label and all values; an error alone is no difference."""
    sample, answered, tables, labels = tries(50, [1, 2, 3])
    found = [row for row in tried(sample, answered).differing if row.variable == "weapon"]
    expected = []
    for at, narrative in enumerate(sample.narratives):
        cells = [(table["weapon_missing"].iloc[at], table["weapon"].iloc[at]) for table in tables]
        values = tuple(
            value if pd.isna(missing) else "error" if missing.startswith("error") else missing
            for missing, value in cells
        )
        if len({*values} - {"error"}) > 1:
            label = labels["weapon"].narrative.iloc[at]
            expected.append((narrative.incident_id, narrative.narrative_type, "weapon", label, values))
    assert found == expected
    assert {"unclear", "error"} <= {value for row in found for value in row.values}
    passages = [row for row in tried(sample, answered).differing if row.variable == "evidence"]
    assert {value for row in passages for value in row.values} == {"1 passage", "error"}


@pytest.mark.slow
def test_the_order_of_the_sample_does_not_matter() -> None:
    """Shuffled narratives, with their strata and weights, give the very same measures and tests."""
    sample, answered, _, _ = tries(40, [1, 2])
    sample = replace(sample, weight=[{"1": 2.0, "0": 9.0, "": 3.0}[label] for label in sample.stratum])
    order = np.random.default_rng(5).permutation(len(sample.narratives))
    shuffled = replace(
        sample,
        narratives=[sample.narratives[at] for at in order],
        stratum=[sample.stratum[at] for at in order],
        weight=[sample.weight[at] for at in order],
    )
    again = [
        replace(
            each,
            results=[each.results[at] for at in order],
            labels={
                name: type(of_one)(of_one.narrative.iloc[order].reset_index(drop=True))
                for name, of_one in each.labels.items()
            },
        )
        for each in answered
    ]
    one, another = tried(sample, answered), tried(shuffled, again)
    assert another.measures == one.measures
    assert [asdict(test) for test in another.pairs[1].tests] == [asdict(test) for test in one.pairs[1].tests]
    assert sorted(another.differing, key=str) == sorted(one.differing, key=str) != []


def test_tokens_seconds_and_cost_are_counted_and_projected() -> None:
    """Tokens of the sample are added up and cost what the params say; the workbook's are those of an average narrative,
    in which each label has the share that it has there."""
    rows: list[dict[str, Any]] = [
        {"manual_flag_ind": 1, "prompt_tokens": 400, "completion_tokens": 40, "response_sec": 3.0},
        {"manual_flag_ind": 0, "prompt_tokens": 100, "completion_tokens": 10, "response_sec": 1.0},
        {
            "manual_flag_ind": 0,
            "prompt_tokens": None,
            "completion_tokens": None,
            "detected": None,
            "response_sec": None,
        },
    ]
    table = table_of(*rows)
    priced = configuration("a", None, price_per_million_prompt_tokens=2.0, price_per_million_completion_tokens=10.0)
    sample = sample_of(table, n_in_workbook=1_000, weights=[100.0, 450.0, 450.0])
    found = spent(sample, Answered(priced, results_of(table, None)))
    assert (found.n, found.n_errors, found.prompt_tokens, found.completion_tokens) == (3, 1, 500, 50)
    assert found.seconds == pytest.approx(2.0)
    assert found.cost == pytest.approx((500 * 2 + 50 * 10) / 1e6)
    # 0.1 × 440 + 0.45 × 110 tokens each.
    assert found.tokens_of_workbook == pytest.approx(93_500)
    assert found.cost_of_workbook == pytest.approx((85_000 * 2 + 8_500 * 10) / 1e6)


def test_a_server_that_does_not_count_costs_nobody_knows_what() -> None:
    """Without counted tokens there are neither tokens nor a cost, and without prices no cost."""
    table = table_of({"manual_flag_ind": 1})
    priced = configuration("a", None, price_per_million_prompt_tokens=2.0)
    found = spent(sample_of(table), Answered(priced, results_of(table, None)))
    assert found[2:4] == (None, None) and found[5:] == (None, None, None)
    counted = table_of({"prompt_tokens": 5, "completion_tokens": 1})
    found = spent(sample_of(counted), Answered(configuration("a", None), results_of(counted, None)))
    assert found.cost is found.cost_of_workbook is None and found.tokens_of_workbook == 6_000


def test_agreement_so_far_counts_what_was_shown() -> None:
    """Of each variable that can be right or wrong, the labelled answers and those that are right are counted as they
    are, without weights."""
    sample, answered, tables, labels = tries(30, [1])
    found = {each.variable: each for each in agreement_so_far(replace(sample, weight=[]), answered[0])}
    assert set(found) == {*CODEBOOK.names} - {"summary", "evidence"}
    label, answer = compared(tables[0], labels, "weapon")
    assert (found["weapon"].n, found["weapon"].n_right) == (len(label), (label == answer).sum())
    rate = found["weapon"].rate
    assert rate is not None and rate["value"] == pytest.approx((label == answer).mean())
    assert rate["low"] < rate["value"] < rate["high"]


@pytest.mark.slow
def test_configurations_may_ask_different_things() -> None:
    """A configuration without a codebook is compared in the variable that both have; of others the measures stand
    alone, and why they are not compared is said."""
    sample, answered, tables, _ = tries(40, [1, 2])
    usual = Answered(configuration("usual", None), results_of(tables[1], None))
    found = tried(sample, [answered[0], usual])
    assert [test.variable for test in found.pairs[1].tests] == ["detected"]
    assert found.pairs[1].not_compared["weapon"] == "only in {first}"
    assert measure(found, "weapon", "macro_f1")[1] is None and measure(found, "weapon", "n")[0] > 0
    assert {row.variable for row in found.differing} == {"detected"}
    turned = tried(sample, [usual, answered[0]])
    assert measure(turned, "weapon", "macro_f1")[1] == measure(found, "weapon", "macro_f1")[0]
    assert measure(turned, "detected", "recall") == measure(found, "detected", "recall")[::-1]


@pytest.mark.slow
def test_labels_of_incidents_are_compared_where_the_sample_has_them_whole() -> None:
    """Where the workbook labels incidents alone, these are compared, without those of which the sample lacks a
    narrative."""
    sample, answered, tables, labels = tries(30, [1, 2])
    of_incidents = labels_of_incidents_alone(labels, tables[0])
    answered = [replace(each, labels=of_incidents) for each in answered]
    found = tried(sample, answered)
    assert {row.level for row in found.measures if row.variable == "weapon"} == {"incident"}
    has_label = of_incidents["weapon"].incident.notna()  # type: ignore[union-attr]
    unasked = list(has_label.index[has_label])[:5]
    fewer = tried(replace(sample, unasked=unasked), answered)
    assert 0 < measure(fewer, "weapon", "n")[0] < measure(found, "weapon", "n")[0]
    label = {row.label for row in found.differing if row.variable == "weapon"}
    assert label <= {*VALUES, None} and len(label) > 1


def test_nothing_to_measure_is_no_error() -> None:
    """Answers that are all errors, and codebooks of texts alone, have no rates, and no difference is tested."""
    table = table_of(*({"manual_flag_ind": number % 2, "detected": None} for number in range(4)))
    found = usual_tries([table, table])
    assert measure(found, "detected", AGREEMENT) == measure(found, "detected", "recall") == (None, None)
    (test,) = found.pairs[1].tests
    assert test.p_value is None and may_be_chance(test) and other_less_first(test) is None
    sample, _, tables, _ = tries(5, [1])
    texts = Answered(configuration("texts", TEXTS_ALONE), results_of(tables[0], TEXTS_ALONE))
    found = tried(sample, [texts, texts])
    assert (found.measures, found.differing, found.pairs[1].tests) == ([], [], [])
    assert agreement_so_far(sample, texts) == []


@pytest.mark.slow
def test_the_usual_question_is_measured_by_incidents_where_they_alone_have_labels() -> None:
    """An incident is detected where any of its narratives is, and has an answer where all have one: sensitivity is that
    of scikit-learn on these, and the p value that of SciPy's exact test on incidents in which one alone is right."""
    sample, _, tables, _ = tries(80, [1, 2], None)
    tables = [labelled_by_incident(table) for table in tables]
    answered = [
        Answered(configuration(f"prompt_{number}", None), results_of(table, None))
        for number, table in enumerate(tables)
    ]
    sample = replace(sample, narratives=sample_of(tables[0]).narratives)
    found = tried(sample, answered)
    assert {row.level for row in found.measures} == {"incident"}
    right = []
    for number, table in enumerate(tables):
        of_incidents = table.groupby("incident_id")
        is_whole = ~of_incidents["error_occurred"].any() & of_incidents["manual_flag"].max().notna()
        label = of_incidents["manual_flag"].max()[is_whole].astype(bool)
        answer = of_incidents["detected"].any()[is_whole].astype(bool)
        assert measure(found, "detected", "n")[number] == len(label) > 30
        assert measure(found, "detected", "recall")[number]["value"] == pytest.approx(recall_score(label, answer))
        assert measure(found, "detected", AGREEMENT)[number] is not None
        (so_far,) = agreement_so_far(sample, answered[number])
        assert (so_far.level, so_far.n, so_far.n_right) == ("incident", len(label), (label == answer).sum())
        right.append(label == answer)
    both = right[0].index.intersection(right[1].index)
    first, other = (each[both] for each in right)
    n_first, n_other = int((first & ~other).sum()), int((other & ~first).sum())
    (test,) = found.pairs[1].tests
    assert (test.level, test.n_labelled, test.first_better, test.other_better) == (
        "incident",
        len(both),
        n_first,
        n_other,
    )
    assert test.p_value == pytest.approx(binomtest(n_first, n_first + n_other).pvalue) and n_first + n_other > 0
    assert {row.label for row in found.differing} == {"yes", "no"}
