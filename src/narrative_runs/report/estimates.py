"""Estimates in the report, from estimates.json: tables, and the paragraph to copy; nothing is computed here.

The corrected number comes first, and only it is called a prevalence, or a mean; the model's own is labelled as such.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from narrative_runs.findings.estimates_file import (
    BELOW,
    DIFFERENCE,
    INCIDENT,
    KINDS,
    MEAN,
    NARRATIVE,
    PREVALENCE,
    RATIO,
    by_value,
    older_in_words,
    quantity_in,
)
from narrative_runs.findings.suppression import MASKED
from narrative_runs.report.cells import Table, count, rate

_LEVELS = {INCIDENT: "Incidents", NARRATIVE: "Narratives"}


class EstimatesShown(NamedTuple):
    """The section of the report: what its reader has to know first, tables, the paragraph to copy with the works that
    it cites, and what was refused."""

    warnings: list[str]
    tables: list[Table]
    methods: str
    references: list[str]
    refused: list[str]
    has_figure: bool


def estimates_shown(content: Mapping[str, Any], older: list[str], slug: str) -> EstimatesShown:
    """The section, from the content of estimates.json.

    In: which of their inputs have changed since; the experiment's slug. Estimates that were masked by another limit are
    not shown.
    """
    warning = (
        f"these estimates are of {older_in_words(older)}: `narrative-runs estimate {slug}` makes them anew."
        if older
        else ""
    )
    if BELOW in older:
        return EstimatesShown([f"Not shown: {warning}"], [], "", [], [], False)
    return EstimatesShown(
        [warning[0].upper() + warning[1:]] if warning else [],
        list(_tables(content["variables"])),
        content["methods"],
        content["references"],
        [f"{name}: {reason}" if not reason.startswith(name) else reason for name, reason in content["refused"].items()],
        True,
    )


def _tables(variables: Mapping[str, Any]) -> Iterator[Table]:
    for level, title in _LEVELS.items():
        for quantity in (PREVALENCE, MEAN):
            rows = [
                row
                for name, of_variable in variables.items()
                if quantity_in(of_variable[level]) == quantity
                for row in _rows(name, of_variable, of_variable[level])
            ]
            if rows:
                heads = ["", quantity.capitalize(), "People alone", "Model alone (naive)"]
                yield Table(title, [*heads, "Reviewed", "Answered", "Errors", "Not asked"], rows)
    for name, of_variable in variables.items():
        for column, groups in of_variable[INCIDENT].get("by", {}).items():
            yield _of_groups(name, of_variable["type"], column, groups, quantity_in(of_variable[INCIDENT]))


def _rows(name: str, of_variable: Mapping[str, Any], scope: Mapping[str, Any]) -> Iterator[list[str]]:
    counts = [count(scope[each]) for each in ("n_reviewed", "n_answered", "n_errors", "n_unasked")]
    kind, quantity = of_variable["type"], scope[quantity_in(scope)]
    if quantity == MASKED:
        yield [name, MASKED, MASKED, MASKED, *counts]
        return
    for value, rates in by_value(kind, quantity).items():
        cells = [_cell(rates[each]) for each in KINDS]
        yield [f"{name}: {value}" if value else name, *cells, *counts]


def _of_groups(name: str, kind: str, column: str, groups: Any, quantity: str) -> Table:
    caption = f"{name} by {column}: incidents of which all narratives are in the group"
    heads = [column, quantity.capitalize(), "Difference", "Ratio", "Model alone (naive)", "Reviewed", "Answered"]
    if groups == MASKED:
        return Table(caption, heads, [["All groups", *[MASKED] * (len(heads) - 1)]])
    rows = []
    for group, scope in groups.items():
        compared = {each: by_value(kind, scope[each]) if scope[each] else None for each in (DIFFERENCE, RATIO)}
        for value, rates in by_value(kind, scope[quantity]).items():
            apart = ["–" if of is None else _cell(of[value]["corrected"]) for of in compared.values()]
            numbers = [_cell(rates["corrected"]), *apart, _cell(rates["naive"])]
            sizes = [count(scope["n_reviewed"]), count(scope["n_answered"])]
            rows.append([f"{group}: {value}" if value else group, *numbers, *sizes])
    return Table(caption, heads, rows)


def _cell(measured: Mapping[str, float] | None) -> str:
    return "–" if measured is None else rate(dict(measured))
