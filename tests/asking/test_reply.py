import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.asking.answer import located
from narrative_runs.asking.probabilities import probabilities
from narrative_runs.asking.reply import Counts, Reply, counts_are_odd, counts_of, is_reply, read, tokens_used
from narrative_runs.codebook.default import DEFAULT

FIXTURES = Path(__file__).parent / "fixtures"
RATIONALE = "Her boyfriend struck V on Sunday."


def fixture(name: str) -> dict[str, Any]:
    """A reply as a server writes it."""
    body: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return body


def p_detected(parts: Reply) -> float | None:
    """The probability that goes with the answer to the usual question."""
    return probabilities(parts, DEFAULT).get("detected")


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


def text_of(tokens: list[Any]) -> str:
    """The text of tokens, of each of which the text comes first."""
    return "".join(token[0] for token in tokens)


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
    values = located(parts.written, DEFAULT).values
    assert values["detected"].value is detected
    if detected:
        assert values["detected"].confidence == 0.9
        assert (values["indicators"].value, values["rationale"].value) == (("struck by boyfriend",), RATIONALE)
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
    found = p_detected(read(fixture(name)))
    assert found is None if probability is None else found == pytest.approx(probability)


@given(st.floats(-30, 0), st.floats(-30, 0), st.sampled_from(["", " "]), st.booleans())
def test_the_probability_does_not_depend_on_what_was_drawn(true: float, false: float, blank: str, drawn: bool) -> None:
    """The same probabilities give the same share, whichever of both tokens the model took."""
    likely: dict[str, float | None] = {f"{blank}true": true, f"{blank}false": false}
    taken = f"{blank}true" if drawn else f"{blank}false"
    tokens = [('{"', 0.0, {}), ("detected", 0.0, {}), ('":', 0.0, {}), (taken, likely[taken], likely), ("}", 0.0, {})]
    found = p_detected(read(body_of({"content": text_of(tokens)}, logprobs=logprobs_of(*tokens))))
    assert found == pytest.approx(math.exp(true) / (math.exp(true) + math.exp(false)))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(['{"', "detected", '":', ' "', '{"detected":', " true", "false", "t", "", "no", "é", "}"]),
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
    content = text_of(tokens)
    found = p_detected(read(body_of({"content": content}, logprobs=logprobs_of(*tokens))))
    assert found is None or 0 <= found <= 1


@pytest.mark.parametrize("nothing", [None, {}, {"content": None}, {"content": []}, [], {"tokens": ["true"]}])
def test_other_forms_of_logprobs_give_no_probability(nothing: Any) -> None:
    """Without a list of tokens there is no probability, and no error."""
    assert p_detected(read(body_of({"content": "x"}, logprobs=nothing))) is None


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
    assert read(body_of({"content": content})) == Reply("", None, None, None, None, None, None)


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


@pytest.mark.parametrize("innermost", [{}, []])
def test_a_reply_that_is_nested_without_end_is_none(innermost: Any) -> None:
    """What no encoder could write again is not taken for a reply, wherever in it the nesting is."""
    for _ in range(5_000):
        innermost = {"a": innermost} if isinstance(innermost, list) else [innermost]
    assert not is_reply(body_of({"content": "x", "extra": innermost}))
    assert not is_reply({**body_of({"content": "x"}), "usage": innermost})


@pytest.mark.parametrize(
    ("content", "written", "thought"),
    [
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "{}"}],
            "{}",
            "Hm.",
        ),
        ([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "{}"}], "{}", "Hm."),
        ([{"type": "reasoning", "text": "Hm."}, {"type": "output_text", "text": "{}"}], "{}", "Hm."),
        ([{"text": "Hm.", "thought": True}, {"text": "{}"}], "{}", "Hm."),
    ],
)
def test_parts_that_are_thinking_are_not_written(content: Any, written: str, thought: str) -> None:
    """Where a server gives the content in parts, those that it calls thinking are no answer."""
    parts = read(body_of({"content": content}))
    assert (parts.written, parts.thought) == (written, thought)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_thinking_is_found_under_every_name(name: str) -> None:
    """Servers give the thinking a place of its own under several names, as a text or in parts."""
    assert read(body_of({"content": "{}", name: "Hm."})).thought == "Hm."
    assert read(body_of({"content": "{}", name: [{"type": "reasoning", "text": "Hm."}]})).thought == "Hm."


def test_a_refusal_among_the_parts_is_one() -> None:
    """A refusal can be a part of the content."""
    assert read(body_of({"content": [{"type": "refusal", "refusal": "No."}]})).refusal == "No."


@pytest.mark.parametrize("reason", ["stop", "STOP", "eos", "eos_token", "end_turn", "tool_calls", None, ""])
def test_a_normal_end_is_one(reason: Any) -> None:
    """Whatever a server calls it, a model that came to its end by itself is told from one that did not."""
    assert read(body_of({"content": "x"}, finish_reason=reason)).is_at_its_end


@pytest.mark.parametrize("reason", ["length", "error", "content_filter", "max_tokens", "abort", "cancelled", "x"])
def test_an_end_that_is_not_known_to_be_normal_is_none(reason: str) -> None:
    """An unknown reason is not taken for a good one."""
    assert not read(body_of({"content": "x"}, finish_reason=reason)).is_at_its_end


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


@pytest.mark.parametrize(
    ("usage", "prompt", "completion", "together"),
    [
        ({"prompt_tokens": "40", "completion_tokens": 12.0}, 40, 12, 52),
        ({"prompt_tokens": 40.5, "completion_tokens": 12}, None, 12, 12),
        ({"prompt_tokens": -1, "completion_tokens": True, "total_tokens": 10**30}, None, None, 0),
        ({"prompt_tokens": "n/a", "completion_tokens": "12", "total_tokens": "52"}, None, 12, 52),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 90}}, 100, 5, 105),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 105,
                "prompt_tokens_details": {"cached_tokens": 90},
            },
            100,
            5,
            105,
        ),
        ({"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 90}}, 100, 5, 105),
        ({"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 300}, 100, 200, 300),
        ({"prompt_tokens": 100, "total_tokens": 300}, 100, 200, 300),
        (
            {"prompt_tokens": 100, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 60}},
            100,
            65,
            165,
        ),
        ({"prompt_tokens": 10, "prompt_tokens_details": "n/a"}, 10, None, 10),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": "n/a"}}, 10, None, 10),
        ("n/a", None, None, 0),
        ([40, 12], None, None, 0),
        (None, None, None, 0),
    ],
)
def test_counts_are_read_where_they_can_be(usage: Any, prompt: Any, completion: Any, together: int) -> None:
    """Texts and round floats are counts; cached prompt tokens and reasoning count with the rest; all else is none."""
    assert counts_of({"usage": usage}) == Counts(prompt, completion, together)
    assert tokens_used({"usage": usage}) == together


@pytest.mark.parametrize(
    ("usage", "are_odd"),
    [
        (None, False),
        ({}, False),
        ({"prompt_tokens": None, "completion_tokens": 4}, False),
        ({"prompt_tokens": "40", "completion_tokens": 12.0}, False),
        ({"prompt_tokens": 40.5}, True),
        ({"completion_tokens": "n/a"}, True),
        ({"total_tokens": 10**30}, True),
        ({"prompt_tokens": False}, True),
        ("n/a", True),
        ([], True),
        (0, True),
    ],
)
def test_odd_counts_are_told(usage: Any, are_odd: bool) -> None:
    """A usage of which a count cannot be read is odd; one that is not there is not."""
    assert counts_are_odd({"usage": usage}) is are_odd
