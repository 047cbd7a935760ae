"""What the report shows of estimates.json: tables, a figure, and the paragraph to copy; nothing is computed here.

The corrected number stands first and is alone called a prevalence, or a mean; what the model says alone is called so.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from narrative_runs.findings.estimates_file import (
    BELOW,
    DIFFERENCE,
    INCIDENT,
    MEAN,
    NARRATIVE,
    PREVALENCE,
    RATIO,
    by_value,
    kinds_of,
    older_in_words,
    quantity_in,
)
from narrative_runs.findings.rounding import percent
from narrative_runs.findings.suppression import MASKED
from narrative_runs.report.canvas import (
    BLACK,
    BLUE,
    LEFT_OUT,
    VERMILION,
    Drawing,
    blank,
    nothing,
    percent_axis,
)
from narrative_runs.report.captions import Caption
from narrative_runs.report.cells import Table, count, rate

NAME = "estimates"
CAPTION = Caption(
    "Estimated prevalences of incidents",
    "Filled circle: the prevalence, corrected by what people said of a sample. Square: what that sample says alone. "
    "Cross: what the model says alone, which is no prevalence, as it holds the model's errors. Lines are 95% "
    "intervals.",
)
_MARKS = {"corrected": ("o", BLACK), "labelled": ("s", BLUE), "naive": ("x", VERMILION)}
_MOST_ROWS = 40
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

    In: what of that which they are made from is another one now; the experiment's slug. Estimates that were masked by
    another limit are not shown.
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


def drawing(content: Mapping[str, Any]) -> Drawing:
    """Three intervals for each prevalence of incidents, the corrected one first."""
    rows = [
        (what, rates, kinds_of(of_variable["source"]))
        for name, of_variable in content["variables"].items()
        for what, rates in _prevalences(name, of_variable)
    ]
    if not rows:
        return nothing("No prevalence to draw: of numbers there are means, which the table has.")
    shown = [row for row in rows if row[1] != MASKED]
    if not shown:
        return nothing(LEFT_OUT)
    shown = shown[:_MOST_ROWS]
    figure = blank(1.2 + 0.6 * len(shown))
    axes = figure.add_subplot()
    words, labels = [], set()
    for position, (what, rates, kinds) in enumerate(shown):
        said = []
        for offset, (kind, (marker, colour)) in enumerate(_MARKS.items()):
            known = rates[kind]
            if known is None:
                continue
            title = "prevalence (corrected)" if kind == "corrected" else kinds[kind]
            value, low, high = known["value"], known["low"], known["high"]
            axes.errorbar(
                value,
                position + 0.22 * (offset - 1),
                xerr=[[max(value - low, 0)], [max(high - value, 0)]],
                fmt=marker,
                color=colour,
                markerfacecolor="white" if marker == "s" else colour,
                capsize=3,
                linewidth=1,
                label=None if title in labels else title,
            )
            labels.add(title)
            said.append(f"{title} {percent(value)} ({percent(low)} to {percent(high)})")
        words.append(f"{what}: " + (", ".join(said) or "nothing is known"))
    axes.set_yticks(range(len(shown)), [what for what, _, _ in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(axis="x", color="#DDDDDD")
    axes.set_axisbelow(True)
    percent_axis(axes, "Share of incidents, % (lines: 95% intervals)")
    figure.legend(loc="outside upper right", ncols=3)
    return Drawing(figure, "; ".join(words) + ".")


def _prevalences(name: str, of_variable: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    scope = of_variable[INCIDENT]
    if PREVALENCE not in scope:
        return
    if scope[PREVALENCE] == MASKED:
        yield name, MASKED
        return
    for value, rates in by_value(of_variable["type"], scope[PREVALENCE]).items():
        yield f"{name}: {value}" if value else name, rates


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
        cells = [_cell(rates[each]) for each in _MARKS]
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
