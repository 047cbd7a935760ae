import pytest

from narrative_runs.comparison.metrics_beside import COUNTS, RATES, metrics_beside
from narrative_runs.findings.metrics import measure
from tests.result_tables import table_at_random


@pytest.mark.slow
def test_only_types_that_another_has_too_are_beside_each_other() -> None:
    """A type that the first alone has, or that it lacks, is left out; in one that lacks a type of others it is None."""
    three, two, one = (
        measure(table_at_random(30, 1, types), "id", 1, types)
        for types in (("examiner", "police", "lab"), ("police", "examiner"), ("police", "le"))
    )
    rows = {(row.scope, row.metric): row.values for row in metrics_beside([three, two, one])}
    assert list(dict.fromkeys(scope for scope, _ in rows)) == ["overall", "examiner", "police", "incident"]
    assert rows["examiner", "n"] == (three["by_type"]["examiner"]["n"], two["by_type"]["examiner"]["n"], None)
    assert rows["police", "n"][2] == one["by_type"]["police"]["n"]
    assert {row.scope for row in metrics_beside([three, measure(table_at_random(30, 1), "id", 1)])} == {
        "overall",
        "incident",
    }


def test_each_metric_of_each_scope_stands_beside_those_of_the_others() -> None:
    """Every count and rate, overall, by type and by incident, is that of metrics.json, in the order of experiments."""
    one, two = (measure(table_at_random(30, seed), "id", seed=1) for seed in (1, 2))
    rows = {(row.scope, row.metric): row.values for row in metrics_beside([one, two])}
    assert len(rows) == 4 * len([*COUNTS, *RATES])
    assert rows["overall", "tp"] == (one["overall"]["tp"], two["overall"]["tp"])
    assert rows["le", "recall"] == (one["by_type"]["le"]["recall"], two["by_type"]["le"]["recall"])
    assert rows["incident", "kappa"] == (one["incident"]["kappa"], two["incident"]["kappa"])
