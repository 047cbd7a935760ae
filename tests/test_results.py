import copy
import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrative_runs.asking.probabilities import probabilities
from narrative_runs.asking.reply import counts_are_odd, is_reply, tokens_used
from narrative_runs.asking.reply import read as read_reply
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.results import RESULT_COLUMNS, Result, result_of, tokens_of
from narrative_runs.results_file import read, write
from narrative_runs.source.shards import Narrative

FIXTURES = Path(__file__).parent / "asking" / "fixtures"
NARRATIVE = Narrative(7, "0012", "le", "V was found by a neighbor.", 1, None, source_row=5)
awkward = st.text(st.sampled_from('a\ud800\udfff😀\x00"\\'), max_size=4)
CATEGORIES = {"api_error", "rate_limit", "timeout", "parse_error", "data_error", "unknown"}


def entry_of(**outcome: Any) -> dict[str, Any]:
    """A journal entry with this response or error."""
    return {
        "fingerprint": "f",
        "incident_id": "0012",
        "narrative_type": "le",
        "attempt": 1,
        "first_error_message": None,
        "asked_at": "2024-05-01T12:00:00+02:00",
        "response_sec": 1.25,
        "requests": 1,
        **outcome,
    }


def result_from(name: str) -> Result:
    """The result that a server's reply gives."""
    reply = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return result_of(NARRATIVE, entry_of(response=reply), DEFAULT)


def result_from_text(content: str | None, finish_reason: str = "stop", **message: Any) -> Result:
    """The result that a model's words give."""
    choice = {"message": {"content": content, **message}, "finish_reason": finish_reason}
    return result_of(NARRATIVE, entry_of(response={"choices": [choice]}), DEFAULT)


def test_an_answer_is_a_result_without_error() -> None:
    """All that an answer tells stands in its row, beside the narrative that it is about."""
    result = result_from("vllm_logprobs")
    assert result.p_detected == pytest.approx(0.9)
    assert result == Result(
        row_num=7,
        incident_id="0012",
        narrative_type="le",
        narrative_text="V was found by a neighbor.",
        manual_flag_ind=1,
        manual_flag=None,
        detected=True,
        confidence=0.9,
        indicators='["struck by boyfriend"]',
        rationale="Her boyfriend struck V on Sunday.",
        reasoning_steps=None,
        raw_response=(
            '{"detected": true, "confidence": 0.9, "indicators": ["struck by boyfriend"], '
            '"rationale": "Her boyfriend struck V on Sunday."}'
        ),
        response_sec=1.25,
        processed_at="2024-05-01 12:00:00",
        error_occurred=False,
        error_message=None,
        prompt_tokens=402,
        completion_tokens=33,
        tokens_used=435,
        attempt_count=1,
        first_error_message=None,
        last_attempt_at="2024-05-01 12:00:00",
        error_category=None,
        p_detected=result.p_detected,
        model_answered="Qwen/Qwen3-8B",
        fingerprint="f",
        source_row=5,
    )


@pytest.mark.parametrize(
    ("name", "detected"),
    [
        ("lm_studio", True),
        ("lm_studio_reasoning", True),
        ("lm_studio_reasoning_content", True),
        ("lm_studio_stats", False),
        ("ollama", True),
        ("ollama_reasoning", True),
        ("ollama_think_in_content", True),
        ("vllm", True),
        ("vllm_reasoning", True),
        ("llama_cpp", True),
        ("llama_cpp_reasoning", True),
        ("llama_cpp_logprobs", True),
        ("openai", True),
        ("openai_logprobs", False),
        ("gateway_parts", True),
    ],
)
def test_the_reply_of_every_server_is_a_result(name: str, detected: bool) -> None:
    """Whoever served the model, its decision is the row's, without error."""
    result = result_from(name)
    assert (result.detected, result.error_occurred, result.error_category) == (detected, False, None)
    assert ("reasoning" in name or "think" in name) == (result.reasoning_steps is not None)


@pytest.mark.parametrize(
    ("name", "category", "words"),
    [
        ("lm_studio_reasoning_cut_off", "parse_error", "model.max_tokens"),
        ("ollama_think_cut_off", "parse_error", "model.max_tokens"),
        ("openai_reasoning_cut_off", "parse_error", "model.max_tokens"),
        ("openai_refusal", "data_error", "refused"),
        ("openai_content_filter", "data_error", "content filter"),
    ],
)
def test_a_reply_without_an_answer_is_an_error_that_says_what_to_do(name: str, category: str, words: str) -> None:
    """Used-up tokens, a refusal and a filter are told apart, and their tokens are counted."""
    result = result_from(name)
    assert (result.detected, result.confidence, result.error_occurred) == (None, None, True)
    assert result.error_category == category
    assert words in (result.error_message or "")
    assert result.tokens_used


