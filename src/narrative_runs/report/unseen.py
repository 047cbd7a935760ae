"""How many narratives were seen while the prompt was chosen, and the measures without them, as the page shows them.

In: what may be published of metrics.json. Nothing is computed that is not in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from narrative_runs.findings.by_variable.main_measure import main_rate
from narrative_runs.findings.rounding import count_of
from narrative_runs.findings.suppression import MASKED
from narrative_runs.report.cells import Table, count, rate
from narrative_runs.report.measures import RATES, TITLES

_CELLS = ("tp", "fp", "fn", "tn")


class UnseenShown(NamedTuple):
    """The section: its sentences, and its tables, none where small counts are masked."""

    sentences: list[str]
    tables: list[Table]


def unseen_shown(metrics: Mapping[str, Any]) -> UnseenShown | None:
    """What the page says about seen narratives; None where there are none."""
    unseen = metrics.get("unseen")
    if unseen is None:
        return None
    about = (
        "A prompt that was chosen on some narratives does better on them than on new ones. So each incident of which a "
        "narrative was seen is left out, with all its narratives: they are about the same death."
    )
    if unseen == MASKED:
        masked = (
            "Before the first answer, narratives of this workbook had been seen: `narrative-runs preflight` showed "
            "them, or `narrative-runs try` asked about them. How many, and the measures without them, are left out: "
            "beside the others they would reveal small counts. `metrics.json` has them, under `unseen`."
        )
        return UnseenShown([masked], [])
    seen = (
        f"Before the first answer, {count_of(unseen['n_seen_narratives'], 'narrative')} of "
        f"{count_of(unseen['n_seen_incidents'], 'incident')} had been seen: `narrative-runs preflight` showed them, "
        "or `narrative-runs try` asked about them."
    )
    tables = [Table("Detections against manual labels, with and without them", *_detections(metrics, unseen))]
    if "variables" in unseen:
        rows = list(_variables(metrics["variables"], unseen["variables"]))
        tables.append(Table("Variables, with and without them", ["Variable", "Measure", "All", "Unseen"], rows))
    return UnseenShown([seen, about], tables)


def _detections(metrics: Mapping[str, Any], unseen: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    scopes = [whole[level] for level in ("overall", "incident") for whole in (metrics, unseen)]
    rows = [
        ["Labelled, of all answered", *(f"{count(scope['n'])} of {count(scope['n_answered'])}" for scope in scopes)],
        *([cell.upper(), *(count(scope[cell]) for scope in scopes)] for cell in _CELLS),
        *([title, *(rate(scope[key]) for scope in scopes)] for key, (title, _) in RATES.items()),
    ]
    return ["Metric", "All narratives", "Unseen narratives", "Incidents", "Unseen incidents"], rows


def _variables(measured: Mapping[str, Any], unseen: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, of_variable in measured.items():
        if (main := main_rate(of_variable)) is not None:
            level = " (incidents)" if main.level == "incident" else ""
            without = unseen[name][main.level][main.measure]
            yield [name, TITLES[main.measure] + level, rate(main.rate), rate(without)]
