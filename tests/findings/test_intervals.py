import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import bootstrap as scipy_bootstrap
from statsmodels.stats.proportion import proportion_confint

from narrative_runs.findings.confusion import ConfusionMatrix, Proportion, f1, kappa, mcc
from narrative_runs.findings.intervals import Metric, bootstrap, resample, wilson

PROMISED_COVERAGE = (0.93, 0.97)


@given(st.integers(1, 40_000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_wilson_agrees_with_statsmodels(proportion: tuple[int, int]) -> None:
    """The interval of a proportion is the Wilson interval of an independent implementation."""
    rate = wilson(Proportion(*proportion))
    assert rate is not None
    low, high = proportion_confint(*proportion, alpha=0.05, method="wilson")
    assert [rate["low"], rate["high"]] == pytest.approx([low, high], abs=1e-9)
    assert rate["value"] == proportion[0] / proportion[1]


def test_a_part_of_nothing_has_no_rate() -> None:
    """Where nothing could have been counted, the rate is undefined."""
    assert wilson(Proportion(0, 0)) is None


@pytest.mark.parametrize("truth", [0.1, 0.5, 0.9])
def test_wilson_covers_the_truth_as_often_as_it_says(truth: float) -> None:
    """Of many samples, about 95% have the true proportion inside their interval."""
    parts = np.random.default_rng(20).binomial(400, truth, size=1_000)
    rates = [wilson(Proportion(int(part), 400)) for part in parts]
    covered = np.mean([rate is not None and rate["low"] <= truth <= rate["high"] for rate in rates])
    assert PROMISED_COVERAGE[0] <= covered <= PROMISED_COVERAGE[1]


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


def test_the_bootstrap_covers_the_truth_although_narratives_of_an_incident_are_alike() -> None:
    """About 95% of the intervals of F1, kappa and MCC hold the true value, with two dependent narratives an
    incident."""
    expected = ConfusionMatrix(tp=0.3 * 0.8, fp=0.7 * 0.1, fn=0.3 * 0.2, tn=0.7 * 0.9)
    rng = np.random.default_rng(21)
    covered: dict[str, list[bool]] = {"f1": [], "kappa": [], "mcc": []}
    for sample in range(1_000):
        incidents = incidents_with_two_narratives(rng, 300)
        matrix = ConfusionMatrix(*(int(count) for count in incidents.sum(axis=0)))
        resamples = resample(incidents, seed=sample)
        for metric in (f1, kappa, mcc):
            rate = bootstrap(metric, matrix, resamples)
            assert rate is not None
            covered[metric.__name__].append(rate["low"] <= float(metric(expected)) <= rate["high"])
    shares = {name: np.mean(hits) for name, hits in covered.items()}
    assert all(PROMISED_COVERAGE[0] <= share <= PROMISED_COVERAGE[1] for share in shares.values()), shares


@pytest.mark.parametrize("metric", [f1, kappa, mcc])
def test_the_bootstrap_agrees_with_that_of_scipy(metric: Metric) -> None:
    """The interval is the percentile bootstrap of an independent implementation that resamples whole incidents."""
    incidents = incidents_with_two_narratives(np.random.default_rng(7), 300)
    rate = bootstrap(metric, ConfusionMatrix(*(int(count) for count in incidents.sum(axis=0))), resample(incidents, 1))
    assert rate is not None

    def statistic(*cells: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        return metric(ConfusionMatrix(*(cell.sum(axis=axis).astype(np.float64) for cell in cells)))

    interval = scipy_bootstrap(
        tuple(incidents.T), statistic, paired=True, method="percentile", n_resamples=4_000, rng=2
    ).confidence_interval
    assert [rate["low"], rate["high"]] == pytest.approx([interval.low, interval.high], abs=0.015)


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
    few, many = (
        bootstrap(metric, ConfusionMatrix(size, 0, 0, size), resample(np.diag([1, 0, 0, 1])[[0, 3] * size], 1))
        for size in (5, 500)
    )
    assert few is not None
    assert many is not None
    assert few["value"] == few["high"] == many["value"] == 1
    assert few["low"] < 0.8 < 0.98 < many["low"] < 1


def test_an_undefined_metric_has_no_interval() -> None:
    """Kappa of labels and detections that are all negative is undefined, not an interval around 0."""
    assert bootstrap(kappa, ConfusionMatrix(0, 0, 0, 3), resample(np.array([[0, 0, 0, 1]] * 3), seed=1)) is None


def test_an_interval_always_holds_its_value() -> None:
    """From the smallest samples on, the value lies between low and high."""
    rng = np.random.default_rng(4)
    for size in range(1, 12):
        for sample in range(20):
            incidents = rng.multinomial(1, [0.25] * 4, size=size)
            matrix = ConfusionMatrix(*(int(count) for count in incidents.sum(axis=0)))
            for metric in (f1, kappa, mcc):
                rate = bootstrap(metric, matrix, resample(incidents, seed=sample))
                assert rate is None or -1 <= rate["low"] <= rate["value"] <= rate["high"] <= 1
