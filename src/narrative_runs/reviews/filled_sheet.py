"""The rows of a sheet that a reviewer filled in, wherever they stand in it now."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from narrative_runs.errors import ReviewsError, SourceError
from narrative_runs.reviews.sheet import NOTES, ROW, VERDICT
from narrative_runs.source.cells import Unreadable, text_of
from narrative_runs.source.formats import Table, open_tables

_TEXT = "narrative_text"
_HEADER_WITHIN = 20


class FilledRow(NamedTuple):
    """A row of a sheet that was filled in. row: its `review_row`; verdict: the cell as it is; text: of the narrative,
    None where the column was taken out; row_address, address: of the cells with `review_row` and with the verdict, such
    as F17."""

    row: str
    verdict: object
    notes: str
    text: str | None
    row_address: str
    address: str


def filled_rows(path: Path) -> list[FilledRow]:
    """All rows of an .xlsx or .csv file that have a `review_row` or a verdict.

    Raises:
        ReviewsError: the file is missing or cannot be read, or has no such columns.
    """
    if path.suffix.lower() not in (".xlsx", ".csv") or not path.is_file():
        what = "is no file" if not path.is_file() else "is of another kind"
        raise ReviewsError(f"{path} {what}. Name a sheet that was filled in, .xlsx or .csv.")
    rows: list[FilledRow] = []
    has_columns = False
    try:
        for table in open_tables(path):
            header = _header(table)
            if header is not None:
                has_columns = True
                rows += _rows(table, *header)
    except SourceError as error:
        raise ReviewsError(str(error).replace("Data file", "The sheet", 1)) from None
    if not has_columns:
        raise ReviewsError(
            f"{path} has no columns {ROW} and {VERDICT}, so that nobody can say how its narratives were drawn. Only "
            "sheets come back that were dealt to a coder: `narrative-runs export SLUG --review N --coders NAME`."
        )
    return rows


def _header(table: Table) -> tuple[int, dict[str, int]] | None:
    """The number of the row that names the columns, and their places; None where there is none."""
    for at, (number, cells) in enumerate(table.rows()):
        names = [text_of(cell).strip().casefold() for cell in cells]
        if ROW in names and VERDICT in names:
            return number, {name: names.index(name) for name in (ROW, VERDICT, NOTES, _TEXT) if name in names}
        if at >= _HEADER_WITHIN:
            break
    return None


def _rows(table: Table, header: int, columns: dict[str, int]) -> Iterator[FilledRow]:
    for number, cells in table.rows():
        if number <= header:
            continue
        row, verdict = _cell(cells, columns[ROW]), _cell(cells, columns[VERDICT])
        if not text_of(row).strip() and _is_blank(verdict):
            continue
        yield FilledRow(
            text_of(row).strip().casefold(),
            None if _is_blank(verdict) else verdict,
            text_of(_cell(cells, columns[NOTES])).strip() if NOTES in columns else "",
            text_of(_cell(cells, columns[_TEXT])) if _TEXT in columns else None,
            table.address(number, columns[ROW]),
            table.address(number, columns[VERDICT]),
        )


def _cell(cells: Sequence[object], place: int) -> object:
    return cells[place] if place < len(cells) else None


def _is_blank(cell: object) -> bool:
    return cell is None or (not isinstance(cell, Unreadable) and not text_of(cell).strip())
