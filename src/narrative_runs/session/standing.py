"""How a running session stands at one moment, as its own terminal and others show it."""

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Standing:
    """One moment of a run.

    n_narratives_total: None until the workbook is read; rates: narratives a second, over the last five minutes and over
    the session; seconds_left, estimated_completion_time: until the last narrative has a result, and the local time of
    that; elapsed_sec: of this session; errors: error rows by category; tokens and
    cost: over all sessions; cost_estimate: of the whole experiment; jobs: at work, such as `03-of-16` or `record`;
    waiting: why nothing is asked for now, and waiting_sec for how long; stopping: why the run ends.
    Empty or None: not so, or not known.
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

    def as_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, line: str) -> "Standing":
        """What `as_json` wrote."""
        return cls(**json.loads(line))
