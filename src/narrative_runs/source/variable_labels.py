"""The human labels of a codebook's variables: columns of the workbook that ride along, read by the variable's type."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from narrative_runs.codebook.labels import NotALabel, columns_of, incident_column, label_of
from narrative_runs.codebook.texts import written
from narrative_runs.codebook.variables import Codebook, Variable
from narrative_runs.data_columns import OWN_LABEL
from narrative_runs.errors import SourceError

_SHOWN = 5
_SHOWN_CHARACTERS = 40


def check_labels(
    codebook: Codebook, types: Sequence[str], there: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """See that the workbook has each column of labels that the codebook names, and in it labels of the variable alone.

    types: the narrative types; there: the names of the workbook's columns; rows: the cells of each narrative's row that
    are not blank, by these names.

    Raises:
        SourceError: a column is not there, or holds what is none of the variable's values; with examples and counts.
    """
    named = [(name, column) for name in codebook.names for column in _columns(codebook.variables[name], types)]
    if not named:
        return
    problems = []
    found = {column: _column_like(column, there) for _, column in named}
    for name, column in named:
        if found[column] is None:
            problems.append(f"  codebook.variables.{name}.label: the workbook has no column {column!r}")
    missing = bool(problems)
    cells: dict[str, Counter[Any]] = {column: Counter() for column, own in found.items() if own is not None}
    for row in rows:
        for column, counted in cells.items():
            counted[row.get(found[column] or "")] += 1
    for name, column in named:
        problems += _odd_cells(name, codebook.variables[name], column, cells.get(column, Counter()))
    if problems:
        advice = f"It has: {', '.join(there)}.\n" if missing else ""
        raise SourceError(
            "The workbook does not fit the codebook:\n"
            + "\n".join(problems)
            + f"\n{advice}Correct the codebook or the workbook; a blank cell is no label."
        )


def labels_by_variable(
    other_columns: Path, codebook: Codebook, narratives: Iterable[tuple[int, str, int | None]]
) -> Iterator[dict[str, str | None]]:
    """The labels of each narrative as text, by variable; those of variables without a label are left out.

    other_columns: the file of the workbook's other columns, as `OtherColumns.write` makes it; narratives: of each its
    row_num, its type and its own label as the layout has it, 1, 0 or None.
    """
    there = pq.read_schema(other_columns).names
    labelled = {name: variable for name, variable in codebook.variables.items() if variable.label}
    wanted = {_column_in(column, there) for variable in labelled.values() for column in _named(variable)} - {None}
    columns: dict[str, list[Any]] = pq.read_table(other_columns, columns=["row_num", *filter(None, wanted)]).to_pydict()
    rows = {row_num: row for row, row_num in enumerate(columns["row_num"])}
    for row_num, narrative_type, own_label in narratives:
        labels: dict[str, str | None] = {}
        for name, variable in labelled.items():
            if variable.label == OWN_LABEL:
                labels[name] = written(None if own_label is None else bool(own_label))
                continue
            column = columns_of(variable, narrative_type)
            cells = columns.get(_column_in(column, there) or "") if column else None
            labels[name] = None if cells is None else written(_label(variable, cells[rows[row_num]]))
        yield labels


def _named(variable: Variable) -> list[str]:
    return list(variable.label.values()) if isinstance(variable.label, dict) else [variable.label or ""]


def _columns(variable: Variable, types: Sequence[str]) -> list[str]:
    """The columns of a variable's labels that are not the layout's own."""
    if variable.label == OWN_LABEL:
        return []
    columns = [columns_of(variable, narrative_type) for narrative_type in types]
    return list(dict.fromkeys(column for column in [*columns, incident_column(variable)] if column))


def _column_like(name: str, there: Iterable[str]) -> str | None:
    alike = [column for column in there if column.casefold() == name.strip().casefold()]
    return name if name in alike else next(iter(alike), None)


def _column_in(name: str | None, there: Iterable[str]) -> str | None:
    """The column as the results name it: with a prefix where its own name is one of ours."""
    if name is None:
        return None
    there = list(there)
    return _column_like(f"workbook_{name}", there) or _column_like(name, there)


def _label(variable: Variable, cell: Any) -> Any:
    try:
        return label_of(variable, cell)
    except NotALabel:
        return None


def _odd_cells(name: str, variable: Variable, column: str, cells: Counter[Any]) -> list[str]:
    odd: Counter[str] = Counter()
    reason = ""
    for cell, count in cells.items():
        try:
            label_of(variable, cell)
        except NotALabel as problem:
            odd[str(cell)[:_SHOWN_CHARACTERS]] += count
            reason = str(problem)
    if not odd:
        return []
    shown = ", ".join(f"{cell!r} ({count:,})" for cell, count in odd.most_common(_SHOWN))
    more = f" and {len(odd) - _SHOWN:,} more" if len(odd) > _SHOWN else ""
    return [
        f"  codebook.variables.{name}.label: column {column} has {sum(odd.values()):,} cells that are no label of it: "
        f"{shown}{more}; {reason}"
    ]