def test_the_words_of_a_refusal_are_kept() -> None:
    """What the model said instead of an answer stands in raw_response."""
    assert result_from("openai_refusal").raw_response == "I'm sorry, I can't assist with that request."


def test_an_unreadable_answer_is_kept_with_its_error() -> None:
    """What the model wrote can be looked at, and its error is parse_error, which asking again may mend."""
    result = result_from_text("I would say that it is likely.")
    assert result.error_category == "parse_error"
    assert result.raw_response == "I would say that it is likely."
    assert result.indicators == "[]"


def test_an_answer_that_is_whole_in_spite_of_its_length_counts() -> None:
    """A model that talked on after its answer until its tokens ended has answered."""
    result = result_from_text('{"detected": true, "confidence": 0.9} And furthermore', finish_reason="length")
    assert (result.detected, result.error_occurred) == (True, False)


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_a_failure_is_a_result_with_its_category(category: str) -> None:
    """A narrative that could not be asked for has a row with the reason, and nothing invented in it."""
    result = result_of(NARRATIVE, entry_of(error={"category": category, "message": "HTTP 400"}, attempt=3), DEFAULT)
    assert (result.error_occurred, result.error_category, result.error_message) == (True, category, "HTTP 400")
    assert (result.detected, result.confidence, result.p_detected, result.raw_response) == (None, None, None, None)
    assert (result.attempt_count, result.narrative_text) == (3, NARRATIVE.narrative_text)


def test_a_retry_remembers_the_first_error() -> None:
    """The row of a later pass tells what the first one failed with."""
    reply = json.loads((FIXTURES / "openai.json").read_text(encoding="utf-8"))
    result = result_of(NARRATIVE, entry_of(response=reply, attempt=2, first_error_message="HTTP 500"), DEFAULT)
    assert (result.attempt_count, result.first_error_message, result.error_occurred) == (2, "HTTP 500", False)


@given(
    st.one_of(
        st.text(st.characters(), max_size=40),
        st.fixed_dictionaries(
            {"detected": st.booleans(), "confidence": st.floats(0, 1)},
            optional={
                "rationale": awkward,
                "indicators": st.lists(awkward, max_size=2),
            },
        ).map(json.dumps),
    ),
    st.sampled_from(["stop", "length", "content_filter", None]),
    awkward,
)
def test_whatever_a_model_writes_is_a_row_that_can_be_kept(content: str, finish_reason: Any, thought: str) -> None:
    """Any text, lone surrogates in it too, gives a row that fits into a file and comes back from it."""
    result = result_from_text(content, finish_reason, reasoning=thought)
    assert result.error_occurred == (result.detected is None) == (result.error_category is not None)
    assert result.error_category in {*CATEGORIES, None}
    assert isinstance(json.loads(result.indicators), list)
    for name in RESULT_COLUMNS:
        value = getattr(result, name)
        if isinstance(value, str):
            value.encode("utf-8")


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from(
            [10**30, -(10**400), 2**63, 40.5, "40", "n/a", "stop", "length", '{"detected": true}', "<think>"]
        ),
        st.floats(),
        awkward,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["text", "type", "token", "bytes", "logprob", "top_logprobs", "content", "thinking", "a"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
TOKEN = {"token": "true", "logprob": -0.1, "bytes": [116], "top_logprobs": [{"token": "false", "logprob": -2.3}]}
WHOLE: dict[str, Any] = {
    "id": "chatcmpl-1",
    "model": "fake",
    "error": None,
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "content": '{"detected": true}',
                **dict.fromkeys(("reasoning", "reasoning_content", "thinking", "reasoning_details", "refusal")),
            },
            "logprobs": {
                "content": [
                    {"token": '{"detected":', "logprob": 0, "bytes": None},
                    {**TOKEN, "bytes": None},
                    {"token": "}"},
                ]
            },
        }
    ],
    "usage": {
        "prompt_tokens": 40,
        "completion_tokens": 12,
        "total_tokens": 60,
        "prompt_tokens_details": {"cached_tokens": 50},
        "completion_tokens_details": {"reasoning_tokens": 20},
    },
}
IN_PARTS = {
    **WHOLE["choices"][0]["message"],
    "content": [{"type": "thinking", "thinking": "a"}, {"type": "text", "text": "b"}],
}


