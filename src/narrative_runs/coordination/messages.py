"""What the jobs of a run and its coordinator say to each other: JSON messages over one WebSocket, each with a kind.

job to coordinator:   `source_ready` (the workbook can be used), `written` (it is read into its files), `wait` (until
                      all narratives of this job's shard are answered), `show` (text), `fatal` (reason: the run cannot
                      go on), `failed_job` (reason: this job cannot, another may), `bye`
coordinator to job:   `context` (first), `begun` (to source_ready: the experiment is in the record), `answered` (to
                      wait), `stop` (reason: nothing more is asked)

A job on another host asks for its shard itself, one narrative (a key) at a time:

job to coordinator:   `acquire` (key), `report_answered` (key, with the answer's characters, tokens and model),
                      `report_failed`, `report_evidence`, `release` (key)
                      `results_written` (the shard's file is there)
                      `session_left` (to `session`: no journal of an earlier one is written any more)
coordinator to job:   `session` (values: number and beginning of the one that begins now, as a snapshot ended the last)
                      `granted` (key; text: the step; at which server; which model answers in this experiment, and which
                      parts of a request the servers do not take), `accepted` (key; text: the model, which may go on)

Other terminals ask `GET /status`, `POST /cancel` and `POST /snapshot` at the same address.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

Kind = Literal[
    "source_ready",
    "written",
    "wait",
    "show",
    "fatal",
    "failed_job",
    "bye",
    "context",
    "begun",
    "answered",
    "stop",
    "acquire",
    "report_answered",
    "report_failed",
    "report_evidence",
    "release",
    "results_written",
    "session_left",
    "session",
    "granted",
    "accepted",
]


@dataclass(frozen=True)
class Message:
    """One message; text: a line, a reason, a name; key: the narrative that it is about, by the number of its shard and
    its own; values: what else belongs to this kind, as JSON takes it."""

    kind: Kind
    text: str = ""
    key: tuple[int, int] | None = None
    values: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        return asdict(self)

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> "Message":
        """What `as_dict` gave."""
        given = {each.name: values[each.name] for each in fields(cls)}
        key = given["key"]
        return cls(**{**given, "key": None if key is None else (int(key[0]), int(key[1]))})
