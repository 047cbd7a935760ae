import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrative_runs.errors import SourceError
from narrative_runs.source.reading import reading_of
from narrative_runs.source.rules import OF_0_1_0
from narrative_runs.source.workbook import read

from .books import LABELLED, LONG, PRODUCTION, Rows, comma_separated, parquet, xlsx

COLUMNS = ["row_num", "incident_id", "narrative_type", "narrative_text", "manual_flag_ind", "manual_flag", "source_row"]


def rows_of(path: Path) -> list[tuple[object, ...]]:
    """The narratives of a workbook as tuples, with None for NA."""
    table = read(path).with_texts().astype(object)
    return list(table.where(table.notna(), None).itertuples(index=False, name=None))


def keys_of(path: Path) -> list[tuple[str, str]]:
    """The keys of the narratives of a workbook."""
    return [(str(row[1]), str(row[2])) for row in rows_of(path)]


@pytest.mark.parametrize(
    ("write", "suffix", "first_row"), [(xlsx, "xlsx", 2), (comma_separated, "csv", 2), (parquet, "parquet", 1)]
)
def test_labelled_layout(tmp_path: Path, write: Callable[..., Path], suffix: str, first_row: int) -> None:
    """A labelled row gives two narratives with their own labels, the incident's and its row, in every format."""
    rows: Rows = [["7", "first", "second", 0, 1, 1], ["5", "third", None, None, None, None]]
    assert rows_of(write(tmp_path / f"x.{suffix}", LABELLED, rows)) == [
        (1, "7", "cme", "first", 0, 1, first_row),
        (2, "7", "le", "second", 1, 1, first_row),
        (3, "5", "cme", "third", None, None, first_row + 1),
    ]


def test_production_layout(tmp_path: Path) -> None:
    """A production row gives two narratives without labels; its other columns ride along unread."""
    header = ["SiteID", *PRODUCTION, "IncidentYear"]
    assert rows_of(xlsx(tmp_path / "x.xlsx", header, [[3, 7, "first", "second", 2020]])) == [
        (1, "7", "cme", "first", None, None, 2),
        (2, "7", "le", "second", None, None, 2),
    ]


def test_long_layout(tmp_path: Path) -> None:
    """A long row gives one narrative; without manual_flag an incident has the highest of its labels."""
    rows: Rows = [["7", "CME", "first", 0], ["5", "le", "second", None], ["7", " Le", "third", 1]]
    assert rows_of(xlsx(tmp_path / "x.xlsx", LONG, rows)) == [
        (1, "7", "cme", "first", 0, 1, 2),
        (2, "5", "le", "second", None, None, 3),
        (3, "7", "le", "third", 1, 1, 4),
    ]


def test_long_layout_with_the_incident_label(tmp_path: Path) -> None:
    """A manual_flag that is given stands, and where it contradicts the narratives' labels that is counted."""
    path = xlsx(tmp_path / "x.xlsx", [*LONG, "manual_flag"], [["7", "cme", "first", 0, 1], ["5", "le", "text", 1, 1]])
    assert [row[-2] for row in rows_of(path)] == [1, 1]
    assert [(odd.row, odd.column) for odd in read(path).quality.odd_labels.examples] == [(2, "manual_flag")]


def test_columns_and_types(tmp_path: Path) -> None:
    """The table has its columns in order, with the types that later steps rely on, labels or not."""
    table = read(xlsx(tmp_path / "x.xlsx", PRODUCTION, [[1, "a", "b"]])).with_texts()
    assert list(table.columns) == COLUMNS
    assert [str(kind) for kind in table.dtypes] == ["int64", *["string"] * 3, "Int64", "Int64", "int64"]
    assert table.index.tolist() == [0, 1]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text("0123456789", min_size=1, max_size=12),
            st.text("aB-/. é", min_size=1, max_size=6).filter(str.strip),
        ),
        min_size=1,
        max_size=8,
        unique_by=str.strip,
    )
)
@pytest.mark.slow
def test_text_ids_stay_apart(ids: list[str]) -> None:
    """Ids written as text keep leading zeros and every character but blanks around them."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (
            xlsx(Path(folder, "x.xlsx"), PRODUCTION, [[i, "a", None] for i in ids]),
            comma_separated(Path(folder, "x.csv"), PRODUCTION, [[i, "a", None] for i in ids]),
        ):
            assert keys_of(path) == [(i.strip(), "cme") for i in ids]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10**15 - 1), min_size=1, max_size=8, unique=True))
@pytest.mark.slow
def test_number_ids_have_neither_decimals_nor_exponent(ids: list[int]) -> None:
    """Ids stored as numbers, float or not, are their digits."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (
            xlsx(Path(folder, "x.xlsx"), PRODUCTION, [[float(i), "a", None] for i in ids]),
            parquet(Path(folder, "f.parquet"), PRODUCTION, [[float(i), "a", None] for i in ids]),
            parquet(Path(folder, "i.parquet"), PRODUCTION, [[i, "a", None] for i in ids]),
        ):
            assert keys_of(path) == [(str(i), "cme") for i in ids]


