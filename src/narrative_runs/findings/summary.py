"""The findings on the terminal: one table of metrics, and where the files are."""

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

from rich.table import Table

from narrative_runs.findings.rounding import shown
from narrative_runs.places import RECORD, ExperimentFolder
from narrative_runs.plain_console import PlainConsole
from narrative_runs.source.reading import type_title

# Columns with intervals that fit into 80 characters, and the widest title of one.
_ABREAST = 4
_TITLE_WIDTH = 14
RATES = ("accuracy", "precision", "recall", "f1", "specificity", "kappa", "mcc")


def print_summary(metrics: dict[str, Any], folder: ExperimentFolder) -> None:
    """Print the metrics of an experiment, and the places of its findings."""
    console = PlainConsole(stderr=True, highlight=False)
    scopes = [
        ("all narratives", metrics["overall"]),
        *((type_title(kind), scope) for kind, scope in metrics["by_type"].items()),
        ("incidents", metrics["incident"]),
    ]
    about = f"{metrics['n_processed']} narratives, {metrics['n_errors']} errors; rates with 95% intervals"
    for line in warnings(metrics):
        console.print(f"WARNING: {line}")
    for start in range(0, len(scopes), _ABREAST):
        console.print(_table("" if start else about, scopes[start : start + _ABREAST]))
    console.print(f"Findings: {folder.path}/ (report.html, results.xlsx, metrics.json)")
    console.print(f"Record:   {RECORD}")


def warnings(metrics: dict[str, Any]) -> list[str]:
    """What a reader has to know before the rates are quoted."""
    labels = metrics["labels"]
    if labels is None or not labels["differ"]:
        return []
    apart = labels["difference"]
    return [
        f"the labels are of a chosen part. The model detects {_percent(labels['detected_labelled'])} of the "
        f"{labels['n_labelled']:,} labelled narratives, and {_percent(labels['detected_unlabelled'])} of the "
        f"{labels['n_unlabelled']:,} others: a difference of {100 * apart['value']:.1f} points "
        f"({100 * apart['low']:.1f} to {100 * apart['high']:.1f}). Recall and specificity hold for the labelled ones "
        "alone; for all, label a random sample."
    ]


def _percent(rate: Mapping[str, float]) -> str:
    return f"{100 * rate['value']:.1f}%"


def column_title(title: str) -> str:
    """A title as the head of a column of rates: in several lines where it is long."""
    return "\n".join(wrap(title, _TITLE_WIDTH))


def shown_rate(rate: Mapping[str, float | None] | None) -> str:
    """A rate with its interval, as short as it can be, for a cell of a table; a dash where it is undefined."""
    if rate is None or rate["value"] is None:
        return "-"
    value, low, high = rate["value"], rate["low"], rate["high"]
    return _brief(value) if low is None or high is None else f"{_brief(value)} \\[{_brief(low)} {_brief(high)}]"


def _table(about: str, scopes: list[tuple[str, dict[str, Any]]]) -> Table:
    table = Table(title=about or None, box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for title, _ in scopes:
        table.add_column(column_title(title), justify="right", no_wrap=True)
    table.add_row("labelled", *(f"{scope['n']:,} of {scope['n_answered']:,}" for _, scope in scopes))
    for count in ("tp", "fp", "fn", "tn"):
        table.add_row(count.upper(), *(str(scope[count]) for _, scope in scopes))
    for rate in ("detection_rate", *RATES):
        name = rate.replace("detection_rate", "detected")
        table.add_row(name, *(shown_rate(scope[rate]) for _, scope in scopes))
    return table


def _brief(number: float) -> str:
    # Without the zero, four columns with their intervals fit into 80 characters.
    return shown(number, 2).replace("0.", ".", 1)
