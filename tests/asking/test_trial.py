import asyncio
from typing import Any

import pytest
from tests.project import Fake

from narrative_runs.asking.client import Client
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server
from narrative_runs.asking.trial import Evidence, look_for_evidence, repeats_any_name
from narrative_runs.params import check
from narrative_runs.source.shards import Narrative

NARRATIVE = Narrative(1, "1", "cme", "V was found by a neighbor.", None, None)


def question_of(**model: Any) -> Question:
    """What an experiment asks that wants a schema and token probabilities."""
    return Question(
        check(
            {
                "experiment": {"name": "E"},
                "model": {"name": "fake", "api_url": "http://localhost:1/v1", "logprobs": True, **model},
                "prompt": {"user_template": "Narrative: <<TEXT>>"},
                "data": {"file": "x.xlsx"},
            },
            "params.yaml",
        )
    )


def evidence(
    fake: Fake, narrative: Narrative | None = None, parts_are_proved: bool = False, key: str = "", **model: Any
) -> Evidence:
    """What evidence requests to this server bring."""

    async def look() -> Evidence:
        client = Client(Server(fake.url, key, 20), None)
        try:
            return await look_for_evidence(question_of(**model), client, (), narrative, parts_are_proved)
        finally:
            await client.close()

    return asyncio.run(look())


def faulty(fake: Fake, *scopes: dict[str, Any]) -> None:
    """Give these faults from now on."""
    fake.behave(faults=list(scopes))


def test_a_sound_server_answers_the_first_question(fake: Fake) -> None:
    """One short question is enough, and where a narrative is asked again, its length comes back."""
    found = evidence(fake)
    assert (found.failure, found.characters, found.requests, found.model) == (None, 0, 1, "fake")
    assert found.tokens > 0
    assert evidence(fake, NARRATIVE).characters == len(NARRATIVE.narrative_text)
    assert fake.asked == 0


@pytest.mark.parametrize("fault", ["bad request in plain words", "internal error", "unprocessable", "not implemented"])
@pytest.mark.parametrize("parts", [("schema",), ("logprobs",), ("logprobs", "schema")])
def test_parts_that_are_not_taken_are_found_by_leaving_them_out(fake: Fake, fault: str, parts: tuple[str, ...]) -> None:
    """Whatever the status and the words, the parts without which the same question is answered are found."""
    keys = {"schema": "response_format", "logprobs": "logprobs"}
    faulty(fake, *({"fault": fault, "only_with": keys[part]} for part in parts))
    found = evidence(fake)
    assert (found.failure, found.unsupported) == (None, parts)


def test_a_part_that_was_answered_before_is_not_to_blame(fake: Fake) -> None:
    """After an answer with all parts a failure is a failure, and no part is left out."""
    faulty(fake, {"fault": "internal error", "only_with": "response_format"})
    found = evidence(fake, parts_are_proved=True)
    assert found.failure is not None
    assert (found.unsupported, found.requests) == ((), 1)


def test_a_server_that_wavers_loses_no_part(fake: Fake) -> None:
    """Where only every second request fails, no part of the request is to blame."""
    faulty(fake, {"fault": "internal error", "every": 2})
    for _ in range(6):
        assert evidence(fake).unsupported == ()


def test_a_schema_that_is_insisted_on_is_not_left_out(fake: Fake) -> None:
    """With structured_output: json_schema a server without schemas is no server for this experiment."""
    faulty(fake, {"fault": "internal error", "only_with": "response_format"})
    failure = evidence(fake, structured_output="json_schema").failure
    assert failure is not None
    assert "model.structured_output" in failure.reason


@pytest.mark.parametrize(
    ("key", "way"),
    [
        ("temperature", "model.temperature: null"),
        ("seed", "run.seed: null"),
        ("max_tokens", "model.max_tokens: null"),
        ("top_k", "remove top_k from model.extra_body"),
    ],
)
def test_a_key_that_is_refused_is_named_with_the_way_to_leave_it_out(fake: Fake, key: str, way: str) -> None:
    """Also where the server's words do not say which it is."""
    faulty(fake, {"fault": "bad request in plain words", "only_with": key})
    failure = evidence(fake, extra_body={"top_k": 5}).failure
    assert failure is not None
    assert way in failure.reason


def test_a_narrative_that_is_refused_beside_a_short_question_is_told_as_that(fake: Fake) -> None:
    """A server that no longer takes what it answered before is to blame, though it answers a short question."""
    faulty(fake, {"fault": "bad request", "narrative": "neighbor"})
    failure = evidence(fake, NARRATIVE).failure
    assert failure is not None
    assert "answered before" in failure.reason
    assert "neighbor" not in failure.reason


def test_a_refused_key_is_told_with_the_servers_words(fake: Fake) -> None:
    """The reason names the variable of the key, and whether it is wrong or missing."""
    faulty(fake, {"fault": "wrong key"})
    wrong, missing = evidence(fake, key="sk-1").failure, evidence(fake).failure
    assert wrong is not None and missing is not None
    assert "refuses the key" in wrong.reason and "Incorrect API key" in wrong.reason
    assert "needs a key" in missing.reason


def test_a_server_that_has_a_name_of_its_own_repeats_none(fake: Fake) -> None:
    """A server that answers under its own name, whatever it is asked for, does not repeat any name."""

    async def repeats() -> bool:
        client = Client(Server(fake.url, "", 20), None)
        try:
            return await repeats_any_name(question_of(), client, ())
        finally:
            await client.close()

    assert not asyncio.run(repeats())
    fake.behave(answers_as="no-model-has-this-name")
    assert asyncio.run(repeats())
