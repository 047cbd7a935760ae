import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import bootstrap as scipy_bootstrap

from narrative_runs.findings.by_variable.agreement import weighted_kappa
from narrative_runs.findings.by_variable.resamples import (
    mean,
    proportion,
    rate,
    resampled_cells,
    resampled_sums,
    sums_of_incidents,
)
from narrative_runs.findings.intervals import RESAMPLES, resample

PROMISED_COVERAGE = (0.92, 0.975)


def test_cells_are_drawn_as_the_confusion_matrices_are() -> None:
    """Of a binary variable it is the very same bootstrap: the resamples have the same mean and spread."""
    random = np.random.default_rng(1)
    incident, cell = random.integers(0, 300, 500), random.integers(0, 4, 500)
    own = resampled_cells(incident, cell, 4, seed=3)
    matrices = sums_of_incidents(incident, [cell == at for at in range(4)]).astype(np.int64)
    other = np.column_stack(resample(matrices, seed=3))
    assert own.shape == other.shape == (RESAMPLES, 4)
    assert own.mean(axis=0) == pytest.approx(np.bincount(cell), abs=1.5)
    assert own.std(axis=0) == pytest.approx(other.std(axis=0), rel=0.08)


@pytest.mark.parametrize("n_values", [3, 1_000])
def test_sums_are_drawn_with_their_incidents(n_values: int) -> None:
    """With few kinds of incidents and with many, a resample has the sums of whole incidents."""
    random = np.random.default_rng(2)
    numbers = random.integers(0, n_values, 400).astype(float)
    incident = np.repeat(np.arange(400), 2)
    sums = resampled_sums(incident, [np.repeat(numbers, 2), np.ones(800)], seed=1)
    assert sums.shape == (RESAMPLES, 2)
    assert np.all(sums[:, 1] == 800) and np.all(sums[:, 0] % 2 == 0)
    expected = 2 * numbers.std() * np.sqrt(400)
    assert sums[:, 0].std() == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("n_values", [3, 1_000])
def test_neither_the_order_of_rows_nor_the_names_of_incidents_matter(n_values: int) -> None:
    """The same rows give the same resamples, and another seed gives others."""
    random = np.random.default_rng(4)
    incident, cell = random.integers(0, 100, 160), random.integers(0, 5, 160)
    numbers = random.integers(0, n_values, 160).astype(float)
    order, names = random.permutation(160), random.permutation(100)
    shuffled = names[incident[order]]
    assert np.array_equal(resampled_cells(incident, cell, 5, 7), resampled_cells(shuffled, cell[order], 5, 7))
    assert np.array_equal(resampled_sums(incident, [numbers], 7), resampled_sums(shuffled, [numbers[order]], 7))
    assert not np.array_equal(resampled_cells(incident, cell, 5, 7), resampled_cells(incident, cell, 5, -7))


