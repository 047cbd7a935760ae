"""Asking for one narrative: each step of a scripted permit leads to what it says, at a model server on loopback."""

import asyncio
import json
import random
import time
from collections import deque
from collections.abc import Set
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from tests.fake_server import answer_to
from tests.small_experiment import params_of, served

from narrative_runs.asking import ask as ask_module
from narrative_runs.asking.ask import LeftOpen, Open, SetAside, ask
from narrative_runs.asking.client import Client
from narrative_runs.asking.failures import REJECTED, TOO_LONG, Failure, Kind
from narrative_runs.asking.inquiry import Key, Step
from narrative_runs.asking.permits import Grant, Stopped
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server
from narrative_runs.asking.trial import Evidence
from narrative_runs.source.shards import Narrative

NARRATIVE, OTHER, LONG = (
    Narrative(number, str(number), "cme", text, 1, None)
    for number, text in enumerate(("V was found by a neighbor.", "Other text.", "Long text. " * 20), start=1)
)
KEY = (3, 7)
BAD_REQUEST = {"replies": {"neighbor": (400, "{}")}}
LONGER_THAN_CONTEXT = {"replies": {"neighbor": (400, '{"error": {"code": "context_length_exceeded"}}')}}
BROKEN = {"replies": {"neighbor": (500, "{}")}}


class Script:
    """Permits that grant these steps, one after the other, and note what is reported; at the end the run is stopped."""

    def __init__(self, *steps: Step) -> None:
        self.unsupported: Set[str] = set()
        self.refuses = False
        self.reports: list[tuple[Any, ...]] = []
        self.found: list[Evidence] = []
        self.rests: list[float] = []
        self._steps = deque(steps)

    async def acquire(self, narrative: Key) -> Grant:
        assert narrative == KEY
        if not self._steps:
            raise Stopped("enough")
        return Grant(self._steps.popleft())

    async def answered(self, narrative: Key, characters: int, tokens: int, model: str) -> None:
        self.reports.append(("answered", narrative, characters, tokens, model))
        if self.refuses:
            raise Stopped("another model")

    def failed(self, narrative: Key, characters: int, failure: Failure) -> None:
        self.reports.append(("failed", narrative, characters, failure.kind))

    def evidence(self, narrative: Key, evidence: Evidence) -> None:
        self.reports.append(("evidence", narrative))
        self.found.append(evidence)

    def release(self, narrative: Key) -> None:
        self.reports.append(("release", narrative))

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)


class Before:
    """The narratives that were answered before; asked_for: how long they had to be."""

    def __init__(self, *found: Narrative, has_new: bool = True) -> None:
        self.has_new = has_new
        self.asked_for: list[int] = []
        self._found = found

    def other_than(self, narrative: Narrative, at_least: int) -> Narrative | None:
        self.asked_for.append(at_least)
        return next((one for one in self._found if len(one.narrative_text) >= at_least), None)


def asked(
    script: Script,
    behaviour: dict[str, Any] | None = None,
    before: Before | None = None,
    still_open: Open | None = None,
    timeout_s: float = 20.0,
) -> tuple[dict[str, Any] | Exception, list[str]]:
    """The entry of one narrative, or why there is none; and the texts of all requests, in their order."""

    async def run() -> tuple[dict[str, Any] | Exception, list[str]]:
        async with served(**(behaviour or {})) as server:
            client, question = Client(Server(server.url, "", timeout_s), None), Question(params_of(server.url))
            mine = still_open or Open(NARRATIVE, KEY, question.fingerprint(NARRATIVE))
            outcome: dict[str, Any] | Exception
            try:
                outcome = await ask(mine, question, [client], script, before or Before())
            except (SetAside, LeftOpen, Stopped) as error:
                outcome = error
            finally:
                await client.close()
            return outcome, server.texts

    return asyncio.run(run())


def entry_of(outcome: dict[str, Any] | Exception) -> dict[str, Any]:
    """The entry that came of it."""
    assert isinstance(outcome, dict), outcome
    return outcome


