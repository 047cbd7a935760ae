"""What is kept of an answer beside the record's own columns: columns for each variable, and a row a variable."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from narrative_runs.codebook.quotes import stands_in
from narrative_runs.codebook.result_columns import (
    columns_beside,
    missing_column,
    names_of,
    not_in_text_column,
    probability_column,
    value_column,
)
from narrative_runs.codebook.texts import written
from narrative_runs.codebook.values import UNCLEAR, Value
from narrative_runs.codebook.variables import Binary, Codebook, Quote, Variable, confidence_key

ERROR = "error: "
# Not the message itself, which may quote the narrative, where the column may leave the network.
NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class CodedValue:
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
    found: dict[str, Any] = {}
    for name, variable in codebook.variables.items():
        value = values[name]
        found[value_column(name)] = _in_column(value.value)
        found[confidence_key(name)] = value.confidence
        found[probability_column(name)] = likely.get(name)
        found[missing_column(name)] = f"{ERROR}{value.missing}" if value.is_error else value.missing
        if isinstance(variable, Quote):
            passages = value.value if isinstance(value.value, tuple) else ()
            found[not_in_text_column(name)] = (
                _as_list([passage for passage in passages if not stands_in(passage, narrative_text)])
                if narrative_text
                else None
            )
    return {name: found[name] for name in names_of(columns_beside(codebook))}


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
    first = codebook.first_binary
    for name, variable in codebook.variables.items():
        missing = row[missing_column(name)]
        confidence = confidence_key(name) if variable.confidence else None
        probability = "p_detected" if name == first else probability_column(name)
        yield CodedValue(
            name,
            UNCLEAR if missing == UNCLEAR else _as_text(variable, row[value_column(name)]) if not missing else None,
            row.get(probability),
            None if confidence is None else row.get(confidence),
            _error_message(row, missing) if _is_error(missing) else None,
            row.get(not_in_text_column(name)) if isinstance(variable, Quote) else None,
        )


def _error_message(row: Mapping[str, Any], missing: str) -> str:
    message = missing.removeprefix(ERROR)
    return (row.get("error_message") or message) if message == NO_ANSWER else message


def _is_read(row: Mapping[str, Any], name: str) -> bool:
    return not _is_error(row.get(missing_column(name)))


def _is_error(missing: str | None) -> bool:
    return missing is not None and missing.startswith(ERROR)


def _in_column(value: Any) -> Any:
    return _as_list(list(value)) if isinstance(value, tuple) else value


def _as_text(variable: Variable, value: Any) -> str | None:
    """A value as it stands in a column, as text; a logical may come as 0 or 1, as SQLite keeps it."""
    if value is None or isinstance(value, str):
        return value
    return written(bool(value) if isinstance(variable, Binary) else float(value))


def _as_list(items: list[str]) -> str:
    return json.dumps(items, ensure_ascii=False)