def places_in(value: Any) -> Iterator[tuple[Any, ...]]:
    """The way to each place in a value, its own left out."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (key,)
        yield from ((key, *place) for place in places_in(part))


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """A reply in which any JSON stands at up to three places."""
    body = copy.deepcopy(WHOLE)
    if draw(st.booleans()):
        body["choices"][0]["message"] = copy.deepcopy(IN_PARTS)
    for *way, last in draw(st.lists(st.sampled_from(list(places_in(body))), max_size=3, unique=True)):
        part: Any = body
        with suppress(LookupError, TypeError):
            for key in way:
                part = part[key]
            part[last] = draw(anything)
    return body


@settings(max_examples=300, deadline=None)
@given(bodies())
@pytest.mark.slow
def test_whatever_is_taken_for_a_reply_is_a_row(tmp_path_factory: pytest.TempPathFactory, body: dict[str, Any]) -> None:
    """Any JSON at any place of a reply gives a row that all files take, and counts; no error comes of it."""
    if not is_reply(body):
        return
    entry = json.loads(json.dumps(entry_of(response=body)))
    result = result_of(NARRATIVE, entry, DEFAULT)
    assert result.error_category in {*CATEGORIES, None}
    assert tokens_of(entry) == tokens_used(body) == (result.tokens_used or 0)
    assert isinstance(counts_are_odd(body), bool)
    path = tmp_path_factory.mktemp("row") / "1-of-1.parquet"
    assert write([result], path, DEFAULT) == 1
    assert list(read(path)) == [result]
    values = [getattr(result, name) for name in RESULT_COLUMNS]
    json.dumps(values, allow_nan=False, ensure_ascii=False).encode()
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"SELECT {', '.join('?' * len(values))}", values)


@given(bodies())
def test_what_can_be_a_reply_can_be_asked_of_anything(body: dict[str, Any]) -> None:
    """Whether a body is a reply is answered for every body, and each part at its place is of its kind or none."""
    if not is_reply(body):
        return
    parts = read_reply(body)
    assert all(count is None or 0 <= count < 2**63 for count in (parts.prompt_tokens, parts.completion_tokens))
    assert all(0 <= probability <= 1 for probability in probabilities(parts, DEFAULT).values())
    for told in (parts.written, parts.thought, parts.finish_reason, parts.refusal, parts.model):
        assert told is None or isinstance(told, str)


@pytest.mark.parametrize("depth", [50, 90, 500, 100_000])
@pytest.mark.slow
def test_a_deeply_nested_answer_does_not_stop_the_shard(depth: int) -> None:
    """However deep a model nests its JSON, there is a row."""
    nested = "[" * depth + "]" * depth
    for text in (
        nested,
        f'{{"detected": true, "confidence": 0.9, "indicators": {nested}}}',
        '{"detected": true, "rationale": ' + '{"a":' * depth + "1" + "}" * depth + "}",
        f'{{"arguments": "{nested}"}}',
    ):
        assert result_from_text(text).error_category in {*CATEGORIES, None}


@pytest.mark.parametrize("escape", ["\\ud83d", "\\udc00", "\\u0000"])
def test_half_a_character_in_an_answer_does_not_stop_the_shard(escape: str, tmp_path: Path) -> None:
    """An escape that stands for no character in the model's JSON still gives a row that is written to the file."""
    text = f'{{"detected": true, "confidence": 0.9, "indicators": ["a{escape}"], "rationale": "b{escape}"}}'
    result = result_from_text(text)
    assert write([result], tmp_path / "1-of-1.parquet", DEFAULT) == 1
    (back,) = read(tmp_path / "1-of-1.parquet")
    assert (back.detected, (back.rationale or "")[:1]) == (True, "b")


def test_the_columns_are_those_of_the_contract() -> None:
    """A result has the R system's columns under their names, and then those of our own."""
    assert RESULT_COLUMNS[-4:] == ("p_detected", "model_answered", "fingerprint", "source_row")
    assert set(RESULT_COLUMNS) >= {"row_num", "incident_id", "narrative_type", "detected", "error_category"}


def test_an_adopted_answer_is_the_row_that_it_was() -> None:
    """An entry that another system's row became gives that row's values, and counts that row's tokens."""
    values: dict[str, Any] = {
        "detected": False,
        "confidence": 0.7,
        "indicators": "[]",
        "rationale": "theirs",
        "reasoning_steps": "one, two",
        "raw_response": "{}",
        "response_sec": 6.5,
        "processed_at": "2025-10-27 10:00:00",
        "error_occurred": False,
        "error_message": None,
        "error_category": None,
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "tokens_used": 120,
        "last_attempt_at": "2025-10-27 11:00:00",
    }
    entry = {**entry_of(adopted=values), "attempt": 3, "first_error_message": "HTTP 500"}
    result = result_of(NARRATIVE, entry, DEFAULT)
    assert {name: getattr(result, name) for name in values} == values
    assert (result.attempt_count, result.first_error_message, result.row_num) == (3, "HTTP 500", 7)
    assert (result.p_detected, result.model_answered) == (None, None)
    assert tokens_of(entry) == 120
    assert tokens_of(entry_of(adopted={**values, "tokens_used": None})) == 0
    assert tokens_of(entry_of(error={"category": "timeout", "message": "x"})) == 0
