"""The results as an Excel workbook, for people who read and judge them.

Sheets: `results` (all rows), `disagreements` (false positives and false negatives, with room for a reviewer's
verdict), `metrics`, `data_quality`. Every text is text, even one that begins like a formula. Left out are
raw_response and fingerprint, which are for programs and would make it large; results.parquet has them.
It is written anew at every merge: a reviewer works on a copy under another name.
"""

import datetime
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pyarrow as pa
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import ExcelWriter

from narrative_runs.findings.sheet_rows import Row, rows_xml

LEFT_OUT = ("raw_response", "fingerprint")
REVIEWED = (
    "row_num",
    "incident_id",
    "narrative_type",
    "narrative_text",
    "manual_flag_ind",
    "detected",
    "confidence",
    "p_detected",
    "indicators",
    "rationale",
)
_WIDE = {
    "narrative_text": 80,
    "rationale": 60,
    "reasoning_steps": 60,
    "error_message": 40,
    "reviewer_notes": 60,
}
_ROWS_AT_ONCE = 1_000
# The first moment that a zip file can name, for files whose content alone should make their bytes.
_NO_TIME = datetime.datetime(1980, 1, 1)


def write_workbook(table: pa.Table, metrics: dict[str, Any], data_quality: dict[str, Any], path: Path) -> None:
    """Write the finished results, metrics and data quality; the same content gives the same bytes.

    Excel opens sheets of at most 1,048,575 rows below the header; more are not refused here.
    """
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "narrative-runs"
    workbook.properties.created = workbook.properties.modified = _NO_TIME
    reviewed = disagreements(table)
    shown = table.select([name for name in table.column_names if name not in LEFT_OUT])
    lines, facts = metric_lines(metrics), quality_lines(data_quality)
    with _scratch_folder(path):
        rows = [
            _add_sheet(workbook, "results", shown.column_names, _rows(shown), shown.num_rows),
            _add_sheet(
                workbook,
                "disagreements",
                [*reviewed.column_names, "reviewer_verdict", "reviewer_notes"],
                ((*row, None, None) for row in _rows(reviewed)),
                reviewed.num_rows,
            ),
            _add_sheet(workbook, "metrics", ["scope", "metric", "value", "low", "high"], lines, len(lines)),
            _add_sheet(workbook, "data_quality", ["name", "value"], facts, len(facts)),
        ]
        ExcelWriter(workbook, _Archive(path, rows)).save()


def disagreements(table: pa.Table) -> pa.Table:
    """The false positives and false negatives: `disagreement`, which of the two it is, and the REVIEWED
    columns."""
    kinds = [
        "false positive" if false_positive else "false negative" if false_negative else None
        for false_positive, false_negative in zip(
            table["is_false_positive"].to_pylist(), table["is_false_negative"].to_pylist(), strict=True
        )
    ]
    kind = pa.array(kinds, pa.string())
    return table.select(REVIEWED).add_column(0, "disagreement", kind).filter(kind.is_valid())


def metric_lines(metrics: dict[str, Any], scope: str = "") -> list[tuple[Any, ...]]:
    """The numbers of metrics.json as (scope, metric, value, low, high); lists, such as curves, are left
    out."""
    lines: list[tuple[Any, ...]] = []
    for name, value in metrics.items():
        if isinstance(value, dict) and "low" in value:
            lines.append((scope or "experiment", name, value["value"], value["low"], value["high"]))
        elif isinstance(value, dict):
            lines += metric_lines(value, f"{scope}.{name}".lstrip("."))
        elif not isinstance(value, list):
            lines.append((scope or "experiment", name, value, None, None))
    return lines


def quality_lines(data_quality: dict[str, Any], above: str = "") -> list[tuple[Any, ...]]:
    """The facts of data_quality.json as (name, value), with dotted names; lists as JSON."""
    lines: list[tuple[Any, ...]] = []
    for name, value in data_quality.items():
        if isinstance(value, dict):
            lines += quality_lines(value, f"{above}{name}.")
        else:
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
            lines.append((above + name, text))
    return lines


@contextmanager
def _scratch_folder(path: Path) -> Iterator[None]:
    """Let openpyxl keep its unfinished sheets, which hold narratives, beside the file and not where all
    programs do."""
    folder = path.with_name(f"{path.name}.sheets")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    usual = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = usual
        shutil.rmtree(folder)


def _rows(table: pa.Table) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _add_sheet(workbook: Workbook, title: str, columns: list[str], rows: Iterable[Row], n_rows: int) -> Iterator[bytes]:
    """Add a sheet that has its header alone; returns the XML of its rows."""
    sheet = workbook.create_sheet(title)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{n_rows + 1}"
    for number, name in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = _WIDE.get(name, max(12, len(name) + 4))
    header = [WriteOnlyCell(sheet, name) for name in columns]
    for cell in header:
        cell.font = Font(bold=True)
    sheet.append(header)
    quoted = WriteOnlyCell(sheet)
    quoted.quotePrefix = True
    return rows_xml(rows, len(columns), first=2, quoted_style=quoted.style_id)


class _Archive(ZipFile):
    """A zip file whose entries do not tell when they were written, and whose sheets get their rows.

    rows: for each sheet the XML of the rows below its header.
    """

    def __init__(self, path: Path, rows: Iterable[Iterable[bytes]]) -> None:
        super().__init__(path, "w", ZIP_DEFLATED)
        self._rows = iter(rows)

    def writestr(self, zinfo_or_arcname: Any, data: Any, *_: Any, **__: Any) -> None:
        """Add an entry of this content."""
        super().writestr(_entry(zinfo_or_arcname), data)

    def write(self, filename: Any, arcname: Any = None, *_: Any, **__: Any) -> None:
        """Add the next sheet, whose file holds its header alone: openpyxl adds nothing else as a file."""
        before, end, after = Path(filename).read_bytes().partition(b"</sheetData>")
        with self.open(_entry(arcname), "w", force_zip64=True) as target:
            target.write(before)
            target.writelines(next(self._rows))
            target.write(end + after)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _NO_TIME.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry
