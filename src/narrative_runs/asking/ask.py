"""Asking for one narrative, step by step, until there is an answer or its failure is settled as its own."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from narrative_runs.asking import reply
from narrative_runs.asking.client import Client
from narrative_runs.asking.failures import REJECTED, TOO_LONG, Failure, Kind, RequestFailed
from narrative_runs.asking.inquiry import Key, Step
from narrative_runs.asking.permits import Permits
from narrative_runs.asking.request import Question
from narrative_runs.asking.trial import look_for_evidence
from narrative_runs.source.shards import Narrative

LONGEST_BACKOFF_S = 30.0
SLEPT_S = 5.0


class SetAside(Exception):
    """Others are to be asked first."""


class LeftOpen(Exception):
    """The narrative gets no row in this run; the message says why."""


class AnsweredNarratives(Protocol):
    """The narratives that were answered before, as evidence about one that failed."""

    @property
    def has_new(self) -> bool:
        """Whether one was answered in this session."""
        ...

    def other_than(self, narrative: Narrative, at_least: int) -> Narrative | None:
        """Another narrative of at least so many characters; the longest, if none has as many."""
        ...


@dataclass
class Open:
    """A narrative to be asked.

    key: the number of its shard, and its own within the shard; fingerprint: of what is asked; attempt: the number of
    the pass over it, from 1; first_error: how the first pass failed;
    requests: sent so far; failure: of the last one.
    """

    narrative: Narrative
    key: Key
    fingerprint: str
    attempt: int = 1
    first_error: str | None = None
    requests: int = 0
    failure: Failure | None = None
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def characters(self) -> int:
        """The length of the narrative."""
        return len(self.narrative.narrative_text)


async def ask(
    still_open: Open,
    question: Question,
    clients: Sequence[Client],
    permits: Permits,
    before: AnsweredNarratives,
) -> dict[str, Any]:
    """What a journal keeps of one narrative: the reply as it came, or the failure that was settled as its own.

    clients: one for each server; before: the narratives that were answered before, as evidence about this one.

    Raises:
        SetAside: others are to be asked first.
        LeftOpen: the failure may be the run's; the narrative gets no row.
        Stopped: no further request may be sent; the narrative stays open.
    """
    narrative = still_open.narrative
    still_open.entry |= {
        "fingerprint": still_open.fingerprint,
        "incident_id": narrative.incident_id,
        "narrative_type": narrative.narrative_type,
    }
    while True:
        step, server = await permits.acquire(still_open.key)
        client = clients[server]
        match step:
            case Step.ASK:
                if len(clients) > 1:
                    still_open.entry["server"] = client.address
                answered = await _asked(still_open, question, client, permits)
                if answered is not None:
                    return answered
            case Step.EVIDENCE:
                again = await asyncio.to_thread(before.other_than, narrative, _length_that_tells(still_open))
                evidence = await look_for_evidence(question, client, permits.unsupported, again, before.has_new)
                permits.evidence(still_open.key, evidence)
            case Step.PROBE | Step.TRIAL:
                is_proved = step is Step.PROBE
                evidence = await look_for_evidence(question, client, permits.unsupported, None, is_proved)
                permits.evidence(still_open.key, evidence)
            case Step.SETTLE | Step.SETTLE_AS_TOO_LONG:
                return _settled(still_open, step)
            case Step.SET_ASIDE:
                raise SetAside
            case _:
                raise LeftOpen(_why_open(still_open))


async def _asked(still_open: Open, question: Question, client: Client, permits: Permits) -> dict[str, Any] | None:
    """The entry of an answer; None if there was none."""
    still_open.requests += 1
    began, began_by_clock = time.perf_counter(), time.time()
    still_open.entry["asked_at"] = _written(int(began_by_clock))
    try:
        response = await client.ask(question.body(still_open.narrative, permits.unsupported))
    except RequestFailed as failed:
        if time.time() - began_by_clock > min(time.perf_counter() - began, client.timeout_s) + SLEPT_S:
            # This machine slept meanwhile; the server is not to blame, nor is the narrative.
            permits.release(still_open.key)
            return None
        still_open.failure = failed.failure
        permits.failed(still_open.key, still_open.characters, failed.failure)
        if failed.failure.passes and failed.failure.kind is not Kind.RATE_LIMITED:
            await permits.rest(random.uniform(0, min(LONGEST_BACKOFF_S, 0.25 * 2**still_open.requests)))
        return None
    tokens, model = reply.tokens_used(response), reply.model_of(response) or ""
    seconds = round(time.perf_counter() - began, 3)
    await permits.answered(still_open.key, still_open.characters, tokens, model)
    return {**still_open.entry, "requests": still_open.requests, "response_sec": seconds, "response": response}


@lru_cache(1)
def _written(second: int) -> str:
    """A time as journals have it: ISO 8601, to the second, with the zone; made once a second, as it takes as long as a
    twentieth of asking."""
    return datetime.fromtimestamp(second).astimezone().isoformat()


def _length_that_tells(still_open: Open) -> int:
    """How long another narrative has to be for its answer to say something about this one."""
    seems_too_long = still_open.failure is not None and still_open.failure.seems_too_long
    return still_open.characters if seems_too_long else 0


def _settled(still_open: Open, step: Step) -> dict[str, Any]:
    failure = still_open.failure
    assert failure is not None
    message = failure.message
    if failure.kind is Kind.REFUSED:
        message += f": {_too_long(failure) if step is Step.SETTLE_AS_TOO_LONG else REJECTED}"
    error = {"category": failure.category, "message": message}
    return {**still_open.entry, "requests": still_open.requests, "error": error}


def _too_long(failure: Failure) -> str:
    return TOO_LONG + (f" of {failure.context_tokens:,} tokens" if failure.context_tokens else "")


def _why_open(still_open: Open) -> str:
    failure = still_open.failure
    assert failure is not None
    if failure.seems_too_long:
        return f"{failure.message}: {TOO_LONG}, though texts as long were answered before"
    return f"{failure.message}, while others failed alike or nobody was answered"
