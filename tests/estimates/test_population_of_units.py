import numpy as np
import pandas as pd
import pytest

from narrative_runs.estimates.population import population_of
from tests.estimates.populations import of_arrays

TABLE = pd.DataFrame(
    {
        "incident": ["A", "A", "0012", "12"],
        "predicted": pd.array([True, pd.NA, False, True], dtype="boolean"),
        "truth": pd.array([1, 0, pd.NA, pd.NA], dtype="Int64"),
        "stratum": ["yes", "yes", "no", "yes"],
    }
)


def test_a_table_with_gaps_is_read() -> None:
    """Nullable columns and text ids give arrays: what is missing is NaN, and ids that look alike stay apart."""
    population = population_of(TABLE)
    assert population.is_answered.tolist() == [True, False, True, True]
    assert population.is_reviewed.tolist() == [True, True, False, False]
    assert population.incident.tolist() == [0, 0, 1, 2] and not population.has_single_units
    assert population.at(population.incident > 0).has_single_units


def test_a_missing_column_is_named() -> None:
    """A table without strata is refused by the name of the column."""
    with pytest.raises(ValueError, match="no stratum"):
        population_of(TABLE.drop(columns="stratum"))


def test_what_cannot_be_estimated_is_refused() -> None:
    """Other values than 0 and 1, infinite numbers, no unit, arrays of unequal lengths and strata without a name."""
    ones = np.ones(2)
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        of_arrays(np.array([0.0, 2.0]), ones)
    assert of_arrays(np.array([0.0, 2.0]), ones, is_number=True).is_answered.all()
    with pytest.raises(ValueError, match="infinite"):
        of_arrays(ones, np.array([0.0, np.inf]), is_number=True)
    with pytest.raises(ValueError, match="needs a unit"):
        of_arrays(np.array([]), np.array([]))
    with pytest.raises(ValueError, match="one value of each"):
        of_arrays(ones, np.ones(3))
    with pytest.raises(ValueError, match="stratum"):
        of_arrays(ones, ones, stratum=np.array([None, "yes"], dtype=object))
