import numpy as np
import pytest

from narrative_runs.estimates.estimate import estimate
from narrative_runs.estimates.population import Population
from narrative_runs.estimates.review_plan import FEWEST, Plan, plan
from tests.estimates.populations import of_arrays, population_of_counts

PILOT = population_of_counts((42, 14, 6, 338), (4_888, 30_024), (2, 1, 97))


@pytest.mark.slow
def test_the_planned_reviews_give_the_width() -> None:
    """Studies with the planned reviews, of the truth that the pilot shows, have intervals of the wanted width."""
    planned = plan(PILOT, 0.03)
    rng, widths = np.random.default_rng(1), []
    for _ in range(100):
        parts = []
        for stratum in planned.strata:
            truth = np.full(stratum.size, np.nan)
            truth[: stratum.n_planned] = rng.random(stratum.n_planned) < stratum.share
            predicted = np.nan if stratum.predicted is None else float(stratum.predicted)
            parts.append((np.full(stratum.size, predicted), truth))
        predicted_of_all, truth_of_all = (np.concatenate(column) for column in zip(*parts, strict=True))
        rate = estimate(of_arrays(predicted_of_all, truth_of_all), "stratified").corrected
        assert rate is not None
        widths.append(rate["high"] - rate["low"])
    assert planned.width <= 0.03 and np.mean(widths) == pytest.approx(0.03, rel=0.05)


def test_reviews_are_shared_out_by_size_and_spread() -> None:
    """Each stratum is reviewed in proportion to its size times the standard deviation of its truths; a small one gives
    at least a few, and none fewer than it has given."""
    planned = plan(PILOT, 0.02)
    by_answer = {stratum.predicted: stratum for stratum in planned.strata}
    yes, no, errors = by_answer[1], by_answer[0], by_answer[None]
    assert (yes.size, no.size, errors.size) == (4_944, 30_368, 100)
    spread = [each.size * np.sqrt(each.share * (1 - each.share)) for each in (yes, no)]
    assert yes.n_planned / no.n_planned == pytest.approx(spread[0] / spread[1], rel=0.02)
    assert errors.n_planned >= FEWEST
    assert all(each.n_reviewed <= each.n_planned <= each.size for each in planned.strata)
    assert planned.n_planned == sum(each.n_planned for each in planned.strata)


def test_strata_and_answers_save_reviews() -> None:
    """By strata it takes fewer reviews than at random, and at random fewer than without the model's answers; a narrower
    interval takes more."""
    wide, narrow = plan(PILOT, 0.03), plan(PILOT, 0.02)
    for planned in (wide, narrow):
        assert planned.n_at_random is not None and planned.n_labels_alone is not None
        assert planned.n_planned < planned.n_at_random < planned.n_labels_alone
    assert wide.n_planned < narrow.n_planned


def test_a_width_beyond_reach_asks_for_all() -> None:
    """Where the population itself is too small for the width, the plan is to review all of it, and says so."""
    planned = plan(population_of_counts((4, 2, 1, 13), (20, 60)), 0.01)
    assert planned.is_wide and planned.n_planned == 100 and planned.width > 0.01
    assert planned.n_at_random is None and planned.n_labels_alone is None


def test_a_width_that_is_there_already_asks_for_no_more() -> None:
    """Where the reviews so far are enough, and each stratum has a few, nothing is to be reviewed in addition."""
    planned = plan(population_of_counts((42, 14, 6, 338), (4_888, 30_024)), 0.2)
    assert not planned.is_wide and [each.n_planned for each in planned.strata] == [344, 56]


def test_without_a_pilot_half_of_the_truths_are_assumed() -> None:
    """Where nothing is reviewed yet, the shares are those that take the most reviews."""
    planned = plan(population_of_counts((0, 0, 0, 0), (4_944, 30_368)), 0.05)
    assert [each.share for each in planned.strata] == [0.5, 0.5]
    assert isinstance(planned, Plan) and planned.width <= 0.05


def test_what_cannot_be_planned_is_refused() -> None:
    """A width outside 0 to 1, numbers, and narratives that share an incident."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        plan(PILOT, 1.5)
    with pytest.raises(ValueError, match="by incident"):
        plan(of_arrays(np.ones(4), np.ones(4), is_number=True), 0.1)
    pairs = Population(np.array([0, 0]), np.ones(2), np.ones(2), np.array(["a", "a"], dtype=object))
    with pytest.raises(ValueError, match="by incident"):
        plan(pairs, 0.1)
