import random
import time

import pytest

from narrative_runs.codebook.quotes import spans_of, stands_in

NARRATIVE = (
    "The victim’s ex-boyfriend  came to\nthe house. He said “I will kill you” — then\u00a0he shot her. "
    "Soft\u00adhyphen\u200b. STRASSE. Later... he fled."
)


@pytest.mark.parametrize(
    "quote",
    [
        "The victim’s ex-boyfriend",
        "the victim's EX–BOYFRIEND came to the house",
        "  came to   the house. ",
        "He said 'I will kill you' -- then he shot her",
        'said "I will kill you"',
        "The victim ... shot her",
        "came to the house… he shot her",
        "[…] he shot her [...]",
        "victim’s . . . fled",
        "Later... he fled.",
        "softhyphen.",
        "strasse",
    ],
)
def test_a_passage_stands_in_its_narrative(quote: str) -> None:
    """Case, white space, kinds of marks and dashes make no difference; an ellipsis joins parts in their order."""
    assert stands_in(quote, NARRATIVE)


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "   ",
        "...",
        "—",
        "he stabbed her",
        "shot her ... came to the house",
        "the house he shot her",
        "cametothe house",
        "I will kill her",
        "shot her ... stabbed",
    ],
)
def test_a_passage_does_not_stand_there(quote: str) -> None:
    """A blank one, other words, another order, or words that are not next to each other."""
    assert not stands_in(quote, NARRATIVE)
    assert spans_of(quote, NARRATIVE) == []


def test_the_spans_are_those_of_the_passage() -> None:
    """What stands between the two ends is the passage as the narrative has it."""
    quotes = ["to the house", 'kill you" - then he shot', "victim's ... softhyphen", "Later... he"]
    shown = [[NARRATIVE[start:end] for start, end in spans_of(quote, NARRATIVE)] for quote in quotes]
    assert shown == [
        ["to\nthe house"],
        ["kill you” — then\u00a0he shot"],
        ["victim’s", "Soft\u00adhyphen"],
        ["Later... he"],
    ]


def test_any_piece_of_a_narrative_stands_in_it() -> None:
    """Whichever words are taken, as they are or with other blanks and in another case, their span holds them."""
    choose = random.Random(7)
    letters = "aB é’”-— \n\u00a0\u200bßİ.…"
    for _ in range(2_000):
        text = "x" + "".join(choose.choice(letters) for _ in range(40)) + "y"
        start = choose.randrange(len(text))
        piece = text[start : start + choose.randrange(3, 15)]
        # A single mark or an ellipsis is no passage.
        if not any(letter.isalnum() for letter in piece):
            continue
        spans = spans_of(piece, text)
        assert spans, (piece, text)
        assert all(0 <= first < last <= len(text) for first, last in spans)


def test_long_narratives_are_searched_fast() -> None:
    """A hundred passages of a narrative of 30 kB take less than a second or two, even the least convenient ones."""
    narrative = "he  hit her — and “left” her. " * 1_000
    start = time.monotonic()
    for number in range(50):
        assert stands_in("hit her - and 'left' her. he hit", narrative)
        assert not stands_in("he hit her and " * 20 + str(number), narrative)
    assert not stands_in("a" * 5_000 + "b", "a" * 30_000)
    assert time.monotonic() - start < 10
