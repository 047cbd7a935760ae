"""What is kept of an answer beside the record's own columns: columns for each variable, and a row a variable."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from narrative_runs.codebook.quotes import stands_in
from narrative_runs.codebook.result_columns import columns_beside, columns_by_variable
from narrative_runs.codebook.texts import written
from narrative_runs.codebook.values import UNCLEAR, Value
from narrative_runs.codebook.variables import Binary, Codebook, Variable, missing_column, probability_column

ERROR = "error: "
# Not the message itself, which may quote the narrative, where the column may leave the network.
NO_ANSWER = "no answer"


class CodedValue(NamedTuple):
    """One variable of one narrative, as the record's `coded_values` keeps it.

    value: as text, `yes` or `no` of a binary variable, a JSON list of several, `unclear` where the text does not tell;
    None where it was not asked or cannot be read; probability, confidence: 0 to 1; error_message: why it cannot be
    read; not_in_text: JSON list of the passages that do not stand in the narrative, None for all but quotes.
    """

    variable: str
    value: str | None
    probability: float | None
    confidence: float | None
    error_message: str | None
    not_in_text: str | None


def coded_columns(
    codebook: Codebook, values: Mapping[str, Value], likely: Mapping[str, float | None], narrative_text: str
) -> dict[str, Any]:
    """What stands in each of the columns beside those of the record, by its name.

    In: what was read of each variable; the probabilities of those that have one; the text that was asked about, empty
    where it is not at hand.
    """
    if codebook.fits_the_record:
        return {}
    cells: dict[str, Any] = {}
    for columns in columns_by_variable(codebook):
        value = values[columns.variable]
        cells[columns.variable] = _as_list(list(value.value)) if isinstance(value.value, tuple) else value.value
        cells[columns.missing] = f"{ERROR}{value.missing}" if value.is_error else value.missing
        cells[columns.confidence] = value.confidence
        cells[columns.not_in_text] = _not_in_text(value, narrative_text) if columns.not_in_text else None
        cells[probability_column(columns.variable)] = likely.get(columns.variable)
    return {column.name: cells[column.name] for column in columns_beside(codebook)}


def coded_without_answer(codebook: Codebook) -> dict[str, Any]:
    """The same where there is no answer at all."""
    if codebook.fits_the_record:
        return {}
    nothing = dict.fromkeys(codebook.variables, Value(None, NO_ANSWER, is_error=True))
    return coded_columns(codebook, nothing, {}, "")


def values_lost(before: Mapping[str, Any], after: Mapping[str, Any], codebook: Codebook) -> list[str]:
    """The variables that could be read before and cannot be read after, by what `coded_columns` gave."""
    return [
        name
        for name in codebook.variables
        if missing_column(name) in before and _is_read(before, name) and not _is_read(after, name)
    ]


def coded_values(codebook: Codebook, row: Mapping[str, Any]) -> Iterator[CodedValue]:
    """A row for each variable, from a row of results with all its columns; none where the record has a column for each
    variable."""
    if codebook.fits_the_record:
        return
    for columns in columns_by_variable(codebook):
        missing = row[columns.missing]
        value = UNCLEAR if missing == UNCLEAR else None if missing else row[columns.variable]
        yield CodedValue(
            columns.variable,
            value if value is None or isinstance(value, str) else _as_text(codebook.variables[columns.variable], value),
            row.get(columns.probability),
            row.get(columns.confidence),
            _error_message(row, missing) if missing and _is_error(missing) else None,
            row.get(columns.not_in_text),
        )


def _error_message(row: Mapping[str, Any], missing: str) -> str:
    message = missing.removeprefix(ERROR)
    return (row.get("error_message") or message) if message == NO_ANSWER else message


def _is_read(row: Mapping[str, Any], name: str) -> bool:
    return not _is_error(row.get(missing_column(name)))


def _is_error(missing: str | None) -> bool:
    return missing is not None and missing.startswith(ERROR)


def _not_in_text(value: Value, narrative_text: str) -> str | None:
    """The passages that do not stand in the narrative, as a JSON list; None where its text is not at hand."""
    passages = value.value if isinstance(value.value, tuple) else ()
    if not narrative_text:
        return None
    return _as_list([passage for passage in passages if not stands_in(passage, narrative_text)])


def _as_text(variable: Variable, value: Any) -> str | None:
    """A value that is no text, as text; a logical may come as 0 or 1, as SQLite keeps it."""
    return written(bool(value) if isinstance(variable, Binary) else float(value))


def _as_list(items: list[str]) -> str:
    return json.dumps(items, ensure_ascii=False)
