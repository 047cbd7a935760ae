"""Permission to ask: what the asking needs to know of whoever grants it."""

from collections.abc import Set
from typing import NamedTuple, Protocol

from narrative_runs.asking.failures import Failure
from narrative_runs.asking.inquiry import Key, Step
from narrative_runs.asking.trial import Evidence


class Stopped(Exception):
    """No further request may be sent; the message says why."""


class Grant(NamedTuple):
    """What to do next about a narrative, and at which of the servers, by its position among them."""

    step: Step
    server: int = 0


class Permits(Protocol):
    """Grants requests one by one, and learns what came of each.

    Every step that `acquire` grants and that sends a request is followed by exactly one of `answered`, `failed`,
    `evidence` and `release` for the same narrative.
    """

    @property
    def unsupported(self) -> Set[str]:
        """Parts of a request that the servers do not take: `schema`, `logprobs`."""
        ...

    async def acquire(self, narrative: Key) -> Grant:
        """What to do next about this narrative, and at which server; waits until it may be done.

        Raises:
            Stopped: no further request may be sent.
        """
        ...

    async def answered(self, narrative: Key, characters: int, tokens: int, model: str) -> None:
        """It was answered; characters: its length; tokens: what the answer used; model: who answered, if it says so.

        Raises:
            Stopped: by another model than those that this experiment may ask.
        """
        ...

    def failed(self, narrative: Key, characters: int, failure: Failure) -> None:
        """The request about it was not answered; characters: its length."""
        ...

    def evidence(self, narrative: Key, evidence: Evidence) -> None:
        """The outcome of evidence requests that were sent because of it."""
        ...

    def release(self, narrative: Key) -> None:
        """The request says nothing: this machine slept meanwhile."""
        ...

    async def rest(self, seconds: float) -> None:
        """Wait this long before the next request about one narrative, but not after the run is stopped."""
        ...
