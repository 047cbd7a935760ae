from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from narrative_runs.source.cells import EXCEL_ERROR, plain
from narrative_runs.source.other_columns import result_names
from narrative_runs.source.workbook import read

from .books import PRODUCTION, Rows, comma_separated, parquet, xlsx

HEADER = ["Sex", *PRODUCTION, "IncidentYear", "Confidence", "Share", "Seen", "When", "Mixed", "Empty", "Sex"]
ROWS: Rows = [
    ["F", "1", "a", "b", 2019, "high", 0.5, True, datetime(2020, 1, 2), "x", None, 1],
    [None, "2", "c", None, 2020.0, None, 2, False, datetime(2020, 1, 2, 3, 4), 7, None, None],
]


def test_other_columns_ride_along_as_they_are(tmp_path: Path) -> None:
    """Each column keeps its values in one type, a row a narrative; names that are ours have a prefix."""
    source = read(xlsx(tmp_path / "x.xlsx", HEADER, ROWS))
    source.write_other_columns(tmp_path / "others.parquet", ["row_num", "confidence"])
    table = pq.read_table(tmp_path / "others.parquet")
    assert table.to_pydict() == {
        "row_num": [1, 2, 3],
        "Sex": ["F", "F", None],
        "IncidentYear": [2019, 2019, 2020],
        "workbook_Confidence": ["high", "high", None],
        "Share": [0.5, 0.5, 2.0],
        "Seen": [True, True, False],
        "When": ["2020-01-02", "2020-01-02", "2020-01-02 03:04:00"],
        "Mixed": ["x", "x", "7"],
        "Empty": [None] * 3,
        "Sex_2": [1, 1, None],
    }
    assert [str(kind) for kind in table.schema.types] == [
        *("int64", "string", "int64", "string", "double", "bool", "string", "string", "string", "int64"),
    ]


def test_csv_columns_stay_texts(tmp_path: Path) -> None:
    """What a CSV file holds is text: a code such as 007 keeps its zeros."""
    source = read(comma_separated(tmp_path / "x.csv", [*PRODUCTION, "Code"], [["1", "a", None, "007"]]))
    source.write_other_columns(tmp_path / "others.parquet", [])
    assert pq.read_table(tmp_path / "others.parquet")["Code"].to_pylist() == ["007"]


def test_a_workbook_without_other_columns(tmp_path: Path) -> None:
    """Where nothing rides along the file holds the row numbers alone."""
    read(parquet(tmp_path / "x.parquet", PRODUCTION, [["1", "a", "b"]])).write_other_columns(tmp_path / "o.parquet", [])
    assert pq.read_table(tmp_path / "o.parquet").to_pydict() == {"row_num": [1, 2]}


def test_names_differ_in_more_than_case() -> None:
    """Names that SQL would take for one another, or for ours, are made different."""
    names = result_names(
        ["detected", "Site", "SITE", "workbook_detected", "source_sheet"], ["Detected", "source_sheet"]
    )
    assert names == {
        "detected": "workbook_detected",
        "Site": "Site",
        "SITE": "SITE_2",
        "workbook_detected": "workbook_detected_2",
        "source_sheet": "workbook_source_sheet",
    }


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *[
            (None, None),
            ("", None),
            ("0012", "0012"),
            (True, True),
            (3, 3),
            (3.0, 3),
            (3.5, 3.5),
            (Decimal("2.50"), 2.5),
        ],
        *[(float("nan"), None), (float("inf"), None), (2**70, str(2**70)), (EXCEL_ERROR, None), (1e300, 1e300)],
        *[(date(2020, 1, 2), "2020-01-02"), (time(3, 4), "03:04:00"), (datetime(2020, 1, 2), "2020-01-02")],
    ],
)
def test_cells_as_plain_values(cell: object, value: object) -> None:
    """Every cell becomes a value that CSV, JSON, Parquet and Excel can hold."""
    assert plain(cell) == value and type(plain(cell)) is type(value)
