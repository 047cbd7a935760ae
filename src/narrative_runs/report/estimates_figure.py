"""The figure of estimates.json: in, its content; out, a drawing."""

from collections.abc import Iterator, Mapping
from typing import Any

from narrative_runs.findings.estimates_file import INCIDENT, PREVALENCE, by_value, kinds_of
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

NAME = "estimates"
CAPTION = Caption(
    "Estimated prevalences of incidents",
    "Filled circle: the prevalence, corrected by what people said of a sample. Square: what that sample says alone. "
    "Cross: what the model says alone, which is no prevalence, as it holds the model's errors. Lines are 95% "
    "intervals.",
)
_MARKS = {"corrected": ("o", BLACK), "labelled": ("s", BLUE), "naive": ("x", VERMILION)}
_MOST_ROWS = 40


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
