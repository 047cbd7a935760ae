import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.findings.text_cells import CELL_LIMIT, CUT_NOTE, fitting, guarded, is_formula_like

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\r1", "\nx", "\u00a0=1", "\x00=1", "\ufeff@x"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_begins_like_a_formula_is_guarded(text: str) -> None:
    """A sign that starts a formula, behind any kind of blank too, is put behind an apostrophe."""
    assert is_formula_like(text)
    assert guarded(text) == "'" + text


@pytest.mark.parametrize("text", ["", "The victim", "a = b", "1-2", "'=1", " plain", "(-1)", "é+"])
def test_other_text_stays_as_it_is(text: str) -> None:
    """A sign further on harms nobody, and nothing is changed."""
    assert guarded(text) == text


@given(st.text())
def test_guarding_loses_nothing_and_leaves_no_formula(text: str) -> None:
    """No guarded text begins like a formula, and without the apostrophe it is the text it was."""
    assert not is_formula_like(guarded(text))
    assert guarded(text).removeprefix("'" if is_formula_like(text) else "") == text


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_characters_illegal_in_xml_are_removed(character: str) -> None:
    """What no XML file may hold is taken out, and nothing around it."""
    assert fitting(f"a{character}\tb\n😀") == "a\tb\n😀"


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_a_text_that_is_too_long_is_cut_with_a_note(character: str) -> None:
    """A cell gets what it can hold in UTF-16, and says that it was cut; a text that just fits is whole."""
    units = len(character.encode("utf-16-le")) // 2
    longest = character * (CELL_LIMIT // units)
    assert fitting(longest) == longest
    cut = fitting(longest + character)
    assert cut.endswith(CUT_NOTE)
    assert CELL_LIMIT - 1 <= len(cut.encode("utf-16-le")) // 2 <= CELL_LIMIT
    assert set(cut.removesuffix(CUT_NOTE)) == {character}
