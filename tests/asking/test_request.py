import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from narrative_runs.asking.request import Question
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.schema import schema
from narrative_runs.params import Params, check
from narrative_runs.source.shards import Narrative

KNOWN_FINGERPRINT = "b8fe02a714a7fe6bb5ab821a8a874358b99c624915cc1f4983ff2d0c4935992b"
NARRATIVE = Narrative(1, "0012", "cme", "V was found by a neighbor.", 0, 0)


def params_of(**changes: Any) -> Params:
    """Params of a small experiment; `changes` are sections laid over it."""
    values: dict[str, dict[str, Any]] = {
        "experiment": {"name": "Cases"},
        "model": {"name": "m", "api_url": "http://localhost:1/v1"},
        "prompt": {"system_prompt": "Decide.", "user_template": "Narrative: <<TEXT>>"},
        "data": {"file": "data/cases.xlsx"},
    }
    for section, more in changes.items():
        values[section] = {**values.get(section, {}), **more}
    return check(values, "params.yaml")


def body_of(params: Params, narrative: Narrative = NARRATIVE, structured: bool = True, logprobs: bool = True) -> Any:
    """The decoded body of a request."""
    without = {part for part, wanted in (("schema", structured), ("logprobs", logprobs)) if not wanted}
    return json.loads(Question(params).body(narrative, without))


ingredients = st.fixed_dictionaries(
    {
        "name": st.text("ab", min_size=1, max_size=2),
        "temperature": st.sampled_from([0.0, 0.1, 1.0]),
        "max_tokens": st.sampled_from([None, 1, 10]),
        "structured_output": st.sampled_from(["json_schema", "plain"]),
        "logprobs": st.booleans(),
        "extra_body": st.dictionaries(st.text("ab", max_size=1), st.integers(0, 1), max_size=1),
        "system_prompt": st.text('a",[]', max_size=3),
        "user_template": st.text('a",[]', max_size=3).map(lambda text: f"{text}<<TEXT>>"),
        "seed": st.integers(0, 2),
        "incident_id": st.text('1",', min_size=1, max_size=3),
        "narrative_type": st.sampled_from(["cme", "le"]),
        "narrative_text": st.text('a",[]', min_size=1, max_size=3),
    }
)


def fingerprint_of(parts: dict[str, Any]) -> str:
    """The fingerprint of one question made from its ingredients."""
    model = ("name", "temperature", "max_tokens", "structured_output", "logprobs", "extra_body")
    params = params_of(
        model={key: parts[key] for key in model},
        prompt={key: parts[key] for key in ("system_prompt", "user_template")},
        run={"seed": parts["seed"]},
    )
    narrative = Narrative(1, parts["incident_id"], parts["narrative_type"], parts["narrative_text"], None, None)
    return Question(params).fingerprint(narrative)


@given(ingredients, ingredients)
def test_fingerprints_differ_whenever_anything_that_is_asked_differs(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Two questions have one fingerprint exactly when all their ingredients are the same."""
    assert (fingerprint_of(one) == fingerprint_of(other)) == (one == other)


@given(ingredients, ingredients, st.data())
def test_one_ingredient_is_enough_for_another_fingerprint(
    one: dict[str, Any], other: dict[str, Any], data: st.DataObject
) -> None:
    """A change of a single ingredient, whichever it is, gives another fingerprint."""
    key = data.draw(st.sampled_from(sorted(one)))
    assume(one[key] != other[key])
    assert fingerprint_of({**one, key: other[key]}) != fingerprint_of(one)


@pytest.mark.parametrize(
    "change",
    [
        {"experiment": {"name": "Other", "notes": "x"}},
        {"model": {"api_url": "http://localhost:2/v1", "allow_remote": True, "structured_output": "json_schema"}},
        {"prompt": {"version": "2"}},
        {"run": {"max_in_flight": 3, "timeout_s": 1, "budget_tokens": 9, "max_narratives": 4}},
        {"report": {"show_narratives": True}},
    ],
)
def test_what_does_not_make_the_answer_is_not_in_the_fingerprint(change: dict[str, Any]) -> None:
    """Name, address, speed and limits may change from resume to resume without a new question."""
    assert Question(params_of(**change)).fingerprint(NARRATIVE) == Question(params_of()).fingerprint(NARRATIVE)


def test_labels_and_rows_are_not_in_the_fingerprint() -> None:
    """A narrative that moves in the workbook, or is labelled later, is the same question."""
    moved = Narrative(7, "0012", "cme", "V was found by a neighbor.", 1, None)
    question = Question(params_of())
    assert question.fingerprint(moved) == question.fingerprint(NARRATIVE)


def test_the_fingerprint_stays_over_releases() -> None:
    """The fingerprint of a known question is this one: another would ask all finished experiments again."""
    assert Question(params_of()).fingerprint(NARRATIVE) == KNOWN_FINGERPRINT


def test_the_fingerprint_survives_the_journal() -> None:
    """Params that went through JSON, as those of every job do, ask the same question."""
    params = params_of(model={"extra_body": {"logit_bias": {15043: -100, 3: 1}, "reasoning_effort": "low"}})
    again = check(json.loads(json.dumps(params.model_dump(mode="json"))), "the session's params")
    assert Question(again).fingerprint(NARRATIVE) == Question(params).fingerprint(NARRATIVE)


@given(st.text(), st.text(), st.text())
def test_the_narrative_stands_where_the_template_has_its_mark(before: str, text: str, after: str) -> None:
    """Every mark of the template is filled with the text, and nothing inside the text is."""
    template = f"{before}<<TEXT>>{after}"
    assume(template.count("<<TEXT>>") == 1)
    narrative = Narrative(1, "1", "cme", f"{text}<<TEXT>>", None, None)
    body = body_of(params_of(prompt={"system_prompt": "", "user_template": template}), narrative)
    assert body["messages"] == [{"role": "user", "content": f"{before}{text}<<TEXT>>{after}"}]


def test_the_body_holds_what_the_params_say() -> None:
    """The request carries model, both prompts, temperature, seed and length as they stand in the params."""
    params = params_of(model={"temperature": 0.3, "max_tokens": 9}, run={"seed": 7})
    assert body_of(params, structured=False) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Decide."},
            {"role": "user", "content": "Narrative: V was found by a neighbor."},
        ],
        "temperature": 0.3,
        "seed": 7,
        "max_tokens": 9,
    }


def test_no_length_is_asked_for_when_the_server_decides() -> None:
    """`max_tokens: null` sends none, for servers that refuse the key."""
    assert "max_tokens" not in body_of(params_of(model={"max_tokens": None}))


@pytest.mark.parametrize(
    ("wish", "takes_schema", "sent"),
    [("auto", True, True), ("auto", False, False), ("json_schema", True, True), ("plain", True, False)],
)
def test_the_schema_is_sent_where_it_is_wanted_and_taken(wish: str, takes_schema: bool, sent: bool) -> None:
    """JSON by schema is asked for unless the params or the server say no."""
    body = body_of(params_of(model={"structured_output": wish}), structured=takes_schema)
    assert ("response_format" in body) == sent
    if sent:
        assert body["response_format"]["json_schema"]["schema"] == schema(DEFAULT)


def test_the_schema_wants_all_its_keys_and_no_others() -> None:
    """Strict servers take a schema only when every key is required and no other allowed."""
    asked = schema(DEFAULT)
    assert asked["required"] == list(asked["properties"])
    assert asked["additionalProperties"] is False


@pytest.mark.parametrize(("wanted", "offered"), [(True, True), (True, False), (False, True)])
def test_probabilities_are_asked_for_where_they_are_wanted_and_offered(wanted: bool, offered: bool) -> None:
    """Token probabilities are asked for only when the params want them and the server gives them."""
    body = body_of(params_of(model={"logprobs": wanted}), logprobs=offered)
    assert ("logprobs" in body, "top_logprobs" in body) == (wanted and offered,) * 2


def test_extra_body_is_passed_on_as_it_is() -> None:
    """What stands in extra_body is in the request, and wins over what is there."""
    body = body_of(params_of(model={"extra_body": {"reasoning_effort": "low", "temperature": 0.9}}))
    assert (body["reasoning_effort"], body["temperature"]) == ("low", 0.9)
