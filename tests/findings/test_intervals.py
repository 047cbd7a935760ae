import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import norm
from scipy.stats import t as students_t
from statsmodels.stats.proportion import proportion_confint

from narrative_runs.findings.confusion import ConfusionMatrix, Proportion, f1, kappa, mcc, precision, recall
from narrative_runs.findings.intervals import (
    Metric,
    Rate,
    bootstrap,
    difference,
    f1_interval,
    interval,
    resample,
)

PROMISED_COVERAGE = (0.93, 0.97)


def of_rows(part: int, whole: int) -> Rate:
    """The interval where each row is an incident of its own."""
    return interval(Proportion((np.arange(whole) < part).astype(float), np.ones(whole)))


@given(st.integers(200, 3_000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_of_independent_rows_it_is_wilsons_with_students_t(proportion: tuple[int, int]) -> None:
    """Where each row is an incident of its own, the interval is Wilson's of an independent implementation, at the level
    at which the normal quantile is that of Student's t."""
    part, whole = proportion
    found = of_rows(part, whole)
    assert found is not None
    quantile = students_t.ppf(0.975, whole - 1)
    low, high = proportion_confint(part, whole, alpha=2 * norm.sf(quantile), method="wilson")
    assert [found["low"], found["high"]] == pytest.approx([low, high], abs=1e-9)
    assert found["value"] == part / whole and found["low"] <= found["value"] <= found["high"]


def test_a_part_of_nothing_has_no_rate() -> None:
    """Where nothing could have been counted, the rate is undefined."""
    assert of_rows(0, 0) is None
    assert interval(Proportion(np.zeros(3), np.zeros(3))) is None


def test_pairs_that_are_alike_count_once() -> None:
    """Incidents whose two narratives always agree are as good as one narrative each; where the two are independent, as
    good as twice as many."""
    rng = np.random.default_rng(5)
    first = rng.random(2_000) < 0.2
    alone, alike = (
        of_rows(int(first.sum()), 2_000),
        interval(Proportion(2.0 * first.astype(float), np.full(2_000, 2.0))),
    )
    apart = interval(Proportion(first + (rng.random(2_000) < 0.2).astype(float), np.full(2_000, 2.0)))
    assert alone is not None and alike is not None and apart is not None
    assert [alike["low"], alike["high"]] == pytest.approx([alone["low"], alone["high"]], abs=1e-3)
    width = (apart["high"] - apart["low"]) / (alone["high"] - alone["low"])
    assert width == pytest.approx(1 / np.sqrt(2), abs=0.03)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        # None of n, and all of n, at the quantile of Student's t for 10 incidents, 2.262: t^2 / (n + t^2).
        ([0.0] * 10, [1.0] * 10, 0.0, 2.2622**2 / (10 + 2.2622**2)),
        ([1.0] * 10, [1.0] * 10, 10 / (10 + 2.2622**2), 1.0),
        # Of pairs as much as of half the rows.
        ([0.0] * 10, [2.0] * 10, 0.0, 2.2622**2 / (10 + 2.2622**2)),
        # One incident says next to nothing.
        ([1.0], [1.0], 1 / (1 + 12.7062**2), 1.0),
        ([1.0], [2.0], 0.0017, 0.9983),
        # What has no row in the whole does not count.
        ([0.0] * 10 + [0.0] * 50, [1.0] * 10 + [0.0] * 50, 0.0, 2.2622**2 / (10 + 2.2622**2)),
    ],
)
def test_the_smallest_samples_have_a_width_and_no_absurd_one(
    part: list[float], whole: list[float], low: float, high: float
) -> None:
    """At 0 of n, at n of n, for one incident and for a handful, the interval is neither a point nor empty of sense."""
    found = interval(Proportion(np.array(part), np.array(whole)))
    assert found is not None
    assert [found["low"], found["high"]] == pytest.approx([low, high], abs=1e-3)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_every_interval_holds_its_value(incidents: list[tuple[int, int]]) -> None:
    """Whatever the incidents, the value lies between low and high, which lie between 0 and 1 and are not the same."""
    part, extra = np.array(incidents, dtype=float).T
    found = interval(Proportion(part, part + extra))
    if part.sum() + extra.sum() == 0:
        assert found is None
        return
    assert found is not None
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    assert found["high"] - found["low"] > 0.02


