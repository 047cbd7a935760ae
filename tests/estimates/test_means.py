import numpy as np
import pytest
from scipy.stats import t as students_t
from scipy.stats import ttest_1samp, ttest_ind

from narrative_runs.estimates.estimators import NOTHING, POWERED_T, STRATIFIED_T, TOO_FEW
from narrative_runs.estimates.means import corrected_mean, labelled_mean, naive_mean
from tests.estimates.populations import of_arrays

RNG = np.random.default_rng(12)
TRUTH = RNG.gamma(2, 3, 60)
NOISE = RNG.normal(0, 1, 60)


def test_reviews_alone_have_the_t_interval() -> None:
    """By reviews at random alone the mean has scipy's t interval; so has what the model says."""
    population = of_arrays(TRUTH + NOISE, TRUTH, is_number=True)
    for actual, values in (
        (labelled_mean(population, "random"), TRUTH),
        (naive_mean(population), TRUTH + NOISE),
        (labelled_mean(population, "stratified"), TRUTH),
    ):
        assert actual is not None
        expected = ttest_1samp(values, 0).confidence_interval()
        assert list(actual.values()) == pytest.approx([values.mean(), *expected], rel=1e-3)


@pytest.mark.slow
def test_two_strata_have_welchs_interval() -> None:
    """Of two strata of one size whose means are taken with opposite signs, the mean is half their difference, and its
    interval half that of Welch's test."""
    many = np.full(400_000, np.nan)
    truth = np.r_[TRUTH[:15], many, -TRUTH[15:60], many[:-30]]
    stratum = np.repeat(["one", "other"], 400_015)
    population = of_arrays(np.zeros(len(truth)), truth, stratum=stratum, is_number=True)
    actual = labelled_mean(population, "stratified")
    assert actual is not None
    welch = ttest_ind(TRUTH[:15], TRUTH[15:60], equal_var=False)
    low, high = welch.confidence_interval()
    value = (TRUTH[:15].mean() - TRUTH[15:60].mean()) / 2
    assert list(actual.values()) == pytest.approx([value, low / 2, high / 2], abs=2e-3)


def test_predictions_narrow_the_interval() -> None:
    """With answers that are near the truth the corrected mean of many reviews has a narrower interval than the reviews
    alone, at random and by strata, and it holds the mean of all units."""
    of_all = RNG.gamma(2, 3, 5_000)
    predicted = of_all + RNG.normal(1, 0.5, 5_000)
    stratum = np.where(predicted < 5, "low", "high")
    truth = np.where(np.arange(5_000) < 300, of_all, np.nan)
    population = of_arrays(predicted, truth, stratum=stratum, is_number=True)
    for design, estimator in (("random", POWERED_T), ("stratified", STRATIFIED_T)):
        labelled, corrected = labelled_mean(population, design), corrected_mean(population, design)
        assert labelled is not None and corrected.rate is not None and corrected.estimator == estimator
        assert corrected.rate["high"] - corrected.rate["low"] < 0.7 * (labelled["high"] - labelled["low"])
        assert corrected.rate["low"] < of_all.mean() < corrected.rate["high"]


def test_a_population_that_is_reviewed_needs_no_prediction() -> None:
    """Where every unit is reviewed, the corrected mean is the mean of the truths, whatever the model says, errors
    included."""
    predicted = np.where(np.arange(60) < 10, np.nan, 1_000 * NOISE)
    for design in ("random", "stratified"):
        rate = corrected_mean(of_arrays(predicted, TRUTH, is_number=True), design).rate
        assert rate is not None and rate["value"] == pytest.approx(TRUTH.mean())


def test_two_narratives_of_an_incident_are_no_two_reviews() -> None:
    """The degrees of freedom are those of incidents: pairs that are alike give the interval of one narrative each."""
    pairs = of_arrays(np.repeat(NOISE, 2), np.repeat(TRUTH, 2), np.repeat(np.arange(60), 2), is_number=True)
    actual, expected = labelled_mean(pairs, "random"), ttest_1samp(TRUTH, 0).confidence_interval()
    assert actual is not None and [actual["low"], actual["high"]] == pytest.approx(list(expected))
    assert students_t.ppf(0.975, 59) > 2


def test_misses_that_no_review_shows_are_allowed_for() -> None:
    """Where the model misses a large number now and then, and is right in every review, the interval still holds the
    mean of all units, at random and by strata."""
    of_all = np.where(np.arange(4_000) % 10 == 0, 20.0, 0.0)
    predicted = np.where(np.arange(4_000) % 100 == 0, 0.0, of_all)
    truth = np.where((np.arange(4_000) < 100) & (predicted == of_all), of_all, np.nan)
    stratum = np.where(predicted == 0, "none", "some")
    population = of_arrays(predicted, truth, stratum=stratum, is_number=True)
    for design in ("random", "stratified"):
        rate = corrected_mean(population, design).rate
        assert rate is not None
        assert rate["value"] < of_all.mean() < rate["high"]


def test_where_all_is_alike_there_is_no_mean() -> None:
    """Reviews that all say the same, few or many, do not show how wrong their mean may be."""
    for n_reviewed in (20, 400):
        truth = np.where(np.arange(600) < n_reviewed, 1.0, np.nan)
        population = of_arrays(np.ones(600), truth, is_number=True)
        for design in ("random", "stratified"):
            assert corrected_mean(population, design) == (None, TOO_FEW)


def test_too_few_reviews_give_no_mean() -> None:
    """A mean needs two incidents, and two in each stratum that is not wholly reviewed: a number has no largest value
    that could be allowed for."""
    truth = np.where(np.arange(60) < 11, TRUTH, np.nan)
    stratum = np.where(np.arange(60) < 10, "one", "other")
    population = of_arrays(NOISE, truth, stratum=stratum, is_number=True)
    assert corrected_mean(population, "stratified") == (None, TOO_FEW)
    assert corrected_mean(of_arrays(NOISE, np.full(60, np.nan), is_number=True), "random") == (None, NOTHING)
    single = of_arrays(NOISE, np.where(np.arange(60) < 1, TRUTH, np.nan), is_number=True)
    assert corrected_mean(single, "random") == (None, TOO_FEW) and labelled_mean(single, "random") is None
