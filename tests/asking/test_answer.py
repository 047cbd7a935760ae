import json
import math
import time
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.asking.answer import Unreadable, located
from narrative_runs.codebook.default import DEFAULT

answers = st.fixed_dictionaries(
    {
        "detected": st.booleans(),
        "confidence": st.floats(0, 1),
        "indicators": st.lists(st.text(), max_size=3),
        "rationale": st.text(),
    }
)
pieces = st.sampled_from(
    [
        '"detected"',
        "detected",
        '"confidence"',
        '"indicators"',
        '"rationale"',
        "true",
        "false",
        "null",
        "0.9",
        "zero.nine",
    ]
).flatmap(lambda word: st.sampled_from([word, *'{}[]:,"\\\n', "```json", "<think>", "</think>", "<|end|>", "//", "'"]))
damaged = st.lists(st.one_of(pieces, st.text(max_size=3)), max_size=25).map("".join)


class Answer(NamedTuple):
    """What an answer to the usual question says."""

    detected: bool
    confidence: float | None
    indicators: list[str]
    rationale: str | None


def read(written: str) -> Answer:
    """The answer to the usual question in what a model wrote."""
    values: dict[str, Any] = dict(located(written, DEFAULT).values)
    detected, indicators, rationale = values["detected"], values["indicators"], values["rationale"]
    return Answer(detected.value, detected.confidence, list(indicators.value), rationale.value)


@given(answers)
def test_a_whole_answer_is_read_as_it_is(answer: dict[str, Any]) -> None:
    """JSON with all four keys gives exactly their values."""
    assert read(json.dumps(answer)) == Answer(**answer)


@given(
    answers,
    st.sampled_from(
        ["```json\n{}\n```", "Here is my answer:\n{}", "{}\nI hope this helps.", "<|im_start|>{}<|im_end|>"]
    ),
)
def test_what_stands_around_an_answer_does_not_matter(answer: dict[str, Any], around: str) -> None:
    """Fences, polite words and special tokens around the JSON change nothing of what is decided."""
    found = read(around.replace("{}", json.dumps(answer)))
    assert (found.detected, found.confidence) == (answer["detected"], answer["confidence"])


@given(st.one_of(st.text(), damaged))
def test_any_text_is_an_answer_or_unreadable(text: str) -> None:
    """Whatever a model writes, nothing but an answer or Unreadable comes of it."""
    try:
        answer = read(text)
    except Unreadable:
        return
    assert isinstance(answer.detected, bool)
    assert answer.confidence is None or 0 <= answer.confidence <= 1


@given(st.one_of(st.text(), damaged))
def test_an_answer_is_never_invented(text: str) -> None:
    """Only a text that names the key and the word it is decided by can be an answer."""
    try:
        answer = read(text)
    except Unreadable:
        return
    words = ("true", "yes") if answer.detected else ("false", "no")
    # Both may be written with escapes, as JSON allows.
    assert "detected" in text.lower() or "\\u" in text
    assert any(word in text.lower() for word in words) or "\\u" in text


@given(answers, st.data())
def test_an_answer_cut_off_anywhere_is_the_same_or_unreadable(answer: dict[str, Any], data: st.DataObject) -> None:
    """A text that ends too early never says the opposite of what was decided, nor a confidence that was not given."""
    whole = json.dumps(answer)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = read(cut)
    except Unreadable:
        return
    assert found.detected == answer["detected"]


@pytest.mark.parametrize("cut", ['{"detected": true, "confidence": 0', '{"detected": true, "confidence": 0.'])
def test_half_a_number_is_no_confidence(cut: str) -> None:
    """A confidence that was cut off amid its digits is not taken for another number."""
    try:
        found = read(cut)
    except Unreadable:
        return
    assert found.confidence is None


@pytest.mark.parametrize("opening", ["[", '{"detected": ', '{"detected": true, "confidence": [', "{"])
def test_endless_nesting_is_unreadable(opening: str) -> None:
    """A model that opens brackets until its tokens are used up has not answered."""
    with pytest.raises(Unreadable):
        read(opening * 5_000)


