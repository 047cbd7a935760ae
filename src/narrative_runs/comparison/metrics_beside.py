"""The metrics of several experiments side by side, as metrics.json has them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

COUNTS = ("n", "n_answered", "tp", "fp", "fn", "tn")
RATES = ("detection_rate", "accuracy", "precision", "recall", "f1", "specificity", "kappa", "mcc")


class MetricBeside(NamedTuple):
    """One metric in each experiment: a count, a rate with its interval, or None where it is undefined."""

    scope: str
    metric: str
    values: tuple[Any, ...]


def metrics_beside(all_metrics: Sequence[dict[str, Any]]) -> list[MetricBeside]:
    """The metrics of all experiments, overall, by narrative type and by incident.

    In: the contents of metrics.json, one an experiment. Of the narrative types, those of the first experiment that
    another has as well; where an experiment does not have the type, its values are None.
    """
    first, *others = (list(metrics["by_type"]) for metrics in all_metrics)
    types = [kind for kind in first if any(kind in other for other in others)]
    by_scope = [
        {"overall": metrics["overall"], **metrics["by_type"], "incident": metrics["incident"]}
        for metrics in all_metrics
    ]
    return [
        MetricBeside(scope, metric, tuple(scopes.get(scope, {}).get(metric) for scopes in by_scope))
        for scope in ("overall", *types, "incident")
        for metric in (*COUNTS, *RATES)
    ]
