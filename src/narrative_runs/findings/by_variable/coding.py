"""The values of a variable as arrays, whatever its type, and how values of narratives become those of incidents."""

import json
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.codebook.variables import (
    YES,
    Binary,
    Category,
    Listed,
    Multi,
    Number,
    Ordinal,
    Variable,
)

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]


class Coded(NamedTuple):
    """Values of one variable, and where there is one.

    values: of a binary variable whether it is yes; of a category or an ordinal variable the index of the value; of
    several values a row of whether each is among them; of a number the number; of passages and texts the texts.
    """

    values: NDArray[Any]
    is_given: Mask

    def at(self, rows: NDArray[Any]) -> "Coded":
        """The values of these rows."""
        return Coded(self.values[rows], self.is_given[rows])


def coded(name: str, variable: Variable, cells: pd.Series) -> Coded:
    """The values of a column of answers or of labels.

    Raises ValueError where a text is none of the variable's values.
    """
    is_given = cells.notna().to_numpy(bool)
    match variable:
        case Binary():
            yes = cells.astype("boolean").to_numpy(bool, na_value=False)
            return Coded(yes, is_given)
        case Multi():
            return _several(name, variable, cells, is_given)
        case Listed():
            indices = np.full(len(cells), -1, dtype=np.int64)
            indices[is_given] = _indices(name, variable, cells[is_given].tolist())
            return Coded(indices, is_given)
        case Number():
            return Coded(cells.astype("Float64").to_numpy(np.float64, na_value=np.nan), is_given)
        case _:
            return Coded(cells.to_numpy(object), is_given)


def is_one_of(variable: Variable, known: Coded, among: list[str]) -> Mask:
    """Whether each value is given, and is one of these; of several values whether any of them is."""
    if isinstance(variable, Binary):
        return known.is_given & (known.values & (YES in among) | ~known.values & bool({*among} - {YES}))
    wanted = [variable.value_names.index(value) for value in among]
    if isinstance(variable, Multi):
        return known.is_given & np.asarray(known.values[:, wanted].any(axis=1), dtype=np.bool_)
    return known.is_given & np.isin(known.values, wanted)


def of_incidents(variable: Variable, known: Coded, incident: Codes, n_incidents: int) -> Coded:
    """The value of each incident from those of its narratives that have one; none where these give none.

    Of a binary variable whether any is yes, of ordinal ones and numbers the highest, of several values all of them, of
    a category the one that all give. Passages and texts have none.
    """
    incident, values = incident[known.is_given], known.values[known.is_given]
    is_given = np.bincount(incident, minlength=n_incidents) > 0
    match variable:
        case Binary():
            return Coded(np.bincount(incident[values], minlength=n_incidents) > 0, is_given)
        case Multi():
            columns = [np.bincount(incident[values[:, at]], minlength=n_incidents) > 0 for at in range(values.shape[1])]
            return Coded(np.column_stack(columns), is_given)
        case Number():
            highest = np.full(n_incidents, -np.inf)
            np.maximum.at(highest, incident, values)
            return Coded(np.where(is_given, highest, np.nan), is_given)
        case Ordinal() | Category():
            highest = np.full(n_incidents, -1, dtype=np.int64)
            np.maximum.at(highest, incident, values)
            if isinstance(variable, Category):
                lowest = np.full(n_incidents, len(variable.value_names), dtype=np.int64)
                np.minimum.at(lowest, incident, values)
                is_given &= lowest == highest
            return Coded(np.where(is_given, highest, -1), is_given)
        case _:
            return Coded(np.full(n_incidents, None, dtype=object), np.zeros(n_incidents, dtype=np.bool_))


def items_of(cell: Any) -> list[str]:
    """The texts in a cell that holds a JSON list of them, or a tuple."""
    if isinstance(cell, str):
        # Most are empty in columns such as those of passages that do not stand in the text.
        cell = [] if cell == "[]" else json.loads(cell)
    return [str(item) for item in cell]


def _several(name: str, variable: Variable, cells: pd.Series, is_given: Mask) -> Coded:
    values = np.zeros((len(cells), len(variable.value_names)), dtype=np.bool_)
    codes, distinct = pd.factorize(cells[is_given].to_numpy(object))
    table = np.zeros((len(distinct), len(variable.value_names)), dtype=np.bool_)
    for row, cell in enumerate(distinct):
        table[row, _indices(name, variable, items_of(cell))] = True
    values[is_given] = table[codes]
    return Coded(values, is_given)


def _indices(name: str, variable: Variable, values: list[str]) -> list[int]:
    known = {value: index for index, value in enumerate(variable.value_names)}
    if strange := next((value for value in values if value not in known), None):
        raise ValueError(f"{name}: {strange!r} is none of its values, which are: {', '.join(known)}")
    return [known[value] for value in values]
