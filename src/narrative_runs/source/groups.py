"""The groups of the narratives: what `report.groups` asks for, columns of the workbook such as Sex or IncidentYear."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.errors import FindingsError
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder

BLANK = "(blank)"
MOST_GROUPS = 100


def column_of(name: str, there: Sequence[str], asked_by: str = "report.groups") -> str:
    """The column of the results that a name in `report.groups` means: the same name in any case, or that name with the
    prefix of workbook columns that are named like ours. asked_by: where the user named it.

    Raises:
        FindingsError: there is no such column.
    """
    for wanted in (name, f"workbook_{name}"):
        if matches := [column for column in there if column.casefold() == wanted.casefold()]:
            return wanted if wanted in matches else matches[0]
    raise FindingsError(
        f"{asked_by} names {name}, and the workbook has no such column. "
        + (f"There are: {', '.join(there)}." if there else "It has no columns other than those of its layout.")
    )


def read_groups(other_columns: Path, names: Sequence[str], asked_by: str = "report.groups") -> pa.Table:
    """The group of each narrative in each column: `row_num`, and a column of texts for each of the names, called as in
    the results.

    In: the file of the workbook's other columns, as `OtherColumns.write` makes it; asked_by: where the user named
    them. Logicals are written as in results.csv; the group of a blank cell is BLANK.

    Raises:
        FindingsError: there is no such column, or it has more than MOST_GROUPS groups.
    """
    there = [name for name in pq.read_schema(other_columns).names if name != "row_num"]
    columns = list(dict.fromkeys(column_of(name, there, asked_by) for name in names))
    table = pq.read_table(other_columns, columns=["row_num", *columns])
    texts = {column: list(map(_text, table[column].to_pylist())) for column in columns}
    for name, groups in texts.items():
        if (count := len(set(groups))) > MOST_GROUPS:
            raise FindingsError(
                f"{asked_by} names {name}, which has {count:,} different values; {MOST_GROUPS} groups are the most. "
                "Give the workbook a column of fewer, such as of age groups or regions."
            )
    return pa.table({"row_num": table["row_num"], **texts})


class GroupsOfColumn(Sequence[str]):
    """The group of each narrative, in the order of `row_num` from 1, in a byte each."""

    def __init__(self, codes: bytes, groups: Sequence[str]) -> None:
        self._codes, self._groups = codes, groups

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._groups[code] for code in self._codes[index]]
        return self._groups[self._codes[index]]


def all_groups(other_columns: Path) -> dict[str, GroupsOfColumn]:
    """The group of each narrative in each of the workbook's other columns that has no more than MOST_GROUPS.

    In: the file of these columns, as `OtherColumns.write` makes it; if it is missing, there are no columns.
    """
    if not other_columns.exists():
        return {}
    with pq.ParquetFile(other_columns) as file:
        names = [name for name in file.schema_arrow.names if name != "row_num"]
        columns = {name: _groups_in(file, name) for name in names}
    return {name: groups for name, groups in columns.items() if groups is not None}


def _groups_in(file: pq.ParquetFile, name: str) -> GroupsOfColumn | None:
    codes, known = bytearray(), dict[str, int]()
    for number in range(file.num_row_groups):
        encoded = file.read_row_group(number, columns=[name])[name].combine_chunks().dictionary_encode()
        texts = [*map(_text, encoded.dictionary.to_pylist()), BLANK]
        if len(set(texts) | known.keys()) > MOST_GROUPS + 1:
            return None
        blank = len(texts) - 1
        indices = encoded.indices.fill_null(blank).to_numpy(zero_copy_only=False)
        used = {int(index) for index in set(indices.tolist())}
        code_of = {index: known.setdefault(texts[index], len(known)) for index in sorted(used)}
        codes += bytes(code_of[index] for index in indices.tolist())
        if len(known) > MOST_GROUPS:
            return None
    return GroupsOfColumn(bytes(codes), list(known))


def groups_of(folder: ExperimentFolder, params: Params) -> dict[str, list[str]]:
    """The group of each narrative, in the order of `row_num` from 1, by the column; empty if no groups are asked for.

    Raises:
        FindingsError: as `read_groups`.
    """
    if not params.report.groups or not folder.other_columns.exists():
        return {}
    columns: dict[str, list[str]] = read_groups(folder.other_columns, params.report.groups).to_pydict()
    del columns["row_num"]
    return columns


def _text(value: Any) -> str:
    if value is None:
        return BLANK
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or BLANK
