"""Tables of results, as the findings have them."""

from tests.findings.conftest import random_results, result_table

__all__ = ["random_results", "result_table"]
