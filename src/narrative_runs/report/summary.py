"""The findings in sentences that can be quoted."""

from typing import Any

from narrative_runs.findings.suppression import MASKED, counted
from narrative_runs.report.cells import rate
from narrative_runs.report.header import ReportHeader


def summary(header: ReportHeader, metrics: dict[str, Any], models: list[tuple[str, int]]) -> list[str]:
    """The sentences, in their order.

    In: metrics: what may be published of metrics.json; models: as they named themselves, the most frequent first.
    """
    overall, incident = metrics["overall"], metrics["incident"]
    model = models[0][0] if models else header.params["model"]["name"]
    sentences = [
        f"{model} classified {counted(overall['n_answered'])} narratives of {counted(metrics['completeness']['n'])} "
        f"incidents{_when(header)}"
        + (f"; errors, without an answer: {counted(metrics['n_errors'])}." if metrics["n_errors"] else "."),
        f"It detects a share of {rate(overall['detection_rate'])} of narratives, and of "
        f"{rate(incident['detection_rate'])} of incidents (in brackets: 95% intervals).",
    ]
    compared = [(what, scope) for what, scope in (("narratives", overall), ("incidents", incident)) if scope["n"]]
    if not compared:
        return [*sentences, "No answer has a manual label: how many of them are right is not known."]
    against = "Against manual labels: " + "; ".join(_compared(what, scope) for what, scope in compared) + "."
    return [*sentences, against, *_without_seen(metrics.get("unseen"))]


def _without_seen(unseen: dict[str, Any] | str | None) -> list[str]:
    """What is left where narratives were seen while the prompt was chosen; nothing where none was."""
    if unseen is None:
        return []
    if isinstance(unseen, str):
        return ["Some of these narratives had been seen while the prompt was chosen: how many is masked."]
    seen = f"{counted(unseen['n_seen_narratives'])} narratives had been seen while the prompt was chosen"
    compared = [(what, unseen[key]) for what, key in (("narratives", "overall"), ("incidents", "incident"))]
    against = "; ".join(_compared(what, scope) for what, scope in compared if scope["n"])
    return [f"{seen}; without their incidents, {against or 'no labelled answer is left'}."]


def _compared(what: str, scope: dict[str, Any]) -> str:
    return (
        f"of {counted(scope['n'])} labelled {what}{_positive(scope)}, recall is {rate(scope['recall'])}, precision "
        f"{rate(scope['precision'])}, and F1 {rate(scope['f1'])}"
    )


def _positive(scope: dict[str, Any]) -> str:
    if MASKED in (scope["tp"], scope["fn"]):
        return ""
    return f", {scope['tp'] + scope['fn']:,} of them positive"


def _when(header: ReportHeader) -> str:
    first, last = header.asked_from, header.asked_until
    if not first:
        return ""
    return f" on {first}" if first == last else f" from {first} to {last}"
