"""A finished experiment, as reviews need it: the population to draw from, by the present answers."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from narrative_runs import finished
from narrative_runs.codebook.result_columns import columns_beside
from narrative_runs.codebook.variables import Codebook, Variable
from narrative_runs.errors import ExperimentError, FindingsError
from narrative_runs.findings.by_variable.labels import (
    as_yes_no,
    labels_to_measure,
    own_labels_of_incidents,
    read_labels,
)
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.excel import REVIEWED
from narrative_runs.finished import Finished
from narrative_runs.paths import ExperimentFolder
from narrative_runs.reviews.population import Population, population_of
from narrative_runs.variable_outcomes import variable_in

_KEYS = ["row_num", "incident_id", "narrative_type"]


class ToReview(NamedTuple):
    """A finished experiment, and all incidents of its workbook by one variable."""

    experiment: Finished
    name: str
    variable: Variable
    population: Population


def read(which: str, variable: str = "", others: list[str] | None = None, is_whole: bool = False) -> ToReview:
    """The experiment (slug, id, or empty for the one started last), and its population by a variable, the first binary
    one where none is named.

    others: the workbook's other columns to be read too; None for all; is_whole: with all columns of the results that a
    coder may see, texts among them.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there are no findings, or no such columns or variable.
    """
    columns = _columns_to_show if is_whole else _columns_to_compare
    experiment = finished.read(which, columns, others)
    codebook, folder = experiment.codebook, experiment.folder
    name = variable or codebook.first_binary or ""
    if not name:
        raise FindingsError(
            "This codebook has no binary variable. Name the variable that is reviewed: "
            f"--variable {' or '.join(codebook.names)}."
        )
    variable_in(codebook, name)
    results = experiment.results.sort_values("row_num", ignore_index=True)
    try:
        labels = labels_of(folder, codebook, results)
        keys = pd.concat([pq.read_table(path, columns=_KEYS).to_pandas() for path in _shards(folder)])
    except FileNotFoundError as error:
        raise ExperimentError(
            f"{error.filename or error} is missing. Start the run of {folder.slug} again: it is made anew, "
            "and nothing is asked."
        ) from None
    keys = keys.astype({"incident_id": "string", "narrative_type": "string"})
    return ToReview(experiment, name, codebook.variables[name], population_of(name, codebook, results, labels, keys))


def labels_of(folder: ExperimentFolder, codebook: Codebook, results: pd.DataFrame) -> dict[str, VariableLabels]:
    """The labels of the workbook by variable, also of an experiment without a codebook.

    Raises:
        FileNotFoundError: what was read of the workbook is not there.
    """
    if not codebook.fits_the_record:
        return labels_to_measure(read_labels(folder, codebook, results), folder, codebook, results)
    if codebook.first_binary is None:
        return {}
    return {
        codebook.first_binary: VariableLabels(as_yes_no(results["manual_flag_ind"]), *own_labels_of_incidents(folder))
    }


def _shards(folder: ExperimentFolder) -> list[Path]:
    paths = sorted(folder.narratives.glob("*-of-*.parquet"))
    if not paths:
        raise FileNotFoundError(2, "No such file or directory", str(folder.narratives))
    return paths


def _columns_to_compare(codebook: Codebook) -> list[str]:
    beside = [column.name for column in columns_beside(codebook)]
    return list(dict.fromkeys([*_KEYS, "manual_flag_ind", *codebook.names, *beside]))


def _columns_to_show(codebook: Codebook) -> list[str]:
    return list(dict.fromkeys([*_columns_to_compare(codebook), *REVIEWED]))
