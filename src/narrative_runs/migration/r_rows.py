"""Reads rows of the R system's tables as fields of ours: numbers and texts that DBI wrote, by what they mean."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from narrative_runs.results import ERROR_CATEGORIES
from narrative_runs.source.cells import label_of, text_of

NEITHER = "the R system kept neither an answer nor an error"
NO_MESSAGE = "the R system kept no message of this error"
# A whole number as R or SQLite may have turned it into text: 123.0, 1e+05.
_WHOLE = re.compile(r"\d+\.0+|\d(?:\.\d+)?[eE]\+?\d+")
# What R's messages say of a cause, in the order in which they are looked for.
_CAUSES = (
    ("rate_limit", re.compile(r"\b429\b|rate.?limit|too many requests", re.IGNORECASE)),
    ("timeout", re.compile(r"time(?:d)?.?out", re.IGNORECASE)),
    ("parse_error", re.compile(r"pars|json|lexical error|malformed", re.IGNORECASE)),
    ("api_error", re.compile(r"http|curl|connect|\b5\d\d\b|refused|resolve host|server|api", re.IGNORECASE)),
)


def id_of(value: object, known: Mapping[str, Any]) -> str:
    """The incident id as the workbook writes it: as it is if it is known, else as the whole number that it means.

    known: the workbook's ids.
    """
    text = text_of(value).strip()
    if text not in known and _WHOLE.fullmatch(text):
        number = text_of(float(text))
        return number if number in known else text
    return text


def answer_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a result that an R row holds, as a journal keeps them.

    Every value stays as it is, except three: an error without a category gets one from its message; a row with
    neither an answer nor an error is an error; a confidence outside 0 to 1 becomes None.
    """
    detected, is_error = _truth(row.get("detected")), bool(_truth(row.get("error_occurred")))
    failed = is_error or detected is None
    message = _text(row.get("error_message")) or ((NO_MESSAGE if is_error else NEITHER) if failed else None)
    return {
        "detected": detected,
        "confidence": _confidence(row.get("confidence")),
        "indicators": indicators_of(row.get("indicators")),
        "rationale": _text(row.get("rationale")),
        "reasoning_steps": _text(row.get("reasoning_steps")),
        "raw_response": _text(row.get("raw_response")),
        "response_sec": _number(row.get("response_sec")),
        "processed_at": time_of(row.get("processed_at")),
        "error_occurred": failed,
        "error_message": message,
        "error_category": category_of(row.get("error_category"), message) if failed else None,
        "prompt_tokens": _count(row.get("prompt_tokens")),
        "completion_tokens": _count(row.get("completion_tokens")),
        "tokens_used": _count(row.get("tokens_used")),
        "last_attempt_at": time_of(row.get("last_attempt_at")) or time_of(row.get("processed_at")),
    }


def attempts_of(row: Mapping[str, Any]) -> int:
    """How many passes over the narrative the R system counted; 1 if it did not count."""
    return max(1, _count(row.get("attempt_count")) or 1)


def indicators_of(value: object) -> str:
    """The indicators as a JSON list of texts; what R wrote as such a list stays as it is."""
    text = _text(value) or "[]"
    try:
        given = json.loads(text)
    except ValueError:
        given = text
    if isinstance(given, list) and all(isinstance(part, str) for part in given):
        return text
    parts = given if isinstance(given, list) else [] if given is None else [given]
    return json.dumps(
        [part if isinstance(part, str) else json.dumps(part) for part in parts if part is not None], ensure_ascii=False
    )


def category_of(category: object, message: str | None) -> str:
    """One of our categories: R's own if it is one, else by what the message says, else `unknown`."""
    if isinstance(category, str) and category in ERROR_CATEGORIES:
        return category
    return next((name for name, pattern in _CAUSES if pattern.search(message or "")), "unknown")


def time_of(value: object) -> str | None:
    """`YYYY-MM-DD HH:MM:SS`; a number, which is how DBI writes a POSIXct, becomes local time."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value).strftime("%Y-%m-%d %H:%M:%S")
    text = (_text(value) or "").strip()
    return text[:19].replace("T", " ") or None


def _text(value: object) -> str | None:
    return None if value is None else text_of(value)


def _truth(value: object) -> bool | None:
    try:
        label = label_of(value)
    except ValueError:
        return None
    return None if label is None else bool(label)


def label(value: object) -> int | None:
    """A label as 0, 1 or None."""
    truth = _truth(value)
    return None if truth is None else int(truth)


def _number(value: object) -> float | None:
    try:
        return None if value is None else float(text_of(value))
    except ValueError:
        return None


def _confidence(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= 1 else None


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
