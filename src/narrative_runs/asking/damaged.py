"""Answers that are no longer JSON, but leave no doubt: other quotes, comments, extra commas, a lost end."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from narrative_runs.codebook.confidence import confidence_of

# A longer text with damage is no answer that a model gave on purpose.
LONGEST = 20_000
_LONGEST_WORD = 40
_WORD = re.compile(rf"""["'“”]?+([^,}}\n"'“”]{{0,{_LONGEST_WORD}}}+)(.?)""", re.DOTALL)
_ANOTHER_VALUE = re.compile(r"""["'”]?\s*+\|""")
_COMMENT = re.compile(r"//|/\*|#")
# A quote within a string, not escaped, is distinguished from its end by what follows.
_STRING_ENDS = (
    r"(?=\s*+(?:[}\]:]|\Z|//|/\*|```|<\||,\s*+(?:[\"'“{}\[\]#/]|\w++\s*+:|-?[0-9]|(?:true|false|null|none)\b|\Z))"
    r"|[ \t]*+\n\s*+[\"'}])"
)
_MASKED = re.compile(
    r"(?P<before>[\[:,]\s*+)(?:"
    rf'"(?P<double>(?:[^"\\]++|\\.|"(?!{_STRING_ENDS}))*+)(?:"|\Z)'
    rf"|'(?P<single>(?:[^'\\]++|\\.|'(?!{_STRING_ENDS}))*+)(?:'|\Z))"
    r"|(?P<comment>(?<![:\w])//[^\n]*+|/\*[^\n]{0,200}?\*/|(?<=\s)#[^\n]*+)",
    re.DOTALL | re.IGNORECASE,
)
_COLON = re.compile(r"\s*+:")
_LIST = re.compile(r"\[([^\[\]{}]{0,2000}+)\]")
_NUMBER = (
    r"""(?:["“](?P<double>[^"“”\n]{0,40}+)["”]|'(?P<single>[^'\n]{0,40}+)'"""
    r"""|(?P<bare>[^,}\n"'\[{]{1,300}+(?:,[0-9]{1,20}(?=\s*+[,}\n]))?))"""
    # A comma at the end of the text, or before a digit, may be that of a decimal.
    r"""(?=[ \t\r]*+(?:[}\n"']|,\s*+[^\s0-9]))"""
)
_SPECIAL_TOKEN = re.compile(r"<\|[^|<>]{1,40}\|>|</?s>|\[/?INST\]")


@dataclass(frozen=True, slots=True)
class Written:
    """The value after a key.

    word: in lower case, None if the text ends within it; start: where it begins; is_sure: whether nothing but a key
    can look like that.
    """

    word: str | None
    start: int
    is_sure: bool


@dataclass(frozen=True, slots=True)
class DamagedObject:
    """The part of a text that is, or was meant to be, one object; is_closed: whether it has an end of its own."""

    text: str
    outline: str
    is_closed: bool

    def numbers(self, key: str) -> list[float | None]:
        """The confidences that it has after this key, None for one that is not a number from 0 to 1."""
        spans = [match.span(str(match.lastgroup)) for match in _number_behind(key).finditer(self.outline)]
        return [confidence_of(_COMMENT.split(self.text[start:end], maxsplit=1)[0]) for start, end in spans]

    def words_of_list(self, key: str) -> list[str] | None:
        """The words of the list after this key; None if there is none, or more than one."""
        sure, other = _keys(key)
        ends = {match.end() for pattern in (sure, other) for match in pattern.finditer(self.text)}
        lists = [_LIST.match(self.text, end) for end in ends]
        if len(lists) != 1 or lists[0] is None:
            return None
        words = [word.strip().strip("\"'“”‘’").strip() for word in lists[0][1].split(",")]
        return [word for word in words if word]


def written_in(text: str, key: str) -> list[Written]:
    """The value after each such key, in order; a key that a string only mentions does not count."""
    sure, other = _keys(key)
    others = [_written(text, match, is_sure=False) for match in other.finditer(_outline(text))]
    values = others + [_written(text, match, is_sure=True) for match in sure.finditer(text)]
    return [written for _, written in sorted({written.start: written for written in values}.items())]


def object_around(text: str, offset: int) -> DamagedObject | None:
    """The innermost object that is open at this offset; None if there is none."""
    outline = _outline(text)
    opened: list[int] = []
    for position, brace in _braces(outline, 0, offset):
        if brace == "{":
            opened.append(position)
        elif opened:
            opened.pop()
    if not opened:
        return None
    start, depth = opened[-1], 1
    for position, brace in _braces(outline, offset, len(text)):
        depth += 1 if brace == "{" else -1
        if depth == 0:
            return DamagedObject(text[start : position + 1], outline[start : position + 1], is_closed=True)
    return DamagedObject(text[start:], outline[start:], is_closed=False)


def corrected(text: str, keys: Collection[str]) -> dict[str, Any] | None:
    """The object that a damaged one was meant to be; None if that is unclear, or it is too long for an answer.

    keys: an answer has one of them.
    """
    # Imported here: it is rarely needed, and each job would pay for it.
    from json_repair import repair_json

    if len(text) > LONGEST:
        return None
    try:
        value = repair_json(_SPECIAL_TOKEN.sub(" ", text), return_objects=True)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        value = next((part for part in value if isinstance(part, dict) and not part.keys().isdisjoint(keys)), None)
    return value if isinstance(value, dict) else None


@cache
def _keys(key: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """How a key is written: in a way that nothing else is, and in others."""
    name = re.escape(key)
    # Such a key cannot stand in a string, unless a quote in it is not escaped: then it is better seen than overlooked.
    sure = rf"""(?:["“]{name}["”]|(?<=\{{)\s*+'?{name}'?)\s*+:\s*+"""
    other = rf"(?:'{name}'|(?:^|(?<=[{{,\n]))[ \t]*+{name})\s*+:\s*+"
    return re.compile(sure, re.IGNORECASE), re.compile(other, re.IGNORECASE)


@cache
def _number_behind(key: str) -> re.Pattern[str]:
    return re.compile(rf"""(?:["'“]|\b){re.escape(key)}["'”]?\s*+:\s*+""" + _NUMBER, re.IGNORECASE)


def _written(text: str, key: re.Match[str], is_sure: bool) -> Written:
    word = _WORD.match(text, key.end())
    assert word is not None
    said, *comment = _COMMENT.split(word[1], maxsplit=1)
    is_whole = bool(word[2] or comment)
    if _ANOTHER_VALUE.match(text, word.end(1)):
        # Of the form of an answer, in which all values stand.
        said = f"{said} | …"
    return Written(said.strip().lower() if is_whole else None, word.start(1), is_sure)


def _outline(text: str) -> str:
    """The text with blanks instead of what strings and comments hold, from its first brace on."""
    start = max(0, text.find("{"))
    return text[:start] + _MASKED.sub(_blanked, text[start:])


def _blanked(match: re.Match[str]) -> str:
    kind = str(match.lastgroup)
    begin, end = (edge - match.start() for edge in match.span(kind))
    whole = match[0]
    is_key = kind != "comment" and _COLON.match(match.string, match.end()) is not None
    return whole if is_key else whole[:begin] + " " * (end - begin) + whole[end:]


def _braces(outline: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    return ((match.start(), match[0]) for match in re.compile("[{}]").finditer(outline, start, end))
