import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.record.search_words import TOKENIZER, as_match, spans_of, terms_of

WORDS = [
    "knife",
    "Knife",
    "KNIFES",
    "Café",
    "cafe\u0301",
    "NAÏVE",
    "o'clock",
    "9mm",
    "9",
    "the",
    "war-torn",
    "Ünder",
    "x",
]
TEXTS = st.lists(st.sampled_from([*WORDS, ",", ".", "\n", "“", "—"]), max_size=12).map(" ".join)
TYPED = st.lists(st.sampled_from([*WORDS, '"', '""', "*", "kni*", "knif*", "AND", "NOT", "("]), max_size=6).map(
    " ".join
)


def by_sqlite(text: str, match: str) -> tuple[bool, list[tuple[int, int]]]:
    """Whether SQLite's FTS5 finds the text, and what it marks there."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = '{TOKENIZER}')")
        connection.execute("INSERT INTO words VALUES (?)", (text,))
        row = connection.execute("SELECT highlight(words, 0, '\x01', '\x02') FROM words WHERE words MATCH ?", (match,))
        marked = row.fetchone()
    if marked is None:
        return False, []
    spans, index = [], 0
    for letter in marked[0]:
        if letter == "\x01":
            spans.append((index, index))
        elif letter == "\x02":
            spans[-1] = (spans[-1][0], index)
        else:
            index += 1
    return True, spans


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap as one, as FTS5 marks phrases."""
    found: list[tuple[int, int]] = []
    for first, last in spans:
        if found and first < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


@given(TEXTS, TYPED)
def test_words_stand_where_sqlite_finds_them(text: str, typed: str) -> None:
    """A text is found where all terms stand in it, and marked where FTS5 marks it."""
    terms = terms_of(typed)
    if not terms:
        return
    is_found, marked = by_sqlite(text, as_match(terms))
    assert is_found == all(spans_of([term], text) for term in terms)
    if is_found:
        assert joined(spans_of(terms, text)) == marked


@given(st.text(max_size=60))
def test_nothing_that_is_typed_is_an_error(typed: str) -> None:
    """Quotation marks, operators, brackets, controls: SQLite takes the expression that comes of whatever is typed."""
    terms = terms_of(typed)
    if terms:
        by_sqlite("Some text.", as_match(terms))
    spans_of(terms, typed)


@pytest.mark.parametrize(
    ("typed", "match"),
    [
        ("knife kitchen", '"knife" AND "kitchen"'),
        ('"kitchen knife" V', '"kitchen knife" AND "V"'),
        ("“kitchen knife”", '"kitchen knife"'),
        ('an "open quote', '"an" AND "open" AND "quote"'),
        ("stab*", '"stab"*'),
        ("st*", '"st"'),
        ("knife OR text:gun NEAR(a, b)", '"knife" AND "OR" AND "text gun" AND "NEAR a" AND "b"'),
        ("war-torn", '"war torn"'),
        ("knife knife", '"knife"'),
        ('"" * -', ""),
    ],
)
def test_what_is_typed_becomes_quoted_words(typed: str, match: str) -> None:
    """Words and phrases are quoted, so that none is an operator; stars stand for endings of long words alone."""
    assert as_match(terms_of(typed)) == match


def test_a_search_has_an_end() -> None:
    """Of a pasted page only the first words are searched for."""
    assert len(terms_of(" ".join(f"word{number}" for number in range(5_000)))) == 32
