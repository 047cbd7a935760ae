"""Reading what people coded: cells of the workbook's columns of labels."""

import re
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal

from narrative_runs.codebook.matching import finite, number_of, value_like, value_like_number
from narrative_runs.codebook.texts import number_written
from narrative_runs.codebook.variables import Binary, Category, Multi, Number, Ordinal, Quote, Text, Variable

INCIDENT = "incident"
Label = bool | float | str | tuple[str, ...] | None
_YES_NO = {
    "1": True,
    "1.0": True,
    "yes": True,
    "y": True,
    "true": True,
    "0": False,
    "0.0": False,
    "no": False,
    "n": False,
    "false": False,
}
# A comma may be a part of a value: it is looked at only where the others do not do.
_PARTINGS = (re.compile(r"[;|]"), re.compile(r"[;|,]"))


class NotALabel(ValueError):
    """A cell that is not blank and no label of its variable; the message says what it should be, not what it is."""


def label_of(variable: Variable, cell: object) -> Label:
    """The human label in a cell; None for a blank one, and for NA, as R writes a missing one, unless it is a value.

    Raises:
        NotALabel: the cell holds something else.
    """
    if isinstance(cell, Decimal):
        cell = float(cell)
    if cell is None or cell != cell or (isinstance(cell, str) and _is_blank(variable, cell)):
        return None
    match variable:
        case Binary():
            return _binary(cell)
        case Category() | Ordinal():
            return _one_of(variable, cell)
        case Multi():
            return _several(variable, cell)
        case Number():
            return _number(cell)
        case _:
            return _text(cell)


def incident_label(variable: Variable, labels: Sequence[Label]) -> Label:
    """The label of an incident, from those of its narratives; None where they give none.

    Of a binary variable whether any is yes, of ordinal ones and numbers the highest, of several values all of them, of
    a category the one that all give. Passages and texts have none.
    """
    given = [label for label in labels if label is not None]
    if not given:
        return None
    match variable:
        case Binary():
            return any(given)
        case Ordinal():
            return max((str(label) for label in given), key=variable.value_names.index)
        case Number():
            return max(label for label in given if isinstance(label, int | float))
        case Multi():
            union = {value for label in given if isinstance(label, tuple) for value in label}
            return tuple(value for value in variable.value_names if value in union)
        case Quote() | Text():
            return None
        case _:
            return given[0] if len(set(given)) == 1 else None


def columns_of(variable: Variable, narrative_type: str) -> str | None:
    """The workbook's column with the labels of narratives of this type; None where there is none."""
    if isinstance(variable.label, dict):
        return variable.label.get(narrative_type)
    return variable.label


def incident_column(variable: Variable) -> str | None:
    """The workbook's column with the labels of incidents; None where these come from the labels of narratives."""
    return variable.label.get(INCIDENT) if isinstance(variable.label, dict) else None


def _is_blank(variable: Variable, cell: str) -> bool:
    text = cell.strip().casefold()
    return not text or (text == "na" and value_like(cell, variable.value_names) is None)


def _as_number(cell: object) -> float | None:
    """The number in a cell, also one of the kinds that tables have for themselves."""
    if isinstance(cell, bool | str | bytes | date | time):
        return None
    try:
        return finite(float(cell))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _binary(cell: object) -> bool:
    if isinstance(cell, bool):
        return cell
    number = _as_number(cell)
    text = number_written(number) if number is not None else str(cell).strip().casefold()
    if text not in _YES_NO:
        raise NotALabel("it is neither yes nor no: give 1 or 0, or yes or no")
    return _YES_NO[text]


def _one_of(variable: Variable, cell: object) -> str:
    values, number = variable.value_names, _as_number(cell)
    if isinstance(cell, bool):
        own = value_like("true" if cell else "false", values)
    elif number is not None:
        own = value_like(number_written(number), values) or value_like_number(number, values)
    else:
        text = str(cell)
        as_number = number_of(text)
        own = value_like(text, values)
        if own is None and as_number is not None:
            own = value_like_number(as_number, values)
    if own is None:
        raise NotALabel(f"it is none of the values, which are: {', '.join(values)}")
    return own


def _several(variable: Variable, cell: object) -> tuple[str, ...]:
    if isinstance(cell, str) and cell.strip() == "[]":
        return ()
    ways: list[list[object]] = [[cell]]
    if isinstance(cell, str):
        ways += [[part for part in parting.split(cell) if part.strip()] for parting in _PARTINGS]
    for parts in filter(None, ways):
        try:
            own = {_one_of(variable, part) for part in parts}
        except NotALabel:
            continue
        return tuple(value for value in variable.value_names if value in own)
    values = ", ".join(variable.value_names)
    raise NotALabel(f"it holds what is none of the values, which are: {values}. Part several by `;`")


def _number(cell: object) -> float:
    number = number_of(cell) if isinstance(cell, str) else _as_number(cell)
    if number is None:
        raise NotALabel("it is not a number")
    return number


def _text(cell: object) -> str:
    number = _as_number(cell)
    return str(cell) if number is None else number_written(number)
