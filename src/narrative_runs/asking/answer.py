"""Reading what a model wrote: strictly first, then leniently, never by guessing."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_SPECIAL_TOKENS = re.compile(r"<\|[^|<>]{1,40}\|>|</?s>|\[/?INST\]")
_THINKING = re.compile(r"<think(?:ing)?>(.*?)</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_UNFINISHED_THINKING = re.compile(r"<think(?:ing)?>.*\Z", re.DOTALL | re.IGNORECASE)
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPELLED_DIGIT = re.compile(rf"\b([01])\s*\.\s*({'|'.join(_DIGITS)})\b", re.IGNORECASE)
_KEY = r"""(?:["']{name}["']|(?:^|(?<=[{{,\n]))\s*{name})\s*:\s*"""
_VERDICT = re.compile(_KEY.format(name="detected") + r"""["']?([^,}\n"']*?)\s*(?=[,}\n"']|\Z)""", re.IGNORECASE)
_WHOLE_CONFIDENCE = re.compile(_KEY.format(name="confidence") + r"""["']?[^,}\n"']+["']?\s*[,}\n]""", re.IGNORECASE)
CONTRADICTION = "the answer holds both detected: true and detected: false"
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
        return _validated(_DECODER.decode(written), _boolean)
    except (ValueError, RecursionError, Unreadable):
        pass
    plain = _SPELLED_DIGIT.sub(lambda match: f"{match[1]}.{_DIGITS.index(match[2].lower())}", written)
    plain = _SPECIAL_TOKENS.sub(" ", plain)
    told = _told_verdict(plain)
    answers = [_validated(value, _lenient_boolean) for value in _objects(plain)]
    if not answers:
        answers = [_validated(_repaired(plain), _lenient_boolean)]
    if any(answer.detected != told for answer in answers):
        raise Unreadable(CONTRADICTION)
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


def _told_verdict(text: str) -> bool:
    """What stands behind every key `detected` in a text, whole or damaged."""
    verdicts = {verdict.lower() for verdict in _VERDICT.findall(text)}
    if not verdicts:
        raise Unreadable("the answer has no key `detected`")
    # An echo of the instructions, such as `true or false`, is no verdict, and not one to be repaired into one.
    values = {_YES_NO.get(verdict) for verdict in verdicts}
    if None in values:
        raise Unreadable("`detected` is neither true nor false")
    if len(values) > 1:
        raise Unreadable(CONTRADICTION)
    return bool(values.pop())


def _objects(text: str) -> Iterator[dict[str, Any]]:
    start = text.find("{")
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        if "detected" in value:
            yield value
        start = text.find("{", end)


def _repaired(text: str) -> Any:
    # Imported here: it is rarely needed, and each job would pay for it.
    from json_repair import repair_json

    start = text.find("{")
    if start < 0:
        raise Unreadable("the answer holds no JSON object")
    try:
        value = repair_json(text[start:], return_objects=True)
    except (ValueError, RecursionError):
        raise Unreadable("the answer is no JSON object") from None
    if isinstance(value, list):
        value = next((part for part in value if isinstance(part, dict) and "detected" in part), None)
    if not isinstance(value, dict) or not _WHOLE_CONFIDENCE.search(text):
        # Cut off before its second value ends, an answer is a guess.
        raise Unreadable("the answer is no whole JSON object")
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if sum(name == "detected" for name, _ in pairs) > 1:
        raise Unreadable("the answer has more than one key `detected`")
    return dict(pairs)


_DECODER = json.JSONDecoder(object_pairs_hook=_without_doubles)


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
    return fit_for_files(value if isinstance(value, str) else json.dumps(value))


def fit_for_files(text: str) -> str:
    """The text without lone surrogates, which JSON can carry and no file takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
