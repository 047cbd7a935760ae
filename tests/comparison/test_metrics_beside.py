from narrative_runs.comparison.metrics_beside import COUNTS, RATES, metrics_beside
from narrative_runs.findings.metrics import measure
from tests.result_tables import table_at_random


def test_each_metric_of_each_scope_stands_beside_those_of_the_others() -> None:
    """Every count and rate, overall, by type and by incident, is that of metrics.json, in the order of experiments."""
    one, two = (measure(table_at_random(30, seed), "id", seed=1) for seed in (1, 2))
    rows = {(row.scope, row.metric): row.values for row in metrics_beside([one, two])}
    assert len(rows) == 4 * len([*COUNTS, *RATES])
    assert rows["overall", "tp"] == (one["overall"]["tp"], two["overall"]["tp"])
    assert rows["le", "recall"] == (one["by_type"]["le"]["recall"], two["by_type"]["le"]["recall"])
    assert rows["incident", "kappa"] == (one["incident"]["kappa"], two["incident"]["kappa"])
