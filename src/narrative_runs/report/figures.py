"""The figures that the metrics give: in, the content of metrics.json; out, drawings."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from narrative_runs.report.canvas import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SKY_BLUE,
    VERMILION,
    Drawing,
    blank,
    nothing,
    percent_axis,
)

NO_LABELS = "No labelled answers: nothing to compare with."
_PROBABILITIES = {
    "confidence": ("stated confidence", BLUE, "o", "-", ""),
    "p_detected": ("token probability", VERMILION, "s", "--", "////"),
}


def scopes(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The performance in each scope, by the scope's name for people."""
    return {
        "All narratives": metrics["overall"],
        "CME": metrics["by_type"]["cme"],
        "LE": metrics["by_type"]["le"],
        "Incidents": metrics["incident"],
    }


def detection_rates(metrics: dict[str, Any]) -> Drawing:
    """Detected shares with their intervals, and the labelled shares beside them."""
    rated = {name: scope for name, scope in scopes(metrics).items() if scope["detection_rate"] is not None}
    if not rated:
        return nothing("No answers without error: no detection rate.")
    figure = blank(2.6)
    axes = figure.add_subplot()
    told: list[str] = []
    for place, (name, scope) in enumerate(rated.items()):
        rate = scope["detection_rate"]
        value, low, high = rate["value"], rate["low"], rate["high"]
        errors = [[max(value - low, 0)], [max(high - value, 0)]]
        axes.errorbar(value, place, xerr=errors, fmt="o", color=BLUE, capsize=4, label="detected" if not told else None)
        if scope["n"]:
            label = None if any("labelled" in words for words in told) else "labelled positive"
            labelled = (scope["tp"] + scope["fn"]) / scope["n"]
            axes.plot(labelled, place + 0.25, "s", color=VERMILION, markerfacecolor="white", label=label)
        told.append(
            f"{name} {100 * value:.1f}% ({100 * low:.1f} to {100 * high:.1f}) of {scope['n_answered']:,}"
            + (f", labelled positive {100 * labelled:.1f}%" if scope["n"] else "")
        )
    axes.set_yticks(range(len(rated)), [f"{name}\nn = {scope['n_answered']:,}" for name, scope in rated.items()])
    axes.set_ylim(len(rated) - 0.4, -0.5)
    axes.set_xlim(left=0)
    axes.grid(axis="x", color="#DDDDDD")
    axes.set_axisbelow(True)
    percent_axis(axes, "Share of positives, % (bars: 95% interval)")
    figure.legend(loc="outside upper right", ncols=2)
    return Drawing(figure, "; ".join(told) + ".")


def confusion_matrices(metrics: dict[str, Any]) -> Drawing:
    """A two-by-two table for each scope."""
    if not metrics["overall"]["n"]:
        return nothing(NO_LABELS)
    figure = blank(5.0)
    told = []
    for axes, (name, scope) in zip(figure.subplots(2, 2).flat, scopes(metrics).items(), strict=True):
        cells = [[("TP", scope["tp"]), ("FN", scope["fn"])], [("FP", scope["fp"]), ("TN", scope["tn"])]]
        _two_by_two(axes, cells)
        axes.set_title(f"{name}, n = {scope['n']:,}", loc="left")
        axes.set_xticks([0, 1], ["yes", "no"])
        axes.set_yticks([0, 1], ["yes", "no"])
        axes.set_xlabel("Detected by the model")
        axes.set_ylabel("Labelled positive")
        counts = ", ".join(f"{scope[cell]:,} {cell.upper()}" for cell in ("tp", "fp", "fn", "tn"))
        told.append(f"{name}: {counts}")
    return Drawing(figure, "; ".join(told) + ".")


def agreement(metrics: dict[str, Any]) -> Drawing:
    """The two-by-two table of detections in the CME and the LE narrative of the same incident."""
    found = metrics["agreement"]
    if not found["n"]:
        return nothing("No incident has both narratives answered: no agreement to show.")
    figure = blank(2.9)
    axes = figure.add_subplot()
    cells = [
        [("both positive", found["both_positive"]), ("CME only", found["cme_only"])],
        [("LE only", found["le_only"]), ("both negative", found["both_negative"])],
    ]
    _two_by_two(axes, cells)
    axes.set_xticks([0, 1], ["yes", "no"])
    axes.set_yticks([0, 1], ["yes", "no"])
    axes.set_xlabel("Detected in the LE narrative")
    axes.set_ylabel("Detected in the CME narrative")
    rate = found["agreement"]
    agreed = f"{100 * rate['value']:.1f}% of {found['n']:,} incidents agree"
    axes.set_title(f"{agreed} ({100 * rate['low']:.1f} to {100 * rate['high']:.1f})", loc="left")
    counts = ", ".join(f"{count:,} {name}" for row in cells for name, count in row)
    return Drawing(figure, f"{agreed}: {counts}.")


