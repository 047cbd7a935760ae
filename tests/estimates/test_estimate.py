import pytest

from narrative_runs.estimates.estimate import estimate
from narrative_runs.estimates.estimators import ESTIMATORS, POST_STRATIFIED
from tests.estimates.populations import population_of_counts


def test_the_units_are_counted() -> None:
    """An estimate gives how many units were answered, reviewed and errors, its design and its estimator."""
    actual = estimate(population_of_counts((8, 2, 1, 99), (290, 2_500), (3, 1, 96)), "random")
    assert (actual.n_answered, actual.n_reviewed, actual.n_errors) == (2_900, 114, 100)
    assert (actual.design, actual.estimator) == ("random", POST_STRATIFIED) and actual.estimator in ESTIMATORS


def test_an_unknown_design_is_refused() -> None:
    """A design of another name is refused, with the names there are."""
    with pytest.raises(ValueError, match="random, stratified, active"):
        estimate(population_of_counts((8, 2, 1, 99), (290, 2_500)), "by hand")
