"""Where two texts differ, line by line and word by word."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

SAME, REMOVED, ADDED, LEFT_OUT = "same", "removed", "added", "left-out"
_AROUND = 2
_WORDS = re.compile(r"\r\n|\s|\w+|[^\w\s]")
# More words are not compared one by one: that would take long.
_MOST_WORDS = 2_000


class Part(NamedTuple):
    """A piece of a line, and whether it is what differs."""

    text: str
    differs: bool


class Line(NamedTuple):
    """A line of the first text, of the other, or of both.

    kind: SAME, REMOVED (of the first alone), ADDED (of the other alone), or LEFT_OUT, which stands for lines that are
    the same; in_first, in_other: its number there, from 1; None where it is not.
    """

    kind: str
    in_first: int | None
    in_other: int | None
    parts: Sequence[Part]


def differences(first: str, other: str) -> list[Line]:
    """The lines in which two texts differ, with two lines around each; none where they are the same.

    The end of a line is part of it: where it differs, it shows as ⏎, and a carriage return as ␍.
    """
    before, after = first.splitlines(keepends=True), other.splitlines(keepends=True)
    lines: list[Line] = []
    shown_up_to = 0
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(_AROUND):
        if group and group[0][0] == "equal" and group[0][1] == group[0][2]:
            continue
        if group[0][1] > shown_up_to:
            lines.append(Line(LEFT_OUT, None, None, ()))
        for tag, start, end, other_start, other_end in group:
            if tag == "equal":
                lines += [
                    Line(SAME, start + at + 1, other_start + at + 1, [Part(_without_end(before[start + at]), False)])
                    for at in range(end - start)
                ]
            else:
                lines += _changed(before[start:end], after[other_start:other_end], start, other_start)
        shown_up_to = group[-1][2]
    if lines and shown_up_to < len(before):
        lines.append(Line(LEFT_OUT, None, None, ()))
    return lines


def _changed(before: Sequence[str], after: Sequence[str], start: int, other_start: int) -> Iterator[Line]:
    """Lines that were replaced, those of the first text and then those of the other."""
    pairs = [_by_words(old, new) for old, new in zip_longest(before, after)]
    for at, (old, _) in enumerate(pairs[: len(before)]):
        yield Line(REMOVED, start + at + 1, None, old)
    for at, (_, new) in enumerate(pairs[: len(after)]):
        yield Line(ADDED, None, other_start + at + 1, new)


def _by_words(old: str | None, new: str | None) -> tuple[list[Part], list[Part]]:
    if old is None or new is None:
        return _alone(old), _alone(new)
    words = _WORDS.findall(old), _WORDS.findall(new)
    if max(map(len, words)) > _MOST_WORDS:
        return [Part(_with_ends(old), True)], [Part(_with_ends(new), True)]
    parts: tuple[list[Part], list[Part]] = [], []
    for tag, start, end, other_start, other_end in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        differs = tag != "equal"
        for of_line, piece in zip(parts, (words[0][start:end], words[1][other_start:other_end]), strict=True):
            text = "".join(piece)
            if text := _with_ends(text) if differs else _without_end(text):
                of_line.append(Part(text, differs))
    return parts


def _alone(line: str | None) -> list[Part]:
    return [] if line is None else [Part(_without_end(line), True)]


def _without_end(text: str) -> str:
    return text.rstrip("\r\n")


def _with_ends(text: str) -> str:
    return text.replace("\r", "␍").replace("\n", "⏎")
