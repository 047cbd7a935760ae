from typing import Any

import pytest

from narrative_runs.errors import FindingsError
from narrative_runs.estimates.estimators import RANDOM, STRATIFIED_DESIGN
from narrative_runs.estimating.sampling import LABELS, REVIEWS, Sampling, sampling_of
from tests.estimating.made_reviews import Made, counts


def sampling(made: Made, assume_random: bool = False) -> Sampling:
    return sampling_of("cases", "detected", made.reviewed, made.population, assume_random)


def labelled_incidents(n: int, n_labelled: int, n_read: int = 0) -> Made:
    """Incidents of which the first have a label; people read the first of these."""
    return Made([("true negative", False, True, at < n_read, False if at < n_labelled else None) for at in range(n)])


def test_reviews_of_all_strata_are_a_stratified_sample() -> None:
    """Where each stratum has a review, these are a stratified sample; where there is one stratum, a random one."""
    several = Made(counts(true_positive=(40, 10, 9), true_negative=(200, 20, 1), error=(5, 2, 1)))
    assert sampling(several) == Sampling(REVIEWS, STRATIFIED_DESIGN)
    assert sampling(Made(counts(true_negative=(200, 20, 1)))) == Sampling(REVIEWS, RANDOM)


def test_reviews_of_disagreements_alone_are_refused() -> None:
    """Where people read nothing but what model and label disagree on, each stratum without a review is named with its
    size, and what the user can do."""
    made = Made(counts(true_positive=(40, 0, 0), false_positive=(9, 9, 2), true_negative=(300, 0, 0), error=(3, 0, 0)))
    with pytest.raises(FindingsError) as refused:
        sampling(made)
    words = str(refused.value)
    for part in ("true negative (300 incidents)", "true positive (40 incidents)", "error (3 incidents)", "97%"):
        assert part in words
    assert "narrative-runs export cases --review N --coders NAME" in words
    assert "--assume-random" not in words, "without labels there is nothing to assume"


@pytest.mark.parametrize(("size", "is_taken"), [(5, True), (6, False)])
def test_small_strata_may_lack_reviews(size: int, is_taken: bool) -> None:
    """A stratum without a review is no ground for refusal as long as it is 5% of the incidents or less."""
    made = Made(counts(true_negative=(100 - size, 20, 1), error=(size, 0, 0)))
    if is_taken:
        assert sampling(made).design == STRATIFIED_DESIGN
    else:
        with pytest.raises(FindingsError, match=r"error \(6 incidents\)"):
            sampling(made)


def test_labels_of_a_part_are_refused() -> None:
    """Labels of which nobody says how they were chosen are no sample, however many there are."""
    with pytest.raises(FindingsError, match="99 of 100 incidents have a label") as refused:
        sampling(labelled_incidents(100, 99))
    assert "--assume-random" in str(refused.value) and "narrative-runs export cases --review" in str(refused.value)


def test_labels_of_what_was_not_asked_about_are_named() -> None:
    """After a pilot the labels that count are those of the incidents that were asked about: the message says so, and
    how many were not."""
    rows: list[Any] = [("true negative", False, False, False, False)] * 8
    with pytest.raises(FindingsError) as refused:
        sampling(Made([*rows, *[("unasked", None, None, False, None)] * 292]))
    assert (
        "8 of 300 incidents have a label in the workbook and were asked about (labels of the 292 that were not do not "
        "count), and it is not known how they were chosen"
    ) in str(refused.value)
    with pytest.raises(FindingsError, match="none that was asked about has a label"):
        sampling(Made([("true negative", False, None, False, None), ("unasked", None, None, False, None)]))


def test_labels_of_all_are_a_census() -> None:
    """Where every incident has a label, nothing is drawn and nothing assumed."""
    assert sampling(labelled_incidents(50, 50)) == Sampling(LABELS, RANDOM, is_census=True)


def test_what_is_assumed_is_said() -> None:
    """With the user's word labels are a random sample, with reviews in the place of those that people read again; what
    was assumed, and how many were replaced, is known."""
    assert sampling(labelled_incidents(50, 30, n_read=4), True) == Sampling(LABELS, RANDOM, False, True, 4)
    assert sampling(labelled_incidents(50, 50, n_read=4), True) == Sampling(LABELS, RANDOM, True, True, 4)


def test_nothing_can_be_assumed_of_no_labels() -> None:
    """The user's word is about labels; where there is none it is refused, and reviews need no such word."""
    made = Made(counts(true_negative=(100, 20, 1)))
    with pytest.raises(FindingsError, match="no incident has one"):
        sampling(made, True)


def test_without_reviews_and_labels_there_is_no_ground() -> None:
    """Where nothing is known the message says how to have a sample reviewed, and that older reviews do not count."""
    with pytest.raises(FindingsError, match="no incident is reviewed, and none has a label") as refused:
        sampling(Made(counts(true_negative=(100, 0, 0)), n_older=7))
    assert "7 reviews so far are of older answers" in str(refused.value)


@pytest.mark.parametrize("assume_random", [False, True])
def test_estimates_wait_for_open_disagreements(assume_random: bool) -> None:
    """As long as a disagreement of coders is open nothing is estimated, whatever the user assumes."""
    made = Made([("true negative", False, False, True, False)] * 30, n_open=1)
    with pytest.raises(FindingsError, match="1 narrative, and nobody has decided yet") as refused:
        sampling(made, assume_random)
    assert "`narrative-runs review disagreements cases --variable detected`" in str(refused.value)
