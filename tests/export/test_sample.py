from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrative_runs.errors import FindingsError
from narrative_runs.export.sample import STRATA, allocate, sample, stratum_of
from narrative_runs.findings.tables import finish
from tests.result_tables import table_at_random, table_of

sizes = st.dictionaries(st.sampled_from(STRATA), st.integers(1, 500), min_size=1)
KEY = ["incident_id", "narrative_type"]
KINDS: list[dict[str, Any]] = [
    {"detected": True, "manual_flag_ind": 1},
    {"detected": True, "manual_flag_ind": 0},
    {"detected": False, "manual_flag_ind": 1},
    {"detected": False, "manual_flag_ind": 0},
    {"detected": True},
    {"detected": False},
]
ERRORS: list[dict[str, Any]] = [{"detected": None, "manual_flag_ind": 1}, {"detected": None}]


def test_each_answer_is_in_the_stratum_of_its_verdict_or_detection() -> None:
    """Labelled answers go by their verdict, others by their detection, and errors into no stratum."""
    assert list(stratum_of(finish(table_of(*KINDS, *ERRORS))).astype(object).fillna("")) == [*STRATA, "", ""]


@given(sizes, st.integers(0, 3_000))
def test_all_that_is_asked_for_is_drawn_in_equal_shares(sizes: dict[str, int], count: int) -> None:
    """As many rows are drawn as asked for or as there are; only a stratum that is used up gives fewer than its share,
    and no two others differ by more than one."""
    drawn = allocate(sizes, count)
    assert sum(drawn.values()) == min(count, sum(sizes.values()))
    assert all(drawn[name] <= size for name, size in sizes.items())
    assert all(drawn[name] >= min(size, count // len(sizes)) for name, size in sizes.items())
    not_used_up = [drawn[name] for name, size in sizes.items() if drawn[name] < size]
    assert not not_used_up or max(drawn.values()) - min(not_used_up) <= 1


@given(sizes, st.integers(0, 1_000), st.integers(0, 1_000))
def test_a_larger_sample_takes_from_no_stratum_less(sizes: dict[str, int], count: int, more: int) -> None:
    """Whoever asks for more gets at least as many of each."""
    few, many = allocate(sizes, count), allocate(sizes, count + more)
    assert all(few[name] <= many[name] for name in sizes)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(0, 2**31), st.integers(6, 120))
def test_the_same_seed_draws_the_same_rows_in_any_order(table_seed: int, seed: int, count: int) -> None:
    """The rows of a sample, and their order, depend on the seed and not on how the results are sorted."""
    results = finish(table_at_random(60, table_seed))
    shuffled = results.sample(frac=1, random_state=table_seed)
    pd.testing.assert_frame_equal(sample(shuffled, count, seed), sample(results, count, seed))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(6, 60), st.integers(0, 60))
def test_weights_give_back_the_whole(table_seed: int, count: int, more: int) -> None:
    """The weights of a stratum add up to its size, those of the sample to all answers; a larger sample of the same seed
    holds the smaller one."""
    results = finish(table_at_random(60, table_seed))
    drawn = sample(results, count, seed=1)
    assert not drawn.duplicated(KEY).any() and not drawn["error_occurred"].any()
    population = stratum_of(results).value_counts()
    weights = drawn.groupby("stratum")["sampling_weight"].sum()
    assert weights.to_dict() == pytest.approx(population.to_dict())
    assert drawn["stratum_size"].tolist() == drawn["stratum"].map(population).tolist()
    larger = sample(results, count + more, seed=1)
    assert set(drawn["row_num"]) <= set(larger["row_num"])


def test_weighted_rates_are_right_on_average() -> None:
    """Over many seeds the weighted share of positives in the sample is that among all answers."""
    results = finish(table_at_random(150, seed=4))
    labelled = results[results["is_true_positive"].notna()]
    estimates = []
    for seed in range(300):
        drawn = sample(labelled, 24, seed)
        confident = drawn["confidence"] > 0.8
        estimates.append((confident * drawn["sampling_weight"]).sum() / drawn["sampling_weight"].sum())
    truth = (labelled["confidence"] > 0.8).mean()
    spread = pd.Series(estimates).std() / 300**0.5
    assert abs(pd.Series(estimates).mean() - truth) < 4 * spread


def test_another_seed_draws_other_rows() -> None:
    """Two seeds do not give the same sample of many."""
    results = finish(table_at_random(60, seed=1))
    assert set(sample(results, 20, seed=1)["row_num"]) != set(sample(results, 20, seed=2)["row_num"])


def test_rows_are_not_in_the_order_of_their_strata() -> None:
    """Where a narrative stands in the sample does not tell how it was answered."""
    drawn = sample(finish(table_of(*(KINDS[number % 2] for number in range(100)))), 60, seed=1)
    assert 10 < (drawn["stratum"] != drawn["stratum"].shift()).sum() < 50


def test_more_than_there_are_takes_all() -> None:
    """A sample larger than the answers is all of them, each of weight 1."""
    drawn = sample(finish(table_of(*KINDS, *ERRORS)), 100, seed=1)
    assert sorted(drawn["row_num"]) == [1, 2, 3, 4, 5, 6]
    assert set(drawn["sampling_weight"]) == {1}


def test_a_sample_without_a_row_of_each_stratum_is_refused() -> None:
    """Rates could not be weighted back; the message says how many to ask for."""
    with pytest.raises(FindingsError, match=r"--review 3: .* 4 strata .*true negative.*Ask for 4 or more"):
        sample(finish(table_of(*KINDS[:4])), 3, seed=1)


def test_where_all_are_errors_there_is_nothing_to_review() -> None:
    """Results without an answer give no sample but a message."""
    with pytest.raises(FindingsError, match="no answer to review"):
        sample(finish(table_of(*ERRORS)), 10, seed=1)
