"""The figures made from the rows: counted into bins first, so that 35,000 rows make no larger file than 50."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from narrative_runs.findings.rounding import percent
from narrative_runs.report.canvas import (
    BLACK,
    BLUE,
    ORANGE,
    SKY_BLUE,
    VERMILION,
    Drawing,
    blank,
    nothing,
)

_OUTCOMES = {
    "is_true_positive": ("true positives", BLUE, ""),
    "is_false_positive": ("false positives", ORANGE, "////"),
    "is_false_negative": ("false negatives", VERMILION, "\\\\\\\\"),
    "is_true_negative": ("true negatives", SKY_BLUE, ""),
}
_ANSWERS = {True: ("detected", BLUE, ""), False: ("not detected", ORANGE, "////")}
_CONFIDENCE_BINS = np.linspace(0, 1, 21)
_MOST_BINS = 30


def confidence_by_outcome(results: pd.DataFrame) -> Drawing:
    """Stated confidence, by outcome where there are labels, else by answer.

    In: one row a narrative, with `detected`, `confidence` (0 to 1) and the four outcomes; any may be missing.
    """
    stated = results[results["confidence"].notna()]
    if stated.empty:
        return nothing("The model stated no confidence.")
    groups = {name: stated[stated[name].fillna(False).astype(bool)] for name in _OUTCOMES}
    looks: dict[Any, tuple[str, str, str]] = dict(_OUTCOMES)
    if not any(map(len, groups.values())):
        groups = {answer: stated[stated["detected"].eq(answer).fillna(False).astype(bool)] for answer in _ANSWERS}  # type: ignore[misc]
        looks = dict(_ANSWERS)
    figure = blank(1.0 + 0.95 * len(groups))
    descriptions = []
    rows = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (key, group) in zip(rows, groups.items(), strict=True):
        name, colour, hatch = looks[key]
        confidence = group["confidence"].to_numpy(np.float64)
        counts, _ = np.histogram(confidence, _CONFIDENCE_BINS)
        _stairs(axes, counts, _CONFIDENCE_BINS, colour, hatch)
        axes.set_title(f"{name}, n = {len(group):,}", loc="left", pad=3)
        axes.set_ylim(bottom=0, top=None if counts.any() else 1)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
        median = f", median confidence {np.median(confidence):.2f}" if len(group) else ""
        descriptions.append(f"{len(group):,} {name}{median}")
    rows[-1].set(xlim=(0, 1), xlabel="Stated confidence in the answer")
    figure.supylabel("Narratives", fontsize="medium")
    return Drawing(figure, "; ".join(descriptions) + ".")


def errors_by_category(counts: dict[str, int], processed: int) -> Drawing:
    """Errors by category; processed: narratives with a result, errors included."""
    if not counts:
        return nothing(f"No errors among {processed:,} narratives.")
    figure = blank(0.9 + 0.35 * len(counts))
    axes = figure.add_subplot()
    bars = axes.barh(list(counts), list(counts.values()), color=SKY_BLUE, edgecolor=BLACK, height=0.6)
    labels = [f"{count:,} ({percent(count / processed, 2)})" for count in counts.values()]
    axes.bar_label(bars, labels, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"Narratives, of {processed:,} processed")
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return Drawing(figure, f"Of {processed:,} narratives: {listed}.")


def response_times_tokens(seconds: pd.Series, results: pd.DataFrame) -> Drawing:
    """Distributions of response times and tokens.

    In: seconds of each answer; one row a narrative, with `prompt_tokens` and `completion_tokens`; any may be missing.
    """
    panels = {
        "Response time, s": seconds,
        "Prompt, tokens": results["prompt_tokens"],
        "Answer, tokens": results["completion_tokens"],
    }
    values = {name: column.dropna().to_numpy(np.float64) for name, column in panels.items()}
    if not any(map(len, values.values())):
        return nothing("The server told neither times nor tokens.")
    figure = blank(2.5)
    descriptions = []
    for axes, (name, numbers) in zip(figure.subplots(1, 3), values.items(), strict=True):
        axes.set_xlabel(name)
        if len(numbers) == 0:
            axes.text(0.5, 0.5, "not told", ha="center", va="center", transform=axes.transAxes)
            axes.set(xticks=[], yticks=[])
            continue
        edges = _edges(numbers)
        _stairs(axes, np.histogram(np.minimum(numbers, edges[-1]), edges)[0], edges, SKY_BLUE, "")
        median, high = np.percentile(numbers, [50, 95])
        axes.axvline(median, color=BLACK, linestyle="-")
        axes.axvline(high, color=BLACK, linestyle="--")
        axes.set_title(f"median {_brief(median)}, 95%: {_brief(high)}", fontsize=8)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        descriptions.append(f"{name}: median {_brief(median)}, 95th percentile {_brief(high)}")
    figure.supylabel("Narratives", fontsize="medium")
    return Drawing(figure, "; ".join(descriptions) + ".")


def _edges(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bins up to the 99.5th percentile, which one endless answer does not stretch; the last is to take what is
    beyond. Whole numbers have bins of whole width around them."""
    low, high = float(numbers.min()), float(np.percentile(numbers, 99.5))
    low = 0.0 if low < high / 2 else low
    bins = min(_MOST_BINS, max(5, int(np.sqrt(len(numbers)))))
    if (numbers == np.round(numbers)).all():
        width = max(1, math.ceil((high - low) / bins))
        return np.arange(low, high + width + 1, width) - 0.5
    return np.linspace(low, high, bins + 1) if high > low else np.array([low - 0.5, low + 0.5])


def _stairs(axes: Axes, counts: Any, edges: NDArray[np.float64], colour: str, hatch: str) -> None:
    face = "white" if hatch else colour
    axes.stairs(counts, edges, fill=True, facecolor=face, edgecolor=colour, hatch=hatch, linewidth=0.8)


def _brief(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
