import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from narrative_runs.estimates.stratified import cells_of, design_effects, jeffreys, share_bounds, weighted_share
from narrative_runs.findings.confusion import Proportion
from narrative_runs.findings.intervals import interval


@given(st.integers(2, 2_000).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n))))
def test_the_jeffreys_interval_is_that_of_statsmodels(proportion: tuple[int, int]) -> None:
    """Between no and all units the interval of a cell is that of an independent implementation."""
    part, n = proportion
    actual = jeffreys(np.array(part / n), np.array(float(n)))
    assert [float(bound) for bound in actual] == pytest.approx(proportion_confint(part, n, method="jeffreys"), abs=1e-9)


def test_at_the_ends_the_interval_reaches_them() -> None:
    """Where no unit is true the interval begins at 0, where all are it ends at 1; and it always has a width."""
    low, high = jeffreys(np.array([0.0, 1.0]), np.array([20.0, 20.0]))
    assert low[0] == 0 and high[1] == 1
    assert high[0] == pytest.approx(1 - low[1]) and 0.05 < high[0] < 0.25


@given(st.lists(st.integers(0, 1), min_size=2, max_size=60))
def test_all_reviewed_gives_the_truth(truths: list[int]) -> None:
    """Where every unit is reviewed, the estimate is the share of the true ones, with the interval of the metrics."""
    truth = np.array(truths, dtype=float)
    cell = np.arange(len(truth)) % 2
    actual = weighted_share(cells_of(cell, np.arange(len(truth)), truth))
    expected = interval(Proportion(truth, np.ones(len(truth))))
    assert expected is not None
    assert [float(bound) for bound in actual] == pytest.approx(list(expected.values()), abs=1e-9)


def test_strata_count_by_their_size() -> None:
    """Of a small stratum that is reviewed as often as a large one, the share counts as little as the stratum is small;
    and in large samples the width is that of the textbook's standard error."""
    rng = np.random.default_rng(2)
    cell = np.repeat([0, 1], (10_000, 90_000))
    truth = np.where(rng.random(100_000) < np.where(cell == 0, 0.7, 0.1), 1.0, 0.0)
    is_reviewed = (np.arange(100_000) < 2_000) | (np.arange(100_000) >= 98_000)
    shares = truth[:2_000].mean(), truth[98_000:].mean()
    truth[~is_reviewed] = np.nan
    actual = weighted_share(cells_of(cell, np.arange(100_000), truth))
    assert float(actual.value) == pytest.approx(0.1 * shares[0] + 0.9 * shares[1])
    variance = sum(
        weight**2 * share * (1 - share) / 2_000 * (1 - 2_000 / size)
        for weight, share, size in zip((0.1, 0.9), shares, (10_000, 90_000), strict=True)
    )
    variance += float(actual.value) * (1 - float(actual.value)) / 100_000
    assert float(actual.high - actual.low) == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.005)


def test_the_design_effect_is_that_of_cluster_robust_variances() -> None:
    """The variance of the weighted share of reviewed pairs, some of whose narratives lie in two cells, is that of a
    regression with errors by incident."""
    rng = np.random.default_rng(4)
    incident = np.repeat(np.arange(200), 2)
    truth = np.repeat((rng.random(200) < 0.4).astype(float), 2)
    truth = np.where(rng.random(400) < 0.9, truth, 1 - truth)
    cell = np.where(rng.random(400) < 0.7, truth, 1 - truth).astype(int)
    unreviewed = np.repeat([0, 1], (3_000, 1_000))
    cells = cells_of(
        np.r_[cell, unreviewed],
        np.r_[incident, 1_000 + np.arange(4_000)],
        np.r_[truth, np.full(4_000, np.nan)],
    )
    model = sm.OLS(truth, np.column_stack([cell == 0, cell == 1]).astype(float)).fit(
        cov_type="cluster", cov_kwds={"groups": incident, "use_correction": False}
    )
    between = cells.weight @ model.cov_params() @ cells.weight
    independent = (cells.weight**2 * cells.share * (1 - cells.share) / cells.whole).sum()
    assert between / independent > 1.2
    assert design_effects(cells) == pytest.approx(between / independent)


def test_pairs_that_are_alike_count_once() -> None:
    """Incidents whose two narratives agree give the interval of one narrative each, also where no unit is true."""
    for share in (0.0, 0.2):
        truth = (np.arange(300) < 300 * share).astype(float)
        truth[100:200] = np.nan
        cell = np.arange(300) % 2
        single = weighted_share(cells_of(cell, np.arange(300), truth))
        pairs = weighted_share(cells_of(np.repeat(cell, 2), np.repeat(np.arange(300), 2), np.repeat(truth, 2)))
        assert [float(bound) for bound in pairs] == pytest.approx([float(bound) for bound in single], abs=1e-3)


def test_a_cell_without_a_review_may_hold_anything() -> None:
    """Of a cell of which nothing is known, any share is allowed for: the interval holds those of both extremes."""
    cell = np.repeat([0, 1], (900, 100))
    truth = np.full(1_000, np.nan)
    truth[:300] = np.arange(300) % 10 == 0
    cells = cells_of(cell, np.arange(1_000), truth)
    actual = weighted_share(cells)
    assert float(actual.value) == pytest.approx(0.1)
    assert [float(bound[1]) for bound in share_bounds(cells)] == [0, 1]
    assert float(actual.low) <= 0.9 * 0.1 and float(actual.high) >= 0.9 * 0.1 + 0.1
