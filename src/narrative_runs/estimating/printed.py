"""Estimates on the terminal: the corrected number first, and it alone is called a prevalence."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from narrative_runs.estimating.content import Estimates
from narrative_runs.estimating.units import LEVELS
from narrative_runs.findings.estimates_file import (
    DIFFERENCE,
    INCIDENT,
    KINDS,
    RATIO,
    by_value,
    kinds_of,
    quantity_in,
)
from narrative_runs.findings.summary import shown_rate
from narrative_runs.findings.suppression import MASKED, counted

_TITLES = {INCIDENT: "incidents", "narrative": "narratives"}


def shown_estimates(estimates: Estimates) -> Iterator[RenderableType]:
    """The estimates as the user sees them: a table for each variable, by groups too, notes, and the paragraph."""
    content, folder = estimates.content, estimates.folder
    for name, of_variable in content["variables"].items():
        yield _levels(name, of_variable)
        for column, groups in of_variable[INCIDENT].get("by", {}).items():
            yield _groups(name, of_variable, column, groups, content["compared_with"][column])
    for note in estimates.notes:
        yield Text(note)
    yield Text("\nFor the methods section:\n" + content["methods"])
    for work in content["references"]:
        yield Text(f"  {work}")
    yield Text(
        f"\nEstimates: {folder.path}/ (estimates.json, estimates.csv, figures/estimates.png, and report.html, which "
        "has them too)"
    )


def _levels(name: str, of_variable: Mapping[str, Any]) -> Table:
    table = _table(Text(name))
    kind, kinds = of_variable["type"], kinds_of(of_variable["source"])
    quantity = quantity_in(of_variable[INCIDENT])
    for head in (quantity, kinds["labelled"], kinds["naive"], "reviewed", "answered", "errors", "not asked"):
        table.add_column(head, justify="right")
    for level in LEVELS:
        scope = of_variable[level]
        counts = [counted(scope[each]) for each in ("n_reviewed", "n_answered", "n_errors", "n_unasked")]
        for value, cells in _cells(kind, scope[quantity]):
            table.add_row(Text(f"{_TITLES[level]}{f': {value}' if value else ''}"), *cells, *counts)
    for estimator in dict.fromkeys(
        estimator for level in LEVELS for estimator in by_value(kind, of_variable[level]["estimator"]).values()
    ):
        table.caption = f"{table.caption}; {estimator}" if table.caption else f"by: {estimator}"
    table.caption_justify = "left"
    return table


def _groups(name: str, of_variable: Mapping[str, Any], column: str, groups: Any, reference: str) -> Table:
    table = _table(Text(f"{name} by {column}, incidents; compared with {reference}"))
    kind, quantity = of_variable["type"], quantity_in(of_variable[INCIDENT])
    heads = (quantity, "difference", "ratio", kinds_of(of_variable["source"])["naive"], "reviewed")
    for head in heads:
        table.add_column(head, justify="right")
    if groups == MASKED:
        table.add_row("all groups", *[MASKED] * len(heads))
        return table
    for group, scope in groups.items():
        compared = [by_value(kind, scope[each]) if scope[each] else None for each in (DIFFERENCE, RATIO)]
        for value, rates in by_value(kind, scope[quantity]).items():
            apart = ["" if of is None else shown_rate(of[value]["corrected"]) for of in compared]
            row = [shown_rate(rates["corrected"]), *apart, shown_rate(rates["naive"]), counted(scope["n_reviewed"])]
            table.add_row(Text(f"{group}{f': {value}' if value else ''}"), *row)
    return table


def _cells(kind: str, content: Any) -> Iterator[tuple[str, list[str]]]:
    """By value the three numbers, in the order of KINDS."""
    if content == MASKED:
        yield "", [MASKED] * len(KINDS)
        return
    for value, rates in by_value(kind, content).items():
        yield value, [shown_rate(rates[each]) for each in KINDS]


def _table(title: Text) -> Table:
    table = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column("")
    return table
