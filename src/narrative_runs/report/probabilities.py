"""The figures of probabilities: in, the content of metrics.json; out, drawings."""

from typing import Any

from narrative_runs.findings.rounding import percent, shown
from narrative_runs.findings.suppression import MASKED
from narrative_runs.report.canvas import BLACK, BLUE, GREY, LEFT_OUT, VERMILION, Drawing, blank, nothing

_PROBABILITIES = {
    "confidence": ("stated confidence", BLUE, "o", "-", ""),
    "p_detected": ("token probability", VERMILION, "s", "--", "////"),
}


def reliability(metrics: dict[str, Any]) -> Drawing:
    """Shares of positive labels over the probabilities given, and how many narratives each stands for."""
    fits = {kind: fit for kind, fit in _fits(metrics).items() if "reliability" in fit}
    if not fits and _is_masked(metrics):
        return nothing(LEFT_OUT)
    if not fits:
        return nothing("No labelled answers with a probability: no reliability to show.")
    figure = blank(4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.plot([0, 1], [0, 1], ":", color=GREY, label="as stated")
    descriptions = []
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
        descriptions.append(
            f"{name}: "
            + ", ".join(
                f"at {at:.2f} {percent(share, 0)} of {each['n']:,}"
                for at, share, each in zip(at, shares, bins, strict=True)
            )
        )
    above.set(xlim=(0, 1), ylim=(-0.03, 1.03), ylabel="Share labelled positive")
    above.legend(loc="upper left")
    below.set(xlabel="Probability of a positive, according to the model", ylabel="Narratives")
    return Drawing(figure, "Share labelled positive by " + "; by ".join(descriptions) + ".")


def roc_precision_recall(metrics: dict[str, Any]) -> Drawing:
    """Both curves, with the model's own yes or no as a point."""
    fits = {kind: fit for kind, fit in _fits(metrics).items() if fit.get("roc_curve")}
    if not fits and _is_masked(metrics):
        return nothing(LEFT_OUT)
    if not fits:
        return nothing("No probabilities with labels of both kinds: no curves to show.")
    overall = metrics["overall"]
    figure = blank(3.3)
    roc, precision_recall = figure.subplots(1, 2)
    descriptions = []
    for kind, fit in fits.items():
        name, colour, _, line, _ = _PROBABILITIES[kind]
        curve, other = fit["roc_curve"], fit["precision_recall_curve"]
        roc.plot(
            [point["false_positive_rate"] for point in curve],
            [point["recall"] for point in curve],
            linestyle=line,
            color=colour,
            label=f"{name}, n = {fit['n']:,}: {shown(fit['roc_auc'], 3)}",
        )
        precision_recall.plot(
            [point["recall"] for point in other],
            [point["precision"] for point in other],
            linestyle=line,
            color=colour,
            label=f"{name}: {shown(fit['average_precision'], 3)}",
        )
        descriptions.append(
            f"{name}, {fit['n']:,} narratives: area under ROC {shown(fit['roc_auc'], 3)}, "
            f"average precision {shown(fit['average_precision'], 3)}"
        )
    roc.plot([0, 1], [0, 1], ":", color=GREY)
    # Of the answers without a probability the model's own yes or no may be another one.
    own = f"its yes or no, n = {overall['n']:,}"
    precision_recall.axhline((overall["tp"] + overall["fn"]) / overall["n"], linestyle=":", color=GREY)
    if overall["recall"] and overall["specificity"]:
        roc.plot(
            1 - overall["specificity"]["value"], overall["recall"]["value"], "*", color=BLACK, markersize=11, label=own
        )
    if overall["recall"] and overall["precision"]:
        precision_recall.plot(
            overall["recall"]["value"], overall["precision"]["value"], "*", color=BLACK, markersize=11
        )
    limits = (-0.03, 1.03)
    roc.set(xlim=limits, ylim=limits, xlabel="False positive rate", ylabel="Recall", aspect="equal")
    precision_recall.set(xlim=limits, ylim=limits, xlabel="Recall", ylabel="Precision", aspect="equal")
    roc.legend(loc="lower right", title="Area under the curve", fontsize=7.5, title_fontsize=7.5)
    precision_recall.legend(loc="lower left", title="Average precision", fontsize=7.5, title_fontsize=7.5)
    return Drawing(figure, "; ".join(descriptions) + ".")


def _is_masked(metrics: dict[str, Any]) -> bool:
    """Whether there are curves that may not be shown."""
    return metrics["overall"]["tp"] == MASKED or any("reliability" not in fit for fit in _fits(metrics).values())


def _fits(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    fits = metrics["calibration"] or {}
    return {kind: fits[kind] for kind in _PROBABILITIES if fits.get(kind)}
