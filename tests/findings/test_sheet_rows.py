from xml.etree import ElementTree

import pytest

from narrative_runs.findings import sheet_rows
from narrative_runs.findings.sheet_rows import Row, Styles, rows_xml


def xml_of(*rows: Row, columns: int) -> str:
    """The XML of rows that begin at 2, in columns that are ten characters wide."""
    return b"".join(rows_xml(rows, [10] * columns, first=2, styles=Styles(text=5, quoted=7, other=6))).decode()


def test_each_type_has_its_kind_of_cell() -> None:
    """Numbers, booleans and texts are what they are, each in its place."""
    assert xml_of((1, 0.5, True, "a"), columns=4) == (
        '<row r="2"><c r="A2" s="6"><v>1</v></c><c r="B2" s="6"><v>0.5</v></c><c r="C2" s="6" t="b"><v>1</v></c>'
        '<c r="D2" s="5" t="inlineStr"><is><t>a</t></is></c></row>'
    )


def test_a_text_looks_as_its_own_sheet_has_it() -> None:
    """The same short text in several cells, and on sheets of other styles, has the style of its sheet in each."""
    sheets = [Styles(text=5, quoted=7, other=6), Styles(text=1, quoted=2, other=3)]
    rows = [b"".join(rows_xml([("no", "=no", "no")], [10] * 3, first=1, styles=each)).decode() for each in sheets]
    styles = [[cell.get("s") for cell in ElementTree.fromstring(row)] for row in rows]
    assert styles == [["5", "7", "5"], ["1", "2", "1"]]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_no_value_is_no_cell(value: float | None) -> None:
    """A missing value leaves its place empty, and the others keep theirs."""
    assert xml_of((value, 3), columns=2) == '<row r="2"><c r="B2" s="6"><v>3</v></c></row>'


@pytest.mark.parametrize("number", [10**15, -(10**17) - 1])
def test_a_number_that_excel_would_change_is_a_text(number: int) -> None:
    """A whole number of more than 15 digits keeps all of them."""
    cell = ElementTree.fromstring(xml_of((number,), columns=1)).find("c")
    assert cell is not None
    assert (cell.get("t"), cell.findtext("is/t")) == ("inlineStr", str(number))


@pytest.mark.parametrize("text", ["<b> & \"c\" 'd'", " a ", "a\nb", "é😀", "]]>"])
def test_any_text_comes_back(text: str) -> None:
    """Marks of XML, blanks at the ends and letters of all kinds are read as they were."""
    cell = ElementTree.fromstring(xml_of((text,), columns=1)).find("c/is/t")
    assert cell is not None
    assert cell.text == text


def test_only_texts_that_might_be_computed_are_quoted() -> None:
    """A text like a formula or an error value has the quoting style, and no other has."""
    cells = ElementTree.fromstring(xml_of(("=1", "#N/A", "a", "#1"), columns=4))
    assert [cell.get("s") for cell in cells] == ["7", "7", "5", "5"]


def test_more_rows_than_are_written_at_once_are_numbered_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go on counting over the parts that they are written in."""
    monkeypatch.setattr(sheet_rows, "_ROWS_AT_ONCE", 2)
    rows = ElementTree.fromstring(f"<all>{xml_of((1,), (2,), (3,), columns=1)}</all>")
    assert [(row.get("r"), row.findtext("c/v")) for row in rows] == [("2", "1"), ("3", "2"), ("4", "3")]


@pytest.mark.parametrize(
    ("text", "height"),
    [("a" * 10, None), ("a" * 11, "30"), ("a\n\nb", "45"), ("a" * 25 + "\nb", "60"), ("a" * 32_767, "409")],
)
def test_a_row_is_as_high_as_its_longest_text(text: str, height: str | None) -> None:
    """A text that needs more lines than one is shown whole, up to the highest row that Excel allows."""
    row = ElementTree.fromstring(xml_of(("a", text, 1), columns=3))
    assert row.get("ht") == height
