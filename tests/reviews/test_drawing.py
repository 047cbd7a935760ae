import datetime
import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.errors import FindingsError
from narrative_runs.reviews.drawing import allocate, dealt, drawn, letters

SIZES = st.dictionaries(st.sampled_from(["right", "wrong", "error", "unasked"]), st.integers(1, 30), min_size=1)


def strata_of(sizes: dict[str, int]) -> dict[str, list[str]]:
    """So many incidents of each stratum."""
    return {name: [f"{name}-{number}" for number in range(size)] for name, size in sizes.items()}


@given(SIZES, st.integers(0, 150))
def test_all_that_is_asked_for_is_drawn_in_equal_shares(sizes: dict[str, int], count: int) -> None:
    """As many are drawn as asked for or as there are; only a stratum that is used up gives fewer than its share, and no
    two others differ by more than one."""
    n_drawn = allocate(sizes, count)
    assert sum(n_drawn.values()) == min(count, sum(sizes.values()))
    assert all(n_drawn[name] <= size for name, size in sizes.items())
    assert all(n_drawn[name] >= min(size, count // len(sizes)) for name, size in sizes.items())
    not_used_up = [n_drawn[name] for name, size in sizes.items() if n_drawn[name] < size]
    assert not not_used_up or max(n_drawn.values()) - min(not_used_up) <= 1


@given(SIZES, st.integers(0, 100), st.integers(0, 100))
def test_a_larger_sample_takes_from_no_stratum_less(sizes: dict[str, int], count: int, more: int) -> None:
    """Whoever asks for more gets at least as many of each."""
    few, many = allocate(sizes, count), allocate(sizes, count + more)
    assert all(few[name] <= many[name] for name in sizes)


@pytest.mark.slow
def test_weighted_rates_are_right_on_average() -> None:
    """Over many seeds the weighted share of a property in the sample is that among all incidents."""
    sizes = {"right": 200, "wrong": 12, "error": 30}
    strata = strata_of(sizes)
    has_it = {incident for ids in strata.values() for incident in ids if int(incident.split("-")[1]) % 3 == 0}
    estimates = []
    for seed in range(300):
        sample = drawn(strata, 24, seed)
        found = {name: sum(incident in has_it for incident in ids) / len(ids) for name, ids in sample.items()}
        estimates.append(sum(found[name] * sizes[name] for name in sizes) / sum(sizes.values()))
    spread = statistics.stdev(estimates) / 300**0.5
    assert abs(statistics.mean(estimates) - len(has_it) / sum(sizes.values())) < 4 * spread


def test_another_seed_draws_others() -> None:
    """Two seeds do not draw the same incidents of many."""
    strata = strata_of({"right": 50, "error": 50})
    assert drawn(strata, 20, 1) != drawn(strata, 20, 2)


def test_where_all_are_errors_errors_are_drawn() -> None:
    """A population without an answer gives a sample all the same: all of it is one stratum."""
    assert [len(ids) for ids in drawn(strata_of({"error": 9}), 4, 1).values()] == [4]


@given(SIZES, st.integers(4, 60), st.integers(0, 5))
def test_a_larger_sample_holds_the_smaller_one(sizes: dict[str, int], count: int, seed: int) -> None:
    """With the same seed a larger sample begins, in each stratum, with the smaller one; the order of the ids does not
    matter."""
    strata = strata_of(sizes)
    smaller, larger = drawn(strata, count, seed), drawn(strata, count + 7, seed)
    assert sum(map(len, smaller.values())) == min(count, sum(sizes.values()))
    assert all(larger[name][: len(ids)] == ids for name, ids in smaller.items())
    assert drawn({name: ids[::-1] for name, ids in strata.items()}, count, seed) == smaller


def test_each_stratum_needs_an_incident() -> None:
    """Fewer incidents than strata are refused with the number that it takes."""
    with pytest.raises(FindingsError, match="Ask for 2 or more"):
        drawn(strata_of({"right": 3, "error": 3}), 1, 1)


@given(SIZES, st.integers(1, 4), st.integers(0, 40), st.integers(0, 5))
def test_each_incident_is_read_by_one_or_by_all(sizes: dict[str, int], n_coders: int, overlap: int, seed: int) -> None:
    """All coders read the incidents of the overlap, one coder each of the others, and the work is shared evenly."""
    sample, coders = strata_of(sizes), [f"coder{number}" for number in range(n_coders)]
    read = dealt(sample, coders, overlap, seed)
    readers = Counter(incident for ids in read.values() for incident in ids)
    assert set(readers) == {incident for ids in sample.values() for incident in ids}
    assert all(len(set(ids)) == len(ids) for ids in read.values())
    if n_coders > 1:
        n_common = min(overlap, sum(sizes.values()))
        assert Counter(readers.values()) == Counter({1: sum(sizes.values()) - n_common, n_coders: n_common}) - Counter()
    lengths = [len(ids) for ids in read.values()]
    assert max(lengths) - min(lengths) <= 1


def test_sheets_are_in_orders_of_their_own() -> None:
    """What one coder reads first is not what another reads first, and no sheet is sorted by stratum."""
    read = dealt(strata_of({"right": 50, "error": 50}), ["ana", "ben"], 100, 1)
    assert read["ana"] != read["ben"]
    first = [incident.split("-")[0] for incident in read["ana"][:40]]
    assert 10 < first.count("error") < 30


@pytest.mark.parametrize("coder", ["", "ana"])
def test_a_large_stratum_does_not_come_first(coder: str) -> None:
    """Where a stratum gives few of many and another all that it has, both are spread over the whole sheet, that of a
    reader without a name too."""
    sample = drawn(strata_of({"right": 2_000, "error": 50}), 100, 1)
    (order,) = dealt(sample, [coder], 0, 1).values()
    n_first = sum(incident.startswith("error") for incident in order[:50])
    assert 15 < n_first < 35


def test_an_id_of_a_row_is_nothing_else() -> None:
    """No id is a number, a date or a word for yes and no, whichever spreadsheet looks at it."""
    for number in range(2_000):
        text = letters("deal", number)
        assert len(text) == 8 and text.isalpha() and not set(text) & set("aeiou")
        with pytest.raises(ValueError):
            float(text)
        with pytest.raises(ValueError):
            datetime.date.fromisoformat(text)
    assert len({letters("deal", number) for number in range(20_000)}) == 20_000
