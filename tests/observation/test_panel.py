import io

import pytest
from rich.console import Console

from narrative_runs.observation.panel import at_work, errors, panel, rate, rows
from narrative_runs.observation.run_status import RunStatus

STATUS = RunStatus(
    "An experiment with a name that is longer than a narrow terminal is wide",
    34_882,
    12_400,
    1.32,
    1.3,
    17_043.0,
    "2026-11-24 03:20:11",
    9400.0,
    {"parse_error": 14, "timeout": 2},
    11_000_000,
    1_345_678,
    12_345_678,
    12.5,
    35.16,
    16,
    16,
    ["03-of-16", "04-of-16", "05-of-16", "10-of-16"],
    "HTTP 503: a reason that is long enough to be broken in two",
    4.2,
    "stopped by SIGINT",
)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_panel_fits(width: int) -> None:
    """At any width each line of the panel begins with its name, and none is wider than the terminal."""
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True)
    console.print(panel(STATUS))
    lines = console.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    begun = [line for line in lines[2:] if not line.startswith(" ")]
    assert [line.split("  ")[0].rstrip() for line in begun] == [name for name, _ in rows(STATUS)]
    told = "".join(line[11:].strip() for line in lines[2:]).replace(" ", "")
    assert all(text.replace(" ", "") in told for _, text in rows(STATUS))


def test_what_there_is_to_know() -> None:
    """Counts, rates, end, errors, cost, slots, shards, wait and stop are told in words."""
    assert dict(rows(STATUS)) == {
        "done": "12,400 of 34,882 (35.5%)",
        "rate": "1.32/sec, 1.30/sec over this session",
        "ETA": "2026-11-24 03:20:11, in 4h 44m",
        "elapsed": "2h 36m",
        "errors": "14 parse_error, 2 timeout",
        "tokens": "12,345,678; cost 12.50, about 35.16 in all",
        "in flight": "16 of 16",
        "at work": "shards 3, 4, 5, 10",
        "waiting": "HTTP 503: a reason that is long enough to be broken in two; the next try is in 4 s",
        "stopping": "stopped by SIGINT",
    }


def test_of_a_run_that_has_ended_only_what_stays() -> None:
    """Without a session there is no rate, no end and no slot."""
    assert [name for name, _ in rows(RunStatus("Cases", 10, 4), is_live=False)] == ["done", "errors", "tokens"]


def test_before_anything_is_known() -> None:
    """A run that has just begun promises nothing."""
    told = dict(rows(RunStatus("Cases", None, 0)))
    assert (told["done"], told["ETA"], told["errors"]) == ("0", "calculating...", "none")


def test_after_the_last_answer() -> None:
    """While the merge is made, no time slides along as an end."""
    status = RunStatus("Cases", 10, 10, seconds_left=0.0, estimated_completion_time="2026-11-24 03:20:11")
    assert dict(rows(status))["ETA"] == "all answered"


def test_slow_rates_keep_their_digits() -> None:
    """A narrative every few minutes is no rate of zero."""
    assert rate(0.0042) == "0.0042/sec"


def test_errors_that_were_asked_again_with_success_are_not_told() -> None:
    """A category of which no error is left is left out."""
    assert errors({"timeout": 0, "parse_error": 3}) == "3 parse_error"


def test_what_the_other_jobs_do() -> None:
    """Jobs that ask nothing are told in words, after the shards."""
    assert at_work(["16-of-16", "record"]) == "shard 16; merging all shards"


def test_a_status_survives_the_socket() -> None:
    """What one process writes of a status another reads as the same."""
    assert RunStatus.of_json(STATUS.as_json()) == STATUS
