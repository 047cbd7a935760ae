"""What there is to be known of each unit of a population: what the model says of it, and for some what is true."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]

COLUMNS = ("incident", "predicted", "truth", "stratum")


@dataclass(frozen=True)
class Population:
    """All units of one level, incidents or narratives, in any order; arrays of shape (units,).

    incident: the number of each unit's incident; predicted: what the model says, NaN where its answer is an error or it
    was not asked; truth: what people say, NaN where nobody reviewed; stratum: the name of that from which the unit was
    drawn, or could have been; in a random sample there is one. Both values are 0 or 1, or where `is_number` any number.

    Raises:
        ValueError: the arrays differ in length, there is no unit, a value is neither 0 nor 1 (or infinite), or a
            stratum has no name.
    """

    incident: Codes
    predicted: Numbers
    truth: Numbers
    stratum: NDArray[np.object_]
    is_number: bool = False

    def __post_init__(self) -> None:
        sizes = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Each unit needs one value of each: {sizes}.")
        if not len(self.incident):
            raise ValueError("A population needs a unit.")
        for name in ("predicted", "truth"):
            values = getattr(self, name)
            values = values[~np.isnan(values)]
            if not np.isfinite(values).all():
                raise ValueError(f"{name} holds a number that is infinite.")
            if not (self.is_number or np.isin(values, (0.0, 1.0)).all()):
                raise ValueError(f"{name} holds other values than 0 and 1: say is_number where it is a number.")
        if pd.isna(self.stratum).any():
            raise ValueError("Each unit needs a stratum, reviewed or not.")

    @property
    def is_answered(self) -> Mask:
        """Whether the model gave a value."""
        return ~np.isnan(self.predicted)

    @property
    def is_reviewed(self) -> Mask:
        """Whether the truth is known."""
        return ~np.isnan(self.truth)

    @property
    def has_single_units(self) -> bool:
        """Whether each unit is an incident of its own."""
        return len(np.unique(self.incident)) == len(self.incident)

    def at(self, rows: Mask) -> "Population":
        """Those of these rows, such as a group."""
        return Population(
            self.incident[rows], self.predicted[rows], self.truth[rows], self.stratum[rows], self.is_number
        )


def population_of(table: pd.DataFrame, is_number: bool = False) -> Population:
    """The units of a table: a row each, with COLUMNS; an `incident` may be a number or a text.

    Raises:
        ValueError: a column is missing, or what `Population` refuses.
    """
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise ValueError(f"The table of units has no {', '.join(missing)}.")
    return Population(
        incident=np.asarray(pd.factorize(table["incident"])[0], dtype=np.int64),
        predicted=_numbers(table["predicted"]),
        truth=_numbers(table["truth"]),
        stratum=table["stratum"].to_numpy(dtype=np.object_),
        is_number=is_number,
    )


def _numbers(column: pd.Series) -> Numbers:
    # Nullable columns give NA, which only becomes NaN when asked.
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
