import json
from typing import Any

import pytest

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.observation.answer_patterns import FEWEST, AnswerPatterns
from narrative_runs.params import Params, check
from narrative_runs.results import Result, result_of
from narrative_runs.source.shards import Narrative

NARRATIVE = Narrative(1, "1", "cme", "V was found.", None, None)
ANSWER = json.dumps({"detected": True, "confidence": 0.9})


def params_of(**model: Any) -> Params:
    """Params of a model at a server."""
    return check(
        {
            "experiment": {"name": "E"},
            "model": {"name": "m", "api_url": "http://localhost:1/v1", **model},
            "prompt": {"user_template": "<<TEXT>>"},
            "data": {"file": "x.xlsx"},
        },
        "params.yaml",
    )


def said(
    count: int, watch: AnswerPatterns, content: str = ANSWER, without: set[str] | None = None, **reply: Any
) -> list[str]:
    """All that is said about so many answers."""
    choice = {"message": {"content": content}, "finish_reason": reply.pop("finish_reason", "stop")}
    entry = {
        "fingerprint": "",
        "asked_at": "2026-01-01T00:00:00",
        "attempt": 1,
        "first_error_message": None,
        "response": {"choices": [choice], **reply},
    }
    result: Result = result_of(NARRATIVE, entry, DEFAULT)
    return [text for _ in range(count) for text in watch.see(entry, result, without or set())]


def test_sound_answers_are_not_talked_about() -> None:
    """Answers as they were asked for give no occasion to say anything."""
    watch = AnswerPatterns(params_of())
    assert said(20, watch, usage={"prompt_tokens": 5, "completion_tokens": 3}) == []
    assert watch.at_the_end() == []


@pytest.mark.parametrize("usage", [{"prompt_tokens": 40.5}, {"prompt_tokens": -3}, {"completion_tokens": "n/a"}])
def test_odd_counts_are_told_once(usage: dict[str, Any]) -> None:
    """Counts of tokens that cannot be read are told once, however many there are."""
    (text,) = said(20, AnswerPatterns(params_of()), usage=usage)
    assert "look wrong" in text


def test_probabilities_that_never_come_are_told_once() -> None:
    """A server that ignores the wish for token probabilities is told after the first answers, unless it is known."""
    texts = said(20, AnswerPatterns(params_of(logprobs=True)))
    assert len(texts) == 1 and "model.logprobs" in texts[0]
    assert said(FEWEST - 1, AnswerPatterns(params_of(logprobs=True))) == []
    assert said(20, AnswerPatterns(params_of(logprobs=True)), without={"logprobs"}) == []


def test_a_schema_that_is_ignored_is_told_once() -> None:
    """Where all first answers come amid other text although a schema was asked for, that is told; else it is not."""
    texts = said(20, AnswerPatterns(params_of()), content=f"Here you are:\n{ANSWER}")
    assert len(texts) == 1 and "schema" in texts[0]
    assert said(20, AnswerPatterns(params_of()), content=f"So:\n{ANSWER}", without={"schema"}) == []
    assert said(20, AnswerPatterns(params_of(structured_output="plain")), content=f"So:\n{ANSWER}") == []


def test_answers_that_were_cut_off_are_counted() -> None:
    """Whole answers whose tokens were used up are told with their number when the session ends."""
    watch = AnswerPatterns(params_of())
    said(3, watch, finish_reason="length")
    said(1, watch)
    (text,) = watch.at_the_end()
    assert text.startswith("3 of 4 answers were cut off")