def test_f1_follows_from_jaccard() -> None:
    """F1 is that of its formula, and its interval holds it."""
    incidents = incidents_with_two_narratives(np.random.default_rng(6), 200)
    found = f1_interval(ConfusionMatrix(*incidents.T.astype(float)))
    assert found is not None
    assert found["value"] == pytest.approx(float(f1(ConfusionMatrix(*incidents.sum(axis=0).astype(float)))))
    assert 0 < found["low"] < found["value"] < found["high"] < 1
    assert f1_interval(ConfusionMatrix(*np.zeros((4, 3)))) is None


@pytest.mark.slow
def test_intervals_cover_the_truth_although_narratives_of_an_incident_are_alike() -> None:
    """Of many samples with two dependent narratives an incident, about 95% have the true value in their interval."""
    tp, fp, fn = 0.3 * 0.8, 0.7 * 0.1, 0.3 * 0.2
    truths = {"precision": tp / (tp + fp), "recall": tp / (tp + fn), "f1": 2 * tp / (2 * tp + fp + fn)}
    rng, covered = np.random.default_rng(23), dict.fromkeys(truths, 0)
    for _ in range(1_000):
        matrices = ConfusionMatrix(*incidents_with_two_narratives(rng, 300).T.astype(float))
        found = {
            "precision": interval(precision(matrices)),
            "recall": interval(recall(matrices)),
            "f1": f1_interval(matrices),
        }
        for name, rate in found.items():
            covered[name] += rate is not None and rate["low"] <= truths[name] <= rate["high"]
    assert all(PROMISED_COVERAGE[0] <= hits / 1_000 <= PROMISED_COVERAGE[1] for hits in covered.values()), covered


def test_a_difference_agrees_with_newcombe() -> None:
    """The interval of a difference is that of the paper's first example: 56 of 70 against 48 of 80."""
    first, other = ({"value": 56 / 70, **_wilson(56, 70)}, {"value": 48 / 80, **_wilson(48, 80)})
    found = difference(first, other)
    assert found is not None
    assert [found["value"], found["low"], found["high"]] == pytest.approx([0.2, 0.0524, 0.3339], abs=1e-4)
    assert difference(first, None) is None


def _wilson(part: int, whole: int) -> dict[str, float]:
    low, high = proportion_confint(part, whole, method="wilson")
    return {"low": low, "high": high}


def incidents_with_two_narratives(rng: np.random.Generator, incidents: int) -> NDArray[np.int64]:
    """Matrices (incidents, 4) of incidents whose two narratives share label and, mostly, the fate of the
    detection."""
    positive = rng.random(incidents) < 0.3
    found_first = np.where(positive, rng.random(incidents) < 0.8, rng.random(incidents) < 0.1)
    alike = rng.random(incidents) < 0.7
    independent = np.where(positive, rng.random(incidents) < 0.8, rng.random(incidents) < 0.1)
    matrices = np.zeros((incidents, 4), dtype=np.int64)
    for found in (found_first, np.where(alike, found_first, independent)):
        cell = np.select([positive & found, ~positive & found, positive & ~found], [0, 1, 2], default=3)
        matrices[np.arange(incidents), cell] += 1
    return matrices


