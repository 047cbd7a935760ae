from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.page.history.text_differences import ADDED, LEFT_OUT, REMOVED, SAME, Line, differences

LINES = st.lists(st.sampled_from(["a cat", "a dog", "", "the cat sat", "end"]), max_size=12).map("\n".join)


def text_of(line: Line) -> str:
    return "".join(part.text for part in line.parts)


@given(LINES, LINES)
def test_each_line_is_one_of_its_text(first: str, other: str) -> None:
    """A line that is shown stands under its number in each text that it is said to be of; all lines that differ are
    shown, and no line twice."""
    lines = differences(first, other)
    for texts, kinds, numbers in (
        (first.split("\n"), (SAME, REMOVED), [line.in_first for line in lines]),
        (other.split("\n"), (SAME, ADDED), [line.in_other for line in lines]),
    ):
        assert [number is not None for number in numbers] == [line.kind in kinds for line in lines]
        shown = [number for number in numbers if number is not None]
        assert shown == sorted(set(shown))
        for line, number in zip(lines, numbers, strict=True):
            assert number is None or text_of(line).rstrip("⏎") == texts[number - 1]
    # What is not shown is the same in both: without the lines that were removed or added, the texts are alike.
    without = [
        [text for at, text in enumerate(text.split("\n"), start=1) if at not in set(numbers)]
        for text, numbers in (
            (first, [line.in_first for line in lines if line.kind == REMOVED]),
            (other, [line.in_other for line in lines if line.kind == ADDED]),
        )
    ]
    assert [line for line in without[0] if line] == [line for line in without[1] if line]


def test_what_differs_in_a_line_is_marked() -> None:
    """Of a line that was changed, the words that differ are marked, and no others."""
    removed, added = differences("A partner hurt V.", "A former partner hurt V.")
    assert (removed.kind, added.kind) == (REMOVED, ADDED)
    assert [part.text for part in removed.parts if part.differs] == []
    assert "".join(part.text for part in added.parts if part.differs).split() == ["former"]


def test_lines_around_are_shown_and_others_left_out() -> None:
    """Two lines stand around each difference; where more are the same, that is shown once."""
    first = "\n".join(str(number) for number in range(1, 30))
    kinds = [line.kind for line in differences(first, first.replace("15", "fifteen"))]
    assert kinds == [LEFT_OUT, SAME, SAME, REMOVED, ADDED, SAME, SAME, LEFT_OUT]


def test_a_line_end_that_differs_is_seen() -> None:
    """Texts that differ in a line's end alone differ; the end is shown."""
    removed, added = differences("one", "one\r\n")
    assert (text_of(removed), text_of(added)) == ("one", "one␍⏎")
    assert differences("one\n", "one\n") == []


def test_a_line_of_very_many_words_is_marked_whole() -> None:
    """A line with more words than can be compared in a moment is marked as a whole."""
    removed, added = differences("word " * 5_000, "word " * 5_000 + "more")
    assert [part.differs for part in (*removed.parts, *added.parts)] == [True, True]
