"""The measures of variables in several experiments side by side, as metrics.json has them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from narrative_runs.codebook.variables import DETECTED
from narrative_runs.comparison.variable_pairs import INCIDENT, NARRATIVE
from narrative_runs.findings.by_variable.main_measure import main_measure
from narrative_runs.report.measures import TITLES

COUNTS = {"n": "labelled", "n_errors": "errors", "n_unclear": "unclear"}


class MeasureBeside(NamedTuple):
    """One measure of a variable in each experiment: a count, a rate with its interval, or None where it is undefined;
    level: narrative or incident."""

    variable: str
    level: str
    measure: str
    values: tuple[Any, ...]


def measured_variables(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The measures by variable, from the content of metrics.json; without a codebook only `detected`."""
    of_detected = {"type": "binary", NARRATIVE: metrics["overall"], INCIDENT: metrics["incident"]}
    measured: dict[str, Any] = metrics.get("variables", {DETECTED: of_detected})
    return measured


def variables_beside(names: Iterable[str], measured: Sequence[Mapping[str, Any]]) -> list[MeasureBeside]:
    """The measures of these variables: counts first, then the measure that stands for the type, then all others that
    any experiment has.

    In: by experiment the result of `measured_variables`, only of those variables that are compared; the first of the
    experiments that has a variable gives its type.
    """
    return [
        row
        for name in names
        for level in (NARRATIVE, INCIDENT)
        for row in _of_level(name, level, [experiment.get(name) for experiment in measured])
    ]


def _of_level(name: str, level: str, experiments: Sequence[Mapping[str, Any] | None]) -> list[MeasureBeside]:
    of_level = [(each or {}).get(level) or {} for each in experiments]
    main = next((main_measure(each["type"]) for each in experiments if each), None)
    measures = dict.fromkeys([*([main] if main else []), *(key for each in of_level for key in each if key in TITLES)])
    rows = [
        MeasureBeside(name, level, measure, tuple(each.get(measure) for each in of_level))
        for measure in (*COUNTS, *measures)
    ]
    return [row for row in rows if any(value is not None for value in row.values)]