@pytest.mark.slow
def test_the_interval_is_that_of_scipy() -> None:
    """Weighted kappa has the percentile bootstrap of an independent implementation that draws whole incidents."""
    incident, label, answer = ordinal_pairs(np.random.default_rng(5), 300)
    cells = label * 4 + answer
    resampled = weighted_kappa(resampled_cells(incident, cells, 16, 1).reshape(-1, 4, 4), np.arange(4.0))
    own = rate(measures_of(incident, label, answer)[0], resampled, lambda: (0.0, 1.0))
    tables = sums_of_incidents(incident, [cells == at for at in range(16)])

    def statistic(*columns: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        totals = np.stack([column.sum(axis=axis) for column in columns], axis=-1)
        return weighted_kappa(totals.reshape(*totals.shape[:-1], 4, 4), np.arange(4.0))

    expected = scipy_bootstrap(
        tuple(tables.T), statistic, paired=True, method="percentile", n_resamples=4_000, rng=2
    ).confidence_interval
    assert own is not None
    assert [own["low"], own["high"]] == pytest.approx([expected.low, expected.high], abs=0.015)


@pytest.mark.slow
def test_intervals_cover_the_truth_although_narratives_of_an_incident_are_alike() -> None:
    """About 95% of the intervals of weighted kappa, and of a mean of scores, hold the true value."""
    large = ordinal_pairs(np.random.default_rng(99), 400_000)
    truth, covered, n_samples = measures_of(*large), np.zeros(2), 600
    random = np.random.default_rng(6)
    for sample in range(n_samples):
        incident, label, answer = ordinal_pairs(random, 200)
        resampled = resampled_cells(incident, label * 4 + answer, 16, sample).reshape(-1, 4, 4)
        value = measures_of(incident, label, answer)
        kappas = rate(value[0], weighted_kappa(resampled, np.arange(4.0)), lambda: (0.0, 1.0))
        scores = mean(incident, 1 - np.abs(label - answer) / 3, sample)
        for at, each in enumerate((kappas, scores)):
            assert each is not None and each["value"] == pytest.approx(value[at])
            covered[at] += each["low"] <= truth[at] <= each["high"]
    shares = covered / n_samples
    assert np.all((shares >= PROMISED_COVERAGE[0]) & (shares <= PROMISED_COVERAGE[1])), shares


@pytest.mark.slow
def test_narratives_that_are_alike_widen_the_interval() -> None:
    """A thousand incidents with two equal narratives each say no more than one narrative each would."""
    random = np.random.default_rng(7)
    scores = random.random(1_000)
    alone, twice = (mean(np.repeat(np.arange(1_000), each), np.repeat(scores, each), 1) for each in (1, 2))
    apart = mean(np.arange(2_000), np.repeat(scores, 2), 1)
    assert alone is not None and twice is not None and apart is not None
    widths = [each["high"] - each["low"] for each in (alone, twice, apart)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] == pytest.approx(widths[0] / np.sqrt(2), rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from([0.0, 0.25, 2 / 3, 1.0])), max_size=20))
def test_every_mean_lies_within_its_interval(rows: list[tuple[int, float]]) -> None:
    """Whatever the scores, low <= value <= high within 0 and 1, and the interval has a width."""
    incident = np.array([each for each, _ in rows], dtype=np.int64)
    rate_of_rows = mean(incident, np.array([score for _, score in rows]), 1)
    if not rows:
        assert rate_of_rows is None
        return
    assert rate_of_rows is not None
    assert 0 <= rate_of_rows["low"] <= rate_of_rows["value"] <= rate_of_rows["high"] <= 1
    assert rate_of_rows["high"] > rate_of_rows["low"]


def test_a_part_of_nothing_has_no_rate() -> None:
    """Without a row, or with none that counts, there is no share."""
    nothing = np.array([], dtype=np.int64)
    assert proportion(nothing, nothing) is None
    assert proportion(np.array([0, 1]), np.array([0, 0]), np.array([0, 0])) is None
    assert resampled_cells(nothing, nothing, 4, 1).sum() == 0
    assert rate(float("nan"), np.array([1.0]), lambda: (0.0, 1.0)) is None


def measures_of(incident: NDArray[np.int64], label: NDArray[np.int64], answer: NDArray[np.int64]) -> list[float]:
    """Weighted kappa, and the mean of a score."""
    table = np.bincount(label * 4 + answer, minlength=16).reshape(4, 4).astype(float)
    return [float(weighted_kappa(table, np.arange(4.0))), float((1 - np.abs(label - answer) / 3).mean())]


def ordinal_pairs(random: np.random.Generator, n_incidents: int) -> tuple[NDArray[np.int64], ...]:
    """Incident, label and answer of two narratives each, whose labels are the same, and often their answers."""
    label = random.choice(4, n_incidents, p=[0.4, 0.3, 0.2, 0.1])
    first, other = (
        np.clip(label + random.choice([-1, 0, 1], n_incidents, p=[0.15, 0.7, 0.15]), 0, 3) for _ in range(2)
    )
    other = np.where(random.random(n_incidents) < 0.7, first, other)
    return np.repeat(np.arange(n_incidents), 2), np.repeat(label, 2), np.column_stack([first, other]).ravel()
