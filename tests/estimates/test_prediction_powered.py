import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bootstrap

from narrative_runs.estimates.estimate import estimate
from narrative_runs.estimates.estimators import POWERED
from narrative_runs.estimates.prediction_powered import (
    jackknife_error,
    powered_mean,
    sums_of,
    totals_by_incident,
    tuning,
)
from tests.estimates.populations import of_arrays, population_of_counts

# tp, fp, fn, tn of the reviewed; yes and no of the unreviewed; and what ppi-python 0.2.3 gives: ppi_mean_pointestimate
# and ppi_mean_ci with alpha=0.05.
OF_PPI_PYTHON = [
    ((31, 21, 5, 343), (429, 2571), (0.09621244409877504, 0.0746147567412635, 0.11781013145628658)),
    ((66, 18, 25, 91), (354, 646), (0.4220666217236544, 0.3630398325348487, 0.48109341091246005)),
    ((126, 25, 10, 839), (632, 4368), (0.11694953355703466, 0.10390642750430461, 0.1299926396097647)),
    # The answers are worse than none: lambda is 0.
    ((24, 138, 72, 66), (482, 418), (0.32, 0.2672142241576691, 0.3727857758423309)),
    ((42, 14, 6, 338), (4888, 30024), (0.12000663794924651, 0.09998996744039058, 0.14002330845810246)),
]


@pytest.mark.parametrize(("reviewed", "unreviewed", "expected"), OF_PPI_PYTHON)
def test_shares_are_those_of_ppi_python(
    reviewed: tuple[int, int, int, int], unreviewed: tuple[int, int], expected: tuple[float, float, float]
) -> None:
    """In large samples at random the corrected prevalence and its interval are ppi-python's, to 1e-8."""
    actual = estimate(population_of_counts(reviewed, unreviewed), "random")
    assert actual.estimator == POWERED and actual.corrected is not None
    assert list(actual.corrected.values()) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("is_good", "expected"),
    [
        (True, (6.999083333916673, 6.910800941079203, 7.087365726754142)),
        (False, (7.000417131673911, 6.8403679952385295, 7.160466268109293)),
    ],
)
def test_means_are_those_of_ppi_python(is_good: bool, expected: tuple[float, float, float]) -> None:
    """In large samples at random the corrected mean of numbers and its interval are ppi-python's, to 1e-8."""
    reviewed, unreviewed = np.arange(1_200), np.arange(5_000)

    def predicted(number: NDArray[np.int64]) -> NDArray[np.float64]:
        if is_good:
            return np.asarray((number * number % 17) / 2 + 3 + ((number * 7) % 5 - 2) * 0.8 + 0.3)
        return np.asarray(100 + (number * 3 % 11) * 1.5)

    truth = np.r_[(reviewed * reviewed % 17) / 2 + 3, np.full(5_000, np.nan)]
    actual = estimate(of_arrays(np.r_[predicted(reviewed), predicted(unreviewed)], truth, is_number=True), "random")
    assert actual.estimator == POWERED and actual.corrected is not None
    assert list(actual.corrected.values()) == pytest.approx(expected, abs=1e-8)


def test_a_model_that_is_95_percent_right_is_corrected() -> None:
    """Of 35,312 narratives the model finds 14.0% where the truth is 12.0%: its interval excludes the truth, and the
    corrected one, from 400 reviews, is .1200 [.1000, .1400]."""
    actual = estimate(population_of_counts((42, 14, 6, 338), (4888, 30024)), "random")
    assert actual.naive is not None and actual.corrected is not None
    assert round(actual.naive["value"], 4) == 0.14 and actual.naive["low"] > 0.12
    assert [round(bound, 4) for bound in actual.corrected.values()] == [0.12, 0.1, 0.14]


def test_alike_predictions_are_of_no_use() -> None:
    """Where the model says the same of all, the estimate is the mean of the reviews, with their standard error."""
    truth = np.array([0.0, 1, 1, 0, 0])
    reviewed = sums_of(np.arange(5), truth, np.ones(5))
    unreviewed = sums_of(np.arange(9), np.zeros(9), np.ones(9))
    moments = powered_mean(reviewed, unreviewed)
    assert float(tuning(reviewed, unreviewed)) == 0.0
    assert float(moments.value) == pytest.approx(truth.mean())
    assert float(moments.standard_error) == pytest.approx(truth.std() / np.sqrt(5))


def test_pairs_that_are_alike_count_once() -> None:
    """Incidents whose two narratives agree in everything give the estimate and the standard error of one narrative
    each."""
    rng = np.random.default_rng(3)
    truth = (rng.random(300) < 0.3).astype(float)
    answer = np.where(rng.random(300) < 0.8, truth, 1 - truth)
    others = (rng.random(900) < 0.4).astype(float)
    single = powered_mean(
        sums_of(np.arange(300), truth, answer), sums_of(np.arange(900), np.zeros(900), others), np.asarray(0.7)
    )
    pairs = powered_mean(
        sums_of(np.repeat(np.arange(300), 2), np.repeat(truth, 2), np.repeat(answer, 2)),
        sums_of(np.repeat(np.arange(900), 2), np.zeros(1800), np.repeat(others, 2)),
        np.asarray(0.7),
    )
    assert [float(each) for each in pairs] == pytest.approx([float(each) for each in single])


def test_the_jackknife_is_the_bootstraps_standard_error() -> None:
    """In a sample that is not large the standard error is that of drawing reviewed incidents anew, λ and all, as scipy
    does it; PPI++'s own is smaller."""
    rng = np.random.default_rng(7)
    truth = rng.gamma(0.7, 3, 80)
    answer = truth + rng.normal(0, 1, 80) * (0.5 + 0.3 * truth)
    incident = np.arange(80) // 2
    others = rng.gamma(0.7, 3, 4_000) + rng.normal(0, 1, 4_000)
    unreviewed = sums_of(np.arange(4_000), np.zeros(4_000), others)
    of_incidents = totals_by_incident(incident, truth, answer)

    def mean_of(chosen: NDArray[np.int64]) -> float:
        codes = np.repeat(np.arange(len(chosen)), 2)
        rows = np.column_stack([2 * chosen, 2 * chosen + 1]).reshape(-1)
        return float(powered_mean(sums_of(codes, truth[rows], answer[rows]), unreviewed).value)

    drawn = bootstrap(
        (np.arange(40),), mean_of, n_resamples=1_000, vectorized=False, method="percentile", random_state=rng
    )
    actual = float(jackknife_error(of_incidents, unreviewed))
    assert actual == pytest.approx(float(drawn.standard_error), rel=0.25)
    assert actual > float(powered_mean(sums_of(incident, truth, answer), unreviewed).standard_error)


@pytest.mark.slow
def test_errors_leave_the_estimate_without_bias() -> None:
    """With errors among the population and the reviews, the interval holds the truth as often as it promises."""
    rng = np.random.default_rng(8)
    truth_of_all, covered, estimators = 0.3, list[bool](), list[str]()
    for _ in range(400):
        truth = (rng.random(2_000) < truth_of_all).astype(float)
        predicted = np.where(rng.random(2_000) < 0.85, truth, 1 - truth)
        predicted[rng.random(2_000) < np.where(truth == 1, 0.2, 0.05)] = np.nan
        truth[300:] = np.nan
        actual = estimate(of_arrays(predicted, truth), "random")
        assert actual.corrected is not None
        estimators.append(actual.estimator)
        covered.append(actual.corrected["low"] <= truth_of_all <= actual.corrected["high"])
    assert estimators.count(POWERED) > 350
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 400)