@pytest.mark.slow
def test_the_bootstrap_covers_the_truth_although_narratives_of_an_incident_are_alike() -> None:
    """About 95% of the intervals of kappa and MCC hold the true value, with two dependent narratives an
    incident."""
    expected = ConfusionMatrix(tp=0.3 * 0.8, fp=0.7 * 0.1, fn=0.3 * 0.2, tn=0.7 * 0.9)
    rng = np.random.default_rng(21)
    covered: dict[str, list[bool]] = {"kappa": [], "mcc": []}
    for sample in range(1_000):
        incidents = incidents_with_two_narratives(rng, 300)
        resamples = resample(incidents, seed=sample)
        for metric in (kappa, mcc):
            rate = bootstrap(metric, incidents, resamples)
            assert rate is not None
            covered[metric.__name__].append(rate["low"] <= float(metric(expected)) <= rate["high"])
    shares = {name: np.mean(hits) for name, hits in covered.items()}
    assert all(PROMISED_COVERAGE[0] <= share <= PROMISED_COVERAGE[1] for share in shares.values()), shares


@pytest.mark.parametrize("metric", [f1, kappa, mcc])
def test_the_bootstrap_agrees_with_that_of_scipy(metric: Metric) -> None:
    """The interval is the percentile bootstrap of an independent implementation that resamples whole incidents."""
    incidents = incidents_with_two_narratives(np.random.default_rng(7), 300)
    rate = bootstrap(metric, incidents, resample(incidents, 1))
    assert rate is not None

    def statistic(*cells: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        return metric(ConfusionMatrix(*(cell.sum(axis=axis).astype(np.float64) for cell in cells)))

    expected = scipy_bootstrap(
        tuple(incidents.T), statistic, paired=True, method="percentile", n_resamples=4_000, rng=2
    ).confidence_interval
    assert [rate["low"], rate["high"]] == pytest.approx([expected.low, expected.high], abs=0.015)


def test_resampling_keeps_the_narratives_of_an_incident_together() -> None:
    """With one narrative found and one missed in every incident, each resample has as many of the one as of
    the other."""
    resamples = resample(np.array([[1, 0, 1, 0]] * 5 + [[0, 0, 0, 2]] * 5), seed=1)
    assert np.array_equal(resamples.tp, resamples.fn)
    assert np.ptp(resamples.tp) > 0


def test_the_same_seed_draws_the_same_whatever_the_order_of_the_incidents() -> None:
    """The interval depends on the incidents and the seed alone, and another seed draws other incidents."""
    incidents = incidents_with_two_narratives(np.random.default_rng(3), 50)
    found = resample(incidents, seed=8).tp
    assert np.array_equal(found, resample(incidents[::-1], seed=8).tp)
    assert not np.array_equal(found, resample(incidents, seed=9).tp)
    assert not np.array_equal(found, resample(incidents, seed=-8).tp)


@pytest.mark.parametrize("metric", [f1, kappa, mcc])
def test_five_right_answers_are_no_proof_of_perfection(metric: Metric) -> None:
    """Without a single error the interval still has a width, and it shrinks as answers are added."""
    matrices = [np.diag([1, 0, 0, 1])[[0, 3] * size] for size in (5, 500)]
    few, many = (bootstrap(metric, incidents, resample(incidents, 1)) for incidents in matrices)
    assert few is not None
    assert many is not None
    assert few["value"] == few["high"] == many["value"] == 1
    assert few["low"] < 0.8 < 0.98 < many["low"] < 1


def test_an_undefined_metric_has_no_interval() -> None:
    """Kappa of labels and detections that are all negative is undefined, not an interval around 0."""
    incidents = np.array([[0, 0, 0, 1]] * 3)
    assert bootstrap(kappa, incidents, resample(incidents, seed=1)) is None


@pytest.mark.slow
def test_an_interval_always_holds_its_value() -> None:
    """From the smallest samples on, the value lies between low and high."""
    rng = np.random.default_rng(4)
    for size in range(1, 12):
        for sample in range(20):
            incidents = rng.multinomial(1, [0.25] * 4, size=size)
            for metric in (f1, kappa, mcc):
                rate = bootstrap(metric, incidents, resample(incidents, seed=sample))
                assert rate is None or -1 <= rate["low"] <= rate["value"] <= rate["high"] <= 1
