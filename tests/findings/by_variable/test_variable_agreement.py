import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from narrative_runs.findings import confusion
from narrative_runs.findings.by_variable.agreement import Sums, icc, kappa, mean_absolute_error, weighted_kappa
from narrative_runs.findings.confusion import ConfusionMatrix

Numbers = NDArray[np.float64]

PAIRS = st.integers(2, 6).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), min_size=1, max_size=60),
    )
)
# Of pingouin 0.7.0: intraclass_corr(...), type ICC(A,1), for the pairs of `pairs_of_seed`.
PINGOUIN = [
    (1, 5, 0.9322125813449024),
    (2, 12, 0.9366628468373688),
    (3, 40, 0.90815943633202),
    (4, 300, 0.9580893685593318),
]


@given(PAIRS)
def test_kappas_agree_with_scikit_learn(given_pairs: tuple[int, list[tuple[int, int]]]) -> None:
    """Kappa, plain and with quadratic weights, is that of scikit-learn; undefined where there is but one value."""
    size, pairs = given_pairs
    label, answer = np.array(pairs).T
    table = np.zeros((size, size))
    np.add.at(table, (label, answer), 1)
    own = {None: kappa(table), "quadratic": weighted_kappa(table, np.arange(size, dtype=float))}
    for weights, value in own.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = cohen_kappa_score(label, answer, labels=range(size), weights=weights)
        if len({*label, *answer}) == 1:
            assert np.isnan(value)
        else:
            assert float(value) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4))
def test_kappa_of_two_values_is_that_of_a_binary_variable(cells: list[int]) -> None:
    """Of two values both kappas are the one of a confusion matrix."""
    tp, fp, fn, tn = (float(cell) for cell in cells)
    table = np.array([[tn, fp], [fn, tp]])
    expected = float(confusion.kappa(ConfusionMatrix(tp, fp, fn, tn)))
    assert float(kappa(table)) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert float(weighted_kappa(table, np.array([0.0, 1.0]))) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_a_far_miss_counts_more_than_a_near_one() -> None:
    """With quadratic weights a miss by two ranks costs four times one by one rank, whatever values lie between."""
    near, far = np.diag([5.0, 5.0, 5.0]), np.diag([5.0, 5.0, 5.0])
    near[0, 1] = far[0, 2] = 1
    ranks = np.arange(3.0)
    assert 1 > weighted_kappa(near, ranks) > weighted_kappa(far, ranks)
    assert float(kappa(near)) == pytest.approx(float(kappa(far)), abs=0.01)


@pytest.mark.parametrize(("seed", "n", "expected"), PINGOUIN)
def test_icc_agrees_with_pingouin(seed: int, n: int, expected: float) -> None:
    """ICC(A,1) is that of an independent implementation, and of the mean squares of the textbook."""
    label, answer = pairs_of_seed(seed, n)
    assert float(icc(sums_of(label, answer))) == pytest.approx(expected, abs=1e-9)
    assert icc_by_mean_squares(label, answer) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 1_000), st.integers(3, 80), st.sampled_from([0.0, 1e6, -273.15]))
@example(seed=111, n=3, shift=0.0)  # all six numbers are one, and both ways it is undefined
def test_icc_agrees_with_the_analysis_of_variance(seed: int, n: int, shift: float) -> None:
    """From sums it is what the mean squares of a two-way analysis give, wherever the numbers lie."""
    label, answer = pairs_of_seed(seed, n)
    middle = float(np.median(label + shift))
    own = float(icc(sums_of(label + shift - middle, answer + shift - middle)))
    assert own == pytest.approx(icc_by_mean_squares(label, answer), abs=1e-9, nan_ok=True)


def test_icc_of_extremes() -> None:
    """All alike and different from each other is 1; a constant shift takes from it; one number alone has none."""
    label = np.array([1.0, 2.0, 3.0, 4.0])
    assert float(icc(sums_of(label, label))) == 1
    assert 0 < float(icc(sums_of(label, label + 1))) < 1
    assert float(icc(sums_of(label, -label))) < 0
    for numbers in (np.array([]), np.array([3.0]), np.array([0.1] * 7)):
        assert np.isnan(icc(sums_of(numbers, numbers)))


def test_the_mean_error_is_that_of_the_distances() -> None:
    """Errors to either side count alike; without a pair there is none."""
    assert float(mean_absolute_error(sums_of(np.array([1.0, 2.0]), np.array([3.0, 1.0])))) == 1.5
    assert np.isnan(mean_absolute_error(sums_of(np.array([]), np.array([]))))


def pairs_of_seed(seed: int, n: int) -> tuple[Numbers, Numbers]:
    """Labels and answers, of which a third are off; from a generator whose numbers never change."""
    random = np.random.RandomState(seed)
    label = random.randint(0, 90, n)
    answer = label + random.randint(-20, 25, n) * (random.randint(0, 3, n) == 0)
    return label.astype(float), answer.astype(float)


def sums_of(label: Numbers, answer: Numbers) -> Sums:
    """The sums over these pairs."""
    both, apart = label + answer, answer - label
    columns = (np.ones(len(label)), both, both**2, apart, apart**2, np.abs(apart))
    return Sums(*(np.asarray(column.sum()) for column in columns))


def icc_by_mean_squares(label: Numbers, answer: Numbers) -> float:
    """ICC(A,1) by the mean squares of rows, columns and error, as McGraw and Wong write it."""
    pairs = np.column_stack([label, answer])
    n, k = pairs.shape
    mean, of_rows, of_columns = pairs.mean(), pairs.mean(axis=1), pairs.mean(axis=0)
    rows = k * ((of_rows - mean) ** 2).sum() / (n - 1)
    columns = n * ((of_columns - mean) ** 2).sum() / (k - 1)
    error = ((pairs - of_rows[:, None] - of_columns[None, :] + mean) ** 2).sum() / ((n - 1) * (k - 1))
    with np.errstate(invalid="ignore"):
        return float((rows - error) / (rows + (k - 1) * error + k * (columns - error) / n))
