import pytest

from narrative_runs.codebook.matching import as_compared, finite, number_of, value_like, value_like_number


@pytest.mark.parametrize("text", ["Non Fatal", " non_fatal ", "NON-FATAL", "non  -  fatal", "non–fatal"])
def test_case_and_what_parts_words_make_no_difference(text: str) -> None:
    """Blanks, underscores and hyphens between words are the same."""
    assert value_like(text, ["fatal", "non-fatal"]) == "non-fatal"


@pytest.mark.parametrize("text", ["nonfatal", "fatal wound", "fat", "", "fatal.", "fatal, non-fatal"])
def test_what_is_nearly_a_value_is_none(text: str) -> None:
    """Nothing is guessed: not from a part, and not from what stands beside it."""
    assert value_like(text, ["fatal", "non-fatal"]) is None


def test_a_minus_sign_is_no_hyphen() -> None:
    """-1 is not read as 1."""
    assert value_like("-1", ["0", "1"]) is None
    assert value_like("-1", ["-1", "0", "1"]) == "-1"


def test_values_that_are_alike_are_told_apart_exactly_or_not_at_all() -> None:
    """Where two values differ by a hyphen alone, only their exact spelling names one."""
    assert value_like("a-b", ["a b", "a-b"]) == "a-b"
    assert value_like("A-B", ["a b", "a-b"]) is None


def test_letters_of_two_parts_are_those_of_one() -> None:
    """A letter with a combining accent is the accented letter."""
    assert as_compared("cafe\u0301") == as_compared("Café")


def test_a_number_is_the_only_value_that_equals_it() -> None:
    """1 is the value `1` or `1.0`, but neither where both are values."""
    assert value_like_number(1, ["0", "1.0"]) == "1.0"
    assert value_like_number(1, ["1", "1.0"]) is None
    assert value_like_number(1, ["one", "two"]) is None


@pytest.mark.parametrize(("text", "number"), [("34", 34.0), (" 34.0 ", 34.0), ("-3.5", -3.5), ("+2", 2.0), ("-0", 0.0)])
def test_a_text_that_is_plainly_a_number(text: str, number: float) -> None:
    """Digits with a sign, decimals and blanks around them are a number."""
    assert str(number_of(text)) == str(number)


@pytest.mark.parametrize(
    "text", ["", "thirty", "3,4", "1e3", "nan", "inf", "34 years", "1 2", "٣", ".5", "5.", "0x1", "1_0", "9" * 400]
)
def test_a_text_that_is_not_plainly_a_number(text: str) -> None:
    """Words, commas, exponents and other digits are none."""
    assert number_of(text) is None


def test_what_is_too_large_is_no_finite_number() -> None:
    """Neither infinity nor a whole number beyond all floats is finite."""
    assert finite(float("inf")) is None
    assert finite(float("nan")) is None
    assert finite(10**400) is None
    assert finite(3) == 3.0