@pytest.mark.parametrize("empty", ["", "  \n", "I cannot decide.", "true", "{}", "[]", '{"confidence": 0.9}', "null"])
def test_no_answer_is_unreadable(empty: str) -> None:
    """Without an object that holds `detected`, there is no answer."""
    with pytest.raises(Unreadable):
        read(empty)


@pytest.mark.parametrize("value", ["null", "1", "0", '"unclear"', '"maybe"', '["true"]', "{}", "", "t", "not true"])
def test_what_is_neither_true_nor_false_is_unreadable(value: str) -> None:
    """A `detected` that is no decision is not taken for one."""
    with pytest.raises(Unreadable):
        read(f'{{"detected": {value}, "confidence": 0.9}}')


@pytest.mark.parametrize(
    "echo",
    [
        '{"detected": true or false, "confidence": 0.0 to 1.0, "indicators": ["short quotes"], "rationale": "why"}',
        '{"detected": true/false, "confidence": 0.9}',
        '{"detected": true|false, "confidence": 0.9}',
        '{"detected": <true or false>, "confidence": <0 to 1>}',
    ],
)
def test_the_instructions_said_back_are_unreadable(echo: str) -> None:
    """A model that repeats the form it was to fill in has not decided for the first word of it."""
    with pytest.raises(Unreadable):
        read(echo)


@pytest.mark.parametrize(
    "both",
    [
        '{"detected": true, "confidence": 0.9} {"detected": false, "confidence": 0.9}',
        'First {"detected": false, "confidence": 0.6}. On reflection: {"detected": true, "confidence": 0.6}',
        '{"detected": true, "confidence": 0.9,} {"detected": false, "confidence": 0.9,}',
        '{"detected": true, "confidence": 0.9,} {"detected": false, "confidence": 0.9}',
        '{"detected": true, "detected": false, "confidence": 0.9}',
    ],
)
def test_two_answers_that_differ_are_unreadable(both: str) -> None:
    """Between both decisions nobody chooses for the model, however well each of them is written."""
    with pytest.raises(Unreadable):
        read(both)


def test_two_answers_that_agree_are_one() -> None:
    """A decision that is written twice is read, with what was said last."""
    found = read('{"detected": true, "confidence": 0.5} so {"detected": true, "confidence": 0.75}')
    assert (found.detected, found.confidence) == (True, 0.75)


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        (
            "{'detected': True, 'confidence': 0.8, 'indicators': ['a'], 'rationale': None}",
            Answer(True, 0.8, ["a"], None),
        ),
        ('{"detected": "yes", "confidence": "0.8"}', Answer(True, 0.8, [], None)),
        ('{"detected": "False", "confidence": 1}', Answer(False, 1.0, [], None)),
        ('{"detected": false, "confidence": 0.zero}', Answer(False, 0.0, [], None)),
        ('{"detected": false, "confidence": 0.nine}', Answer(False, 0.9, [], None)),
        ('{"detected": true, "confidence": 0.7, "indicators": "choked"}', Answer(True, 0.7, ["choked"], None)),
        ('{"detected": true, "confidence": 0.7, "indicators": null}', Answer(True, 0.7, [], None)),
        ('[{"detected": true, "confidence": 0.7}]', Answer(True, 0.7, [], None)),
        ('{"detected": true, "confidence": 0.9, "rationale": "Cut o', Answer(True, 0.9, [], "Cut o")),
        ('{"detected": true, "confidence": 0.9, // sure\n}', Answer(True, 0.9, [], None)),
    ],
)
def test_damage_that_leaves_no_doubt_is_mended(written: str, answer: Answer) -> None:
    """Other quotes, spelled digits, a lone indicator, a lost end: the answer is read all the same."""
    assert read(written) == answer


@pytest.mark.parametrize("value", ["85", "-0.1", "1.01", '"high"', "null", "true", "NaN", "1e400", '"85"'])
def test_a_confidence_that_is_none_is_left_out(value: str) -> None:
    """What is no number from 0 to 1 is no confidence, and costs no answer."""
    assert read(f'{{"detected": true, "confidence": {value}}}').confidence is None


