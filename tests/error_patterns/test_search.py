from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count
from random import Random
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrative_runs.error_patterns.outcomes import ErrorKind, Outcomes
from narrative_runs.error_patterns.search import Pattern, search

NARRATIVES, SHARDS = 2_000, 16
BEGIN = datetime(2026, 3, 1, 8)
TOO_LONG = ErrorKind("data_error", "HTTP 400: too long")
FAULT = ErrorKind("api_error", "HTTP 500")
SEXES = ["F" if number % 10 < 3 else "M" for number in range(NARRATIVES)]


def characters(narrative: int) -> int:
    """The length of a narrative's text: each is another one, in no order."""
    return 37 + narrative * 3_331 % 8_003


def outcomes_of(
    errors: dict[int, ErrorKind], order: Iterable[int] = (), hours: float = 20.0, narratives: int = NARRATIVES
) -> Outcomes:
    """The table of a run with these errors, asked shard after shard at four servers; order: of the rows."""
    asked = [row for shard in range(SHARDS) for row in range(shard, narratives, SHARDS)]
    outcomes = Outcomes({"Sex": (SEXES * (narratives // NARRATIVES + 1))[:narratives]})
    for at in order or range(narratives):
        row = asked[at]
        outcomes.put(
            row + 1,
            characters(row + 1),
            f"{row % SHARDS + 1:02}-of-{SHARDS}",
            f"http://s{at % 4}",
            "node1" if at % 3 else "node2",
            (BEGIN + timedelta(hours=hours * at / narratives)).strftime("%Y-%m-%d %H:%M:%S"),
            errors.get(row + 1),
        )
    return outcomes


def spread(error: ErrorKind, narratives: Iterable[int], most: int, seed: int = 1) -> dict[int, ErrorKind]:
    """So many errors among these narratives."""
    return dict.fromkeys(Random(seed).sample(list(narratives), most), error)


def told(patterns: list[Pattern]) -> list[tuple[str, str, int, int]]:
    """What is told of each pattern."""
    return [(each.dimension, each.value, each.n_errors, each.n_errors_of) for each in patterns]


LONG = [number for number in range(1, NARRATIVES + 1) if characters(number) > 7_900]


def test_long_texts_are_told_with_a_round_length() -> None:
    """Errors of the longest texts, among some at random, are told once, by a round length that is true."""
    errors = {**spread(FAULT, [1, 40, 700], 3), **dict.fromkeys(LONG, TOO_LONG)}
    (pattern,) = search(outcomes_of(errors))
    assert (pattern.dimension, pattern.value) == ("length", "more than 7,900 characters")
    assert (pattern.n_errors, pattern.n_errors_of, pattern.n_narratives) == (len(LONG), len(LONG) + 3, len(LONG))
    assert pattern.error == TOO_LONG


def test_a_shard_and_its_time_are_one_pattern() -> None:
    """The errors of a shard are those of an hour, too, as shards are asked one after the other: they are one pattern,
    and the shard stands first."""
    (pattern,) = search(outcomes_of(spread(FAULT, range(5, NARRATIVES, SHARDS), 90)))
    assert (pattern.dimension, pattern.value) == ("shard", "05-of-16")
    assert [other.dimension for other in pattern.also] in ([], ["time"])


def test_two_faults_are_two_patterns() -> None:
    """Long texts and a block of the workbook are told both, and what one explains is not told of the other."""
    block = range(1_001, 1_041)
    errors = {**dict.fromkeys(LONG, TOO_LONG), **spread(FAULT, set(block) - set(LONG), 30)}
    patterns = search(outcomes_of(errors))
    assert {each.dimension for each in patterns} == {"length", "position"}
    position = next(each for each in patterns if each.dimension == "position")
    assert 1_001 <= position.low <= position.high <= 1_040 and position.n_errors == 30


def test_a_fault_is_found_among_many_other_errors() -> None:
    """Errors that say the same are searched by themselves: twenty of one host stand out among two hundred others."""
    random = Random(1)
    others = {
        number: ErrorKind("parse_error", f"no value for {random.choice('abcdefgh')}")
        for number in random.sample(range(1, NARRATIVES + 1), 200)
    }
    outcomes = outcomes_of(others)
    table = outcomes.table()
    of_node2 = [
        number
        for number, host in zip(table.narratives, table.columns["host"], strict=True)
        if outcomes.name_of("host", host) == "node2" and number not in others
    ]
    patterns = search(outcomes_of({**others, **spread(FAULT, of_node2, 20)}))
    assert ("host", "node2", 20, len(others) + 20) in told(patterns)


def test_the_hour_of_the_day_is_told_of_a_long_run() -> None:
    """Over a week, errors between three and four at night are told as those of an hour, and not as seven nights."""
    outcomes = outcomes_of({}, hours=24 * 7)
    table = outcomes.table()
    night = [
        number
        for number, second in zip(table.narratives, table.seconds, strict=True)
        if second // 3_600 % 24 == 3 and number % 5 < 4
    ]
    (pattern,) = search(outcomes_of(dict.fromkeys(night, FAULT), hours=24 * 7))
    assert (pattern.dimension, pattern.value) == ("hour of the day", "03:00 and 04:00")


def test_one_message_of_all_errors_is_told() -> None:
    """Where errors have nothing in common but what they say, that is told."""
    same = spread(ErrorKind("timeout", "no answer within 300 s"), range(1, NARRATIVES + 1), 30)
    assert told(search(outcomes_of(same))) == [("message", "no answer within # s", 30, 30)]


@pytest.mark.parametrize("kinds", [2, 3, 4, 8])
def test_few_messages_at_random_are_no_pattern(kinds: int) -> None:
    """Two, three or more messages that are equally frequent are none that stands out."""
    random, numbers = Random(kinds), count()
    errors = {
        number: ErrorKind("api_error", f"fault {'abcdefgh'[next(numbers) % kinds]}")
        for number in random.sample(range(1, NARRATIVES + 1), 80)
    }
    assert search(outcomes_of(errors)) == []


def test_few_errors_are_no_pattern() -> None:
    """Nine errors are too few to tell anything of them, wherever they are."""
    assert search(outcomes_of(dict.fromkeys(LONG[:9], TOO_LONG))) == []
    assert search(outcomes_of({})) == []
    assert search(Outcomes()) == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0), st.integers(10, 60))
@pytest.mark.slow
def test_the_order_of_the_answers_does_not_matter(seed: int, errors: int) -> None:
    """The report, which reads the results in another order than the run saw them, tells the same."""
    made = {**spread(FAULT, range(1, 200), errors, seed=errors), **spread(TOO_LONG, LONG, 10)}
    order = list(range(NARRATIVES))
    Random(seed).shuffle(order)
    assert told(search(outcomes_of(made))) == told(search(outcomes_of(made, order)))


@pytest.mark.slow
def test_a_look_takes_no_time_that_matters() -> None:
    """Forty thousand narratives with four hundred errors are searched in well under two seconds, also on a busy
    machine."""
    outcomes = outcomes_of(spread(FAULT, range(1, 40_001), 400), narratives=40_000)
    began = perf_counter()
    search(outcomes)
    assert perf_counter() - began < 2.0
