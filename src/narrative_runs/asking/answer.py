"""Reading what a model wrote: strictly first, then leniently, never by guessing."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from narrative_runs.asking import damaged, json_objects
from narrative_runs.asking.confidence import confidence_of

CONTRADICTION = "the answer holds both detected: true and detected: false"
NEITHER = "`detected` is neither true nor false"
_KEYS = ("detected", "confidence", "indicators", "rationale")
_YES_NO = {"true": True, "yes": True, "false": False, "no": False}
# What the form of the answer has in the place of a decision.
_FORM = re.compile(r"<.*>|\.{3}|…|bool(?:ean)?|(?:true|yes)\W+(?:or\W+)?(?:false|no)", re.DOTALL)
_TAG = re.compile(r"<[^<>]{1,40}>")
_LEAD_IN = re.compile(r"(?:[^\n{}]{0,200}:)?[\s\ufeff]*(?:`{3,}\w*)?[\s\[]*")
_VALUE = re.compile(r'"detected"\s*+:\s*+"?+', re.IGNORECASE)


class Unreadable(Exception):
    """What the model wrote holds no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model answered for one narrative.

    confidence: 0 to 1, or None where the model gave none that is a number in this range.
    """

    detected: bool
    confidence: float | None
    indicators: list[str]
    rationale: str | None


@dataclass(frozen=True, slots=True)
class Located:
    """An answer and where it stands.

    place: of the first letter of the value of `detected`, None where it cannot be told; is_final: whether it is an
    object that is whole in its form, with no words before it but such as lead in to it, and no other begun behind it.
    """

    answer: Answer
    place: int | None
    is_final: bool


@dataclass(frozen=True, slots=True)
class _Whole:
    """An object in the text that holds a decision; `decision` is None for the form of one that is only said back."""

    values: dict[str, Any]
    start: int
    end: int
    decision: bool | None


def read(written: str) -> Answer:
    """The answer in the text that a model wrote, without its thinking.

    Raises:
        Unreadable: there is no answer in it, or more than one and they differ.
    """
    return located(written).answer


def located(written: str) -> Located:
    """The answer in the text that a model wrote, without its thinking, and where it stands.

    Raises:
        Unreadable: there is no answer in it, or more than one and they differ.
    """
    if not written.strip():
        raise Unreadable("the answer is empty")
    whole = list(_whole(written))
    decided = [found for found in whole if found.decision is not None]
    if not decided:
        return _located_in_damage(written)
    decisions = {found.decision for found in decided} | set(_decisions_around(written, whole))
    if len(decisions) > 1:
        raise Unreadable(CONTRADICTION)
    taken = decided[-1]
    return Located(
        answer=_validated(taken.values, decisions == {True}),
        place=_place(written, taken),
        is_final=_leads_in(written[: taken.start]) and "{" not in written[taken.end :],
    )


def fit_for_files(text: str) -> str:
    """The text without lone surrogates, which JSON can carry and no file takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _whole(text: str) -> Iterator[_Whole]:
    for start, end in json_objects.spans(text):
        for values in _deciding(_decoded(text[start:end])):
            yield _Whole(values, start, end, _decision(values["detected"]))


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _deciding(value: Any, is_within_answer: bool = False) -> Iterator[dict[str, Any]]:
    """All mappings in a value that have the key `detected`; a text that is JSON counts as what it stands for."""
    if isinstance(value, str):
        for start, end in () if is_within_answer else json_objects.spans(value):
            yield from _deciding(_decoded(value[start:end]), is_within_answer=True)
    if isinstance(value, dict) and "detected" in value:
        is_within_answer = True
        yield value
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _deciding(part, is_within_answer)