def _decides(key: str) -> bool:
    """Whether a key is that of a decision."""
    return key.strip().lower() == "detected"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        # A mapping with the key of a decision is an answer itself: see the test below.
        lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda key: not _decides(key)), inner),
    )
)
def test_every_indicator_is_a_text(value: Any) -> None:
    """Whatever stands in the list of indicators, texts come out, one for each."""
    found = read(json.dumps({"detected": True, "confidence": 0.5, "indicators": [value]}))
    assert len(found.indicators) == 1
    assert isinstance(found.indicators[0], str)
    assert found.confidence is not None
    assert math.isclose(found.confidence, 0.5)


@pytest.mark.parametrize("key", ["detected", "DETECTED", " Detected "])
def test_a_decision_among_the_indicators_counts(key: str) -> None:
    """A mapping with a decision in the list of indicators is an answer of its own, whatever the case of its key: one
    that says the opposite is a contradiction."""
    assert read(json.dumps({"detected": True, "indicators": [{key: True}]})).detected is True
    with pytest.raises(Unreadable, match="both detected: true and detected: false"):
        read(json.dumps({"detected": True, "indicators": [{key: False}]}))


@given(answers, st.sampled_from(["{}", "Well:\n```json\n{}\n```", "[{}]", '{"answer": {}}', "{ {} }", "{}{}"]))
def test_the_place_of_the_decision_is_told(answer: dict[str, Any], around: str) -> None:
    """Wherever an answer stands, its place is that of the word which decides it."""
    text = around.replace("{}", json.dumps(answer))
    start = located(text, DEFAULT).starts["detected"]
    assert text[start:].startswith(json.dumps(answer["detected"]))


@pytest.mark.parametrize(
    ("written", "behind"),
    [
        ('{"detected": "yes", "confidence": 0.9}', '{"detected": "'),
        ("{'detected': True, 'confidence': 0.9}", "{'detected': "),
        ('{"detected": true, "confidence": 0.9,}', '{"detected": '),
        ('{"confidence": 0.9, detected: true}', '{"confidence": 0.9, detected: '),
        ('Form: {"detected": true/false}. {"detected": true}', 'Form: {"detected": true/false}. {"detected": '),
        ('{"detected": true, "confidence": 0.9,} {"detected": true, "confidence": 0.9,}', None),
        ('{"detected": true, "again": {"detected": true}}', None),
        ('"{\\"detected\\": true}"', None),
    ],
)
def test_a_place_is_told_for_certain_or_not_at_all(written: str, behind: str | None) -> None:
    """In a damaged answer too the place is known where there is one, and not where there are several."""
    assert located(written, DEFAULT).starts == ({} if behind is None else {"detected": len(behind)})


@pytest.mark.parametrize(
    ("written", "is_final"),
    [
        ('{"detected": true}', True),
        ('So: {"detected": true} And', True),
        ('{"detected": true} or {"det', False),
        ('{"detected": true,}', False),
        ('{"detected": true, "confidence": 0.9, "rationale": "x', False),
    ],
)
def test_what_is_whole_and_last_is_final(written: str, is_final: bool) -> None:
    """Only an object that is whole in its form, and behind which no other begins, can outlast a text broken off."""
    assert located(written, DEFAULT).is_final is is_final


@pytest.mark.parametrize(
    "opening", ["{", "[", '"', "`", '{"a":', "'", "\\", "/*", "\n", '"detected": true,', '{"', ":'"]
)
@pytest.mark.parametrize("before", ["", '"detected": true,', '{"detected": true,'])
def test_reading_takes_no_longer_than_the_text(opening: str, before: str) -> None:
    """Twice as many odd signs take about twice as long, whatever stands before them."""
    shorter, longer = (_seconds(before + opening * (count // len(opening))) for count in (8_000, 32_000))
    assert longer < 10 * shorter + 0.05


def _seconds(text: str) -> float:
    best = math.inf
    for _ in range(2):
        began = time.process_time()
        with pytest.raises(Unreadable):
            read(text)
        best = min(best, time.process_time() - began)
    return best
