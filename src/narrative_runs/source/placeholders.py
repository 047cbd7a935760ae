"""Texts that fill the cell of a missing narrative: `N/A`, `NULL`, `No report on file`, `see CME`."""

import re
from collections.abc import Collection

_ALONE = frozenset(
    [
        *("n/a", "n.a", "n/a.", "na", "null", "nan", "none", "nil", "nothing", "blank", "empty", "missing", "void"),
        *("tbd", "tba", "pending", "unknown", "unk", "redacted", "withheld", "deleted", "x", "xx", "xxx", "test"),
        *("not applicable", "not available", "not provided", "not reported", "not received", "not found"),
        *("not on file", "not recorded", "unavailable", "undetermined", "not done", "none given", "none provided"),
        *("ditto", "same", "as above", "same as above", "see above", "see below", "see attached", "see file"),
    ]
)
_WHAT = r"(?:cme|le|me|coroner|police|law enforcement|medical examiner|examiner|autopsy|toxicology|incident|death|case)"
_PAPER = r"(?:report|reports|narrative|narratives|information|info|record|records|data|details?|text|documents?|notes?)"
_STATE = r"(?:on file|available|provided|received|found|submitted|given|recorded|at this time|yet|to date|in file)"
# No report on file; no police narrative available; report not available.
_ABSENT = re.compile(
    rf"(?:no|without)(?: {_WHAT})* {_PAPER}(?: (?:was|is|were|has been))?(?: {_STATE})*"
    rf"|(?:{_WHAT} )*{_PAPER}(?: (?:was|is|were))? (?:not {_STATE}|unavailable|missing|pending|none)"
)
# See CME; see the coroner's report; refer to LE narrative.
_ELSEWHERE = re.compile(
    rf"(?:please )?(?:see|refer to|same as|per|as per|cf)(?: the)?(?: other| above)?(?: {_WHAT}(?:'s)?)+(?: {_PAPER})?"
    rf"|(?:please )?(?:see|refer to|same as)(?: the)?(?: other| above)? {_PAPER}"
)
_AROUND = " \t\r\n.!?,;:*-_()[]<>\"'"


def is_placeholder(text: str, more: Collection[str] = ()) -> bool:
    """Whether a text that is not blank stands for a missing narrative.

    more: texts that count as such besides the usual ones, as `normal` gives them.
    """
    plain = normal(text)
    if plain in more:
        return True
    return not plain or plain in _ALONE or bool(_ABSENT.fullmatch(plain) or _ELSEWHERE.fullmatch(plain))


def normal(text: str) -> str:
    """The text without what makes no difference: case, blanks and marks around it, kinds of blanks in it."""
    plain = " ".join(text.casefold().replace("\u2019", "'").split()).strip(_AROUND)
    # A text of marks alone is nothing but marks.
    return plain if any(letter.isalnum() for letter in plain) else ""
