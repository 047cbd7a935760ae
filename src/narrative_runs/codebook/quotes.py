"""Whether a passage stands in a narrative, whatever its case, white space, quotation marks and dashes."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_QUOTATION_MARKS = "\"'`´‘’‚‛“”„‟«»‹›′″＂＇"
_DASHES = "-‐‑‒–—―−﹘﹣－"
_BLANKS = [chr(code) for code in range(0x3001) if chr(code).isspace()]
_ALIKE = str.maketrans(
    {
        **dict.fromkeys(_QUOTATION_MARKS, "'"),
        **dict.fromkeys(_DASHES, "-"),
        **dict.fromkeys(_BLANKS, " "),
        **dict.fromkeys(_UNSEEN, "\u200b"),
    }
)
_RUNS = re.compile(r"[ \u200b]{2,}|\u200b|-{2,}")
_ELLIPSIS = re.compile(r"[\[(]?\s*(?:\.{3,}|…|\.(?:\s\.){2,})\s*[\])]?")


@dataclass(frozen=True, slots=True)
class _Compared:
    """A text as it is compared; from each of `edges` on, its letters stand `shifts` further on in the text itself."""

    text: str
    edges: list[int]
    shifts: list[int]

    def index(self, at: int) -> int:
        """The index in the text itself."""
        return at + self.shifts[bisect_right(self.edges, at) - 1]


def stands_in(quote: str, narrative: str) -> bool:
    """Whether the passage stands in the narrative; an ellipsis in it joins parts that must stand there in their order.

    Case, runs of white space, and kinds of quotation marks, apostrophes and dashes make no difference. A blank passage
    stands nowhere.
    """
    return bool(spans_of(quote, narrative))


def spans_of(quote: str, narrative: str) -> list[tuple[int, int]]:
    """Where the passage stands first in the narrative: (first index, index behind the last letter) of it, or of each of
    its parts that an ellipsis joins; none where it does not stand there."""
    compared = _compared(narrative)
    return _spans([quote], compared) or _spans(_ELLIPSIS.split(quote), compared)


def _spans(parts: list[str], narrative: _Compared) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start = 0
    for part in parts:
        text = _compared(part).text.strip(" ")
        if not re.search(r"\w", text):
            continue
        at = narrative.text.find(text, start)
        if at < 0:
            return []
        start = at + len(text)
        # What follows the last letter may stand further on: the span ends with the letter itself.
        spans.append((narrative.index(at), narrative.index(start - 1) + 1))
    return spans


# Several passages of one narrative are looked up one after the other.
@lru_cache(maxsize=8)
def _compared(text: str) -> _Compared:
    alike = _in_one_case(text).translate(_ALIKE)
    pieces: list[str] = []
    edges, shifts = [0], [0]
    before, length = 0, 0
    for run in _RUNS.finditer(alike):
        instead = "-" if run[0][0] == "-" else " " if " " in run[0] else ""
        pieces += [alike[before : run.start()], instead]
        length += run.start() - before + len(instead)
        before = run.end()
        edges.append(length)
        shifts.append(before - length)
    pieces.append(alike[before:])
    return _Compared("".join(pieces), edges, shifts)


def _in_one_case(text: str) -> str:
    """The text in one case, each letter at its own index: one that would become several stays as it is."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return "".join(each if len(each) == 1 else letter for letter in text for each in [letter.casefold()])
