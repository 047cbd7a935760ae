"""The figures of counts and rates: in, the content of metrics.json; out, drawings."""

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from narrative_runs.data_columns import type_title
from narrative_runs.findings.rounding import percent
from narrative_runs.findings.suppression import MASKED, counted
from narrative_runs.report.canvas import (
    BLUE,
    GREY,
    LEFT_OUT,
    ORANGE,
    SKY_BLUE,
    VERMILION,
    Drawing,
    blank,
    nothing,
    percent_axis,
)
from narrative_runs.report.measures import scopes

NO_LABELS = "No labelled answers: nothing to compare with."


def detection_rates(metrics: dict[str, Any]) -> Drawing:
    """Detected shares with their intervals, and the labelled shares beside them."""
    rated = {name: scope for name, scope in scopes(metrics).items() if isinstance(scope["detection_rate"], dict)}
    if not rated:
        is_masked = metrics["overall"]["detection_rate"] == MASKED
        return nothing(LEFT_OUT if is_masked else "No answers without error: no detection rate.")
    figure = blank(1.1 + 0.65 * len(rated))
    axes = figure.add_subplot()
    descriptions: list[str] = []
    for row, (name, scope) in enumerate(rated.items()):
        rate = scope["detection_rate"]
        value, low, high = rate["value"], rate["low"], rate["high"]
        errors = [[max(value - low, 0)], [max(high - value, 0)]]
        axes.errorbar(
            value, row, xerr=errors, fmt="o", color=BLUE, capsize=4, label="detected" if not descriptions else None
        )
        is_labelled = isinstance(scope["labelled_rate"], dict)
        if is_labelled:
            label = None if any("labelled" in words for words in descriptions) else "labelled positive"
            labelled = scope["labelled_rate"]["value"]
            axes.plot(labelled, row + 0.25, "s", color=VERMILION, markerfacecolor="white", label=label)
        descriptions.append(
            f"{name} {percent(value)} ({100 * low:.1f} to {100 * high:.1f}) of {scope['n_answered']:,}"
            + (f", labelled positive {percent(labelled)} of {scope['n']:,}" if is_labelled else "")
        )
    names = [
        f"{name}\n{scope['n_answered']:,} answered\n{counted(scope['n'])} labelled" for name, scope in rated.items()
    ]
    axes.set_yticks(range(len(rated)), names)
    axes.set_ylim(len(rated) - 0.4, -0.5)
    axes.set_xlim(left=0)
    axes.grid(axis="x", color="#DDDDDD")
    axes.set_axisbelow(True)
    percent_axis(axes, "Share of positives, % (bars: 95% interval)")
    figure.legend(loc="outside upper right", ncols=2)
    return Drawing(figure, "; ".join(descriptions) + ".")


def confusion_matrices(metrics: dict[str, Any]) -> Drawing:
    """A two-by-two table for each scope; for incidents alone where no narrative has a label."""
    shown = scopes(metrics)
    if not metrics["overall"]["n"]:
        shown = {name: scope for name, scope in shown.items() if scope["n"]}
    if not shown:
        return nothing(NO_LABELS)
    tables = {name: scope for name, scope in shown.items() if scope["tp"] != MASKED}
    if not tables:
        return nothing(LEFT_OUT)
    rows = math.ceil(len(tables) / 2)
    figure = blank(2.5 * rows)
    panels = list(figure.subplots(rows, 2, squeeze=False).flat)
    for unused in panels[len(tables) :]:
        unused.remove()
    descriptions = []
    for axes, (name, scope) in zip(panels, tables.items(), strict=False):
        cells = [[("TP", scope["tp"]), ("FN", scope["fn"])], [("FP", scope["fp"]), ("TN", scope["tn"])]]
        _two_by_two(axes, cells)
        axes.set_title(f"{name}, n = {scope['n']:,}", loc="left")
        axes.set_xticks([0, 1], ["yes", "no"])
        axes.set_yticks([0, 1], ["yes", "no"])
        axes.set_xlabel("Detected by the model")
        axes.set_ylabel("Labelled positive")
        counts = ", ".join(f"{scope[cell]:,} {cell.upper()}" for cell in ("tp", "fp", "fn", "tn"))
        descriptions.append(f"{name}: {counts}")
    return Drawing(figure, "; ".join(descriptions) + ".")


def agreement(metrics: dict[str, Any]) -> Drawing:
    """The two-by-two table of detections in the two narratives of the same incident."""
    pairs, types = metrics["agreement"], list(metrics["by_type"])
    if pairs is None:
        return nothing(f"Agreement is between two narrative types; this experiment has {len(types)}.")
    if not pairs["n"]:
        return nothing("No incident has both narratives answered: no agreement to show.")
    if pairs["agreement"] == MASKED:
        return nothing(LEFT_OUT)
    figure = blank(2.9)
    axes = figure.add_subplot()
    first, other = map(type_title, types)
    cells = [
        [("both positive", pairs["both_positive"]), (f"{first} only", pairs[f"{types[0]}_only"])],
        [(f"{other} only", pairs[f"{types[1]}_only"]), ("both negative", pairs["both_negative"])],
    ]
    _two_by_two(axes, cells)
    axes.set_xticks([0, 1], ["yes", "no"])
    axes.set_yticks([0, 1], ["yes", "no"])
    axes.set_xlabel(f"Detected in the {other} narrative")
    axes.set_ylabel(f"Detected in the {first} narrative")
    rate = pairs["agreement"]
    agreed = f"{percent(rate['value'])} of {pairs['n']:,} incidents agree"
    axes.set_title(f"{agreed} ({100 * rate['low']:.1f} to {100 * rate['high']:.1f})", loc="left")
    counts = ", ".join(f"{count:,} {name}" for row in cells for name, count in row)
    return Drawing(figure, f"{agreed}: {counts}.")


def _two_by_two(axes: Axes, cells: list[list[tuple[str, int]]]) -> None:
    """A table of named counts; cells off the diagonal are hatched."""
    whole = sum(count for row in cells for _, count in row)
    for y, row in enumerate(cells):
        for x, (name, count) in enumerate(row):
            agrees = x == y
            colour = SKY_BLUE if agrees else ORANGE
            square = Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=2, alpha=0.55)
            axes.add_patch(square)
            if not agrees:
                axes.add_patch(
                    Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=GREY, hatch="///", linewidth=0, alpha=0.5)
                )
            share = f"\n{percent(count / whole)}" if whole else ""
            axes.text(
                x,
                y,
                f"{name}\n{count:,}{share}",
                ha="center",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 2, "alpha": 0.85},
            )
    axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
