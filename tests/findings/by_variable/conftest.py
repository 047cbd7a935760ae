"""Tables of the answers and labels of one variable, to test its measures on."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from narrative_runs.codebook.variables import Variable
from narrative_runs.findings.by_variable.coding import coded
from narrative_runs.findings.by_variable.units import Status, Units


class MakeUnits:
    """The maker of units from the answers and labels of a variable."""

    def __call__(
        self, variable: Variable, label: list[object], answer: list[object], incident: NDArray[np.int64] | None = None
    ) -> Units:
        """One unit a row; an answer of None is unclear; each row is an incident of its own where none is given."""
        answers = coded("it", variable, pd.Series(answer, dtype=object))
        status = np.where(answers.is_given, Status.ANSWERED.value, Status.UNCLEAR.value).astype(np.int64)
        labels = coded("it", variable, pd.Series(label, dtype=object))
        return Units(np.arange(len(label)) if incident is None else incident, status, answers, labels)


@pytest.fixture(scope="session")
def make_units() -> MakeUnits:
    """The maker of units, which keeps nothing between tests."""
    return MakeUnits()
