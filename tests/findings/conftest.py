"""Tables of results to test the findings on."""

from collections.abc import Callable

import pandas as pd
import pytest
from tests.result_tables import table_at_random, table_of


@pytest.fixture
def result_table() -> Callable[..., pd.DataFrame]:
    """The maker of tables from what matters of each narrative."""
    return table_of


@pytest.fixture
def random_results() -> Callable[..., pd.DataFrame]:
    """The maker of tables of a number of incidents, from a seed."""
    return table_at_random
