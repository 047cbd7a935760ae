"""Workbooks for the tests, each in the three file formats."""

import csv
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

PRODUCTION = ("IncidentID", "NarrativeCME", "NarrativeLE")
LABELLED = (*PRODUCTION, "ipv_manualCME", "ipv_manualLE", "ipv_manual")
LONG = ("incident_id", "narrative_type", "narrative_text", "manual_flag_ind")

Rows = Sequence[Sequence[object]]


def xlsx(path: Path, header: Sequence[object], rows: Rows, sheet: str = "Narratives") -> Path:
    """An Excel workbook with one sheet."""
    return book(path, {sheet: [header, *rows]})


def book(path: Path, sheets: dict[str, Rows]) -> Path:
    """An Excel workbook with several sheets."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    workbook.save(path)
    return path


def comma_separated(path: Path, header: Sequence[str], rows: Rows, encoding: str = "utf-8") -> Path:
    """A CSV file; None is an empty cell."""
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def parquet(path: Path, header: Sequence[str], rows: Rows) -> Path:
    """A Parquet file, each column of the type of its values."""
    pq.write_table(pa.table({name: [row[place] for row in rows] for place, name in enumerate(header)}), path)
    return path
