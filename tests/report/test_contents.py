from collections.abc import Callable

import pandas as pd
import pytest

from narrative_runs.findings.tables import finish
from narrative_runs.report.contents import (
    MOST_INDICATORS,
    IndicatorCount,
    ServerCount,
    error_counts,
    indicator_counts,
    models_answered,
    server_counts,
    wrong_answers,
)

ResultTable = Callable[..., pd.DataFrame]


def test_an_indicator_counts_once_an_answer(result_table: ResultTable) -> None:
    """Repetitions within an answer, case and blanks make no other indicator, and errors name none."""
    results = result_table(
        {"detected": True, "indicators": '["Threat", "threat ", "weapon"]'},
        {"detected": False, "indicators": '["threat"]'},
        {"detected": None, "indicators": "[]"},
    )
    assert indicator_counts(results, fewest=1) == [
        IndicatorCount("threat", 2, 1, 1),
        IndicatorCount("weapon", 1, 1, 0),
    ]


def test_rare_indicators_are_left_out(result_table: ResultTable) -> None:
    """What fewer answers name than asked for is not listed, and of the rest only the most frequent."""
    quoted = [{"detected": True, "indicators": f'["words of case {number}", "threat"]'} for number in range(50)]
    results = result_table(*quoted)
    assert indicator_counts(results, fewest=5) == [IndicatorCount("threat", 50, 50, 0)]
    assert indicator_counts(results, fewest=5, below=5) == [IndicatorCount("threat", 50, "masked", "masked")]
    assert len(indicator_counts(results, fewest=1)) == MOST_INDICATORS


def test_errors_are_counted_by_category(result_table: ResultTable) -> None:
    """Each category that occurs, in their order; an error without one is unknown, and answers are none."""
    results = result_table(
        {"detected": None, "error_category": None},
        {"detected": None, "error_category": "timeout"},
        {"detected": None, "error_category": "api_error"},
        {"detected": None, "error_category": "timeout"},
        {"detected": True},
    )
    assert list(error_counts(results).items()) == [("api_error", 1), ("timeout", 2), ("unknown", 1)]
    assert error_counts(result_table()) == {}


@pytest.mark.parametrize("missing", [None, 0.7])
def test_wrong_answers_are_those_that_differ_from_their_label(result_table: ResultTable, missing: float | None) -> None:
    """False positives, then false negatives, with all that a reviewer reads; right and unlabelled answers are none."""
    results = finish(
        result_table(
            {"incident_id": "a", "detected": False, "manual_flag_ind": 1, "confidence": missing},
            {"incident_id": "b", "detected": True, "manual_flag_ind": 0, "rationale": None, "p_detected": 0.8},
            {"incident_id": "c", "detected": True, "manual_flag_ind": 1},
            {"incident_id": "d", "detected": True},
            {"incident_id": "e", "detected": None, "manual_flag_ind": 1},
        )
    )
    first, second = wrong_answers(results)
    assert (first.kind, first.incident_id, first.rationale, first.p_detected) == ("false positive", "b", "", 0.8)
    assert (second.kind, second.incident_id, second.confidence) == ("false negative", "a", missing)
    assert second.narrative_text == "Text of narrative 1." and second.indicators == ["threat", "weapon"]


def test_models_are_those_that_the_server_named(result_table: ResultTable) -> None:
    """Each name with its number of answers, the most frequent first; answers without a name do not count."""
    names = ["b", "a", "b", None, "c"]
    results = result_table(*({"detected": True, "model_answered": name} for name in names))
    assert models_answered(results) == [("b", 2), ("a", 1), ("c", 1)]


def test_what_each_server_did_is_counted() -> None:
    """Answers and error rows count for the server that had the last request, with all requests about them; an
    experiment of one server names none."""
    answered, failed = {"response": {}, "requests": 1}, {"error": {}, "requests": 5}
    entries = [
        {**answered, "server": "http://b/v1"},
        {**answered, "server": "http://a/v1", "requests": 3},
        {**failed, "server": "http://b/v1"},
        {**answered, "server": "http://b/v1"},
    ]
    assert server_counts(entries) == [ServerCount("http://a/v1", 1, 0, 3), ServerCount("http://b/v1", 2, 1, 7)]
    assert server_counts([answered, failed]) == []
