import pytest

from narrative_runs.codebook.texts import fit_for_files, plain_number, written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "yes"),
        (False, "no"),
        (34.0, "34"),
        (34, "34"),
        (3.5, "3.5"),
        (-0.0, "0"),
        (1e300, "1e+300"),
        (("a", "é"), '["a", "é"]'),
        ((), "[]"),
        ("1.0", "1.0"),
        ("", ""),
    ],
)
def test_how_values_are_written(value: object, text: str | None) -> None:
    """Each kind of value has one way to be written."""
    assert written(value) == text


def test_a_whole_number_has_no_decimals_in_json() -> None:
    """0.0 is shown as 0."""
    assert repr(plain_number(0.0)) == "0"
    assert repr(plain_number(0.25)) == "0.25"


def test_no_text_holds_what_files_do_not_take() -> None:
    """A lone surrogate becomes a question mark, and all else stays."""
    assert fit_for_files("a\ud800é") == "a?é"
