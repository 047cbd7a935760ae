"""Leave to ask, as a job on another host has it: what is said to the coordinator, and what its words do."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.asking.inquiry import Step
from narrative_runs.asking.permits import Stopped
from narrative_runs.asking.trial import Evidence
from narrative_runs.coordination.messages import Message
from narrative_runs.coordination.remote_permits import RemotePermits, evidence_of, failure_of

KEY, OTHER = (2, 7), (2, 8)
GRANTED = Message("granted", Step.ASK, KEY, {"server": 1, "model": "fake", "unsupported": ["logprobs"]})
failures = st.builds(
    Failure,
    kind=st.sampled_from(Kind),
    message=st.text(),
    status=st.integers(0, 599),
    code=st.text(),
    retry_after=st.none() | st.floats(0, 1e6),
    seems_too_long=st.booleans(),
)


def played(scene: Callable[[RemotePermits, list[Message]], Coroutine[Any, Any, None]]) -> None:
    """Play a scene in an event loop: with permits, and the list of what they say to the coordinator."""

    async def play() -> None:
        said: list[Message] = []
        await scene(RemotePermits(said.append, slots=4), said)

    asyncio.run(asyncio.wait_for(play(), 5))


def test_a_request_waits_for_its_grant() -> None:
    """`acquire` asks the coordinator, and gives the step that is granted; what the server does not take comes too."""

    async def scene(permits: RemotePermits, said: list[Message]) -> None:
        waiting = asyncio.ensure_future(permits.acquire(KEY))
        await asyncio.sleep(0)
        assert said == [Message("acquire", key=KEY)] and not waiting.done()
        permits.take(GRANTED)
        assert await waiting == (Step.ASK, 1)
        assert permits.unsupported == {"logprobs"} and permits.model_answered == "fake"

    played(scene)


def test_only_another_model_is_asked_about() -> None:
    """An answer of the known model is reported and kept at once; another waits until it is accepted."""

    async def scene(permits: RemotePermits, said: list[Message]) -> None:
        permits.take(GRANTED)
        await permits.answered(KEY, 100, 20, "fake")
        waiting = asyncio.ensure_future(permits.answered(OTHER, 100, 20, "fake-2"))
        await asyncio.sleep(0)
        assert [message.values["is_new"] for message in said] == [False, True] and not waiting.done()
        permits.take(Message("accepted", "fake-2", OTHER))
        await waiting
        assert permits.model_answered == "fake-2"

    played(scene)


def test_whoever_waits_is_stopped() -> None:
    """Once the coordinator says stop, no request begins: not those that wait for a grant, nor later ones."""

    async def scene(permits: RemotePermits, said: list[Message]) -> None:
        waiting = asyncio.ensure_future(permits.acquire(KEY))
        await asyncio.sleep(0)
        permits.take(Message("stop", "the budget is reached"))
        for attempt in (waiting, permits.acquire(OTHER), permits.answered(OTHER, 1, 1, "another")):
            with pytest.raises(Stopped, match="the budget is reached"):
                await attempt
        assert said == [Message("acquire", key=KEY)]

    played(scene)


def test_a_job_that_cannot_go_on_says_so_once() -> None:
    """What keeps this job from asking is told to the run, which has the shard asked by another one."""

    async def scene(permits: RemotePermits, said: list[Message]) -> None:
        permits.stop("no way to the model server")
        permits.stop("the connection is gone")
        assert said == [Message("failed_job", "no way to the model server")]
        assert permits.stopped.result() == "no way to the model server"
        await permits.rest(60)

    played(scene)


@given(failures)
def test_failures_arrive_as_they_left(failure: Failure) -> None:
    """What a job says of a failure, alone and as evidence, is the same to the coordinator."""

    async def scene(permits: RemotePermits, said: list[Message]) -> None:
        evidence = Evidence(failure, characters=3, tokens=5, requests=2, unsupported=("schema",), model="fake")
        permits.failed(KEY, 100, failure)
        permits.evidence(KEY, evidence)
        assert failure_of(said[0].values["failure"]) == failure
        assert evidence_of(said[1].values) == evidence
        assert evidence_of({**said[1].values, "failure": None}).failure is None

    played(scene)
