"""Reading the values of one answer: strictly first, then leniently, never by guessing."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from narrative_runs.codebook.confidence import confidence_of
from narrative_runs.codebook.matching import as_compared, finite, number_of, value_like, value_like_number
from narrative_runs.codebook.nesting import is_shallow
from narrative_runs.codebook.texts import fit_for_files, number_written, written
from narrative_runs.codebook.variables import (
    UNCLEAR_VALUE,
    Binary,
    Category,
    Codebook,
    Multi,
    Number,
    Ordinal,
    Quote,
    Text,
    Variable,
    confidence_key,
)

UNCLEAR = UNCLEAR_VALUE
NOT_ASKED = "not asked"
_YES_NO = {"true": True, "yes": True, "false": False, "no": False}
# Not `none`, which may as well mean none of the values.
_WORDS_FOR_UNCLEAR = (UNCLEAR, "null")
# What the form of the answer has where a value belongs.
_FORM = re.compile(
    r"<.*>|\.{3}|…|bool(?:ean)?|(?:true|yes)\W+(?:or\W+)?(?:false|no)(?:\W+(?:or\W+)?null)?",
    re.DOTALL,
)


class Value(NamedTuple):
    """What an answer says of one variable.

    value: None where there is none; missing: why there is none: UNCLEAR, NOT_ASKED, or what is wrong with the answer;
    is_error: whether something is wrong with it; confidence: 0 to 1, None where the model gave none that can be read.
    """

    value: bool | float | str | tuple[str, ...] | None
    missing: str | None = None
    is_error: bool = False
    confidence: float | None = None


_YES, _NO = Value(True), Value(False)


def read_values(
    codebook: Codebook, mapping: Mapping[str, Any], objections: Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """The values of all variables in one answer, in the order of the codebook.

    In: the answer's object; the case of its keys and white space around them make no difference; what is wrong with
    variables for another reason than what stands in the object, by their names. What is wrong is an error of its
    variable, and no exception.
    """
    variables, known = codebook.variables, objections or {}
    given = _by_plain_key(mapping, codebook)
    values: dict[str, Value] = {}
    for name in codebook.conditions_first:
        variable = variables[name]
        unasked = _unasked(name, variable, values) if variable.only_if else None
        values[name] = unasked or known.get(name) or _read(name, variable, given)
    return {name: values[name] for name in codebook.names}


def value_of(name: str, variable: Variable, raw: Any) -> Value:
    """What a JSON value says of a variable, whether it was asked for or not, without its confidence.

    What cannot be read is an error with a message, which never repeats what the model wrote: it could be a piece of the
    narrative. Nothing is raised.
    """
    if (plain := _as_asked(variable, raw)) is not None:
        return plain
    if _is_unclear(variable, raw):
        if variable.unclear == "value":
            return Value(None, UNCLEAR)
        if variable.unclear == "no":
            return Value(False)
    match variable:
        case Binary():
            return _binary(name, raw)
        case Category() | Ordinal():
            own = _one_of(variable.value_names, raw)
            return _error(f"`{name}` is none of its values") if own is None else Value(own)
        case Multi():
            return _multi(name, variable, raw)
        case Number():
            return _number(name, variable, raw)
        case Quote():
            return _quote(name, raw)
        case Text(many=True):
            return _texts(name, raw)
        case _:
            return Value(None) if raw is None or _is_null_in_words(variable, raw) else _text(name, raw)


def _as_asked(variable: Variable, raw: Any) -> Value | None:
    """The value where it has the very form that was asked for; None where a closer look is needed."""
    match variable.type:
        case "binary" if raw is True or raw is False:
            return _YES if raw else _NO
        case "category" | "ordinal" if isinstance(raw, str) and raw in variable.value_names:
            return Value(raw)
    return None


def is_form(raw: Any) -> bool:
    """Whether a JSON value is what the form of the answer has where a value belongs, such as `true or false` or
    `"a" | "b"`: who writes it repeats the form, and answers nothing."""
    if isinstance(raw, list):
        return bool(raw) and all(not isinstance(item, list) and is_form(item) for item in raw)
    if not isinstance(raw, str):
        return isinstance(raw, dict)
    word = raw.strip().lower()
    choices = word.split("|")
    has_choices = len(choices) > 1 and all(choice.strip() for choice in choices)
    return has_choices or word.startswith("{") or _FORM.fullmatch(word) is not None


def _by_plain_key(mapping: Mapping[str, Any], codebook: Codebook) -> dict[str, list[Any]]:
    """What the mapping has by each key in small letters without white space around it."""
    if mapping.keys() <= codebook.keys:
        return {key: [raw] for key, raw in mapping.items()}
    given: dict[str, list[Any]] = {}
    for key, raw in mapping.items():
        given.setdefault(str(key).strip().lower(), []).append(raw)
    return given


def _unasked(name: str, variable: Variable, values: Mapping[str, Value]) -> Value | None:
    """That the variable is not asked for, or that it cannot be known whether it is; None where it is."""
    if any(not _is_met(values[on], among) for on, among in variable.only_if.items() if not values[on].is_error):
        return Value(None, NOT_ASKED)
    unknown = next((on for on in variable.only_if if values[on].is_error), None)
    return None if unknown is None else _error(f"`{name}` depends on `{unknown}`, which cannot be read")


def _is_met(value: Value, among: list[str]) -> bool:
    if isinstance(value.value, tuple):
        return not set(among).isdisjoint(value.value)
    return written(value.value) in among


def _read(name: str, variable: Variable, given: Mapping[str, list[Any]]) -> Value:
    raws = given.get(name, [])
    if len(raws) == 1 and not variable.confidence:
        return value_of(name, variable, raws[0])
    if not raws and not isinstance(variable, Quote | Text):
        return _error(f"`{name}` is missing")
    read = [value_of(name, variable, raw) for raw in raws or [None]]
    if any(other != read[0] for other in read):
        return _error(f"the answer has more than one key `{name}`")
    if not variable.confidence or read[0].is_error:
        return read[0]
    confidences = {confidence_of(raw) for raw in given.get(confidence_key(name), [])}
    return read[0]._replace(confidence=confidences.pop() if len(confidences) == 1 else None)


def _is_unclear(variable: Variable, raw: Any) -> bool:
    if isinstance(variable, Quote | Text):
        return False
    if isinstance(variable, Multi) and isinstance(raw, list) and len(raw) == 1 and isinstance(raw[0], str):
        raw = raw[0]
    if not isinstance(raw, str):
        return raw is None
    return as_compared(raw) in _WORDS_FOR_UNCLEAR and value_like(raw, variable.value_names) is None


def _is_null_in_words(variable: Variable, raw: Any) -> bool:
    """Whether a text is the `null` that the form of the answer allows, between quotation marks."""
    return variable.unclear != "error" and isinstance(raw, str) and raw.strip().lower() == "null"


def _error(message: str) -> Value:
    return Value(None, message, is_error=True)


def _binary(name: str, raw: Any) -> Value:
    decision = _YES_NO.get(raw.strip().lower()) if isinstance(raw, str) else raw
    return Value(decision) if isinstance(decision, bool) else _error(f"`{name}` is neither true nor false")


def _one_of(values: tuple[str, ...], raw: Any) -> str | None:
    if isinstance(raw, bool):
        return value_like("true" if raw else "false", values)
    if isinstance(raw, int | float):
        number = finite(raw)
        if number is None:
            return None
        return value_like(number_written(number), values) or value_like_number(number, values)
    return value_like(raw, values) if isinstance(raw, str) else None


def _multi(name: str, variable: Multi, raw: Any) -> Value:
    items = raw if isinstance(raw, list) else [raw]
    if not isinstance(raw, list | str):
        return _error(f"`{name}` is not a list")
    own = {_one_of(variable.value_names, item) for item in items}
    if None in own:
        return _error(f"`{name}` holds what is none of its values")
    return Value(tuple(value for value in variable.value_names if value in own))


def _number(name: str, variable: Number, raw: Any) -> Value:
    number = number_of(raw) if isinstance(raw, str) else None
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        number = finite(raw)
    if number is None:
        return _error(f"`{name}` is not a number")
    low = -math.inf if variable.minimum is None else variable.minimum
    high = math.inf if variable.maximum is None else variable.maximum
    if low <= number <= high:
        return Value(number)
    if variable.maximum is None:
        return _error(f"`{name}` is below {number_written(low)}")
    if variable.minimum is None:
        return _error(f"`{name}` is above {number_written(high)}")
    return _error(f"`{name}` is not from {number_written(low)} to {number_written(high)}")


def _quote(name: str, raw: Any) -> Value:
    passages = [] if raw is None else raw if isinstance(raw, list) else [raw]
    if not all(isinstance(passage, str) for passage in passages):
        return _error(f"`{name}` holds no passages")
    return Value(tuple(fit_for_files(passage) for passage in passages if passage.strip()))


def _texts(name: str, raw: Any) -> Value:
    items = [raw] if isinstance(raw, str) and raw else raw or []
    if not isinstance(items, list):
        return _error(f"`{name}` is not a list")
    texts = [text for item in items if (text := _as_text(item)) is not None]
    return Value(tuple(texts)) if len(texts) == len(items) else _error(f"`{name}` holds no texts")


def _text(name: str, raw: Any) -> Value:
    text = _as_text(raw)
    return _error(f"`{name}` is no text") if text is None else Value(text)


def _as_text(raw: Any) -> str | None:
    """A text as it is, and anything else as JSON; None for what nests too deep for that."""
    if not is_shallow(raw):
        return None
    try:
        return fit_for_files(raw if isinstance(raw, str) else json.dumps(raw))
    except (TypeError, ValueError):
        return None
