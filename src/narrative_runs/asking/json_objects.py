"""Whole JSON objects (RFC 8259) amid other text, read in one pass."""

import re
from collections.abc import Iterator

# Deeper than any answer, and far from what a recursive decoder can take.
DEEPEST = 100
# Single-pass by possessive repeats; numbers and escapes are checked by the decoder.
_TOKEN = re.compile(
    r'[ \t\n\r]*+(?:(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<mark>[{}\[\]:,])'
    r"|(?P<value>true|false|null|NaN|-?Infinity|-?[0-9][0-9.eE+-]*+))",
    re.DOTALL,
)
_KEY, _KEY_OR_END, _COLON, _VALUE, _VALUE_OR_END, _NEXT = range(6)


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end, in order, of each object that is whole in its form and not within another such object.

    An object within one that is damaged or cut off counts. What is in a span may still be refused by a decoder:
    numbers and escapes are not looked at.
    """
    start = text.find("{")
    while start >= 0:
        whole, resume = _follow(text, start)
        yield from whole
        start = text.find("{", resume)


def _follow(text: str, start: int) -> tuple[list[tuple[int, int]], int]:
    """The whole objects in the one that begins at `start`, at best itself; and where to continue looking.

    Nothing after an error can complete what is open there. Only the last string may not have been one: its
    quotes may be those of the prose around an object. So it is the one part that is looked at again, and the whole
    stays linear.
    """
    whole: list[tuple[int, int]] = []
    opened: list[int] = []
    expected, position, string_start = _VALUE, start, -1
    while token := _TOKEN.match(text, position):
        kind = str(token.lastgroup)
        begin, sign = token.start(kind), text[token.start(kind)]
        follows = _after(sign if kind == "mark" else kind, expected, text[opened[-1]] if opened else "")
        if follows is None or (sign in "{[" and len(opened) == DEEPEST):
            break
        position, expected, string_start = token.end(), follows, begin if kind == "string" else -1
        if kind == "mark" and sign in "{[":
            opened.append(begin)
        elif kind == "mark" and sign in "}]":
            begin = opened.pop()
            if sign == "}":
                while whole and whole[-1][0] > begin:
                    whole.pop()
                whole.append((begin, position))
            if not opened:
                return whole, position
    return whole, position if string_start < 0 else string_start + 1


def _after(part: str, expected: int, opened: str) -> int | None:
    """What is expected after a part of JSON; None if that part is not allowed there. opened: the bracket around it."""
    match part:
        case "string" if expected in (_KEY, _KEY_OR_END):
            return _COLON
        case "string" | "value" if expected in (_VALUE, _VALUE_OR_END):
            return _NEXT
        case "{" if expected in (_VALUE, _VALUE_OR_END):
            return _KEY_OR_END
        case "[" if expected in (_VALUE, _VALUE_OR_END):
            return _VALUE_OR_END
        case ":" if expected == _COLON:
            return _VALUE
        case "," if expected == _NEXT:
            return _KEY if opened == "{" else _VALUE
        case "}" if opened == "{" and expected in (_NEXT, _KEY_OR_END):
            return _NEXT
        case "]" if opened == "[" and expected in (_NEXT, _VALUE_OR_END):
            return _NEXT
    return None
