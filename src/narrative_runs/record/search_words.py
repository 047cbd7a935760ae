"""What a person types to search narratives, as the search index understands it, and where its words stand in a text.

Words are runs of letters and digits; case and accents make no difference, as in the tokenizer `unicode61` of SQLite's
FTS5. All words must stand in a narrative; words in quotation marks stand there one after the other; a star at the end
of a word stands for any ending.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TOKENIZER = "unicode61 remove_diacritics 2"
# A star after fewer letters would stand for half of all words.
_FEWEST_BEFORE_A_STAR = 4
_MOST_WORDS = 32
_QUOTED_OR_NOT = re.compile(r'["“”„«»]([^"“”„«»]*)["“”„«»]|([^\s"“”„«»]+)')
# Letters and digits, with the marks that are combined with them.
_WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f])*")
_COMBINING = "Mn"


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand one after the other.

    words: in one case and without accents; typed: as they were typed, with a blank between them; is_prefix: whether
    the last may have any ending.
    """

    words: tuple[str, ...]
    typed: str
    is_prefix: bool = False


def terms_of(typed: str) -> list[Term]:
    """What is searched for; none where nothing that was typed is a word. Nothing that can be typed is an error."""
    terms: list[Term] = []
    n_words = 0
    for match in _QUOTED_OR_NOT.finditer(typed):
        part = match[1] if match[2] is None else match[2]
        words = list(_words(part))[: _MOST_WORDS - n_words]
        if not words:
            continue
        n_words += len(words)
        last = words[-1]
        is_prefix = part[last[2] :].strip() == "*" and len(last[0]) >= _FEWEST_BEFORE_A_STAR
        typed_words = " ".join(part[first:behind] for _, first, behind in words)
        terms.append(Term(tuple(word for word, _, _ in words), typed_words, is_prefix))
    return list(dict.fromkeys(terms))


def as_match(terms: Sequence[Term]) -> str:
    """The terms as an expression of FTS5; each word is quoted, so that none is taken for an operator."""
    return " AND ".join(f'"{term.typed}"{"*" if term.is_prefix else ""}' for term in terms)


def spans_of(terms: Sequence[Term], text: str) -> list[tuple[int, int]]:
    """Where the terms stand in a text: (first index, index behind the last letter) of each, in their order."""
    words = list(_words(text))
    spans = []
    for first in range(len(words) if terms else 0):
        for term in terms:
            last = first + len(term.words) - 1
            if last < len(words) and _is_at(term, [word for word, _, _ in words[first : last + 1]]):
                spans.append((words[first][1], words[last][2]))
    return sorted(set(spans))


def _is_at(term: Term, words: Sequence[str]) -> bool:
    if tuple(words[:-1]) != term.words[:-1]:
        return False
    return words[-1].startswith(term.words[-1]) if term.is_prefix else words[-1] == term.words[-1]


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    """Each word as it is compared, with its first index and the index behind its last letter."""
    for match in _WORD.finditer(text):
        yield _compared(match[0]), match.start(), match.end()


def _compared(word: str) -> str:
    if word.isascii():
        return word.lower()
    return "".join(_without_accent(letter) for letter in word if unicodedata.category(letter) != _COMBINING)


def _without_accent(letter: str) -> str:
    lowered = letter.lower()
    lowered = lowered if len(lowered) == 1 else letter
    base = unicodedata.normalize("NFD", lowered)[0]
    # SQLite takes accents off Latin letters alone.
    return base if base.isascii() else lowered
