"""Permits of a job on another host: each request is granted by the coordinator, over the job's connection."""

import asyncio
from collections.abc import Callable, Set
from dataclasses import asdict
from typing import Any

from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.asking.inquiry import Key, Step
from narrative_runs.asking.permits import Grant, Stopped
from narrative_runs.asking.trial import Evidence
from narrative_runs.coordination.messages import Message


class RemotePermits:
    """It is a `Permits`, within the event loop of the job's connection.

    slots: the most requests at once that the run makes; stopped: done, with the reason, once no request may begin;
    model_answered: the model that answers in this experiment, as the server names it, empty before the first answer.
    """

    def __init__(self, post: Callable[[Message], None], slots: int) -> None:
        """post: has a message sent to the coordinator."""
        self.slots = slots
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.model_answered = ""
        self._post = post
        self._unsupported: set[str] = set()
        self._turns: dict[Key, asyncio.Future[Grant]] = {}
        self._accepted: dict[Key, asyncio.Future[None]] = {}

    @property
    def unsupported(self) -> Set[str]:
        """Parts of a request that this server does not take."""
        return self._unsupported

    async def acquire(self, narrative: Key) -> Grant:
        """What to do next about this narrative, and at which server; waits until it may be done.

        Raises:
            Stopped: no further request may be sent.
        """
        grant: Grant = await self._asked(Message("acquire", key=narrative), self._turns)
        return grant

    async def answered(self, narrative: Key, characters: int, tokens: int, model: str) -> None:
        """It was answered.

        Raises:
            Stopped: by another model than those that this experiment may ask.
        """
        is_new = bool(model) and model != self.model_answered
        values = {"characters": characters, "tokens": tokens, "model": model, "is_new": is_new}
        message = Message("report_answered", key=narrative, values=values)
        if is_new:
            await self._asked(message, self._accepted)
        else:
            self._post(message)

    def failed(self, narrative: Key, characters: int, failure: Failure) -> None:
        """The request about it was not answered."""
        values = {"characters": characters, "failure": asdict(failure)}
        self._post(Message("report_failed", key=narrative, values=values))

    def evidence(self, narrative: Key, evidence: Evidence) -> None:
        """What evidence requests brought that were sent because of it."""
        self._post(Message("report_evidence", key=narrative, values=asdict(evidence)))

    def release(self, narrative: Key) -> None:
        """The request says nothing: this machine slept meanwhile."""
        self._post(Message("release", key=narrative))

    async def rest(self, seconds: float) -> None:
        """Wait so long, and no longer than until the run is stopped."""
        await asyncio.wait({self.stopped}, timeout=seconds)

    def stop(self, reason: str) -> None:
        """Let no further request of this job begin, and say why to the run."""
        if not self.stopped.done():
            self._post(Message("failed_job", reason))
        self._end(reason)

    def take(self, message: Message) -> None:
        """Take what the coordinator says to this job."""
        key = message.key or (0, 0)
        match message.kind:
            case "granted":
                self.model_answered = message.values["model"]
                self._unsupported.update(message.values["unsupported"])
                if (turn := self._turns.pop(key, None)) is not None and not turn.done():
                    turn.set_result(Grant(Step(message.text), message.values["server"]))
            case "accepted":
                self.model_answered = message.text
                if (accepted := self._accepted.pop(key, None)) is not None and not accepted.done():
                    accepted.set_result(None)
            case "stop":
                self._end(message.text)
            case _:
                return

    async def _asked(self, message: Message, waiting: "dict[Key, asyncio.Future[Any]]") -> Any:
        """Send a message, and wait for what the coordinator says to it."""
        if self.stopped.done():
            raise Stopped(self.stopped.result())
        assert message.key is not None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting[message.key] = answer
        self._post(message)
        return await answer

    def _end(self, reason: str) -> None:
        if not self.stopped.done():
            self.stopped.set_result(reason)
        for waiting in (self._turns, self._accepted):
            while waiting:
                _, answer = waiting.popitem()
                if not answer.done():
                    answer.set_exception(Stopped(reason))


def failure_of(values: dict[str, Any]) -> Failure:
    """The failure that a message tells."""
    return Failure(**{**values, "kind": Kind(values["kind"])})


def evidence_of(values: dict[str, Any]) -> Evidence:
    """What a message tells of evidence requests."""
    failure = values["failure"]
    return Evidence(
        **{
            **values,
            "failure": None if failure is None else failure_of(failure),
            "unsupported": tuple(values["unsupported"]),
        }
    )
