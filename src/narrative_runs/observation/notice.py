"""Notices: the variables that the user's own command (`run.notify`) gets in its environment: slug, state and counts.

Never a text, an id or words of the server: nobody can see from here where the command sends them.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from narrative_runs.asking.advice import SERVER_SAYS
from narrative_runs.errors import RecordError
from narrative_runs.observation.progress import duration
from narrative_runs.plain_text import plain
from narrative_runs.record import database
from narrative_runs.record.state import CANCELLED
from narrative_runs.signals import STOPPED_BY
from narrative_runs.started_server.process import ITS_LOG

LONGEST_MESSAGE = 1_000
A_PART = "only a part of the workflow was run, without the merge"


class Event(StrEnum):
    """What a notice is about."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"  # by Ctrl-C, `kill`, a closed terminal, or `narrative-runs cancel`
    PATTERN = "pattern"  # of errors
    ETA = "eta"  # the end is estimated to come much later than before
    BUDGET = "budget"  # most of run.budget_tokens is used


@dataclass(frozen=True)
class Notice:
    """One notice.

    message: one line, without a text, an id, or words of the server; state: the experiment's, as the record has it.
    """

    event: Event
    message: str
    state: str = "running"

    def variables(self, slug: str) -> dict[str, str]:
        """The variables that the command gets, for the experiment with this slug."""
        # Without these it fits into JSON as it is, which a line for a shell could hardly see to.
        message = " ".join(self.message.split()).replace('"', "'").replace("\\", "/")
        return {
            "NARRATIVE_RUNS_EVENT": self.event,
            "NARRATIVE_RUNS_SLUG": slug,
            "NARRATIVE_RUNS_STATE": self.state,
            "NARRATIVE_RUNS_MESSAGE": plain(message[:LONGEST_MESSAGE]),
        }


def notice_of_end(experiment_id: str, is_success: bool, reason: str) -> Notice:
    """The notice of a run that has ended, with the counts that the record has.

    is_success: whether the workflow came to its end; reason: why it did not, as the user reads it.
    """
    row: Mapping[str, Any] = {}
    with suppress(RecordError):
        row = database.experiment(experiment_id) or {}
    state = row.get("status")
    if is_success and state == "completed":
        return Notice(Event.COMPLETED, _of_completed(row), state)
    if is_success:
        reason = A_PART
    is_stopped = is_success or state == "cancelled" or reason.startswith((STOPPED_BY, CANCELLED))
    # Its coordinator may have been killed before it could write that it failed.
    state = "cancelled" if state == "cancelled" else "failed"
    event = Event.STOPPED if is_stopped else Event.FAILED
    return Notice(event, f"{_without_words_of_others(reason)}.{_counts(row)}", state)


def _without_words_of_others(reason: str) -> str:
    """A reason as a sentence without its end; the server's own words in it are for the terminal alone."""
    for mark in (SERVER_SAYS, ITS_LOG, "\n"):
        reason = reason.partition(mark)[0]
    return f"{reason[:1].upper()}{reason[1:]}".rstrip(".: ")


def _of_completed(row: Mapping[str, Any]) -> str:
    done, answered = row["n_narratives_processed"] or 0, row["n_narratives_completed"] or 0
    took = f", {duration(row['total_runtime_sec'])} of asking" if row["total_runtime_sec"] else ""
    return f"{done:,} narratives, {done - answered:,} errors{took}."


def _counts(row: Mapping[str, Any]) -> str:
    total, done = row.get("n_narratives_total"), row.get("n_narratives_processed") or 0
    return f" {done:,} of {total:,} done, {total - done:,} to go." if total else ""
