"""A finished experiment, read from its folder: params, metrics and results."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs import experiment
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import ExperimentError, FindingsError
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.by_variable.labels import labels_to_measure, read_labels
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.columns import other_columns, types_of
from narrative_runs.monitoring.experiments import chosen
from narrative_runs.paths import RESULTS, ExperimentFolder

Columns = Sequence[str] | Callable[[Codebook], Sequence[str]]


@dataclass(frozen=True)
class Finished:
    """An experiment with findings.

    snapshot: the name of the one whose state this is, empty for the present state; metrics: the content of
    metrics.json; results: one row a narrative, those columns of ours that were asked for, and behind them `others`, the
    workbook's other columns that were, with the types of the file; labels: of the codebook's variables that have any,
    where they were asked for.
    """

    folder: ExperimentFolder
    state: ExperimentState
    metrics: dict[str, Any]
    results: pd.DataFrame
    others: Sequence[str] = ()
    snapshot: str = ""
    labels: Mapping[str, VariableLabels] = field(default_factory=dict)

    @property
    def codebook(self) -> Codebook:
        """The codebook that was asked."""
        return experiment.codebook_of(self.state.params)

    @property
    def label(self) -> str:
        """The name shown to users, such as `ipv` or `ipv@pilot`."""
        return f"{self.folder.slug}@{self.snapshot}" if self.snapshot else self.folder.slug


def read(which: str, columns: Columns, others: Iterable[str] | None = (), with_labels: bool = False) -> Finished:
    """The experiment with this slug or id, or the one started last where `which` is empty.

    columns: those to read, or what gives them for a codebook; others: the workbook's other columns to read as well;
    None for all that there are; with_labels: whether the labels of a codebook's variables are
    needed, for which the columns must hold `row_num`, `incident_id`, `narrative_type` and `manual_flag_ind`.

    Raises:
        ExperimentError: there is none yet.
        FindingsError: there is no such experiment or column, or its findings are missing or cannot be read.
    """
    if not which:
        row = chosen("").row
        which = row["slug"] or row["experiment_id"]
    folder, state = named(which)
    return read_in(folder, state, columns, others, with_labels)


def read_in(
    folder: ExperimentFolder,
    state: ExperimentState,
    columns: Columns,
    others: Iterable[str] | None = (),
    with_labels: bool = False,
) -> Finished:
    """The same for an experiment whose findings are in this folder."""
    missing = next((path for path in (folder.result_table, folder.metrics) if not path.exists()), None)
    if missing is not None:
        raise FindingsError(
            f"{folder.slug} has no findings: {missing} is missing. "
            "They are written at the end of the run: start it again and let it finish."
        )
    try:
        metrics = json.loads(folder.metrics.read_text(encoding="utf-8"))
        codebook = experiment.codebook_of(state.params)
        ours, types = columns(codebook) if callable(columns) else columns, types_of(codebook)
        there = other_columns(pq.read_schema(folder.result_table).names, codebook)
        wanted = there if others is None else list(dict.fromkeys(others))
        unknown = [name for name in wanted if name not in there]
        table = pq.read_table(folder.result_table, columns=[*ours, *(() if unknown else wanted)]).to_pandas()
        results = table.astype({name: types[name] for name in ours})
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise FindingsError(
            f"The findings in {folder.path} cannot be read: {error}. "
            f"Delete {folder.result_table} and start its run again: they are recreated without asking the model."
        ) from None
    if len(results) != metrics["n_total"]:
        raise FindingsError(
            f"{folder.metrics} and {folder.result_table} do not come from the same merge. "
            f"Start the run of {folder.slug} again and let it finish."
        )
    if unknown:
        raise FindingsError(
            f"The results of {folder.slug} have no workbook column named {' or '.join(unknown)}. "
            + (f"There are: {', '.join(there)}." if there else "There is none.")
        )
    labels = labels_to_measure(read_labels(folder, codebook, results), folder, codebook, results) if with_labels else {}
    return Finished(folder, state, metrics, results, wanted, labels=labels)


def named(which: str) -> tuple[ExperimentFolder, ExperimentState]:
    """The folder of the experiment with this slug or id, and its state, whatever the record holds.

    Raises:
        FindingsError: there is none.
    """
    folder = ExperimentFolder(which)
    state = experiment.find(folder) if folder.path.is_dir() else None
    try:
        if state is None:
            folder, state = experiment.find_by_id(which)
    except ExperimentError:
        raise FindingsError(
            f"There is no experiment {which} under {RESULTS}/. Give the name of its folder there, or its id."
        ) from None
    experiment.must_not_be_between(folder)
    return folder, state
