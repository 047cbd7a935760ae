"""Reads the rows of a sheet into candidates for narratives: one for each text cell, with its key and labels.

Memory holds keys, labels and checksums; the texts are on disk.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from narrative_runs.data_columns import INCIDENT_ID, LABEL, LABEL_OF, NARRATIVE_TEXT, NARRATIVE_TYPE, OWN_LABEL
from narrative_runs.errors import SourceError
from narrative_runs.source.cells import Unreadable, is_label, label_of, marked_if_excel_error, text_of, whole_number
from narrative_runs.source.choice import Candidate
from narrative_runs.source.formats import Cells
from narrative_runs.source.layouts import KEY_PART
from narrative_runs.source.other_columns import OtherColumns
from narrative_runs.source.placeholders import is_placeholder, normal
from narrative_runs.source.quality import OddLabel, UnreadableCells
from narrative_runs.source.reading import Reading
from narrative_runs.source.rules import Objections
from narrative_runs.source.text_store import TextStore

NOT_A_LABEL = "labels that cannot be read"
_SHOWN_CHARACTERS = 20
_SHOWN_ROWS = 5
# Excel keeps 15 digits of a number, and writes zeros for the rest.
_EXCEL_CHANGES_FROM = 10**15
_EXCEL_LIMIT = 32_767
_CELLS_AT_ONCE = 50_000


class TextCell(NamedTuple):
    """One text cell of a row that is not empty.

    sheet: the index, from 0, of its sheet among those that are read; row: as a spreadsheet counts; line: a running
    number of the row, over all sheets; column: its index, from 0; text: where the text is; digest: distinguishes texts,
    whatever blanks they hold; other: where the row's other cells are.
    """

    sheet: int
    row: int
    line: int
    column: int
    incident_id: str
    narrative_type: str
    text: int
    characters: int
    digest: int
    is_blank: bool
    is_placeholder: bool
    is_at_limit: bool
    manual_flag_ind: int | None
    manual_flag: int | None
    other: int


_TYPES = {
    **dict.fromkeys(("sheet", "row", "line", "column", "text", "characters", "digest", "other"), "int64"),
    **dict.fromkeys(("incident_id", "narrative_type"), "string"),
    **dict.fromkeys(("is_blank", "is_placeholder", "is_at_limit"), "bool"),
    **dict.fromkeys(("manual_flag_ind", "manual_flag"), "Int64"),
}


@dataclass
class Collected:
    """The content of the sheets that are read."""

    texts: TextStore
    others: OtherColumns
    rows_empty: int = 0
    rows_read: int = 0
    odd_labels: list[OddLabel] = field(default_factory=list)
    unreadable: list[UnreadableCells] = field(default_factory=list)
    _cells: list[TextCell] = field(default_factory=list)
    _tables: list[pd.DataFrame] = field(default_factory=list)

    def add(self, cell: TextCell) -> None:
        """Keep one text cell."""
        self._cells.append(cell)
        if len(self._cells) >= _CELLS_AT_ONCE:
            self._pack()

    def table(self) -> pd.DataFrame:
        """A row for each text cell, with the fields of `TextCell` as columns."""
        self._pack()
        return pd.concat(self._tables, ignore_index=True)

    def _pack(self) -> None:
        # A table takes a fraction of the memory.
        self._tables.append(pd.DataFrame(self._cells, columns=TextCell._fields).astype(_TYPES))
        self._cells.clear()


@dataclass(frozen=True)
class _Cell:
    """One narrative of a row: its type, and the columns, from 0, of its text and of its own label."""

    narrative_type: str
    text: int
    label: int | None


class Collector:
    """Reads the sheets of one workbook, one after the other, into `collected`."""

    def __init__(self, path: Path, reading: Reading, objections: Objections, scratch: Path | None) -> None:
        self.collected = Collected(TextStore(scratch), OtherColumns(scratch))
        self._path = path
        self._reading = reading
        self._rules = reading.rules
        self._objections = objections
        self._more = frozenset(normal(text) for text in reading.placeholders)
        self._sheets = 0
        self._lines = 0

    def read(self, candidate: Candidate) -> None:
        """Add the rows of one sheet.

        Raises:
            SourceError: Excel has changed its ids, a label column cannot be read at all, a narrative type is unknown.
        """
        sheet = _Sheet(self._path, candidate, self._reading)
        for number, cells in candidate.rows():
            sheet.must_fit(number, cells)
            self._add(sheet, number, sheet.filled(cells))
        sheet.object_to(self._objections)
        self.collected.odd_labels += sheet.odd_labels
        if self._rules.tells_all:
            self.collected.unreadable += sheet.unreadable()
        self._sheets += 1

    def _add(self, sheet: "_Sheet", number: int, cells: Cells) -> None:
        incident_id = sheet.incident_id(number, cells)
        narratives = [(cell.narrative_type, cell, self._text(sheet, cells[cell.text])) for cell in sheet.texts]
        for kind, _, text in narratives:
            sheet.note_text(kind, text)
        if sheet.candidate.match.is_long:
            kind = sheet.narrative_type(cells)
            narratives = [(kind, cell, text) for _, cell, text in narratives]
        labels = [sheet.label(number, cells, cell.label) for _, cell, _ in narratives]
        incident_label = sheet.label(number, cells, sheet.incident_label)
        is_empty = not incident_id and incident_label is None and not any(label is not None for label in labels)
        if is_empty and not any(text.strip() for _, _, text in narratives):
            self.collected.rows_empty += 1
            return
        if sheet.candidate.match.is_long:
            sheet.note_type(number, narratives[0][0])
        sheet.note_unreadable(number, cells)
        other = self.collected.others.add(sheet.other_names, (cells[column] for column in sheet.other_columns))
        collected = self.collected
        for (kind, cell, text), label in zip(narratives, labels, strict=True):
            plain = " ".join(text.split())
            collected.add(
                TextCell(
                    sheet=self._sheets,
                    row=number,
                    line=self._lines,
                    column=cell.text,
                    incident_id=incident_id,
                    narrative_type=kind,
                    text=collected.texts.add(text),
                    characters=len(text),
                    digest=_digest(plain),
                    is_blank=not plain,
                    is_placeholder=bool(plain) and self._rules.tells_all and is_placeholder(plain, self._more),
                    is_at_limit=_is_at_limit(cells[cell.text]),
                    manual_flag_ind=label,
                    manual_flag=incident_label,
                    other=other,
                )
            )
        self._lines += 1
        collected.rows_read += 1

    def _text(self, sheet: "_Sheet", cell: object) -> str:
        text = text_of(cell).replace("\r\n", "\n")
        if self._rules.texts_without_nul:
            text = text.replace("\0", "")
        # R writes a missing cell as NA.
        is_missing = text.strip() == "NA" if self._rules.na_is_blank else sheet.is_csv and text == "NA"
        return "" if is_missing else text


class _Sheet:
    """One sheet while it is read."""

    def __init__(self, path: Path, candidate: Candidate, reading: Reading) -> None:
        self.candidate = candidate
        self.odd_labels: list[OddLabel] = []
        self._path, self._reading = path, reading
        self._table, match = candidate.table, candidate.match
        self.is_csv = self._table.kind == "csv"
        self._width = max(len(candidate.header), 1 + max(match.positions.values()))
        positions = match.positions
        parts = [positions[KEY_PART.format(number)] for number in range(len(reading.id_columns))]
        self._id_columns = parts or [positions[INCIDENT_ID]]
        self._names = {column: match.names[role] for role, column in positions.items()}
        self.incident_label = positions.get(LABEL)
        if match.is_long:
            self.texts = [_Cell("", positions[NARRATIVE_TEXT], positions.get(OWN_LABEL))]
            self._type_column = positions[NARRATIVE_TYPE]
        else:
            self.texts = [_Cell(kind, positions[kind], positions.get(LABEL_OF + kind)) for kind in reading.types]
        others = match.others(candidate.header)
        self.other_columns, self.other_names = list(others), _apart(list(others.values()))
        self._types = {reading.columns.get(kind, kind).strip().casefold(): kind for kind in reading.types}
        self._unknown_types: list[tuple[int, str]] = []
        self._changed_ids: dict[int, list[int]] = defaultdict(list)
        self._date_ids: list[int] = []
        self._unreadable: dict[tuple[int, str], list[str]] = defaultdict(list)
        self._labels: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        self._holds_labels_alone: dict[str, bool] = {}

    def must_fit(self, number: int, cells: Cells) -> None:
        """A row of a CSV file that is too long would put text into the wrong column.

        Raises:
            SourceError: it has more cells than the header.
        """
        width = len(self.candidate.header)
        if self.is_csv and any(cells[width:]):
            raise SourceError(
                f"Row {number} has more cells than the header: {self._path}\n  {len(cells)} cells, not {width}\n"
                'Put text that holds a comma between double quotes ("), or save the file as .xlsx.'
            )

    def filled(self, cells: Cells) -> Cells:
        """The row, with a blank for each cell that it lacks, and with Excel's errors marked."""
        row: list[object] = [*cells, *[None] * (self._width - len(cells))]
        return [marked_if_excel_error(cell) for cell in row] if self._reading.rules.tells_all else row

    def incident_id(self, number: int, cells: Cells) -> str:
        """The row's key: its id, or the parts of it joined by `/`; empty if one of them is blank."""
        parts = []
        for column in self._id_columns:
            cell = cells[column]
            if self._table.kind == "xlsx" and isinstance(cell, int | float):
                if _EXCEL_CHANGES_FROM <= abs(cell) < float("inf"):
                    self._changed_ids[column].append(number)
            elif self._table.kind == "xlsx" and isinstance(cell, date | time):
                self._date_ids.append(number)
            if self.is_csv and self._reading.rules.csv_ids_are_numbers:
                cell = whole_number(cell)
            parts.append(text_of(cell).strip())
        return "/".join(parts) if all(parts) else ""

    def narrative_type(self, cells: Cells) -> str:
        """The narrative type that a row gives, in a sheet with one narrative per row."""
        written = text_of(cells[self._type_column]).strip().lower()
        if self.is_csv and text_of(cells[self._type_column]) == "NA":
            written = ""
        return self._types.get(written.casefold(), written)

    def note_type(self, number: int, narrative_type: str) -> None:
        """Remember a row whose narrative type is unknown."""
        if narrative_type not in self._reading.types:
            self._unknown_types.append((number, narrative_type))

    def note_text(self, narrative_type: str, text: str) -> None:
        """Remember whether all texts of a type are labels, such as 0 and 1."""
        if text.strip() and self._holds_labels_alone.get(narrative_type, True):
            self._holds_labels_alone[narrative_type] = is_label(text)

    def label(self, number: int, cells: Cells, column: int | None) -> int | None:
        """The label in this column; None for one that cannot be read, which is remembered."""
        if column is None:
            return None
        try:
            label = label_of(cells[column])
            self._labels[column][0] += label is not None
            return label
        except ValueError:
            self._labels[column][1] += 1
            shown = text_of(cells[column]).strip()[:_SHOWN_CHARACTERS]
            name = self._names[column]
            self.odd_labels.append(OddLabel(number, name, shown, "neither 0 nor 1: taken as no label"))
            self._unreadable[column, NOT_A_LABEL].append(self._table.address(number, column))
            return None

    def note_unreadable(self, number: int, cells: Cells) -> None:
        """Remember the cells without a value, in the layout's columns and in the other columns."""
        for column in (*self._names, *self.other_columns):
            cell = cells[column]
            if isinstance(cell, Unreadable):
                self._unreadable[column, cell.problem].append(self._table.address(number, column))

    def unreadable(self) -> list[UnreadableCells]:
        """The cells that cannot be read, by column and by what is wrong."""
        names = self._names | dict(zip(self.other_columns, self.other_names, strict=True))
        return [
            UnreadableCells(names[column], problem, len(cells), cells[:_SHOWN_ROWS])
            for (column, problem), cells in sorted(self._unreadable.items())
        ]

    def object_to(self, objections: Objections) -> None:
        """Object to what is wrong with the sheet as a whole.

        Raises:
            SourceError: these rules refuse it.
        """
        where = file_and_sheet(self._path, self.candidate)
        if self._unknown_types:
            raise self._unknown(where)
        for kind, holds_labels_alone in self._holds_labels_alone.items():
            if holds_labels_alone and kind in self._reading.columns:
                objections.since(2, self._labels_for_texts(where, kind))
        for column, rows in self._changed_ids.items():
            objections.since(
                2,
                f"{where} has {len(rows)} ids in {self._names[column]} that are numbers of more than 15 digits "
                f"({_rows(rows)}): Excel keeps only the first 15, so that different ids may have become the same.\n"
                "Save the file from its source again, with this column as text, or as .csv or .parquet.",
            )
        if self._date_ids:
            objections.since(
                2,
                f"{where} has {len(self._date_ids)} ids that Excel took for dates ({_rows(self._date_ids)}).\n"
                "Save the file from its source again, with this column as text, or as .csv or .parquet.",
            )
        for column in self._labels:
            readable, odd = self._labels[column]
            no_value = sum(len(cells) for (at, what), cells in self._unreadable.items() if at == column) - odd
            if not readable and (odd or no_value):
                cells = [cell for (at, _), addresses in self._unreadable.items() if at == column for cell in addresses]
                objections.since(
                    2,
                    f"{where} has labels in {self._names[column]}, but not one that can be read: "
                    f"{odd + no_value} cells ({', '.join(cells[:_SHOWN_ROWS])}{', ...' if len(cells) > 5 else ''}).\n"
                    "A label is 0 or 1, yes or no, true or false. Correct the column, or rename it if it holds no "
                    "labels.",
                )

    def _labels_for_texts(self, where: str, kind: str) -> str:
        others = [other for other in self._reading.types if not self._holds_labels_alone.get(other)]
        of_narratives = [f"{LABEL_OF}{other}: of the narrative {other}" for other in others]
        return (
            f"{where} has nothing but labels, such as 0 and 1, in {self._reading.columns[kind]}, which "
            f"data.columns.{kind} names as texts of the type {kind}: each would be asked about.\n"
            "If they are the labels to compare with, give the key of this line in data.columns another name:\n"
            + "\n".join(f"  {line}" for line in (f"{LABEL}: of the incident", *of_narratives))
            + "\nElse remove the line."
        )

    def _unknown(self, where: str) -> SourceError:
        known = self._reading.types
        first = [f"  row {row}: {kind[:_SHOWN_CHARACTERS]!r}" for row, kind in self._unknown_types[:_SHOWN_ROWS]]
        others = sorted({kind for _, kind in self._unknown_types if kind})[:_SHOWN_ROWS]
        spelled = ", ".join(f"{kind}: {kind}" for kind in (*known, *others))
        return SourceError(
            f"{where} has {len(self._unknown_types)} rows whose narrative_type is "
            f"{'neither' if len(known) == 2 else 'not'} {' nor '.join(known)}:\n"
            + "\n".join(first)
            + "\nCorrect these cells."
            + (
                " Or, if these are types of their own, name all of them in the params, as our_name: what stands in the "
                f"cells:\n  data.columns: {{{spelled}}}"
                if others
                else ""
            )
        )


def file_and_sheet(path: Path, candidate: Candidate) -> str:
    """The file, and the sheet if it has a name, for the beginning of a message."""
    name = candidate.table.name
    return f"Data file {path}" + (f", sheet {name!r}," if name else "")


def _rows(rows: Sequence[int]) -> str:
    return f"rows {', '.join(map(str, rows[:_SHOWN_ROWS]))}" + (", ..." if len(rows) > _SHOWN_ROWS else "")


def _apart(names: list[str]) -> list[str]:
    """The names; repeated ones get a number."""
    seen: dict[str, int] = defaultdict(int)

    def numbered() -> Iterator[str]:
        for name in names:
            seen[name] += 1
            yield name if seen[name] == 1 else f"{name}_{seen[name]}"

    return list(numbered())


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


def _is_at_limit(cell: object) -> bool:
    """Whether a text has as many characters as a cell of Excel can hold, counted as Excel does."""
    return (
        isinstance(cell, str)
        and _EXCEL_LIMIT // 2 < len(cell) <= _EXCEL_LIMIT
        and len(cell.encode("utf-16-le", "surrogatepass")) == 2 * _EXCEL_LIMIT
    )
