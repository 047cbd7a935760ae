"""Asking for one narrative, step by step, until there is an answer or its failure is settled as its own."""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from narrative_runs.asking import reply
from narrative_runs.asking.client import Client
from narrative_runs.asking.failures import Failure, Kind, RequestFailed
from narrative_runs.asking.inquiry import Step
from narrative_runs.asking.request import Question
from narrative_runs.asking.trial import look_for_evidence
from narrative_runs.jobs.answered_before import AnsweredBefore
from narrative_runs.session.gate import another_model, not_accepted
from narrative_runs.session.link import Link, Stopped
from narrative_runs.source.shards import Narrative

LONGEST_BACKOFF_S = 30.0
SLEPT_S = 5.0
TOO_LONG = "prompt and narrative are longer than the model's context"
REJECTED = "the server rejects this request"


class SetAside(Exception):
    """Others are to be asked first."""


class LeftOpen(Exception):
    """The narrative gets no row in this run; the message says why."""


@dataclass
class Open:
    """A narrative to be asked.

    number: within its job; attempt: the number of the pass over it, from 1; first_error: how the first pass failed;
    requests: sent so far; failure: of the last one.
    """

    narrative: Narrative
    number: int
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
    client: Client,
    link: Link,
    before: AnsweredBefore,
) -> dict[str, Any]:
    """What a journal keeps of one narrative: the reply as it came, or the failure that was settled as its own.

    before: the narratives that were answered before, as evidence about this one.

    Raises:
        SetAside: others are to be asked first.
        LeftOpen: the failure may be the run's; the narrative gets no row.
        Stopped: no further request may be sent; the narrative stays open.
    """
    narrative = still_open.narrative
    still_open.entry |= {
        "fingerprint": question.fingerprint(narrative),
        "incident_id": narrative.incident_id,
        "narrative_type": narrative.narrative_type,
    }
    while True:
        match await link.next_step(still_open.number):
            case Step.ASK:
                answered = await _asked(still_open, question, client, link)
                if answered is not None:
                    return answered
            case Step.EVIDENCE:
                again = await asyncio.to_thread(before.other_than, narrative, _length_that_tells(still_open))
                evidence = await look_for_evidence(question, client, link.without, again, before.has_new)
                link.evidence(evidence)
            case Step.PROBE | Step.TRIAL as step:
                evidence = await look_for_evidence(question, client, link.without, None, step is Step.PROBE)
                link.evidence(evidence)
            case Step.SETTLE | Step.SETTLE_AS_TOO_LONG as step:
                return _settled(still_open, step)
            case Step.SET_ASIDE:
                raise SetAside
            case _:
                raise LeftOpen(_why_open(still_open))


async def _asked(still_open: Open, question: Question, client: Client, link: Link) -> dict[str, Any] | None:
    """The entry of an answer; None if there was none."""
    still_open.requests += 1
    still_open.entry["asked_at"] = datetime.now().astimezone().isoformat(timespec="seconds")
    began, began_by_clock = time.perf_counter(), time.time()
    try:
        response = await client.ask(question.body(still_open.narrative, link.without))
    except RequestFailed as failed:
        if time.time() - began_by_clock > min(time.perf_counter() - began, client.timeout_s) + SLEPT_S:
            # This machine slept meanwhile; the server is not to blame, nor is the narrative.
            link.say(f"unused {still_open.number}")
            return None
        still_open.failure = failed.failure
        link.failed(still_open.number, still_open.characters, failed.failure)
        if failed.failure.passes and failed.failure.kind is not Kind.RATE_LIMITED:
            await asyncio.sleep(random.uniform(0, min(LONGEST_BACKOFF_S, 0.25 * 2**still_open.requests)))
        return None
    _check_model(response, link)
    link.say(f"answer {still_open.number} {still_open.characters} {reply.tokens_used(response)}")
    seconds = round(time.perf_counter() - began, 3)
    return {**still_open.entry, "requests": still_open.requests, "response_sec": seconds, "response": response}


def _length_that_tells(still_open: Open) -> int:
    """How long another narrative has to be for its answer to say something about this one."""
    seems_too_long = still_open.failure is not None and still_open.failure.seems_too_long
    return still_open.characters if seems_too_long else 0


def _settled(still_open: Open, step: Step) -> dict[str, Any]:
    failure = still_open.failure
    assert failure is not None
    message = failure.message
    if failure.kind is Kind.REFUSED:
        message += f": {TOO_LONG if step is Step.SETTLE_AS_TOO_LONG else REJECTED}"
    error = {"category": failure.category, "message": message}
    return {**still_open.entry, "requests": still_open.requests, "error": error}


def _why_open(still_open: Open) -> str:
    failure = still_open.failure
    assert failure is not None
    if failure.seems_too_long:
        return f"{failure.message}: {TOO_LONG}, though texts as long were answered before"
    return f"{failure.message}, while others failed alike or nobody was answered"


def _check_model(response: dict[str, Any], link: Link) -> None:
    """One experiment holds the answers of one model; an answer of another is not kept."""
    model = reply.model_of(response)
    if not model or model == link.model:
        return
    asked = link.settings["params"]["model"]
    if not link.model and asked["answers_as"] and model not in (asked["name"], *asked["answers_as"]):
        reason = not_accepted(asked["name"], model)
    elif not link.model:
        link.model = model
        link.say(f"model {json.dumps(model)}")
        return
    else:
        reason = another_model(link.model, model)
    link.give_up(reason)
    raise Stopped(reason)
