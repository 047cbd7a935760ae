"""Asking for one narrative until there is an answer, or until the failure is the narrative's own."""

import asyncio
import random
import time
from datetime import datetime
from typing import Any

from narrative_runs.asking import failures, reply
from narrative_runs.asking.client import Client
from narrative_runs.asking.request import Question
from narrative_runs.session.gate import another_model
from narrative_runs.session.link import Link, Stopped
from narrative_runs.source.shards import Narrative

LONGEST_BACKOFF_S = 30.0
SLEPT_S = 5.0


async def ask(
    narrative: Narrative, question: Question, client: Client, link: Link, max_attempts: int
) -> dict[str, Any]:
    """What a journal keeps of one narrative: the reply as it came, or the failure that stays after `max_attempts`.

    A failure counts as an attempt only when the server answered somebody else meanwhile: a dead server is no answer.

    Raises:
        Stopped: no further request may be sent; the narrative stays open.
    """
    entry: dict[str, Any] = {
        "fingerprint": question.fingerprint(narrative),
        "incident_id": narrative.incident_id,
        "narrative_type": narrative.narrative_type,
    }
    failure: failures.RequestFailed | None = None
    attempts = requests = 0
    signs_at_failure = 0
    while True:
        signs_of_life, answered = await link.go()
        if failure is not None and signs_of_life > signs_at_failure:
            attempts += 1
            if attempts >= max_attempts:
                link.say("unused")
                return {**entry, "requests": requests, "error": _told(failure)}
        signs_at_failure = signs_of_life
        requests += 1
        entry["asked_at"] = datetime.now().astimezone().isoformat(timespec="seconds")
        began, began_by_clock = time.perf_counter(), time.time()
        body = question.body(narrative, "schema" not in link.without, "logprobs" not in link.without)
        try:
            response = await client.ask(body)
        except failures.FormatRejected as error:
            link.without.add(error.part)
            link.say(f"without {error.part}")
            continue
        except failures.NarrativeRejected as error:
            is_first = answered == 0 and not isinstance(error, failures.NarrativeTooLong)
            if is_first and not await _answers_at_all(question, client, link):
                # This is the run's fault, not the narrative's.
                link.give_up(str(error))
                raise Stopped(str(error)) from None
            link.say("rejected")
            return {**entry, "requests": requests, "error": _told(error)}
        except failures.Hopeless as error:
            link.give_up(str(error))
            raise Stopped(str(error)) from None
        except failures.RateLimited as error:
            link.say(f"limited {'-' if error.retry_after is None else error.retry_after} {error}")
            failure = error
        except failures.RequestFailed as error:
            if time.time() - began_by_clock > min(time.perf_counter() - began, client.timeout_s) + SLEPT_S:
                # This machine slept meanwhile; the server is not to blame, nor is the narrative.
                link.say("unused")
                continue
            link.say(f"failed {type(error).__name__} {error}")
            failure = error
            await asyncio.sleep(random.uniform(0, min(LONGEST_BACKOFF_S, 0.5 * 2**attempts)))
        else:
            _check_model(response, link)
            entry["response_sec"] = round(time.perf_counter() - began, 3)
            link.say(f"answer {reply.tokens_used(response)}")
            return {**entry, "requests": requests, "response": response}


async def _answers_at_all(question: Question, client: Client, link: Link) -> bool:
    try:
        await client.ask(question.trial("schema" not in link.without, "logprobs" not in link.without))
    except failures.RequestFailed:
        return False
    return True


def _check_model(response: dict[str, Any], link: Link) -> None:
    """One experiment holds the answers of one model; an answer of another is not kept."""
    model = response.get("model")
    if not model or model == link.model:
        return
    if not link.model:
        link.model = model
        link.say(f"model {model}")
        return
    reason = another_model(link.model, model)
    link.give_up(reason)
    raise Stopped(reason)


def _told(failure: failures.RequestFailed) -> dict[str, str]:
    return {"category": failure.category, "message": str(failure)}
