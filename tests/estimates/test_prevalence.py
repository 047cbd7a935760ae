import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.estimates.estimators import GAPS, NOTHING, POST_STRATIFIED, POWERED, STRATIFIED
from narrative_runs.estimates.population import Population
from narrative_runs.estimates.prevalence import corrected_prevalence, labelled_prevalence, naive_prevalence
from tests.estimates.populations import of_arrays, population_of_counts

VALUES = st.sampled_from([0.0, 1.0, np.nan])


@st.composite
def populations(draw: st.DrawFn) -> Population:
    """Any population of up to 60 units in up to three strata, its incidents of one unit or several."""
    units = draw(
        st.lists(st.tuples(VALUES, VALUES, st.integers(0, 20), st.sampled_from("abc")), min_size=1, max_size=60)
    )
    predicted, truth, incident, stratum = (np.array(column) for column in zip(*units, strict=True))
    return of_arrays(predicted, truth, incident, stratum)


@given(populations(), st.sampled_from(["random", "stratified", "active"]), st.randoms(use_true_random=False))
def test_the_order_of_units_does_not_matter(population: Population, design: str, random: object) -> None:
    """Whatever the order of the units, and whatever their incidents are called, the estimates are the same."""
    order = np.random.default_rng(random.randrange(2**32)).permutation(len(population.incident))  # type: ignore[attr-defined]
    shuffled = Population(
        100 - population.incident[order],
        population.predicted[order],
        population.truth[order],
        population.stratum[order],
    )
    one, other = corrected_prevalence(population, design), corrected_prevalence(shuffled, design)
    assert one.estimator == other.estimator
    for first, second in (
        (one.rate, other.rate),
        (labelled_prevalence(population, design), labelled_prevalence(shuffled, design)),
        (naive_prevalence(population), naive_prevalence(shuffled)),
    ):
        assert (first is None) == (second is None)
        assert first is None or second is None or list(first.values()) == pytest.approx(list(second.values()), abs=1e-9)


@given(populations(), st.sampled_from(["random", "stratified", "active"]))
def test_intervals_hold_their_value(population: Population, design: str) -> None:
    """Every interval lies between 0 and 1 and holds its value; without a review there is none."""
    rates = [corrected_prevalence(population, design).rate, labelled_prevalence(population, design)]
    if not population.is_reviewed.any():
        assert rates == [None, None]
    for rate in rates:
        assert rate is None or -1e-12 <= rate["low"] <= rate["value"] <= rate["high"] <= 1 + 1e-12


@given(populations(), st.sampled_from(["random", "stratified"]))
def test_all_reviewed_gives_the_share_of_true_units(population: Population, design: str) -> None:
    """Where every unit is reviewed, the corrected prevalence is the truth, whatever the model says."""
    truth = np.nan_to_num(population.truth)
    rate = corrected_prevalence(of_arrays(population.predicted, truth, population.incident), design).rate
    assert rate is not None and rate["value"] == pytest.approx(truth.mean())


def test_few_reviews_have_a_small_sample_interval() -> None:
    """With fewer than five of one kind among reviews at random, each answer of the model counts by its size in the
    population, and the interval is not symmetric."""
    actual = corrected_prevalence(population_of_counts((8, 2, 1, 99), (290, 2_600)), "random")
    assert actual.estimator == POST_STRATIFIED and actual.rate is not None
    assert actual.rate["value"] == pytest.approx(300 / 3_000 * 8 / 10 + 2_700 / 3_000 * 1 / 100)
    assert actual.rate["high"] - actual.rate["value"] > 1.1 * (actual.rate["value"] - actual.rate["low"])
    assert corrected_prevalence(population_of_counts((8, 5, 5, 199), (290, 2_600)), "random").estimator == POWERED


def test_errors_are_part_of_the_population() -> None:
    """Errors count by their number, with the share of true ones among those reviewed; where none is reviewed, any share
    is allowed for."""
    reviewed = corrected_prevalence(population_of_counts((8, 2, 1, 99), (290, 2_500), (3, 1, 96)), "random")
    assert reviewed.rate is not None and reviewed.estimator == POST_STRATIFIED
    assert reviewed.rate["value"] == pytest.approx((300 * 0.8 + 2_600 * 0.01 + 100 * 0.75) / 3_000)
    unreviewed = corrected_prevalence(population_of_counts((80, 20, 10, 990), (2_900, 25_000), (0, 0, 1_000)), "random")
    assert unreviewed.rate is not None and unreviewed.estimator == GAPS
    of_answered = (3_000 * 0.8 + 26_000 * 0.01) / 30_000
    assert unreviewed.rate["low"] < of_answered < of_answered + 1_000 / 30_000 < unreviewed.rate["high"]


def test_strata_are_weighted() -> None:
    """Reviews drawn from two strata alike count by the sizes of the strata, by the reviews alone and corrected; the
    same reviews read as if at random give another share."""
    stratum = np.repeat(["year 1", "year 2"], (100, 900))
    predicted = np.tile([1.0, 0.0], 500)
    truth = np.full(1_000, np.nan)
    truth[:50] = np.tile([1.0, 0.0], 25)
    truth[100:150] = 0.0
    population = of_arrays(predicted, truth, stratum=stratum)
    labelled, corrected = labelled_prevalence(population, "stratified"), corrected_prevalence(population, "stratified")
    at_random = labelled_prevalence(population, "random")
    assert labelled is not None and corrected.rate is not None and at_random is not None
    assert corrected.estimator == STRATIFIED
    assert labelled["value"] == pytest.approx(0.1 * 0.5) and at_random["value"] == pytest.approx(0.25)
    assert corrected.rate["value"] == pytest.approx(0.1 * 0.5)


def test_without_a_review_there_is_no_estimate() -> None:
    """Where nobody reviewed anything there is only what the model says."""
    population = population_of_counts((0, 0, 0, 0), (3, 7))
    assert corrected_prevalence(population, "random") == (None, NOTHING)
    assert labelled_prevalence(population, "random") is None
    naive = naive_prevalence(population)
    assert naive is not None and naive["value"] == pytest.approx(0.3)


@pytest.mark.slow
def test_rare_findings_are_covered() -> None:
    """At a prevalence of 2% and 200 reviews, where the large-sample interval holds the truth in nine of ten studies or
    fewer, the interval that is taken holds it in 93 of 100 or more."""
    rng, covered = np.random.default_rng(6), []
    for _ in range(500):
        truth = (rng.random(3_000) < 0.02).astype(float)
        predicted = (rng.random(3_000) < np.where(truth == 1, 0.9, 0.02)).astype(float)
        truth[200:] = np.nan
        rate = corrected_prevalence(of_arrays(predicted, truth), "random").rate
        assert rate is not None
        covered.append(rate["low"] <= 0.02 <= rate["high"])
    assert np.mean(covered) >= 0.93
