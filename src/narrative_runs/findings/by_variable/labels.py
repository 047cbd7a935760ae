"""The human labels of an experiment's variables, read from what its workbook left in its folder."""

import json
from collections.abc import Mapping

import pandas as pd

from narrative_runs.codebook.variables import Codebook
from narrative_runs.data_columns import OWN_LABEL
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.paths import ExperimentFolder
from narrative_runs.source.incidents import read_incidents
from narrative_runs.source.layouts import LONG
from narrative_runs.source.variable_labels import LabelsOfVariable, labels_by_variable


def read_labels(folder: ExperimentFolder, codebook: Codebook, results: pd.DataFrame) -> dict[str, LabelsOfVariable]:
    """The labels of the variables that have any, of each row of the results in their order; none where the record has
    a column for each variable.

    In: one row a narrative, with `row_num`, `incident_id`, `narrative_type` and `manual_flag_ind`.
    """
    if codebook.fits_the_record:
        return {}
    keys = results[["row_num", "incident_id", "narrative_type", "manual_flag_ind"]]
    plain = keys.astype(object).where(pd.notna(keys), None)
    layout = json.loads(folder.data_quality.read_text(encoding="utf-8"))["layout"]
    rows = list(plain.itertuples(index=False, name=None))
    return labels_by_variable(folder.other_columns, codebook, rows, layout == LONG)


def labels_to_measure(
    by_variable: Mapping[str, LabelsOfVariable], folder: ExperimentFolder, codebook: Codebook, results: pd.DataFrame
) -> dict[str, VariableLabels]:
    """The same labels in the form for comparison: those of narratives by the index of the results, and those of
    incidents."""
    own_flags, flagged_as_inconsistent = own_labels_of_incidents(folder)
    given: dict[str, VariableLabels] = {}
    for name, labels in by_variable.items():
        own = labels.of_rows if labels.has_own else [None] * len(results)
        of_incidents = None if labels.of_incidents is None else pd.Series(labels.of_incidents, dtype=object)
        inconsistent: set[str] = set()
        if codebook.variables[name].label == OWN_LABEL:
            of_incidents = own_flags
            inconsistent = flagged_as_inconsistent
        given[name] = VariableLabels(pd.Series(own, index=results.index, dtype=object), of_incidents, inconsistent)
    return given


def labels_of_the_record(results: pd.DataFrame) -> VariableLabels:
    """The labels of the usual question, which the record's own columns hold, in the same form: those of narratives, or
    where no narrative has one, those of incidents.

    In: one row a narrative, with `incident_id`, `manual_flag_ind` and `manual_flag`.
    """
    of_narratives = as_yes_no(results["manual_flag_ind"])
    if of_narratives.notna().any():
        return VariableLabels(of_narratives)
    return VariableLabels(of_narratives, as_yes_no(results.groupby("incident_id")["manual_flag"].max()))


def own_labels_of_incidents(folder: ExperimentFolder) -> tuple[pd.Series | None, set[str]]:
    """The labels that the layout itself gives to incidents, by their ids, and the incidents that are inconsistent.

    An experiment completed by 0.1.0 has none here until its run is started again.
    """
    if not folder.incidents.exists():
        return None, set()
    incidents = read_incidents(folder.incidents).set_index("incident_id")
    return as_yes_no(incidents["label"]), set(incidents.index[incidents["is_inconsistent"]])


def as_yes_no(flags: pd.Series) -> pd.Series:
    """Labels 1 and 0 as True and False, None where there is none."""
    plain = flags.astype(object)
    return plain.where(plain.notna(), None).map(lambda flag: None if flag is None else bool(flag))
