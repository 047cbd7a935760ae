from collections.abc import Callable

import pandas as pd

from narrative_runs.findings.answer_quality import answer_quality
from narrative_runs.results import REFUSED


def test_what_is_odd_is_counted(result_table: Callable[..., pd.DataFrame]) -> None:
    """Answers without a readable confidence and refusals are counted, each once; other errors are neither."""
    refusal = {"detected": None, "error_message": REFUSED}
    table = result_table({"confidence": None}, refusal, {}, refusal, {"detected": None}, {"confidence": 0.0})
    assert answer_quality(table) == {"confidence_unreadable": 1, "refused": 2}


def test_what_does_not_occur_is_not_told(result_table: Callable[..., pd.DataFrame]) -> None:
    """Of answers without fault nothing is said, nor of none at all."""
    assert answer_quality(result_table({}, {"detected": None})) == {}
    assert answer_quality(result_table({}).head(0)) == {}