def test_text_stays_as_it_is(tmp_path: Path) -> None:
    """Blanks, tabs and blank lines inside and around a text stay; Windows line ends become plain ones."""
    text = "  first\r\n\r\n\tsecond  third \n"
    kept = "  first\n\n\tsecond  third \n"
    assert rows_of(comma_separated(tmp_path / "x.csv", PRODUCTION, [["1", text, None]]))[0][3] == kept
    assert rows_of(parquet(tmp_path / "x.parquet", PRODUCTION, [["1", text, None]]))[0][3] == kept


def test_escaped_line_ends_of_excel(tmp_path: Path) -> None:
    """Excel's escape for a carriage return never reaches the model: it is part of a line end."""
    path = xlsx(tmp_path / "x.xlsx", PRODUCTION, [[1, "first_x000D_\nsecond", None]])
    assert rows_of(path)[0][3] == "first\nsecond"


@pytest.mark.parametrize("blank", [None, "", "  ", "\n\t\r\n", "\u00a0\u2003", "\x1c\x85"])
def test_blank_narratives_are_skipped_and_counted(tmp_path: Path, blank: str | None) -> None:
    """A narrative without any visible character is no narrative: it is counted, and takes no row number."""
    rows: Rows = [["1", blank, "a"], ["2", "b", blank], ["3", "c", "d"]]
    path = parquet(tmp_path / "x.parquet", PRODUCTION, rows)
    assert [(row[0], *row[1:4]) for row in rows_of(path)] == [
        (1, "1", "le", "a"),
        (2, "2", "cme", "b"),
        (3, "3", "cme", "c"),
        (4, "3", "le", "d"),
    ]
    blanks = read(path).quality.blanks_skipped
    assert blanks.as_dict() == {"total": 2, "cme": 1, "le": 1}


def test_first_of_two_rows_with_one_key_is_kept(tmp_path: Path) -> None:
    """Later rows with a key and text that were there are dropped and listed; a blank is no first row."""
    rows: Rows = [["1", "first", None], [1, "first", "le"], ["01", "other", None], ["1 ", " first", "le"]]
    path = xlsx(tmp_path / "x.xlsx", PRODUCTION, rows)
    assert [row[1:4] for row in rows_of(path)] == [
        ("1", "cme", "first"),
        ("1", "le", "le"),
        ("01", "cme", "other"),
    ]
    dropped = read(path).quality.duplicates_dropped
    assert (dropped.total, dropped.ids) == (3, [("1", "cme"), ("1", "cme"), ("1", "le")])


def test_narrative_without_an_id_is_left_out_and_counted(tmp_path: Path) -> None:
    """Narratives in a row without an id are not asked about, and the row is told."""
    source = read(xlsx(tmp_path / "x.xlsx", PRODUCTION, [[" ", "a", "b"], ["1", "c", None]]))
    assert source.with_texts()["narrative_text"].tolist() == ["c"]
    assert (source.quality.without_id.total, source.quality.without_id.rows) == (2, [2])


def test_empty_rows_are_no_rows(tmp_path: Path) -> None:
    """Rows in which nothing stands are neither rows nor blank narratives; later rows keep their number."""
    rows: Rows = [["1", "a", "b", 1, 1, 1], [None] * 6, [" "] * 6, ["2", "c", "d", 1, "maybe", 1]]
    quality = read(xlsx(tmp_path / "x.xlsx", LABELLED, rows)).quality
    assert (quality.rows_read, quality.rows_empty, quality.blanks_skipped.total) == (2, 2, 0)
    assert [odd.row for odd in quality.odd_labels.examples] == [5]


