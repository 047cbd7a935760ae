"""The findings on the terminal: one table of metrics, and where the files are."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from narrative_runs.places import RECORD, ExperimentFolder

RATES = ("accuracy", "precision", "recall", "f1", "specificity", "kappa", "mcc")


def print_summary(metrics: dict[str, Any], folder: ExperimentFolder) -> None:
    """Print the metrics of an experiment, and the places of its findings."""
    console = Console(stderr=True, highlight=False)
    table = Table(
        title=f"{metrics['n_processed']} narratives, {metrics['n_errors']} errors; rates with 95% intervals",
        box=None,
        padding=(0, 1, 0, 0),
    )
    scopes = {
        "all narratives": metrics["overall"],
        "CME": metrics["by_type"]["cme"],
        "LE": metrics["by_type"]["le"],
        "incidents": metrics["incident"],
    }
    table.add_column("", no_wrap=True)
    for scope in scopes:
        table.add_column(scope, justify="right", no_wrap=True)
    for count in ("tp", "fp", "fn", "tn"):
        table.add_row(count.upper(), *(str(scope[count]) for scope in scopes.values()))
    for rate in ("detection_rate", *RATES):
        name = rate.replace("detection_rate", "detected")
        table.add_row(name, *(shown_rate(scope[rate]) for scope in scopes.values()))
    console.print(table)
    console.print(f"Findings: {folder.path}/ (report.html, results.xlsx, metrics.json)")
    console.print(f"Record:   {RECORD}")


def shown_rate(rate: Mapping[str, float | None] | None) -> str:
    """A rate with its interval, as short as it can be, for a cell of a table; a dash where it is undefined."""
    if rate is None or rate["value"] is None:
        return "-"
    value, low, high = rate["value"], rate["low"], rate["high"]
    return _brief(value) if low is None or high is None else f"{_brief(value)} \\[{_brief(low)} {_brief(high)}]"


def _brief(number: float) -> str:
    # Without the zero, four columns with their intervals fit into 80 characters.
    return f"{number:.2f}".replace("0.", ".", 1)
