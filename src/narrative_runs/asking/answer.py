"""Reading what a model wrote: strictly first, then leniently, never by guessing."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from json_repair import repair_json

_SPECIAL_TOKENS = re.compile(r"<\|[^|<>]{1,40}\|>|</?s>|\[/?INST\]")
_THINKING = re.compile(r"<think(?:ing)?>(.*?)</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_UNFINISHED_THINKING = re.compile(r"<think(?:ing)?>.*\Z", re.DOTALL | re.IGNORECASE)
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPELLED_DIGIT = re.compile(rf"\b([01])\s*\.\s*({'|'.join(_DIGITS)})\b", re.IGNORECASE)
_YES_NO = {"true": True, "yes": True, "false": False, "no": False}


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


def read(written: str) -> Answer:
    """The answer in the text that a model wrote, without its thinking.

    Raises:
        Unreadable: there is no answer in it, or more than one and they differ.
    """
    if not written.strip():
        raise Unreadable("the answer is empty")
    try:
        return _validated(json.loads(written), _boolean)
    except (ValueError, Unreadable):
        pass
    plain = _SPELLED_DIGIT.sub(lambda match: f"{match[1]}.{_DIGITS.index(match[2].lower())}", written)
    plain = _SPECIAL_TOKENS.sub(" ", plain)
    answers = [_validated(value, _lenient_boolean) for value in _objects(plain)]
    if not answers:
        answers = [_validated(_repaired(plain), _lenient_boolean)]
    if len({answer.detected for answer in answers}) > 1:
        raise Unreadable("the answer holds both detected: true and detected: false")
    return answers[-1]


def apart_from_thinking(content: str) -> tuple[str, str | None]:
    """(what was written, what was thought before it); a model that never stops thinking has written nothing."""
    thoughts = [thought.strip() for thought in _THINKING.findall(content)]
    written = _THINKING.sub("", content)
    unfinished = _UNFINISHED_THINKING.search(written)
    if unfinished:
        thoughts.append(re.sub(r"^<think(?:ing)?>", "", unfinished[0], flags=re.IGNORECASE).strip())
        written = written[: unfinished.start()]
    elif re.search(r"</think(?:ing)?>", written, re.IGNORECASE):
        # Some chat templates open the thinking in the prompt, so that only its end is in the answer.
        head, written = re.split(r"</think(?:ing)?>", written, maxsplit=1, flags=re.IGNORECASE)
        thoughts.append(head.strip())
    return written.strip(), "\n\n".join(thought for thought in thoughts if thought) or None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError:
            start = text.find("{", start + 1)
            continue
        if "detected" in value:
            yield value
        start = text.find("{", end)


def _repaired(text: str) -> Any:
    start = text.find("{")
    if start < 0:
        raise Unreadable("the answer holds no JSON object")
    value = repair_json(text[start:], return_objects=True)
    if isinstance(value, list):
        value = next((part for part in value if isinstance(part, dict) and "detected" in part), None)
    if not isinstance(value, dict) or "confidence" not in value:
        # Cut off before its second key, an answer is a guess.
        raise Unreadable("the answer is no whole JSON object")
    return value


def _validated(value: Any, boolean: Callable[[Any], bool]) -> Answer:
    if not isinstance(value, dict) or "detected" not in value:
        raise Unreadable("the answer has no key `detected`")
    indicators = value.get("indicators") or []
    if isinstance(indicators, str):
        indicators = [indicators]
    if not isinstance(indicators, list):
        raise Unreadable("`indicators` is not a list")
    rationale = value.get("rationale")
    return Answer(
        detected=boolean(value["detected"]),
        confidence=_confidence(value.get("confidence")),
        indicators=[_text(indicator) for indicator in indicators],
        rationale=None if rationale is None else _text(rationale),
    )


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        # What it is instead is not told: it could be a piece of the narrative.
        raise Unreadable("`detected` is neither true nor false")
    return value


def _lenient_boolean(value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in _YES_NO:
        return _YES_NO[value.strip().lower()]
    return _boolean(value)


def _confidence(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        return None
    return float(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
