from typing import Any

import pytest

from narrative_runs.asking.reply import read

YES, NO = '{"detected": true, "confidence": 0.9}', '{"detected": false, "confidence": 0.2}'
# At the place of a decision: (token, its logarithm, the other one, its logarithm).
SURE = ("true", -0.1053605, "false", -2.302585)
UNSURE = ("false", -0.6931472, "true", -0.6931472)


def tokens_of(*parts: Any) -> list[dict[str, Any]]:
    """Tokens as a server gives them; each part is a token's text, bytes, or a decision with its alternative."""
    tokens: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, bytes):
            tokens.append({"token": part.decode("utf-8", "replace"), "logprob": -0.1, "bytes": list(part)})
        elif isinstance(part, str):
            tokens.append({"token": part, "logprob": -0.1, "bytes": None, "top_logprobs": []})
        else:
            token, logprob, other, of_other = part
            others = [{"token": token, "logprob": logprob}, {"token": other, "logprob": of_other}]
            tokens.append({"token": token, "logprob": logprob, "top_logprobs": others})
    return tokens


def probability(content: str, *parts: Any, **message: Any) -> float | None:
    """`p_detected` of a reply with this content and these tokens."""
    choice = {"message": {"content": content, **message}, "logprobs": {"content": tokens_of(*parts)}}
    return read({"choices": [choice]}).p_detected


ANSWER = ('{"detected": ', SURE, ', "confidence": 0.9}')
DRAFT = ('{"detected": ', UNSURE, ', "confidence": 0.2}')


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (YES, ANSWER),
        (f"<think>Maybe {NO}</think>\n{YES}", ("<think>", "Maybe ", *DRAFT, "</think>", "\n", *ANSWER)),
        (f"Maybe {NO}</think>{YES}", ("Maybe ", *DRAFT, "</think>", *ANSWER)),
        (
            f"analysisMaybe {NO}assistantfinal{YES}",
            (
                "<|channel|>",
                "analysis",
                "<|message|>",
                "Maybe ",
                *DRAFT,
                "<|end|>",
                "<|start|>",
                "assistant",
                "<|channel|>",
                "final",
                "<|message|>",
                *ANSWER,
                "<|return|>",
            ),
        ),
        (
            f'{{"detected": true/false}} {YES}',
            ('{"detected": true/false} ', *ANSWER),
        ),
        (YES, ("Maybe ", *DRAFT, *ANSWER)),
        (YES, (*ANSWER, "<|im_end|>")),
        (YES, (*ANSWER, "</s>")),
        (YES, ('{"detected": ', SURE)),
        ("```json\n" + YES + "\n```", ("```", "json", "\n", *ANSWER, "\n", "```")),
        ("é😀 " + YES, ("é", b"\xf0\x9f", b"\x98\x80", " ", *ANSWER)),
        ('{"detected": true, "rationale": "😀"}', ('{"detected": ', SURE, ', "rationale": "', "�", "�", '"}')),
        ('{"detected":true}', ('{"detected":', (" true", *SURE[1:]), "}")),
        ('{"detected": "true"}', ('{"detected": "', SURE, '"}')),
    ],
)
def test_the_tokens_are_those_of_the_answer_that_was_taken(content: str, parts: Any) -> None:
    """Drafts, marks, fences and pieces of characters before it, or tokens that break off: its own tokens are used."""
    assert probability(content, *parts) == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (YES, DRAFT),
        (f"{YES} so {YES}", ANSWER),
        (YES, ()),
        (YES, ('{"detected"',)),
        (YES, ("token_id:90", "token_id:7")),
        (YES, ("x", '{"detected": ', SURE)),
        (YES, ('{"detected": ', SURE, ' or not. {"detected": ', SURE)),
        ("😀" + YES, ("�", "�", *ANSWER)),
        (f"<think>Maybe {YES}", ("<think>", "Maybe ", *ANSWER)),
        ("no answer", ANSWER),
        ("", ANSWER),
    ],
)
def test_tokens_that_cannot_be_aligned_tell_nothing(content: str, parts: Any) -> None:
    """Where tokens and text do not match for certain there is no probability."""
    assert probability(content, *parts) is None


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {"token": None},
        {"token": "}", "bytes": [256]},
        {"token": "}", "bytes": "}"},
        {"token": "}", "logprob": "low", "top_logprobs": {"true": -0.1}},
        {"token": "}", "logprob": -(10**400), "top_logprobs": [None, 5, {"token": 5}, {"token": "x", "logprob": []}]},
    ],
)
def test_odd_tokens_cost_no_answer(odd: Any) -> None:
    """A token of any form gives a probability or none, and no error."""
    for tokens in ([*tokens_of('{"detected": ', "true"), odd], [*tokens_of('{"detected": '), odd]):
        found = read({"choices": [{"message": {"content": '{"detected": true}'}, "logprobs": {"content": tokens}}]})
        assert found.p_detected in (None, 1.0)


def test_fences_that_the_server_took_off_do_not_matter() -> None:
    """Where the tokens hold fences that the content has lost, the decision is still found, being there only once."""
    assert probability(YES, "```json\n", *ANSWER, "\n```") == pytest.approx(0.9, abs=1e-6)
    assert probability(YES, "```json\n", *ANSWER, "\n", *ANSWER, "\n```") is None
