import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.asking import answer
from narrative_runs.asking.reply import Reply, is_reply, read, tokens_used

FIXTURES = Path(__file__).parent / "fixtures"
RATIONALE = "Her boyfriend struck V on Sunday."


def fixture(name: str) -> dict[str, Any]:
    """A reply as a server writes it."""
    body: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return body


def body_of(message: dict[str, Any], **choice: Any) -> dict[str, Any]:
    """The smallest reply around a message."""
    return {"choices": [{"message": message, **choice}]}


def logprobs_of(*tokens: tuple[str, float | None, dict[str, float | None]]) -> dict[str, Any]:
    """Token probabilities: of each token its text, its logarithm, and those of others in its place."""
    return {
        "content": [
            {
                "token": token,
                "logprob": logprob,
                "top_logprobs": [{"token": other, "logprob": value} for other, value in others.items()],
            }
            for token, logprob, others in tokens
        ]
    }


ANSWERED = {
    # name: (detected, thought begins with, model, prompt tokens, completion tokens, tokens together)
    "lm_studio": (True, None, "qwen2.5-7b-instruct", 412, 46, 458),
    "lm_studio_reasoning": (True, "V's boyfriend struck her", "openai/gpt-oss-20b", 431, 118, 549),
    "lm_studio_reasoning_content": (True, "The narrative names", "qwen/qwen3-8b", 398, 131, 529),
    "lm_studio_stats": (False, None, "granite-3.0-2b-instruct", 377, 33, 410),
    "ollama": (True, None, "llama3.1:8b", 365, 58, 423),
    "ollama_reasoning": (True, "The boyfriend struck V", "gpt-oss:20b", 371, 142, 513),
    "ollama_think_in_content": (True, "Is it", "deepseek-r1:8b", 352, 167, 519),
    "vllm": (True, None, "Qwen/Qwen3-8B", 402, 47, 449),
    "vllm_reasoning": (True, "\nThe boyfriend struck her", "Qwen/Qwen3-8B", 402, 118, 520),
    "vllm_logprobs": (True, None, "Qwen/Qwen3-8B", 402, 33, 435),
    "llama_cpp": (True, None, "Qwen2.5-Coder-0.5B-Instruct", 411, 46, 457),
    "llama_cpp_reasoning": (True, "The boyfriend struck V", "Qwen2.5-Coder-0.5B-Instruct", 411, 71, 482),
    "llama_cpp_logprobs": (True, None, "Qwen2.5-Coder-0.5B-Instruct", 411, 46, 457),
    "openai": (True, None, "gpt-4o-mini-2024-07-18", 389, 44, 433),
    "openai_logprobs": (False, None, "gpt-4o-mini-2024-07-18", 389, 33, 422),
    "gateway_parts": (True, None, "some/model", None, None, 0),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_the_answer_of_every_server_is_found(name: str) -> None:
    """Whoever serves the model, its answer, thinking, name and tokens are read from where that server puts them."""
    detected, thought, model, prompt_tokens, completion_tokens, together = ANSWERED[name]
    body = fixture(name)
    assert is_reply(body)
    parts = read(body)
    answered = answer.read(parts.written)
    assert answered.detected is detected
    if detected:
        assert answered == answer.Answer(True, 0.9, ["struck by boyfriend"], RATIONALE)
    assert parts.thought is None if thought is None else (parts.thought or "").startswith(thought)
    assert (parts.finish_reason, parts.refusal) == ("stop", None)
    assert (parts.model, parts.prompt_tokens, parts.completion_tokens) == (model, prompt_tokens, completion_tokens)
    assert tokens_used(body) == together


@pytest.mark.parametrize(
    ("name", "thought"),
    [
        ("lm_studio_reasoning_cut_off", "First I list everybody in the narrative. The boyfriend"),
        ("ollama_think_cut_off", 'It could be {"detected": true, "confidence": 0.9}, but first'),
        ("openai_reasoning_cut_off", None),
    ],
)
def test_reasoning_that_used_up_the_tokens_has_written_nothing(name: str, thought: str | None) -> None:
    """When the budget of tokens ends amid the reasoning, nothing of it is taken for an answer."""
    parts = read(fixture(name))
    assert (parts.written, parts.finish_reason, parts.thought) == ("", "length", thought)


def test_an_answer_cut_off_says_so() -> None:
    """A text that ran out of tokens keeps its beginning and the reason of its end."""
    parts = read(fixture("llama_cpp_cut_off"))
    assert parts.finish_reason == "length"
    assert parts.written.startswith('{"detected": true')


def test_a_refusal_is_told_in_the_words_of_the_model() -> None:
    """Where the model refuses, its words are the refusal, and nothing is written."""
    parts = read(fixture("openai_refusal"))
    assert (parts.written, parts.refusal) == ("", "I'm sorry, I can't assist with that request.")


def test_a_withheld_answer_says_so() -> None:
    """An answer that a filter withheld is empty, for this reason."""
    parts = read(fixture("openai_content_filter"))
    assert (parts.written, parts.finish_reason) == ("", "content_filter")


@pytest.mark.parametrize(
    ("name", "probability"),
    [("vllm_logprobs", 0.9), ("llama_cpp_logprobs", 0.75), ("openai_logprobs", 0.5), ("vllm", None), ("openai", None)],
)
def test_the_probability_is_that_of_true_against_false(name: str, probability: float | None) -> None:
    """`p_detected` is the share of true among true and false where the decision was made; None without logprobs."""
    found = read(fixture(name)).p_detected
    assert found is None if probability is None else found == pytest.approx(probability)


@given(st.floats(-30, 0), st.floats(-30, 0), st.sampled_from(["", " "]), st.booleans())
def test_the_probability_does_not_depend_on_what_was_drawn(true: float, false: float, blank: str, drawn: bool) -> None:
    """The same probabilities give the same share, whichever of both tokens the model took."""
    likely: dict[str, float | None] = {f"{blank}true": true, f"{blank}false": false}
    taken = f"{blank}true" if drawn else f"{blank}false"
    logprobs = logprobs_of(('{"', 0.0, {}), ("detected", 0.0, {}), ('":', 0.0, {}), (taken, likely[taken], likely))
    found = read(body_of({"content": ""}, logprobs=logprobs)).p_detected
    assert found == pytest.approx(math.exp(true) / (math.exp(true) + math.exp(false)))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(['{"', "detected", '":', ' "', '"detected":', " true", "false", "t", "", "no", "é"]),
            st.one_of(st.none(), st.floats(-9999, 0)),
            st.dictionaries(
                st.sampled_from(["true", " false", "f", "x", ""]), st.one_of(st.none(), st.floats(-9999, 0))
            ),
        ),
        max_size=8,
    )
)
def test_any_token_probabilities_are_a_probability_or_none(tokens: list[Any]) -> None:
    """However the tokens are cut, and where a server gives no logarithm, the outcome is from 0 to 1, or None."""
    found = read(body_of({"content": ""}, logprobs=logprobs_of(*tokens))).p_detected
    assert found is None or 0 <= found <= 1