def test_an_answer_is_kept_as_it_came() -> None:
    """An entry tells what was asked and when, how long it took, and the server's whole reply; who answered, and at what
    cost, is reported once."""
    script = Script(Step.ASK)
    began = datetime.now().astimezone().replace(microsecond=0)
    outcome, texts = asked(script)
    entry = entry_of(outcome)
    response = entry.pop("response")
    assert json.loads(response["choices"][0]["message"]["content"]) == answer_to(f"Narrative: {texts[0]}")
    assert began <= datetime.fromisoformat(entry.pop("asked_at")) <= datetime.now().astimezone()
    assert 0 <= entry.pop("response_sec") < 20
    assert entry == {
        "fingerprint": Question(params_of()).fingerprint(NARRATIVE),
        "incident_id": "1",
        "narrative_type": "cme",
        "requests": 1,
    }
    assert script.reports == [("answered", KEY, 26, response["usage"]["total_tokens"], "fake")]


def test_parts_that_the_server_does_not_take_are_left_out() -> None:
    """Once it is known that the server takes no schema, the request holds none."""
    script = Script(Step.ASK)
    script.unsupported = {"schema"}
    outcome, _ = asked(script, {"refuse_schema": 400})
    assert "response" in entry_of(outcome)


def test_an_answer_that_is_not_accepted_is_no_entry() -> None:
    """The answer of another model is reported, and then not kept."""
    script = Script(Step.ASK)
    script.refuses = True
    outcome, _ = asked(script, {"answers_as": "other"})
    assert isinstance(outcome, Stopped) and script.reports[0][-1] == "other"


def test_a_run_that_is_stopped_asks_nothing() -> None:
    """Without a permit no request is sent."""
    outcome, texts = asked(Script())
    assert isinstance(outcome, Stopped) and not texts


@pytest.mark.parametrize(
    ("behaviour", "kind", "rests"),
    [
        (BAD_REQUEST, Kind.REFUSED, 0),
        (BROKEN, Kind.SERVER_FAULT, 1),
        ({"replies": {"neighbor": (429, "{}")}}, Kind.RATE_LIMITED, 0),
        ({"drop": True}, Kind.UNREACHABLE, 1),
        ({"hang": True}, Kind.TIMED_OUT, 1),
    ],
)
@pytest.mark.slow
def test_a_failure_is_reported_and_tried_again(behaviour: dict[str, Any], kind: Kind, rests: int) -> None:
    """Each request without an answer is reported once with its kind, and the next step is asked for; after a failure
    that may pass by itself there is a rest before, and after one whose pause the server names there is none."""
    script = Script(Step.ASK)
    outcome, texts = asked(script, behaviour, timeout_s=0.3)
    assert isinstance(outcome, Stopped) and len(texts) == 1
    assert script.reports == [("failed", KEY, 26, kind)] and len(script.rests) == rests


def test_rests_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest rest doubles with each request for the same narrative up to half a minute, and chance shortens it."""
    spans: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        spans.append((low, high))
        return random.uniform(low, high)

    monkeypatch.setattr(ask_module, "random", SimpleNamespace(uniform=uniform))
    script = Script(*[Step.ASK] * 9)
    asked(script, BROKEN)
    assert spans == [(0, longest) for longest in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0)]
    assert all(0 <= rest <= longest for rest, (_, longest) in zip(script.rests, spans, strict=True))


def test_all_requests_count_in_the_entry() -> None:
    """A narrative that is answered only after failures tells how many requests it took."""
    outcome, texts = asked(Script(*[Step.ASK] * 3), {"next_calls": 2, "status": 503})
    assert entry_of(outcome)["requests"] == len(texts) == 3


def test_a_machine_that_slept_reports_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that failed while this machine slept says nothing: its permit is given back, and it is asked again."""
    clock = iter([0.0, 3600.0, 3600.0, 3600.1])
    monkeypatch.setattr(ask_module, "time", SimpleNamespace(time=lambda: next(clock), perf_counter=time.perf_counter))
    script = Script(Step.ASK, Step.ASK)
    outcome, texts = asked(script, BAD_REQUEST)
    assert isinstance(outcome, Stopped) and len(texts) == 2
    assert script.reports == [("release", KEY), ("failed", KEY, 26, Kind.REFUSED)]