def reliability(metrics: dict[str, Any]) -> Drawing:
    """Shares of positive labels over the probabilities given, and how many narratives each stands for."""
    fits = _fits(metrics)
    if not fits:
        return nothing("No labelled answers with a probability: no reliability to show.")
    figure = blank(4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.plot([0, 1], [0, 1], ":", color=GREY, label="as stated")
    told = []
    for number, (kind, fit) in enumerate(fits.items()):
        name, colour, marker, line, hatch = _PROBABILITIES[kind]
        bins = fit["reliability"]
        at = [each["mean_probability"] for each in bins]
        shares = [each["positive"]["value"] for each in bins]
        errors = [
            [max(each["positive"]["value"] - each["positive"]["low"], 0) for each in bins],
            [max(each["positive"]["high"] - each["positive"]["value"], 0) for each in bins],
        ]
        above.errorbar(at, shares, yerr=errors, fmt=marker, linestyle=line, color=colour, capsize=3, label=name)
        width = 0.09 / len(fits)
        below.bar(
            [each["from"] + 0.005 + number * width for each in bins],
            [each["n"] for each in bins],
            width=width,
            align="edge",
            color="white" if hatch else colour,
            edgecolor=colour,
            hatch=hatch,
        )
        told.append(
            f"{name}: "
            + ", ".join(
                f"at {at:.2f} {100 * share:.0f}% of {each['n']:,}"
                for at, share, each in zip(at, shares, bins, strict=True)
            )
        )
    above.set(xlim=(0, 1), ylim=(-0.03, 1.03), ylabel="Share labelled positive")
    above.legend(loc="upper left")
    below.set(xlabel="Probability of a positive, according to the model", ylabel="Narratives")
    return Drawing(figure, "Share labelled positive by " + "; by ".join(told) + ".")


def roc_precision_recall(metrics: dict[str, Any]) -> Drawing:
    """Both curves, with the model's own yes or no as a point."""
    fits = {kind: fit for kind, fit in _fits(metrics).items() if fit["roc_curve"]}
    if not fits:
        return nothing("No probabilities with labels of both kinds: no curves to show.")
    overall = metrics["overall"]
    figure = blank(3.3)
    roc, precision_recall = figure.subplots(1, 2)
    told = []
    for kind, fit in fits.items():
        name, colour, _, line, _ = _PROBABILITIES[kind]
        curve, other = fit["roc_curve"], fit["precision_recall_curve"]
        roc.plot(
            [point["false_positive_rate"] for point in curve],
            [point["recall"] for point in curve],
            linestyle=line,
            color=colour,
            label=f"{name}: {fit['roc_auc']:.3f}",
        )
        precision_recall.plot(
            [point["recall"] for point in other],
            [point["precision"] for point in other],
            linestyle=line,
            color=colour,
            label=f"{name}: {fit['average_precision']:.3f}",
        )
        told.append(f"{name}: area under ROC {fit['roc_auc']:.3f}, average precision {fit['average_precision']:.3f}")
    roc.plot([0, 1], [0, 1], ":", color=GREY)
    precision_recall.axhline((overall["tp"] + overall["fn"]) / overall["n"], linestyle=":", color=GREY)
    if overall["recall"] and overall["specificity"]:
        roc.plot(1 - overall["specificity"]["value"], overall["recall"]["value"], "*", color=BLACK, markersize=11)
    if overall["recall"] and overall["precision"]:
        precision_recall.plot(
            overall["recall"]["value"], overall["precision"]["value"], "*", color=BLACK, markersize=11
        )
    limits = (-0.03, 1.03)
    roc.set(xlim=limits, ylim=limits, xlabel="False positive rate", ylabel="Recall", aspect="equal")
    precision_recall.set(xlim=limits, ylim=limits, xlabel="Recall", ylabel="Precision", aspect="equal")
    roc.legend(loc="lower right", title="Area under the curve", fontsize=7.5, title_fontsize=7.5)
    precision_recall.legend(loc="lower left", title="Average precision", fontsize=7.5, title_fontsize=7.5)
    return Drawing(figure, "; ".join(told) + ".")


def _fits(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    fits = metrics["calibration"] or {}
    return {kind: fits[kind] for kind in _PROBABILITIES if fits.get(kind)}


def _two_by_two(axes: Axes, cells: list[list[tuple[str, int]]]) -> None:
    """A table of named counts; what lies off the diagonal is hatched."""
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
            share = f"\n{100 * count / whole:.1f}%" if whole else ""
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