@pytest.mark.parametrize("nothing", [None, {}, {"content": None}, {"content": []}, [], {"tokens": ["true"]}])
def test_other_forms_of_logprobs_give_no_probability(nothing: Any) -> None:
    """Without a list of tokens there is no probability, and no error."""
    assert read(body_of({"content": "x"}, logprobs=nothing)).p_detected is None


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        [],
        [None],
        [{"type": "text"}],
        [{"type": "text", "text": None}],
        [{"type": "text", "text": ["x"]}],
        5,
        {"text": "x"},
    ],
)
def test_content_without_text_is_nothing_written(content: Any) -> None:
    """A message whose content holds no text is read as empty."""
    assert read(body_of({"content": content})) == Reply("", None, None, None, None, None, None, None)


@given(st.text(st.characters(categories=["Cs", "L", "N"])))
def test_what_is_read_fits_into_files(text: str) -> None:
    """Lone surrogates, which JSON can carry, are replaced, so that all of it can be written as UTF-8."""
    message = {"content": text, "reasoning_content": text, "refusal": text}
    parts = read({**body_of(message, finish_reason="stop"), "model": text})
    for told in (parts.written, parts.thought, parts.refusal, parts.model):
        (told or "").encode("utf-8")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "no",
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": ["text"]},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": "text"}]},
        {"choices": [{"text": "a completion that is no chat"}]},
        {"choices": {"0": {"message": {}}}},
        {"error": {"message": "no"}},
    ],
)
def test_other_bodies_are_no_reply(body: Any) -> None:
    """What has no message in its first choice is not taken for a reply."""
    assert not is_reply(body)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, 0),
        ({}, 0),
        ({"total_tokens": 7}, 7),
        ({"prompt_tokens": 3, "completion_tokens": 4}, 7),
        ({"prompt_tokens": 3, "completion_tokens": None, "total_tokens": None}, 3),
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9}, 9),
    ],
)
def test_tokens_are_those_that_the_server_counts(usage: Any, tokens: int) -> None:
    """The server's total counts, else the sum of its parts, and 0 where it counts nothing."""
    assert tokens_used({"usage": usage}) == tokens
