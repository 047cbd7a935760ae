from dataclasses import replace
from itertools import count

from narrative_runs.observation.recent_errors import RecentErrors
from narrative_runs.results import Result

GOOD = Result(
    row_num=1,
    incident_id="1",
    narrative_type="cme",
    narrative_text="text",
    manual_flag_ind=None,
    manual_flag=None,
    detected=True,
    confidence=0.9,
    indicators="[]",
    rationale=None,
    reasoning_steps=None,
    raw_response="{}",
    response_sec=1.0,
    processed_at="2026-01-01 00:00:00",
    error_occurred=False,
    error_message=None,
    prompt_tokens=1,
    completion_tokens=1,
    tokens_used=2,
    attempt_count=1,
    first_error_message=None,
    last_attempt_at="2026-01-01 00:00:00",
    error_category=None,
    p_detected=None,
    model_answered=None,
    fingerprint="f",
    source_row=2,
)
NUMBERS = count()


def bad(message: str | None = None) -> Result:
    """An error, with a message of its own unless it is given one."""
    return replace(GOOD, error_occurred=True, error_message=message or f"error {next(NUMBERS)}")


def told(watch: RecentErrors, *results: Result) -> list[str]:
    """All that the watch says of these results."""
    return [warning for result in results for warning in watch.see(result)]


def test_a_healthy_run_is_silent() -> None:
    """A few different errors among many good results are nothing to speak of."""
    assert told(RecentErrors(), *(result for _ in range(30) for result in [*[GOOD] * 9, bad()])) == []


def test_a_high_share_is_said_as_it_begins_and_once() -> None:
    """More than a fifth of errors among the last hundred is said once, and again only after it had ended."""
    watch = RecentErrors()
    assert told(watch, *[GOOD] * 100) == []
    first = told(watch, *(bad() for _ in range(60)))
    assert len(first) == 1 and first[0].startswith("21% of the last 100")
    assert told(watch, *[GOOD] * 100) == []
    assert len(told(watch, *(bad() for _ in range(30)))) == 1


def test_one_message_repeating_is_said_once() -> None:
    """The same message ten times among the last hundred is said, with its words."""
    watch = RecentErrors()
    warnings = told(watch, *([GOOD] * 8 + [bad("no JSON")]) * 15)
    assert len(warnings) == 1 and "no JSON" in warnings[0]
