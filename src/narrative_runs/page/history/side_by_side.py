"""Experiments side by side, as far as their files and the record say without computing: params, prompts, metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from narrative_runs.comparison.metrics_beside import RATES, metrics_beside
from narrative_runs.comparison.params_apart import ParamApart, as_text, is_long, params_apart
from narrative_runs.comparison.titles import scope_title
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.suppression import counted
from narrative_runs.page.addresses import address_of
from narrative_runs.page.history.text_differences import Line, differences
from narrative_runs.page.narrative_links import INCIDENT, NarrativeLinks
from narrative_runs.page.tables import Cell, Table, count_cell
from narrative_runs.paths import ExperimentFolder
from narrative_runs.report.cells import rate
from narrative_runs.report.measures import RATES as TITLES

_COUNTS = {
    "n": "Labelled",
    "n_answered": "Answered",
    "tp": "True positives",
    "fp": "False positives",
    "fn": "False negatives",
    "tn": "True negatives",
}
_CELLS = ("tp", "fp", "fn", "tn")


@dataclass(frozen=True)
class Side:
    """One experiment, or a snapshot of one, that is compared.

    letter: by which tables call it; which: the slug or id; snapshot: the name of one, else empty; name: of the
    experiment; folder: its own, None where it has none; state: its params; metrics: what may be published of its
    metrics, None where there are none, or where those of a snapshot are yet to be derived; below: the limit below which
    counts are masked; has_findings: whether it can be compared narrative by narrative.
    """

    letter: str
    which: str
    snapshot: str
    name: str
    folder: ExperimentFolder | None
    state: ExperimentState
    metrics: Mapping[str, Any] | None
    below: int
    has_findings: bool

    @property
    def label(self) -> str:
        """Its name in `narrative-runs compare`."""
        return f"{self.which}@{self.snapshot}" if self.snapshot else self.which

    @property
    def title(self) -> str:
        """Its name in the heads of columns."""
        return f"{self.letter}: {self.label}"

    @property
    def links(self) -> NarrativeLinks | None:
        """The links to its narratives; None for a snapshot, whose answers differ from today's."""
        return None if self.snapshot else NarrativeLinks(self.which)


class TextApart(NamedTuple):
    """Where a long param differs from that of the first experiment: its key, the other experiment, and the lines."""

    key: str
    other: Side
    lines: list[Line]


def experiments_table(sides: Sequence[Side]) -> Table:
    """The experiments by letter; each letter leads to the same comparison with that experiment as the first."""

    def number(side: Side, key: str) -> str:
        return "–" if side.metrics is None else counted(side.metrics[key])

    def as_the_first(side: Side) -> str:
        others: list[str] = [each.label for each in sides if each is not side]
        filters: dict[str, str | list[str]] = {"with": [side.label, *others]}
        return address_of("history", "", **filters)

    rows = [
        [
            Cell(side.letter, "" if side is sides[0] else as_the_first(side), f"compare the others with {side.label}"),
            Cell(side.label),
            Cell(side.name),
            Cell(str(side.state.params.get("model", {}).get("name") or "–")),
            Cell(number(side, "n_processed")),
            Cell(number(side, "n_errors")),
        ]
        for side in sides
    ]
    return Table("Experiments", ["", "Experiment", "Name", "Model", "Narratives", "Errors"], rows, has_words=True)


def params_of(sides: Sequence[Side]) -> tuple[Table | None, list[TextApart]]:
    """The params that differ, the frozen ones first, and where long ones do; None and nothing where none differs."""
    apart = params_apart([side.state for side in sides])
    if not apart:
        return None, []
    rows = [
        [Cell(row.key), Cell("frozen" if row.is_frozen else "free"), *(_value(row, value) for value in row.values)]
        for row in apart
    ]
    table = Table("Params that differ", ["Param", "", *(side.title for side in sides)], rows, has_words=True)
    texts = [
        TextApart(row.key, side, lines)
        for row in filter(is_long, apart)
        for side, value in zip(sides[1:], row.values[1:], strict=True)
        if (lines := differences(in_lines(row.values[0]), in_lines(value)))
    ]
    return table, texts


def in_lines(value: Any) -> str:
    """A param as a params file would show it: a text as it is, all else as YAML."""
    if value is None or isinstance(value, str):
        return value or ""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _value(row: ParamApart, value: Any) -> Cell:
    return Cell("see below" if is_long(row) else as_text(value) or "–")


def metric_tables(sides: Sequence[Side]) -> list[Table]:
    """The metrics beside each other, a table for each scope, with intervals; none where no experiment has any."""
    measured = [side.metrics for side in sides if side.metrics is not None]
    if not measured:
        return []
    beside = metrics_beside([dict(metrics) for metrics in measured])
    tables = []
    for scope in dict.fromkeys(row.scope for row in beside):
        rows = []
        for row in beside:
            if row.scope == scope:
                values = iter(row.values)
                cells = [
                    Cell("–") if side.metrics is None else _metric(side, scope, row.metric, next(values))
                    for side in sides
                ]
                title = TITLES[row.metric][0] if row.metric in RATES else _COUNTS[row.metric]
                rows.append([Cell(title), *cells])
        name = scope_title(scope)
        tables.append(Table(f"{name[0].upper()}{name[1:]}", ["Metric", *(side.title for side in sides)], rows))
    return tables


def _metric(side: Side, scope: str, metric: str, value: Any) -> Cell:
    if metric in RATES:
        return Cell(rate(value))
    if metric not in _CELLS or side.links is None:
        return count_cell(value, "")
    filters = {"overall": {}, "incident": {"level": INCIDENT}}.get(scope, {"type": scope})
    return count_cell(value, side.links.of(metric, **filters), f"{_COUNTS[metric].lower()}, {side.title}")
