"""Reading what a model wrote: strictly first, then leniently, never by guessing."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from narrative_runs.asking import damaged, json_objects
from narrative_runs.codebook.nesting import is_shallow
from narrative_runs.codebook.values import Value, is_form, read_values, value_of
from narrative_runs.codebook.variables import Binary, Codebook, Multi, Quote, Text, confidence_key

_TAG = re.compile(r"<[^<>]{1,40}>")
_WHOLE_STRING = re.compile(r'\s*"\s*\{\s*\\".*\}\s*"\s*', re.DOTALL)
_LEAD_IN = re.compile(r"(?:[^\n{}]{0,200}:)?[\s\ufeff]*(?:`{3,}\w*)?[\s\[]*")


class Unreadable(Exception):
    """What the model wrote holds no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Located:
    """An answer and where it is in the text.

    values: what was read for each variable of the codebook, by its name; is_final: whether it is an object that is
    whole in its form, with no words before it except a lead-in, and no other object that starts after it.
    """

    values: Mapping[str, Value]
    is_final: bool
    _starts: Callable[[], Mapping[str, int]]

    @property
    def starts(self) -> Mapping[str, int]:
        """Where the value of each variable begins in the text; variables for which this is uncertain are left out."""
        return self._starts()


def located(written: str, codebook: Codebook) -> Located:
    """The answer in the text that a model wrote, without its thinking, and where it is in the text.

    If the record has a column for each variable, and so none for what is wrong with one of them, an answer is read
    whole or not at all.

    Raises:
        Unreadable: there is no answer in it: none of the variables that show an answer can be read.
    """
    if not written.strip():
        raise Unreadable("the answer is empty")
    answer = _reader_of(codebook).located(written)
    wrong = {name: value.missing or "" for name, value in answer.values.items() if value.is_error}
    if wrong and codebook.fits_the_record:
        raise Unreadable(next(iter(wrong.values())))
    if wrong.keys() >= set(codebook.anchors):
        raise Unreadable("; ".join(dict.fromkeys(wrong[name] for name in codebook.anchors)))
    return answer


@dataclass(frozen=True, slots=True)
class _Object:
    """An object in the text that holds at least one of the anchors; is_form: whether it only repeats the form of
    an answer."""

    values: dict[str, Any]
    start: int
    end: int
    n_anchors: int
    is_form: bool


@dataclass(slots=True)
class _Readings:
    """What a text says of each variable, anywhere in it: several values, or one that cannot be read, count as none."""

    wrong: dict[str, Value] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, name: str, value: Value) -> None:
        if value.is_error:
            self.wrong.setdefault(name, value)
        elif (meant := (value.value, value.missing)) not in (known := self.values.setdefault(name, [])):
            known.append(meant)

    def objections(self, codebook: Codebook) -> dict[str, Value]:
        """What is wrong with the variables, by their names."""
        several = {name: _contradiction(name, codebook) for name, known in self.values.items() if len(known) > 1}
        return {**several, **self.wrong}


