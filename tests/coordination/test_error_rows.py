from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.run_contexts import context_of
from tests.small_experiment import FOLDER, entry_of, error_of, keep, narratives_of, params_of, write_narratives

from narrative_runs import journal
from narrative_runs.asking.ask import Open
from narrative_runs.asking.request import Question
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.coordination.error_rows import narratives_with_errors
from narrative_runs.params import Params
from narrative_runs.record import database, state
from narrative_runs.results import result_of

PARAMS = params_of()
NARRATIVES = narratives_of(8)
CATEGORIES = {1: "timeout", 2: "api_error", 4: "timeout", 7: "data_error"}
RETRY_NUMBER = 3


@pytest.fixture(autouse=True)
def _a_record_with_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight narratives were asked, and four of them are error rows."""
    monkeypatch.chdir(tmp_path)
    write_narratives(NARRATIVES, 2)
    state.begin("0b6d", "2026-01-01 12:00:00", FOLDER, PARAMS)
    record({number: {} for number in range(1, 9)})


def record(changed: dict[int, dict[str, Any]]) -> None:
    """Put the results of these narratives into the record; changed: by row, what differs from a first pass."""
    rows = []
    for number, values in changed.items():
        narrative = NARRATIVES[number - 1]
        category = CATEGORIES.get(number)
        entry = entry_of(narrative, PARAMS) if category is None else error_of(narrative, PARAMS, category)
        rows.append(replace(result_of(narrative, entry, DEFAULT), **values))
    with database.transaction() as connection:
        database.put_results(connection, "0b6d", rows)


def asked_again(params: Params = PARAMS, categories: tuple[str, ...] = ()) -> list[Open]:
    """What a retry of these categories asks for."""
    context = context_of(params, retry_errors=True, retry_categories=categories)
    return narratives_with_errors(context, Question(params), RETRY_NUMBER)


def rows_of(found: list[Open]) -> list[int]:
    """Which narratives these are, by their rows."""
    return [still_open.narrative.row_num for still_open in found]


def test_exactly_the_error_rows_are_asked_again() -> None:
    """Every narrative whose row in the record is an error is asked, in workbook order, and no other; each is what was
    asked before, under a key of the retry's own."""
    found = asked_again()
    assert rows_of(found) == [1, 2, 4, 7]
    assert [still_open.key for still_open in found] == [(RETRY_NUMBER, place) for place in (1, 2, 3, 4)]
    for still_open in found:
        narrative = NARRATIVES[still_open.narrative.row_num - 1]
        assert (still_open.narrative, still_open.fingerprint) == (narrative, Question(PARAMS).fingerprint(narrative))


@pytest.mark.parametrize(
    ("categories", "rows"), [(("timeout",), [1, 4]), (("api_error", "data_error"), [2, 7]), (("unknown",), [])]
)
def test_of_the_categories_that_are_named(categories: tuple[str, ...], rows: list[int]) -> None:
    """Where categories are named, errors of the others are left as they are."""
    assert rows_of(asked_again(categories=categories)) == rows


def test_an_error_without_a_category_is_unknown() -> None:
    """Error rows of earlier systems that name no category are those of the category `unknown`."""
    record({2: {"error_category": None}})
    assert rows_of(asked_again(categories=("unknown",))) == [2]
    assert rows_of(asked_again(categories=("api_error",))) == []


def test_passes_are_numbered_from_the_record() -> None:
    """A pass is one higher than the record's, of which the first error stays the first."""
    record({1: {"attempt_count": 3, "first_error_message": "HTTP 500"}})
    found = {still_open.narrative.row_num: still_open for still_open in asked_again()}
    assert (found[1].attempt, found[1].first_error) == (4, "HTTP 500")
    assert (found[2].attempt, found[2].first_error) == (2, "a api_error")


def test_a_retry_that_was_killed_goes_on_where_it_was() -> None:
    """What the retry's journals hold of the very pass is not asked again, whether answered or failed; a pass of before
    does not count."""
    context = context_of(PARAMS, session=2)
    record({4: {"attempt_count": 2}})
    keep(
        context,
        journal.RETRY,
        [
            entry_of(NARRATIVES[0], PARAMS, attempt=2),
            error_of(NARRATIVES[1], PARAMS, attempt=2),
            error_of(NARRATIVES[3], PARAMS, attempt=2),
        ],
    )
    assert rows_of(asked_again()) == [4, 7]


def test_beyond_the_limit_nothing_is_asked() -> None:
    """With run.max_narratives, error rows of narratives behind the limit are left as they are."""
    assert rows_of(asked_again(params_of(max_narratives=3))) == [1, 2]


def test_of_an_experiment_that_the_record_does_not_know_nothing_is_asked() -> None:
    """Error rows of another experiment, with the same narratives, are none of this one."""
    context = context_of(PARAMS, experiment_id="another")
    assert narratives_with_errors(context, Question(PARAMS), RETRY_NUMBER) == []
