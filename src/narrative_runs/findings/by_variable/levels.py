"""The measures of one variable over narratives and over incidents: all of them, or those of a type or a group."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.codebook.variables import Binary, Multi, Number, Ordinal, Quote, Text, Variable
from narrative_runs.findings.by_variable.coding import Mask
from narrative_runs.findings.by_variable.listed import measure_category, measure_ordinal
from narrative_runs.findings.by_variable.number import measure_number
from narrative_runs.findings.by_variable.passages import Passages
from narrative_runs.findings.by_variable.several import measure_multi
from narrative_runs.findings.by_variable.units import Units
from narrative_runs.findings.intervals import interval
from narrative_runs.findings.performance import per_incident, performance


@dataclass(frozen=True)
class Levels:
    """One variable at its two levels.

    passages: of a quote; seed: that of the bootstrap. Texts have no measures, and quotes none of incidents.
    """

    variable: Variable
    narratives: Units
    incidents: Units
    passages: Passages | None
    seed: int

    def of_narratives(self, rows: Mask | None = None, is_brief: bool = False) -> dict[str, Any] | None:
        """The measures of all narratives, or of these; is_brief: the main measures alone."""
        if isinstance(self.variable, Text):
            return None
        chosen = self.narratives if rows is None else self.narratives.at(rows)
        if self.passages is not None:
            everywhere = np.ones(len(self.narratives.status), dtype=np.bool_)
            rows = everywhere if rows is None else rows
            return {**chosen.sizes(), **self.passages.measure(self.narratives, rows, self.seed)}
        return _measure(self.variable, chosen, self.seed, is_brief)

    def of_incidents(self, rows: Mask | None = None, is_brief: bool = False) -> dict[str, Any] | None:
        """The same measures of incidents."""
        if isinstance(self.variable, Quote | Text):
            return None
        chosen = self.incidents if rows is None else self.incidents.at(rows)
        return _measure(self.variable, chosen, self.seed, is_brief)


def _measure(variable: Variable, units: Units, seed: int, is_brief: bool) -> dict[str, Any]:
    match variable:
        case Binary():
            return _measure_binary(units, seed)
        case Ordinal():
            measures = measure_ordinal(variable, units, seed, is_brief)
        case Multi():
            measures = measure_multi(variable, units, seed, is_brief)
        case Number():
            measures = measure_number(variable, units, seed, is_brief)
        case _:
            measures = measure_category(variable, units, seed, is_brief)
    return {**units.sizes(), **measures}


def _measure_binary(units: Units, seed: int) -> dict[str, Any]:
    """What `performance` gives; the detection rates are over the rows with a value."""
    counted = units.is_answered | units.is_passed_over
    detected = units.answer.values & units.is_answered
    label = np.where(units.label.is_given, units.label.values, np.nan)
    rows = pd.DataFrame({"incident_id": units.incident, "detected": detected, "label": label})
    sizes = units.sizes()
    n_errors, n_answered = sizes["n_errors"], sizes["n_answered"]
    measured = {**sizes, **performance(rows[counted], seed, n_errors), "n_answered": n_answered}
    if sizes["n_not_asked_by_model"]:
        answered, whole = rows[units.is_answered], n_answered + n_errors
        n_detected = int(answered["detected"].sum())
        measured["detection_rate"] = interval(per_incident(answered["incident_id"], answered["detected"]))
        measured["detection_rate_if_errors_negative"] = n_detected / whole if n_errors else None
        measured["detection_rate_if_errors_positive"] = (n_detected + n_errors) / whole if n_errors else None
    return measured
