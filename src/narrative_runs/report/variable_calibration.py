"""Whether the probabilities of a variable's answers can be believed, in words."""

from collections.abc import Mapping
from typing import Any

from narrative_runs.codebook.variables import confidence_key, probability_column
from narrative_runs.findings.suppression import MASKED
from narrative_runs.report.cells import Table, count, number, rate, threshold

_SCORES = ("brier", "roc_auc", "average_precision")


def calibration_tables(name: str, of_variable: Mapping[str, Any]) -> list[Table]:
    """The scores of confidence and token probability; the reliability of each; and of a binary variable the thresholds
    for recall. None where no labelled answer has a probability.

    In: the variable's name, and what `measure_variables` gives of it. Where single points would reveal counts, there
    are only scores.
    """
    fits, is_binary = of_variable.get("calibration"), of_variable["type"] == "binary"
    titles = {
        "confidence": f"Stated confidence ({confidence_key(name)})",
        "probability": f"Token probability ({probability_column(name)})",
    }
    if fits is None:
        return []
    if fits == MASKED:
        return [_scores(is_binary, {"Any probability": MASKED})]
    known = {titles[kind]: fit for kind, fit in fits.items() if fit is not None}
    with_points = {title: fit for title, fit in known.items() if isinstance(fit, dict)}
    return [
        _scores(is_binary, known),
        *(
            _reliability(is_binary, title, fit["reliability"])
            for title, fit in with_points.items()
            if isinstance(fit.get("reliability"), list)
        ),
        *(
            _thresholds(title, fit["thresholds_for_recall"])
            for title, fit in with_points.items()
            if isinstance(fit.get("thresholds_for_recall"), list)
        ),
    ]


def _scores(is_binary: bool, fits: Mapping[str, Mapping[str, Any] | str]) -> Table:
    of_what = "of yes" if is_binary else "that the answer is right"
    return Table(
        f"How far probabilities {of_what} can be believed: Brier score 0 (best) to 1, areas 1 (best)",
        ["Probability", "Narratives", "Brier score", "Area under ROC", "Average precision"],
        [[title, *_score_cells(fit)] for title, fit in fits.items()],
    )


def _score_cells(fit: Mapping[str, Any] | str) -> list[str]:
    if isinstance(fit, str):
        return [fit] * (1 + len(_SCORES))
    return [count(fit["n"]), *(number(fit[score]) for score in _SCORES)]


def _reliability(is_binary: bool, title: str, bins: list[Mapping[str, Any]]) -> Table:
    key, share = ("positive", "Share labelled yes") if is_binary else ("right", "Share right")
    return Table(
        f"{title}: what was said, and how often it held",
        ["Probability", "Mean", "Narratives", share],
        [
            [
                f"{number(each['from'])} to {number(each['to'])}",
                number(each["mean_probability"]),
                count(each["n"]),
                rate(each[key]),
            ]
            for each in bins
        ],
    )


def _thresholds(title: str, rows: list[Mapping[str, Any]]) -> Table:
    return Table(
        f"{title}: the highest threshold that still reaches a wanted recall",
        ["Recall wanted", "Threshold"],
        [[number(row["recall"]), threshold(row["threshold"])] for row in rows],
    )
