from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.page.narratives.highlighting import Piece, excerpt, pieces, readable, within

SPANS = st.lists(st.tuples(st.integers(-3, 60), st.integers(-3, 60)), max_size=6)
TEXTS = st.text(alphabet="ab \n", max_size=50)


@given(TEXTS, SPANS, SPANS)
def test_pieces_are_the_text(text: str, words: list[tuple[int, int]], passages: list[tuple[int, int]]) -> None:
    """The pieces together are the text, and each letter is marked as what it stands in."""
    found = pieces(text, words, passages)
    assert "".join(piece.text for piece in found) == text
    letters = [(piece.is_word, piece.is_passage) for piece in found for _ in piece.text]
    for index, (is_word, is_passage) in enumerate(letters):
        assert is_word == any(first <= index < last for first, last in words)
        assert is_passage == any(first <= index < last for first, last in passages)


def test_words_within_a_passage_are_both() -> None:
    """A word of the search that stands in a quoted passage is marked as both."""
    assert pieces("He had a knife.", [(9, 14)], [(3, 14)]) == [
        Piece("He "),
        Piece("had a ", is_passage=True),
        Piece("knife", is_word=True, is_passage=True),
        Piece("."),
    ]


@given(st.text(alphabet="abc ", min_size=1, max_size=900), st.integers(0, 890), st.integers(60, 300))
def test_an_excerpt_shows_the_first_span(text: str, at: int, length: int) -> None:
    """A list's part of a text is no longer than asked for, and begins no later than what was searched for."""
    spans = [(at, at + 5)] if at + 5 <= len(text) else []
    first, last = excerpt(text, spans, length)
    assert 0 <= first <= last <= len(text) and last - first <= length
    if spans:
        assert first <= at or " " not in text[max(0, at - 80) : at]
    if len(text) <= length:
        assert (first, last) == (0, len(text))


def test_an_excerpt_cuts_no_word() -> None:
    """Where there are blanks, a part begins and ends with whole words."""
    text = "Officers came. " * 40 + "He had a knife in the kitchen. " + "Nobody knew. " * 40
    at = text.index("knife")
    first, last = excerpt(text, [(at, at + 5)], 300)
    assert text[first:last].split()[0] in ("Officers", "came.") and text[last] == " "
    assert within([(at, at + 5), (0, 3)], (first, last)) == [(at - first, at - first + 5)]


def test_texts_are_made_readable() -> None:
    """Controls are written out, line ends are of one kind, and no text at all is an empty one."""
    assert readable("a\r\nb\rc\x1b[31m\u202e ") == "a\nb\nc\\u001b[31m\\u202e" and readable(None) == ""