def test_evidence_is_another_narrative() -> None:
    """For evidence a narrative that was answered before is asked again; its answer is reported, with its length."""
    script, before = Script(Step.EVIDENCE), Before(OTHER)
    outcome, texts = asked(script, before=before)
    assert isinstance(outcome, Stopped) and texts == [OTHER.narrative_text]
    assert script.reports == [("evidence", KEY)] and before.asked_for == [0]
    assert (script.found[0].failure, script.found[0].characters) == (None, len(OTHER.narrative_text))


def test_evidence_about_length_is_a_narrative_as_long() -> None:
    """About a narrative that seems too long only one tells that is as long."""
    script, before = Script(Step.ASK, Step.EVIDENCE), Before(OTHER, LONG)
    _, texts = asked(script, LONGER_THAN_CONTEXT, before)
    assert texts == [NARRATIVE.narrative_text, LONG.narrative_text]
    assert before.asked_for == [26]


def test_evidence_without_any_answer_is_a_short_question() -> None:
    """Where nothing was answered before, evidence is looked for with a question about no narrative."""
    script = Script(Step.EVIDENCE)
    _, texts = asked(script)
    assert texts == ["No narrative."] and script.found[0].characters == 0


@pytest.mark.parametrize(("step", "is_found"), [(Step.TRIAL, True), (Step.PROBE, False)])
def test_a_trial_finds_parts_that_are_not_taken(step: Step, is_found: bool) -> None:
    """A trial asks about no narrative and finds what the server does not take; a probe, after answers, blames none."""
    script, before = Script(step), Before(OTHER)
    _, texts = asked(script, {"refuse_schema": 500}, before)
    assert set(texts) == {"No narrative."} and script.reports == [("evidence", KEY)] and not before.asked_for
    assert script.found[0].unsupported == (("schema",) if is_found else ())
    assert (script.found[0].failure is None) == is_found


@pytest.mark.parametrize(
    ("behaviour", "step", "category", "message"),
    [
        (BAD_REQUEST, Step.SETTLE, "data_error", f"HTTP 400: {REJECTED}"),
        (
            LONGER_THAN_CONTEXT,
            Step.SETTLE_AS_TOO_LONG,
            "data_error",
            f"HTTP 400 (context_length_exceeded): {TOO_LONG}",
        ),
        (BROKEN, Step.SETTLE, "api_error", "HTTP 500"),
    ],
)
def test_a_settled_failure_is_an_entry(behaviour: dict[str, Any], step: Step, category: str, message: str) -> None:
    """A failure that is settled as the narrative's own is kept with its category and reason, and without an answer."""
    outcome, texts = asked(Script(Step.ASK, Step.ASK, step), behaviour)
    entry = entry_of(outcome)
    assert entry["error"] == {"category": category, "message": message}
    assert (entry["requests"], entry["incident_id"], entry["narrative_type"], len(texts)) == (2, "1", "cme", 2)
    assert datetime.fromisoformat(entry["asked_at"]) and not {"response", "response_sec"} & set(entry)


def test_what_is_set_aside_goes_on_where_it_was() -> None:
    """Set aside, a narrative has no entry yet; taken up again, its requests of before still count."""
    question = Question(params_of())
    mine = Open(NARRATIVE, KEY, question.fingerprint(NARRATIVE))
    outcome, _ = asked(Script(Step.ASK, Step.SET_ASIDE), BAD_REQUEST, still_open=mine)
    assert isinstance(outcome, SetAside) and mine.failure is not None
    outcome, _ = asked(Script(Step.ASK), still_open=mine)
    assert entry_of(outcome)["requests"] == 2 and "response" in entry_of(outcome)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [(BROKEN, "HTTP 500, while others failed alike"), (LONGER_THAN_CONTEXT, f"{TOO_LONG}, though texts as long were")],
)
def test_what_is_left_open_has_no_entry(behaviour: dict[str, Any], words: str) -> None:
    """A narrative whose failure may be the run's has no entry, and says why it is open, without its text."""
    outcome, _ = asked(Script(Step.ASK, Step.LEAVE_OPEN), behaviour)
    assert isinstance(outcome, LeftOpen) and words in str(outcome) and "neighbor" not in str(outcome)