class _Reader:
    """Reads answers by one codebook."""

    def __init__(self, codebook: Codebook) -> None:
        self._codebook = codebook
        self._anchors = codebook.anchors
        variables = codebook.variables
        # What a model wrote twice can be compared where it is one of few values.
        self._compared = [name for name, variable in variables.items() if not isinstance(variable, Quote | Text)]
        self._compared = self._compared or list(self._anchors)
        self._keys = codebook.keys
        # Models leave line breaks in their strings as they are.
        self._decoder = json.JSONDecoder(object_pairs_hook=self._without_doubles, strict=False)
        self._starts = {
            name: re.compile(rf'"{re.escape(name)}"\s*+:\s*+"?+', re.IGNORECASE)
            for name in self._compared
            if not isinstance(variables[name], Multi)
        }

    def located(self, written: str) -> Located:
        whole = list(self._whole(written))
        decided = [each for each in whole if not each.is_form]
        if not decided:
            return self._located_in_damage(written)
        most = max(each.n_anchors for each in decided)
        taken = [each for each in decided if each.n_anchors == most][-1]
        return Located(
            read_values(self._codebook, taken.values, self._objections(written, whole, decided)),
            is_final=_leads_in(written[: taken.start]) and "{" not in written[taken.end :],
            _starts=lambda: self._starts_in(written, taken),
        )

    def _objections(self, written: str, whole: list[_Object], decided: list[_Object]) -> dict[str, Value]:
        """What is wrong with the variables for a reason that no single object shows alone."""
        edges = [0, *(edge for each in whole for edge in (each.start, each.end)), len(written)]
        around = [written[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
        around = [part for part in around if part.strip()]
        if len(decided) == 1 and not around:
            return {}
        readings = _Readings()
        for each in decided:
            for name in self._compared:
                if name in each.values:
                    readings.add(name, self._value(name, each.values[name]))
        for part in around:
            self._read_around(part, readings)
        return readings.objections(self._codebook)

    def _value(self, name: str, raw: Any) -> Value:
        return value_of(name, self._codebook.variables[name], raw)

    def _whole(self, text: str) -> Iterator[_Object]:
        for start, end, value in self._decoded_in(text):
            for values in self._answers_in(value):
                anchors = [values[name] for name in self._anchors if name in values]
                yield _Object(values, start, end, len(anchors), all(map(is_form, anchors)))

    def _decoded_in(self, text: str) -> Iterator[tuple[int, int, Any]]:
        """Each outermost object in the text with its start and end; None for one that cannot be decoded."""
        object_alone = text.strip()
        value = self._decoded(object_alone) if object_alone[:1] == "{" else None
        if value is not None:
            start = text.index("{")
            yield start, start + len(object_alone), value
        else:
            yield from ((start, end, self._decoded(text[start:end])) for start, end in json_objects.spans(text))

    def _decoded(self, text: str) -> Any:
        try:
            value = self._decoder.decode(text)
        except (ValueError, RecursionError):
            return None
        return value if is_shallow(value) else None

    def _answers_in(self, value: Any, is_within_answer: bool = False) -> Iterator[dict[str, Any]]:
        """All mappings in a value that have an anchor; a text that is JSON counts as what it holds."""
        if isinstance(value, str):
            for start, end in () if is_within_answer else json_objects.spans(value):
                yield from self._answers_in(self._decoded(value[start:end]), is_within_answer=True)
        if isinstance(value, dict) and any(name in value for name in self._anchors):
            is_within_answer = True
            yield value
        if isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                yield from self._answers_in(part, is_within_answer)

    def _read_around(self, part: str, readings: _Readings) -> None:
        """Read what a part beside the whole objects says, in damaged ones and in lines such as `detected: no`.

        A quoted key in prose, without a brace, is only a mention; and what is written instead of a value is not another
        value if it is the form of the answer, or in prose.
        """
        has_braces = "{" in part or "}" in part
        for name in self._starts:
            for written in damaged.written_in(part, name):
                value = self._of_word(name, written.word)
                is_meant = has_braces or not written.is_sure
                if value.is_error:
                    is_meant = has_braces and written.is_sure and not is_form(written.word)
                if is_meant:
                    readings.add(name, value)

    def _of_word(self, name: str, word: str | None) -> Value:
        """The value that a word means; unreadable if the text breaks the word off, or it is the form of an answer."""
        return self._value(name, {} if word is None or is_form(word) else word)

    def _located_in_damage(self, text: str) -> Located:
        written = {name: damaged.written_in(text, name) for name in self._anchors}
        starts = [each.start for occurrences in written.values() for each in occurrences]
        if (not starts or _WHOLE_STRING.fullmatch(text)) and (inner := self._unescaped(text)):
            return replace(self.located(inner), _starts=dict)
        if not starts:
            raise Unreadable(_no_key(self._anchors))
        # An echo of the instructions, such as `true or false`, is no value, and not one to be repaired into one.
        readings = _Readings()
        for name in self._compared:
            for each in written.get(name) or damaged.written_in(text, name):
                if name in self._starts:
                    readings.add(name, self._of_word(name, each.word))
        objections = readings.objections(self._codebook)
        if objections.keys() >= set(self._anchors):
            raise Unreadable("; ".join(dict.fromkeys(objections[name].missing or "" for name in self._anchors)))
        around = damaged.object_around(text, max(starts))
        if around is None:
            raise Unreadable("the answer holds no JSON object")
        confidences = {name: around.numbers(confidence_key(name)) for name in self._codebook.variables}
        if not around.is_closed and (len(self._anchors) > 1 or not confidences[self._anchors[0]]):
            # Cut off before its second value ends, an answer is a guess.
            raise Unreadable("the answer is no whole JSON object")
        values = damaged.corrected(around.text, self._anchors)
        if values is None:
            raise Unreadable("the answer is no JSON object")
        for name in self._compared:
            written_as = readings.values.get(name, [])
            if name in objections or not (written_as or name in values):
                continue
            # Only what stands in the text as a word of its own was not made by the correction.
            value = self._value(name, values.get(name))
            if value.is_error:
                objections[name] = value
            elif (value.value, value.missing) not in written_as and not self._is_written_list(around, name, value):
                objections[name] = _contradiction(name, self._codebook)
        for name, numbers in confidences.items():
            values[confidence_key(name)] = numbers[0] if len(set(numbers)) == 1 else None
        single = {name: each[0].start for name, each in written.items() if len(each) == 1 and name in self._starts}
        return Located(read_values(self._codebook, values, objections), is_final=False, _starts=lambda: single)

    def _is_written_list(self, around: damaged.DamagedObject, name: str, value: Value) -> bool:
        """Whether a damaged object has a list of values word by word."""
        if name in self._starts or value.is_error:
            return False
        words = around.words_of_list(name)
        return words is not None and self._value(name, words) == value

    def _unescaped(self, text: str) -> str | None:
        """The text that a JSON string stands for, with its quotes or without; None if there is no such string."""
        string = text.strip().strip("`").removeprefix("json").strip().removeprefix('"').removesuffix('"')
        value = self._decoded(f'"{string}"') if '\\"' in string else None
        return value if isinstance(value, str) else None

    def _starts_in(self, text: str, taken: _Object) -> dict[str, int]:
        starts = {}
        for name, pattern in self._starts.items():
            ends = [match.end() for match in pattern.finditer(text, taken.start, taken.end)]
            if len(ends) == 1:
                starts[name] = ends[0]
        return starts

    def _without_doubles(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        plain = [(name.strip().lower(), name, value) for name, value in pairs]
        named = [(key if key in self._keys else name, value) for key, name, value in plain]
        names = [name for name, _ in named]
        for name in self._compared:
            if names.count(name) > 1:
                raise Unreadable(f"the answer has more than one key `{name}`")
        return dict(named)


@lru_cache(maxsize=16)
def _reader_of(codebook: Codebook) -> _Reader:
    return _Reader(codebook)


def _contradiction(name: str, codebook: Codebook) -> Value:
    if isinstance(codebook.variables[name], Binary):
        return Value(None, f"the answer holds both {name}: true and {name}: false", is_error=True)
    return Value(None, f"the answer holds more than one value of `{name}`", is_error=True)


def _no_key(anchors: tuple[str, ...]) -> str:
    if len(anchors) == 1:
        return f"the answer has no key `{anchors[0]}`"
    return f"the answer has none of the keys {', '.join(f'`{name}`' for name in anchors)}"


def _leads_in(before: str) -> bool:
    """Whether words announce what follows; others may be thinking that the prompt had opened."""
    return _LEAD_IN.fullmatch(_TAG.sub("", before).strip().removeprefix("assistant")) is not None
