"""The human labels of a codebook's variables: other columns of the workbook, read by the variable's type."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.codebook.labels import Label, NotALabel, columns_of, incident_column, label_of
from narrative_runs.codebook.variables import Codebook, Variable
from narrative_runs.data_columns import OWN_LABEL
from narrative_runs.errors import SourceError

_SHOWN = 5
_SHOWN_CHARACTERS = 40


def check_labels(
    codebook: Codebook, types: Sequence[str], there: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Check that the workbook has each column of labels that the codebook names, with only labels of its variable.

    types: the narrative types; there: the names of the workbook's columns; rows: the cells of each row that are not
    blank, by these names.

    Raises:
        SourceError: a column is missing, or holds something else than the variable's values; with examples and counts.
    """
    named = [(name, column) for name in codebook.names for column in _columns(codebook.variables[name], types)]
    if not named:
        return
    problems = []
    in_workbook = {column: _column_like(column, there) for _, column in named}
    for name, column in named:
        if in_workbook[column] is None:
            problems.append(f"  codebook.variables.{name}.label: the workbook has no column {column!r}")
    missing = bool(problems)
    cells: dict[str, Counter[Any]] = {column: Counter() for column, own in in_workbook.items() if own is not None}
    for row in rows:
        for column, counted in cells.items():
            counted[row.get(in_workbook[column] or "")] += 1
    for name, column in named:
        problems += _odd_cells(name, codebook.variables[name], column, cells.get(column, Counter()))
    if problems:
        advice = f"It has: {', '.join(there)}.\n" if missing else ""
        raise SourceError(
            "The workbook does not fit the codebook:\n"
            + "\n".join(problems)
            + f"\n{advice}Correct the codebook or the workbook; a blank cell means no label."
        )


@dataclass(frozen=True)
class LabelsOfVariable:
    """The human labels of one variable, each as `label_of` reads it.

    of_rows: of the rows of narratives that were asked for, in their order; of_incidents: by incident, None if the
    workbook has no column for them; has_own: whether a label of a row is the narrative's own, and not its incident's.
    """

    of_rows: Sequence[Label]
    of_incidents: Mapping[str, Label] | None
    has_own: bool


def labels_by_variable(
    other_columns: Path, codebook: Codebook, narratives: Sequence[tuple[int, str, str, int | None]], is_long: bool
) -> dict[str, LabelsOfVariable]:
    """The labels of each variable that has any.

    other_columns: the file of the workbook's other columns, as `OtherColumns.write` makes it; narratives: the
    row_num, incident, type and own label (as the layout has it: 1, 0 or None) of each; is_long: whether a row of the
    workbook is one narrative. If it is not, a single column has the labels of incidents.
    """
    there = pq.read_schema(other_columns).names
    labelled = {name: variable for name, variable in codebook.variables.items() if variable.label}
    wanted = {_column_in(column, there) for variable in labelled.values() for column in _named(variable)} - {None}
    cells = pq.read_table(other_columns, columns=["row_num", *filter(None, wanted)])
    rows = {row_num: row for row, row_num in enumerate(cells["row_num"].to_pylist())}
    cells = cells.take(pa.array([rows[row_num] for row_num, *_ in narratives], pa.int64()))

    def in_column(variable: Variable, column: str | None) -> Sequence[Label]:
        own = _column_in(column, there)
        return [None] * len(narratives) if own is None else _labels(variable, cells[own])

    def of_incidents(variable: Variable, column: str) -> dict[str, Label]:
        by_incident: dict[str, Label] = {}
        for (_, incident, _, _), label in zip(narratives, in_column(variable, column), strict=True):
            if by_incident.get(incident) is None:
                by_incident[incident] = label
        return by_incident

    labels: dict[str, LabelsOfVariable] = {}
    for name, variable in labelled.items():
        if variable.label == OWN_LABEL:
            own: list[Label] = [None if flag is None else bool(flag) for *_, flag in narratives]
            labels[name] = LabelsOfVariable(own, None, True)
            continue
        of_type = {kind: in_column(variable, columns_of(variable, kind)) for kind in {row[2] for row in narratives}}
        given = [of_type[kind][row] for row, (_, _, kind, _) in enumerate(narratives)]
        has_own = is_long or isinstance(variable.label, dict)
        column = incident_column(variable) if has_own else str(variable.label)
        labels[name] = LabelsOfVariable(given, of_incidents(variable, column) if column else None, has_own)
    return labels


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
    """The column as the results name it: with a prefix if its own name is one of ours."""
    if name is None:
        return None
    there = list(there)
    return _column_like(f"workbook_{name}", there) or _column_like(name, there)


def _labels(variable: Variable, cells: pa.ChunkedArray) -> list[Label]:
    """The label in each cell; cells that are alike are read once, as there are few labels and many narratives."""
    coded = cells.combine_chunks().dictionary_encode()
    read = [*(_label(variable, cell) for cell in coded.dictionary.to_pylist()), None]
    return [read[at] for at in coded.indices.fill_null(len(read) - 1).to_pylist()]


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
