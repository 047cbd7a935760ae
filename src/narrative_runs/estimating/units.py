"""All units of one level, incidents or narratives, as the statistics take them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.codebook.texts import written
from narrative_runs.codebook.variables import Binary, Number, Variable, missing_column
from narrative_runs.estimates.population import Codes, Mask, Numbers, Population
from narrative_runs.estimating.sampling import LABELS, Sampling, labelled
from narrative_runs.findings.answers_by_variable import is_error
from narrative_runs.findings.by_variable.outcomes import ERROR, UNASKED
from narrative_runs.findings.estimates_file import INCIDENT, NARRATIVE
from narrative_runs.reviews.experiment_read import ToReview
from narrative_runs.reviews.reviewed import Reviewed, base_stratum

LEVELS = (INCIDENT, NARRATIVE)


@dataclass(frozen=True)
class Units:
    """One variable in all incidents, or in all narratives; arrays of shape (units,).

    incident: the number of each unit's incident; predicted: the model's value, None without one; truth: people's value,
    None where the text does not say, or where it is not known; is_known: whether it counts; stratum: from which the
    incident was drawn; is_error, is_unasked: why there is no answer; group: of each unit in a column, None where its
    narratives are in several, by the column.
    """

    incident: Codes
    predicted: NDArray[np.object_]
    truth: NDArray[np.object_]
    is_known: Mask
    stratum: NDArray[np.object_]
    is_error: Mask
    is_unasked: Mask
    group: dict[str, NDArray[np.object_]]

    def at(self, rows: Mask) -> "Units":
        """The units of these rows."""
        return Units(
            self.incident[rows],
            self.predicted[rows],
            self.truth[rows],
            self.is_known[rows],
            self.stratum[rows],
            self.is_error[rows],
            self.is_unasked[rows],
            {column: groups[rows] for column, groups in self.group.items()},
        )


def values_of(variable: Variable) -> tuple[str, ...]:
    """The values of which each has a prevalence of its own; none of a binary variable and of a number."""
    return () if isinstance(variable, Binary | Number) else variable.value_names


def population(units: Units, value: str | None) -> Population:
    """The units as one finding that is present or absent. value: which of the values is the finding, None for a binary
    variable's yes.

    Where the text does not say, the finding counts as absent.
    """
    wanted = "yes" if value is None else value

    def is_it(given: Any) -> float:
        return float(written(given) == wanted)

    predicted = [np.nan if given is None else is_it(given) for given in units.predicted]
    truth = [is_it(given) if is_known else np.nan for given, is_known in zip(units.truth, units.is_known, strict=True)]
    return Population(units.incident, _array(predicted), _array(truth), units.stratum)


def numbers(units: Units) -> Population:
    """The units with the number of each; NaN where the model gave none, and where no number is known."""
    predicted = [np.nan if given is None else float(given) for given in units.predicted]
    truth = [
        float(given) if is_known and given is not None else np.nan
        for given, is_known in zip(units.truth, units.is_known, strict=True)
    ]
    return Population(units.incident, _array(predicted), _array(truth), units.stratum, is_number=True)


def units_by_level(read: ToReview, reviewed: Reviewed, sampling: Sampling, grouped: pd.DataFrame) -> dict[str, Units]:
    """The units of both levels.

    In: the experiment as it was read; the reviews of the variable; how truths were chosen; grouped: by `row_num` the
    group of each narrative, in each column.
    """
    incidents, narratives = reviewed.incidents, reviewed.narratives
    number_of = pd.Series(np.arange(len(incidents)), incidents.index)
    of_narratives = number_of.reindex(narratives["incident_id"]).to_numpy(np.int64)
    if sampling.source == LABELS:
        known = {
            INCIDENT: labelled(read.population.incidents),
            NARRATIVE: labelled(read.population.narratives),
        }
        if sampling.is_census and not known[NARRATIVE].all():
            # A part of them, of which nobody says how it was chosen; where it is assumed, that of incidents is.
            known[NARRATIVE] &= sampling.is_assumed
    else:
        # What was drawn is the incident: a narrative counts where all of its incident are reviewed.
        is_reviewed = incidents["is_reviewed"].to_numpy(bool)
        known = {INCIDENT: is_reviewed, NARRATIVE: is_reviewed[of_narratives]}
    base = base_stratum(incidents["stratum"]).to_numpy(object)
    is_unasked = ~narratives.index.isin(read.experiment.results["row_num"])
    group = {column: grouped[column].reindex(narratives.index) for column in grouped.columns}
    return {
        INCIDENT: Units(
            incident=np.arange(len(incidents), dtype=np.int64),
            predicted=_objects(incidents["predicted"]),
            truth=_objects(incidents["truth"]),
            is_known=known[INCIDENT],
            stratum=incidents["stratum"].to_numpy(object),
            is_error=base == ERROR,
            is_unasked=base == UNASKED,
            group={column: _of_incidents(groups, of_narratives, len(incidents)) for column, groups in group.items()},
        ),
        NARRATIVE: Units(
            incident=of_narratives,
            predicted=_objects(narratives["predicted"]),
            truth=_objects(narratives["truth"]),
            is_known=known[NARRATIVE],
            stratum=narratives["stratum"].to_numpy(object),
            is_error=_failed(read, narratives) & ~is_unasked,
            is_unasked=is_unasked,
            group={column: _objects(groups) for column, groups in group.items()},
        ),
    }


def _failed(read: ToReview, narratives: pd.DataFrame) -> Mask:
    """Whether the answer on a narrative is an error."""
    results, column = read.experiment.results, missing_column(read.name)
    if column not in results:
        return np.array([value is None for value in narratives["predicted"]], dtype=np.bool_)
    is_failed = is_error(results[column]).set_axis(results["row_num"])
    return is_failed.reindex(narratives.index, fill_value=False).to_numpy(bool)


def _of_incidents(group: pd.Series, incident: Codes, n_incidents: int) -> NDArray[np.object_]:
    grouped = group.groupby(incident)
    one = grouped.first().where(grouped.nunique() == 1)
    return _objects(one.reindex(range(n_incidents)))


def _objects(column: pd.Series) -> NDArray[np.object_]:
    values = column.astype(object)
    return np.asarray(values.where(values.notna(), None).to_numpy(object))


def _array(values: list[float]) -> Numbers:
    return np.array(values, dtype=np.float64)
