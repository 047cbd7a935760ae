"""The values and labels of an experiment's variables, narrative by narrative and incident by incident."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from narrative_runs.codebook.variables import DETECTED, Codebook, Text, missing_column
from narrative_runs.comparison import pairs
from narrative_runs.comparison.codebooks import with_answers_to_compare
from narrative_runs.findings.by_variable.labels import labels_of_the_record
from narrative_runs.findings.by_variable.units import Units, VariableLabels, units_of
from narrative_runs.finished import Finished


@dataclass(frozen=True)
class CodedExperiment:
    """The variables of one experiment, without texts.

    table: one row a narrative, in the order of `row_num`, with `incident_id`, `narrative_type` and `narrative_text`;
    narratives: by variable its units, one a row of the table; incidents: one an incident, in the order of their ids.
    """

    table: pd.DataFrame
    codebook: Codebook
    narratives: Mapping[str, Units]
    incidents: Mapping[str, Units]


def columns(codebook: Codebook) -> Sequence[str]:
    """The columns of the results that a comparison needs."""
    if codebook.fits_the_record:
        return (*pairs.COLUMNS, "row_num", "manual_flag")
    named = [name for name, variable in codebook.variables.items() if not isinstance(variable, Text)]
    return tuple(dict.fromkeys([*pairs.COLUMNS, "row_num", *named, *map(missing_column, named)]))


def coded_experiment(experiment: Finished, first: Codebook) -> CodedExperiment | None:
    """The values of an experiment, read with the columns that `columns` gives and with its labels; None where all of
    its variables are texts.

    In: first: the codebook of the experiment that it is compared with, whose order of values counts. An experiment
    without a codebook has the variable `detected`, and the labels of the workbook's layout.

    Raises ValueError where a text is none of its variable's values.
    """
    return coded_results(experiment.results, experiment.codebook, experiment.labels, first)


def coded_results(
    results: pd.DataFrame,
    codebook: Codebook,
    labels: Mapping[str, VariableLabels],
    first: Codebook,
    unasked: Collection[str] = (),
) -> CodedExperiment | None:
    """The same for a table of results, with the labels of the variables of its codebook; unasked: incidents with a
    narrative that is not in the table."""
    compared = with_answers_to_compare(codebook, first)
    if compared is None:
        return None
    in_order = np.argsort(results["row_num"].to_numpy(), kind="stable")
    table = results.iloc[in_order].reset_index(drop=True)
    if codebook.fits_the_record:
        is_error = table["error_occurred"].fillna(True).astype(bool) | table[DETECTED].isna()
        missing = pd.Series("error", index=table.index, dtype="string").where(is_error)
        table = table.assign(**{missing_column(DETECTED): missing})
        labels = {DETECTED: labels_of_the_record(table)}
    else:
        labels = {
            name: VariableLabels(each.narrative.iloc[in_order].reset_index(drop=True), each.incident, each.inconsistent)
            for name, each in labels.items()
        }
    narratives, incidents = units_of(table, compared, labels, unasked)
    return CodedExperiment(table, compared, narratives, incidents)
