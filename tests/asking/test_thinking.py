import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.asking.thinking import apart_from_thinking

OBJECT = '{"detected": true, "confidence": 0.9}'
marks = st.sampled_from(
    [
        *("<think>", "</think>", "<thought>", "</thought>", "[THINK]", "[/THINK]", "<|end|>", "<unused94>"),
        *("<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "assistantfinal", "analysis", "<unused95>"),
    ]
)
texts = st.lists(st.one_of(marks, st.sampled_from([OBJECT, "So ", "{", '"', "\n", "é"])), max_size=12).map("".join)


@given(st.text(st.characters(exclude_characters="<"), min_size=1), st.dictionaries(st.text(), st.booleans()))
def test_thinking_is_kept_apart(thought: str, answer: dict[str, Any]) -> None:
    """What stands between the thinking marks is the thought, and the rest is what was written."""
    found = apart_from_thinking(f"<think>{thought}</think>\n{json.dumps(answer)}")
    assert json.loads(found.written) == answer
    assert (found.thought or "") == thought.strip()


def test_an_answer_that_is_only_thought_of_is_not_written() -> None:
    """JSON inside the thinking does not count: neither with an end mark nor without."""
    closed, unclosed = apart_from_thinking(f"<think>{OBJECT}</think>"), apart_from_thinking(f"<thinking>{OBJECT}")
    assert (closed.written, closed.thought, closed.is_draft_open) == ("", OBJECT, False)
    assert (unclosed.written, unclosed.thought, unclosed.is_draft_open) == ("", OBJECT, True)


def test_thinking_that_was_opened_in_the_prompt_is_thinking() -> None:
    """Where only the end mark comes back, all before it is thought."""
    found = apart_from_thinking("Was it him?\n</think>\n{}")
    assert (found.written, found.thought) == ("{}", "Was it him?")


def test_text_without_thinking_stays() -> None:
    """Without marks nothing is thought."""
    found = apart_from_thinking(" {} ")
    assert (found.written, found.thought, found.is_draft_open) == ("{}", None, False)


@pytest.mark.parametrize(
    "text",
    [
        '{"rationale": "a <think> b"}',
        'So {"rationale": "</think> a <|channel|>final<|message|>"} it is',
        '```json\n{"thought": "assistantfinal [THINK]"}\n```',
    ],
)
def test_a_mark_in_a_string_is_a_word(text: str) -> None:
    """What stands in the strings of a whole object separates nothing."""
    found = apart_from_thinking(text)
    assert (found.written, found.thought, found.is_draft_open) == (text, None, False)


@given(texts)
def test_what_was_written_stands_in_its_place(text: str) -> None:
    """In place, what was written is as it stands in the content, and all else is blank."""
    found = apart_from_thinking(text)
    assert len(found.masked) == len(text)
    assert all(kept in (" ", sign) for kept, sign in zip(found.masked, text, strict=True))
    assert "".join(found.masked.split()) == "".join(found.written.split())


@given(texts, marks.filter(lambda mark: mark.startswith("<th")))
def test_what_an_open_draft_holds_is_never_written(before: str, mark: str) -> None:
    """An object behind the beginning of a thought that does not end is no answer, whatever stands before it."""
    found = apart_from_thinking(f"{before} {mark} draft: {OBJECT} so")
    assert found.is_draft_open
    assert not found.written.endswith("so")
    assert found.written.count(OBJECT) <= before.count(OBJECT)


@pytest.mark.parametrize(
    "mark", ["<think>", "<think></think>", "</think>", "analysis", "[THINK]", "assistantfinal", "<"]
)
def test_many_marks_are_no_more_work_than_text(mark: str) -> None:
    """Any number of marks is taken apart, in one pass."""
    assert len(apart_from_thinking(mark * 20_000).masked) == 20_000 * len(mark)
