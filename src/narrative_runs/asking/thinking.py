"""Separates thinking from answer, by the marks of all models that write both into one text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from narrative_runs.asking import json_objects

_WORDS = (
    "think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|scratch_?pad|inner_?monologue|analysis"
    "|seed:(?:think|cot_budget_reflect)|[a-z]{2,12}[:_]think"
)
_CHANNELS = "analysis|commentary"
_HEADER = r"(?:<\|start\|>\s{0,8}assistant\s{0,8})?<\|channel\|>\s{0,8}"
_HEADER_END = r"(?:[^<{\n]{0,80}(?:<\|constrain\|>[^<{\n]{0,40})?<\|message\|>)?"
# A name of its own for each kind of mark: the end of one kind does not end another.
_OPENINGS = {
    "tag": rf"<(?:{_WORDS})(?:\s[^<>]{{0,100}})?>|\[think(?:ing)?\]|◁think▷|<\|(?:think(?:ing)?|start_thinking)\|>",
    "thought": r"<\|begin_of_thought\|>",
    "working": r"<start_working_out>",
    "unused": r"<unused94>(?:\s{0,4}thought\b)?",
    "pipe": r"<\|channel>(?:\s{0,4}thought\b)?",
    "channel": rf"{_HEADER}(?:{_CHANNELS}){_HEADER_END}|assistant(?:\n{{1,2}}(?={_CHANNELS}\n)|)(?:{_CHANNELS})"
    rf"|\A\s{{0,8}}(?:{_CHANNELS})<\|message\|>",
    "turn": r"<\|im_start\|>\s{0,4}think\b",
    "process": r"\A\s{0,8}here(?:'s| is) my thought process:",
}
_CLOSINGS = {
    "tag": rf"</(?:{_WORDS})\s{{0,4}}>|\[/think(?:ing)?\]|◁/think▷|<\|(?:/think(?:ing)?|end_thinking)\|>",
    "thought": r"<\|end_of_thought\|>",
    "working": r"<end_working_out>",
    "unused": r"<unused95>",
    "pipe": r"<channel\|>",
}
# They end what they follow, and say nothing if that was not thinking.
_MESSAGE_END = r"<\|end\|>"
_FINAL = (
    rf"{_HEADER}final{_HEADER_END}|assistantfinal|assistant\n{{1,2}}final(?=\s{{0,8}}[{{`\n])|<\|im_start\|>\s{{0,4}}answer\b"
    r"|<\|begin_of_solution\|>|\[begin final response\]|<\|start_response\|>"
)
_MARK = re.compile(
    "|".join(
        [f"(?P<open_{name}>{pattern})" for name, pattern in _OPENINGS.items()]
        + [f"(?P<close_{name}>{pattern})" for name, pattern in _CLOSINGS.items()]
        + [f"(?P<end_channel>{_MESSAGE_END})", f"(?P<final_channel>{_FINAL})"]
    ),
    re.IGNORECASE,
)
# Without its marks, a channel's name sticks to the first word; a heading in prose does not.
_BARE_CHANNEL = re.compile(
    r"\s{0,8}(?:(?i:analysis|commentary)(?=[A-Z0-9\"'(*{\[<`])|(?:analysis|commentary)(?=\s+\S))"
)
_PROSE_HEADING = re.compile(r"\s{0,8}(?:analysis|commentary)\s+(?:of|for|on|by|and|is|shows|suggests)\b")
_BARE_FINAL = re.compile(r"(?:(?<=[^\sA-Za-z])|(?<=\n))final(?=\{)")
_RESPONSE = re.compile(r"here(?:'s| is) my response:", re.IGNORECASE)
# Each mark has one of these in it; most answers have none, and looking for these alone takes a tenth of the time.
_IN_MARKS = ("<", "[think", "[/think", "[begin", "assistant", "analysis", "commentary", "here's my", "here is my")
_AROUND_AN_OBJECT = re.compile(r"\s|`{3,}(?:json)?|<\|[^|<>]{1,40}\|>|</?(?:s|answer|output|response)>", re.IGNORECASE)


class _Kind(Enum):
    OPEN = auto()
    CLOSE = auto()
    END = auto()
    FINAL = auto()


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    kind: _Kind
    name: str


@dataclass(frozen=True, slots=True)
class Content:
    """A model's text in its parts.

    written: what is not thinking; thought: the thinking, if there is any; is_draft_open: whether thinking starts and
    never ends; masked: as long as the content, with blanks instead of all that was not written.
    """

    written: str
    thought: str | None
    is_draft_open: bool
    masked: str


def apart_from_thinking(content: str) -> Content:
    """What was written, and what was thought before it; a model that never stops thinking has written nothing.

    Marks in the strings of a whole JSON object are words like others.
    """
    written, thought, is_open = _separated(content, _marks(content))
    parts = [content[start:end] for start, end in written]
    thoughts = [content[start:end].strip() for start, end in thought]
    return Content(
        written="".join(parts).strip(),
        thought="\n\n".join(part for part in thoughts if part) or None,
        is_draft_open=is_open,
        masked=_masked(content, written),
    )


def _marks(content: str) -> list[_Mark]:
    marks = list(_all_marks(content))
    if not marks:
        return []
    objects = list(json_objects.spans(content))
    outside, index = [], 0
    for mark in marks:
        while index < len(objects) and objects[index][1] <= mark.start:
            index += 1
        if index == len(objects) or mark.start < objects[index][0]:
            outside.append(mark)
    return outside


def _all_marks(content: str) -> Iterator[_Mark]:
    if content.isascii() and not any(part in content.lower() for part in _IN_MARKS):
        return
    named = [
        _Mark(match.start(), match.end(), _Kind[kind.upper()], name)
        for match in _MARK.finditer(content)
        for kind, _, name in [str(match.lastgroup).partition("_")]
    ]
    bare = _BARE_CHANNEL.match(content)
    if bare and not _PROSE_HEADING.match(content) and not (named and named[0].start < bare.end()):
        named.append(_Mark(bare.start(), bare.end(), _Kind.OPEN, "channel"))
        named += _finals(_BARE_FINAL, content)
    if any(mark.name == "process" for mark in named):
        named += _finals(_RESPONSE, content)
    yield from sorted(named, key=lambda mark: mark.start)


def _finals(pattern: re.Pattern[str], content: str) -> list[_Mark]:
    return [_Mark(match.start(), match.end(), _Kind.FINAL, "channel") for match in pattern.finditer(content)]


_Spans = list[tuple[int, int]]


def _separated(content: str, marks: list[_Mark]) -> tuple[_Spans, _Spans, bool]:
    """(spans that were written, spans that were thought, whether thinking was not ended)."""
    written: _Spans = []
    thought: _Spans = []
    opened: list[str] = []
    position, is_final = 0, False
    for mark in marks:
        (thought if opened else written).append((position, mark.start))
        position = mark.end
        # Some templates open the thinking in the prompt, so that only its end is in the text.
        ends_thinking = not opened if mark.kind is _Kind.CLOSE else mark.kind is _Kind.FINAL and not is_final
        if ends_thinking:
            thought += written
            written.clear()
        is_final = is_final or mark.kind is _Kind.FINAL
        _pass(mark, opened)
    if opened and marks[-1].kind is _Kind.CLOSE and _is_one_object(content[position:]):
        # A mark that the thinking only mentions has no end of its own.
        opened.clear()
    (thought if opened else written).append((position, len(content)))
    return written, sorted(thought), bool(opened)


def _pass(mark: _Mark, opened: list[str]) -> None:
    """Keep in `opened` the thinking that is open after a mark, the innermost last."""
    if mark.kind is _Kind.FINAL or (mark.kind is _Kind.OPEN and mark.name == "channel"):
        opened.clear()
    if mark.kind is _Kind.OPEN:
        opened.append(mark.name)
    elif mark.name in opened:
        while opened.pop() != mark.name:
            pass


def _is_one_object(text: str) -> bool:
    spans = list(json_objects.spans(text))
    return len(spans) == 1 and not _AROUND_AN_OBJECT.sub("", text[: spans[0][0]] + text[spans[0][1] :])


def _masked(content: str, written: _Spans) -> str:
    parts, position = [], 0
    for start, end in written:
        parts += [" " * (start - position), content[start:end]]
        position = end
    return "".join(parts) + " " * (len(content) - position)
