from typing import Any

from narrative_runs.migration.r_metrics import compare, lines

MEASURED: dict[str, Any] = {
    "experiment_id": "e",
    "n_total": 10,
    "overall": {"tp": 3, "fp": 1, "fn": 1, "tn": 1, "n": 6},
}


def test_measures_that_agree_are_no_differences() -> None:
    """The same values, and those that the R system did not have, are passed over."""
    compared = compare({"accuracy": 0.6667, "recall_ipv": None}, {"accuracy": 0.6667, "recall_ipv": 0.75}, MEASURED)
    assert compared["r_system"] == {"accuracy": 0.6667}
    assert compared["differences"] == []
    assert list(lines(compared)) == ["The R system's measures agree with those made here."]


def test_an_accuracy_over_all_rows_is_explained() -> None:
    """Where R divided by all rows that is the reason, and both values are told."""
    (difference,) = compare({"accuracy": 0.4}, {"accuracy": 4 / 6}, MEASURED)["differences"]
    assert difference["why"].startswith("R divided by all 10 rows, errors and unlabelled ones included")
    (line,) = lines({"differences": [difference]})
    assert line.startswith("accuracy: 0.4000 by the R system, 0.6667 here (")


def test_no_reason_is_claimed_that_the_numbers_do_not_bear_out() -> None:
    """An accuracy that is not that of all rows is not said to be."""
    (difference,) = compare({"accuracy": 0.9}, {"accuracy": 4 / 6}, MEASURED)["differences"]
    assert difference["why"] == "here 4 right of 6 answers with a label"


def test_a_measure_that_is_undefined_here_is_named() -> None:
    """R's zero for a precision without a detection differs from none."""
    (difference,) = compare({"precision_ipv": 0.0}, {"precision_ipv": None}, MEASURED)["differences"]
    assert "none here" in next(lines({"differences": [difference]}))
