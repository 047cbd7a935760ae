"""The workbook's other columns, which are copied into the results as they are."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.atomic_files import written_whole
from narrative_runs.source.cells import Plain, plain, text_of
from narrative_runs.source.text_store import TextStore

SHEET = "source_sheet"
PREFIX = "workbook_"
_ROW_GROUP = 5_000
_KINDS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}


class OtherColumns:
    """The cells of all columns that have no role, by workbook row; on disk while the workbook is read."""

    def __init__(self, scratch: Path | None) -> None:
        """scratch: the folder on whose disk they lie."""
        self._rows = TextStore(scratch)
        self._kinds: dict[str, set[type]] = {}

    def add(self, names: Sequence[str], cells: Iterable[object]) -> int:
        """Keep the cells of one row, in the order of their columns' names; returns the number to find them again."""
        values = [plain(cell) for cell in cells]
        for name, value in zip(names, values, strict=True):
            kinds = self._kinds.setdefault(name, set())
            if value is not None:
                kinds.add(type(value))
        filled = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        return self._rows.add(json.dumps(filled, separators=(",", ":")))

    def __getitem__(self, number: int) -> dict[str, Plain]:
        """The cells of one row that are not blank, by the names of their columns."""
        filled: dict[str, Plain] = json.loads(self._rows[number])
        return filled

    @property
    def names(self) -> list[str]:
        """The names of the columns, as the workbook has them."""
        return list(self._kinds)

    def named(self, reserved: Collection[str]) -> dict[str, str]:
        """The name of each column in the results; reserved: names that none may have."""
        return result_names(self.names, {*reserved, SHEET})

    def write(
        self, numbers: Sequence[int], sheets: Sequence[str] | None, reserved: Collection[str], path: Path
    ) -> None:
        """Write a row for each narrative, in the order of `row_num` from 1, each column of one type.

        numbers: those that `add` gave; sheets: the sheet of each narrative, if there are several; reserved: names
        that no column may have: it then gets a prefix.
        """
        named = self.named(reserved)
        first = [("row_num", pa.int64()), *([(SHEET, pa.string())] if sheets is not None else [])]
        schema = pa.schema([*first, *((named[name], _type(kinds)) for name, kinds in self._kinds.items())])
        rows = self._values(numbers, sheets)
        with written_whole(path) as draft, pq.ParquetWriter(draft, schema, compression="zstd") as writer:
            while part := list(islice(rows, _ROW_GROUP)):
                columns = zip(*part, strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    def _values(self, numbers: Sequence[int], sheets: Sequence[str] | None) -> Iterator[list[Any]]:
        texts = {name for name, kinds in self._kinds.items() if pa.types.is_string(_type(kinds))}
        for index, number in enumerate(numbers):
            cells = self[number]
            yield [
                index + 1,
                *([sheets[index]] if sheets is not None else []),
                *(_text(cells.get(name)) if name in texts else cells.get(name) for name in self._kinds),
            ]


def result_names(names: Sequence[str], reserved: Collection[str]) -> dict[str, str]:
    """The name of each of the workbook's columns in the results: its own, with a prefix if that is reserved.

    Names that differ in case alone are one name in SQL, and in files on some disks: the later gets a number.
    """
    ours = {name.casefold() for name in reserved}
    taken, renamed = set(ours), {}
    for name in names:
        free = wanted = f"{PREFIX}{name}" if name.casefold() in ours else name
        number = 2
        while free.casefold() in taken:
            free, number = f"{wanted}_{number}", number + 1
        taken.add(free.casefold())
        renamed[name] = free
    return renamed


def _type(kinds: set[type]) -> pa.DataType:
    if kinds == {int, float}:
        return pa.float64()
    return _KINDS.get(next(iter(kinds)), pa.string()) if len(kinds) == 1 else pa.string()


def _text(value: Plain) -> str | None:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return None if value is None else text_of(value)
