"""The status of a running session at one moment, as its own terminal and others show it."""

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class ServerStatus:
    """One of several model servers, at one moment of a run.

    in_flight, slots: requests that it has, and that it gets at most; answers, failures: requests about narratives that
    it answered, and that failed there, in this session; problem: what is wrong with it, empty while it is well;
    waiting_sec: until it is tried again; is_left_out: whether it is not, until the next start.
    """

    address: str
    in_flight: int
    slots: int
    answers: int
    failures: int
    problem: str = ""
    waiting_sec: float = 0.0
    is_left_out: bool = False


@dataclass(frozen=True)
class RunStatus:
    """One moment of a run.

    n_narratives_total: None until the workbook is read; rates: narratives a second, over the last five minutes and over
    the session; seconds_left, estimated_completion_time: until the last narrative has a result, and the local time of
    that; elapsed_sec: of this session; errors: error rows by category; tokens and cost: over all sessions;
    cost_estimate: of the whole experiment; jobs: at work, such as `03-of-16` or `record`; waiting: why nothing is asked
    for now, and waiting_sec for how long; stopping: why the run ends; servers: the status of each of several model
    servers, none where there is one; error_patterns: what the errors have in common, a sentence each. Empty or None:
    not so, or not known.
    """

    experiment_name: str
    n_narratives_total: int | None
    n_narratives_processed: int
    rate_recent: float | None = None
    rate_session: float | None = None
    seconds_left: float | None = None
    estimated_completion_time: str | None = None
    elapsed_sec: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_used: int = 0
    cost: float | None = None
    cost_estimate: float | None = None
    in_flight: int = 0
    slots: int = 0
    jobs: list[str] = field(default_factory=list)
    waiting: str = ""
    waiting_sec: float = 0.0
    stopping: str = ""
    servers: list[ServerStatus] = field(default_factory=list)
    error_patterns: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, line: str) -> "RunStatus":
        """What `as_json` wrote."""
        values = json.loads(line)
        return cls(**{**values, "servers": [ServerStatus(**server) for server in values.get("servers", [])]})