def _decisions_around(text: str, whole: list[_Whole]) -> Iterator[bool]:
    """What damaged objects beside the whole ones decide, and lines such as `detected: no`.

    A quoted key amid prose, without a brace, is only spoken of; and what is there instead of a decision is no other
    decision where it is the form of the answer, or stands in prose.
    """
    edges = [0, *(edge for found in whole for edge in (found.start, found.end)), len(text)]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        part = text[start:end]
        has_braces = "{" in part or "}" in part
        for told in damaged.told_in(part):
            decision = _YES_NO.get(told.word or "")
            if decision is not None and (has_braces or not told.is_sure):
                yield decision
            elif decision is None and has_braces and told.is_sure and not _is_form(told.word):
                raise Unreadable(NEITHER)


def _located_in_damage(text: str) -> Located:
    told = damaged.told_in(text)
    if not told:
        if inner := _unescaped(text):
            return replace(located(inner), place=None)
        raise Unreadable("the answer has no key `detected`")
    # An echo of the instructions, such as `true or false`, is no decision, and not one to be repaired into one.
    decisions = {_YES_NO.get(each.word or "") for each in told}
    if None in decisions:
        raise Unreadable(NEITHER)
    if len(decisions) > 1:
        raise Unreadable(CONTRADICTION)
    found = damaged.object_around(text, told[-1].start)
    if found is None:
        raise Unreadable("the answer holds no JSON object")
    confidences = found.confidences
    if not found.is_closed and not confidences:
        # Cut off before its second value ends, an answer is a guess.
        raise Unreadable("the answer is no whole JSON object")
    values = damaged.corrected(found.text)
    if values is None:
        raise Unreadable("the answer is no JSON object")
    if _decision(values.get("detected")) not in decisions:
        raise Unreadable(CONTRADICTION)
    confidence = confidences[0] if len(set(confidences)) == 1 else None
    return Located(
        answer=_validated({**values, "confidence": confidence}, decisions == {True}),
        place=told[0].start if len(told) == 1 else None,
        is_final=False,
    )


def _unescaped(text: str) -> str | None:
    """The text that a JSON string stands for, with its quotes or without; None where there is no such string."""
    string = text.strip().strip("`").removeprefix("json").strip().removeprefix('"').removesuffix('"')
    value = _decoded(f'"{string}"') if '\\"' in string else None
    return value if isinstance(value, str) else None


def _leads_in(before: str) -> bool:
    """Whether words announce what follows; others may be thinking that the prompt had opened."""
    return _LEAD_IN.fullmatch(_TAG.sub("", before).strip().removeprefix("assistant")) is not None


def _place(text: str, found: _Whole) -> int | None:
    values = [match.end() for match in _VALUE.finditer(text, found.start, found.end)]
    return values[0] if len(values) == 1 else None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = [(name.strip().lower() if name.strip().lower() in _KEYS else name, value) for name, value in pairs]
    if sum(name == "detected" for name, _ in named) > 1:
        raise Unreadable("the answer has more than one key `detected`")
    return dict(named)


# Models leave line breaks in their strings as they are.
_DECODER = json.JSONDecoder(object_pairs_hook=_without_doubles, strict=False)


def _decision(value: Any) -> bool | None:
    """The decision that a value is; None for the form of one.

    Raises:
        Unreadable: it is neither; what it is instead is not told: it could be a piece of the narrative.
    """
    word = value.strip().lower() if isinstance(value, str) else None
    if isinstance(value, bool):
        return value
    if word in _YES_NO:
        return _YES_NO[word]
    if isinstance(value, dict) or _is_form(word):
        return None
    raise Unreadable(NEITHER)


def _is_form(word: str | None) -> bool:
    return word is not None and (word.startswith("{") or _FORM.fullmatch(word) is not None)


def _validated(values: dict[str, Any], detected: bool) -> Answer:
    indicators = values.get("indicators") or []
    if isinstance(indicators, str):
        indicators = [indicators]
    if not isinstance(indicators, list):
        raise Unreadable("`indicators` is not a list")
    rationale = values.get("rationale")
    return Answer(
        detected=detected,
        confidence=confidence_of(values.get("confidence")),
        indicators=[_text(indicator) for indicator in indicators],
        rationale=None if rationale is None else _text(rationale),
    )


def _text(value: Any) -> str:
    return fit_for_files(value if isinstance(value, str) else json.dumps(value))