def test_odd_labels_are_no_labels(tmp_path: Path) -> None:
    """A label cell that cannot be told is NA, and counted with its row, column and 20 characters of it."""
    source = read(
        xlsx(
            tmp_path / "x.xlsx",
            LABELLED,
            [["1", "a", "b", "perhaps it was, perhaps not", "yes", 2], ["2", "c", None, 1, None, 1]],
        )
    )
    assert source.keys["manual_flag_ind"].tolist() == [pd.NA, 1, 1]
    assert source.keys["manual_flag"].tolist() == [pd.NA, pd.NA, 1]
    examples = [(odd.row, odd.column, odd.value) for odd in source.quality.odd_labels.examples]
    assert examples == [(2, "ipv_manualCME", "perhaps it was, perh"), (2, "ipv_manual", "2")]


@pytest.mark.parametrize(
    ("cme", "le", "incident", "odd"),
    [
        *[(0, 0, 1, 1), (1, 0, 0, 1), (1, None, 0, 1), (0, None, 1, 1)],
        *[(0, 1, 1, 0), (0, 0, 0, 0), (None, None, 1, 0), (1, 0, None, 0), (0, None, 0, 0)],
    ],
)
def test_contradicting_labels_are_counted(
    tmp_path: Path, cme: int | None, le: int | None, incident: int | None, odd: int
) -> None:
    """An incident's label other than the highest of its narratives' is counted, once a row, and kept."""
    source = read(xlsx(tmp_path / "x.xlsx", LABELLED, [["1", "a", "b", cme, le, incident]]))
    assert source.quality.odd_labels.total == odd
    assert rows_of(tmp_path / "x.xlsx")[0][5] == incident


def test_unknown_narrative_type_is_told(tmp_path: Path) -> None:
    """A narrative_type other than cme and le raises SourceError with file, sheet, rows and their number."""
    rows: Rows = [["1", "cme", "a", 0], ["1", "police", "b", 0], ["2", None, "c", 0]]
    with pytest.raises(SourceError) as raised:
        read(xlsx(tmp_path / "x.xlsx", LONG, rows, sheet="Long"))
    message = str(raised.value)
    assert "x.xlsx, sheet 'Long'" in message
    assert "2 rows" in message
    assert "row 3: 'police'" in message
    assert "row 4: ''" in message


@pytest.mark.parametrize("rows", [[], [[None, " ", None]]])
def test_header_alone_is_told(tmp_path: Path, rows: list[list[str | None]]) -> None:
    """A workbook with nothing under its header raises SourceError with file and sheet."""
    with pytest.raises(SourceError, match=r"x\.xlsx, sheet 'Narratives', has a header but no rows"):
        read(xlsx(tmp_path / "x.xlsx", PRODUCTION, rows))


def test_workbook_without_narratives_is_told(tmp_path: Path) -> None:
    """A workbook whose rows are all blank or without an id raises SourceError that says how many it saw."""
    with pytest.raises(SourceError, match=r"x\.xlsx.* has 2 rows, but no narrative with an id"):
        read(xlsx(tmp_path / "x.xlsx", PRODUCTION, [["1", None, " "], [None, "a", "b"]]))


def test_labels_are_not_asked_about_as_texts(tmp_path: Path) -> None:
    """A mistyped key of data.columns that makes a column of labels a narrative type is refused with the key and the
    names that labels have; rules from before, and a type with a single text, are read as they were."""
    header = ["Case", "Text", "Abuse"]
    data = {"columns": {"incident_id": "Case", "cme": "Text", "lable": "Abuse"}}
    path = xlsx(tmp_path / "x.xlsx", header, [["1", "a text", 1], ["2", "more", None], ["3", "again", "No"]])
    with pytest.raises(SourceError, match=r"in Abuse, which data\.columns\.lable names") as raised:
        read(path, reading_of(data))
    assert "  label: of the incident\n  label_cme: of the narrative cme\n" in str(raised.value)
    assert "label_lable" not in str(raised.value)
    assert len(read(path, reading_of({"columns": {"incident_id": "Case", "cme": "Text", "label": "Abuse"}}))) == 3
    old = read(path, reading_of(data, OF_0_1_0))
    assert len(old) == 5 and "data.columns.lable" in " ".join(old.quality.warnings)
    some = xlsx(tmp_path / "some.xlsx", header, [["1", "a text", 1], ["2", "more", "He said yes."]])
    assert len(read(some, reading_of(data))) == 4
