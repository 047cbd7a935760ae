"""A text in pieces, of which some are marked: words that were searched for, and passages that the model quoted."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from narrative_runs.plain_text import plain

Span = tuple[int, int]
_BEFORE = 80


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text; is_word, is_passage: what it is marked as."""

    text: str
    is_word: bool = False
    is_passage: bool = False


def readable(text: str | None) -> str:
    """A text as the page shows it: plain, and with one kind of line end."""
    return plain((text or "").replace("\r\n", "\n").replace("\r", "\n")).strip()


def pieces(text: str, words: Iterable[Span] = (), passages: Iterable[Span] = ()) -> list[Piece]:
    """The text in pieces, which together are the text.

    words, passages: (first index, index behind the last letter) of what is marked as either; they may overlap.
    """
    of_words, of_passages = _merged(words, len(text)), _merged(passages, len(text))
    edges = sorted({0, len(text), *(edge for span in (*of_words, *of_passages) for edge in span)})
    return [
        Piece(text[first:last], _is_within(of_words, first), _is_within(of_passages, first))
        for first, last in pairwise(edges)
    ]


def excerpt(text: str, spans: Sequence[Span], length: int) -> Span:
    """The part of a text around the first of the spans that a list shows, or its beginning; no word is cut where that
    can be helped."""
    first = max(0, min(min(span[0] for span in spans) - _BEFORE, len(text) - length)) if spans else 0
    last = min(len(text), first + length)
    if first and (blank := text.find(" ", first, first + _BEFORE)) >= 0:
        first = blank + 1
    if last < len(text) and (blank := text.rfind(" ", last - _BEFORE, last)) > first:
        last = blank
    return first, last


def within(spans: Iterable[Span], part: Span) -> list[Span]:
    """The spans by their position in a part of the text; those outside are left out."""
    cut = [(max(first, part[0]) - part[0], min(last, part[1]) - part[0]) for first, last in spans]
    return [(first, last) for first, last in cut if first < last]


def _merged(spans: Iterable[Span], length: int) -> list[Span]:
    merged: list[Span] = []
    for first, last in sorted((max(0, first), min(last, length)) for first, last in spans):
        if first >= last:
            continue
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _is_within(merged: Sequence[Span], index: int) -> bool:
    at = bisect_right(merged, (index, float("inf"))) - 1
    return at >= 0 and merged[at][0] <= index < merged[at][1]
