from dataclasses import replace
from pathlib import Path

import pytest
from tests.run_contexts import context_of
from tests.small_experiment import (
    FOLDER,
    entry_of,
    error_of,
    keep,
    keep_answers,
    narratives_of,
    params_of,
    write_narratives,
)

from narrative_runs import results_file
from narrative_runs.jobs.retry_errors import write_retries
from narrative_runs.journal import RETRY
from narrative_runs.results import Result

PARAMS = params_of()
CONTEXT = context_of(PARAMS)
NARRATIVES = narratives_of(9)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_narratives(NARRATIVES, 2)
    keep_answers(CONTEXT, NARRATIVES)


def written() -> list[Result]:
    """What the job wrote."""
    return list(results_file.read(FOLDER.retries))


def test_without_a_retry_the_file_is_empty() -> None:
    """Where nothing was asked again the file is there, with all of its columns and no row."""
    assert write_retries(FOLDER, PARAMS) == 0
    assert written() == []


def test_the_last_pass_counts() -> None:
    """Each narrative that was asked again has one row, of its last pass, answered or failed, in workbook order."""
    first, second, third = NARRATIVES[6], NARRATIVES[1], NARRATIVES[2]
    keep(
        replace(CONTEXT, session=2),
        RETRY,
        [error_of(narrative, PARAMS, "api_error", attempt=2) for narrative in (first, second, third)],
    )
    keep(
        replace(CONTEXT, session=3),
        RETRY,
        [
            entry_of(first, PARAMS, attempt=3, first_error_message="a timeout"),
            error_of(second, PARAMS, "rate_limit", attempt=3),
        ],
    )
    assert write_retries(FOLDER, PARAMS) == 3
    assert [(row.row_num, row.attempt_count, row.error_category) for row in written()] == [
        (2, 3, "rate_limit"),
        (3, 2, "api_error"),
        (7, 3, None),
    ]
    assert written()[2].first_error_message == "a timeout" and written()[2].detected is not None


def test_a_later_session_does_not_bring_an_earlier_pass_back() -> None:
    """Of several passes the one with the highest number counts, in whichever session it stands."""
    narrative = NARRATIVES[0]
    keep(replace(CONTEXT, session=2), RETRY, [entry_of(narrative, PARAMS, attempt=10)])
    keep(replace(CONTEXT, session=3), RETRY, [error_of(narrative, PARAMS, attempt=9)])
    write_retries(FOLDER, PARAMS)
    assert [(row.attempt_count, row.error_occurred) for row in written()] == [(10, False)]


def test_retries_beyond_the_limit_or_of_another_question_are_left_out() -> None:
    """A retry of a narrative behind run.max_narratives, or asked with other params, has no row."""
    other = params_of(model={"temperature": 1.0})
    keep(
        replace(CONTEXT, session=2),
        RETRY,
        [
            entry_of(NARRATIVES[0], other, attempt=2),
            entry_of(NARRATIVES[3], PARAMS, attempt=2),
            entry_of(NARRATIVES[8], PARAMS, attempt=2),
        ],
    )
    write_retries(FOLDER, params_of(max_narratives=8))
    assert [row.row_num for row in written()] == [4]


def test_safe_to_repeat() -> None:
    """Made again from the same journals, the file is the same to the byte."""
    keep(replace(CONTEXT, session=2), RETRY, [entry_of(NARRATIVES[3], PARAMS, attempt=2)])
    write_retries(FOLDER, PARAMS)
    first = FOLDER.retries.read_bytes()
    write_retries(FOLDER, PARAMS)
    assert FOLDER.retries.read_bytes() == first
