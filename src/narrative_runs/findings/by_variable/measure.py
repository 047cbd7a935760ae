"""The measures of each variable of a codebook: what metrics.json holds under `variables`.

Rows without a label or with an error of the variable count in no rate; `unclear` is counted, and in no rate either. The
rates of a variable with `only_if` are over the rows in which the labels of its conditions meet them. Where they do, but
the model's own answers say that the variable does not apply, it gave no value: of a binary variable that counts as no,
of all others it is counted as `n_not_asked_by_model` and left out of the rates. Detection rates, and the share of
passages that are in the text, need no label, and are over all rows with a value.

An incident has a value where none of its narratives has an error of the variable and none was left unasked; narratives
that are unclear, or were not asked for the variable, are passed over, unless there are no others. But a no stands only
where no narrative is unclear.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.codebook.variables import (
    NO,
    YES,
    Binary,
    Category,
    Codebook,
    Multi,
    Number,
    Ordinal,
    Quote,
    Text,
    Variable,
    confidence_key,
    not_in_text_column,
    probability_column,
)
from narrative_runs.data_columns import USUAL_TYPES
from narrative_runs.findings.answers_by_variable import counts_by_variable
from narrative_runs.findings.by_variable.calibration import calibration_of
from narrative_runs.findings.by_variable.coding import items_of
from narrative_runs.findings.by_variable.groups import by_group
from narrative_runs.findings.by_variable.levels import Levels
from narrative_runs.findings.by_variable.passages import Passages
from narrative_runs.findings.by_variable.resamples import Numbers
from narrative_runs.findings.by_variable.units import Units, VariableLabels, units_of


def measure_variables(
    table: pd.DataFrame,
    codebook: Codebook,
    seed: int,
    labels: Mapping[str, VariableLabels],
    types: Sequence[str] = USUAL_TYPES,
    unasked: Collection[str] = (),
    grouped: pd.DataFrame | None = None,
) -> dict[str, dict[str, Any]]:
    """By variable, in the order of the codebook, its measures: plain numbers, texts, lists and None.

    In: one row a narrative, in any order, with `row_num`, `incident_id`, `narrative_type` and the columns of the
    codebook, which is one that does not fit the record; the seed of the bootstrap; the labels of those variables that
    have any; the narrative types; incidents with a narrative that the limit left out; what `read_groups` gives.
    Out: `type`; what `counts_by_variable` gives; `distribution` of the model's values; `narrative` and `incident`, with
    the measures of the type; and `by_type`, with the main ones of each narrative type. The last three are None where
    there is nothing to measure: for texts, and `incident` for quotes. `calibration` is what `calibration_of` gives, and
    `groups`, left out without any, what `by_group` gives.

    Raises ValueError where labels have other rows than the table, or a text is none of its variable's values.
    """
    for name, of_variable in labels.items():
        if not of_variable.narrative.index.equals(table.index):
            raise ValueError(f"The labels of {name} have other rows than the table.")
    in_order = np.argsort(table["row_num"].to_numpy(), kind="stable")
    table = table.iloc[in_order]
    labels = {
        name: VariableLabels(each.narrative.iloc[in_order], each.incident, each.inconsistent)
        for name, each in labels.items()
    }
    narratives, incidents = units_of(table, codebook, labels, unasked)
    counts = counts_by_variable(table, codebook)
    is_of_type = {kind: (table["narrative_type"] == kind).fillna(False).to_numpy(bool) for kind in types}
    measured: dict[str, dict[str, Any]] = {}
    levels: dict[str, Levels] = {}
    for name, variable in codebook.variables.items():
        known = narratives[name]
        passages = Passages(known, table[not_in_text_column(name)]) if isinstance(variable, Quote) else None
        levels[name] = Levels(variable, known, incidents[name], passages, seed)
        measured[name] = {
            "type": variable.type,
            **counts[name],
            "distribution": distribution(variable, known),
            "narrative": levels[name].of_narratives(),
            "incident": levels[name].of_incidents(),
            "by_type": (
                None
                if isinstance(variable, Text)
                else {kind: levels[name].of_narratives(rows, is_brief=True) for kind, rows in is_of_type.items()}
            ),
            "calibration": calibration_of(variable, known, *_probabilities(name, table)),
        }
    if grouped is not None:
        for name, groups in by_group(levels, table["row_num"], grouped).items():
            measured[name]["groups"] = groups
    return measured


def distribution(variable: Variable, units: Units) -> dict[str, Any]:
    """The model's values, where there are any.

    Of listed values how many of each (`counts`), of several also how many are empty (`n_empty`); of numbers `mean`,
    `sd`, `median`, `min` and `max`, None without any, sd also for a single one; of passages and texts how many answers
    are `n_empty`, and the number of passages.
    """
    values = units.answer.values[units.is_answered]
    match variable:
        case Binary():
            return {"counts": {YES: int(values.sum()), NO: int((~values).sum())}}
        case Multi():
            numbers = values.sum(axis=0)
            by_value = {value: int(numbers[at]) for at, value in enumerate(variable.value_names)}
            return {"counts": by_value, "n_empty": int((~values.any(axis=1)).sum())}
        case Category() | Ordinal():
            numbers = np.bincount(values, minlength=len(variable.value_names))
            return {"counts": {value: int(numbers[at]) for at, value in enumerate(variable.value_names)}}
        case Number():
            numbers = pd.Series(values, dtype=np.float64).agg(["mean", "std", "median", "min", "max"])
            names = ("mean", "sd", "median", "min", "max")
            return {name: None if np.isnan(each) else float(each) for name, each in zip(names, numbers, strict=True)}
        case _:
            lengths = np.array([_length(variable, cell) for cell in values], dtype=np.int64)
            numbers = {"n_passages": int(lengths.sum())} if isinstance(variable, Quote) else {}
            return {"n_empty": int((lengths == 0).sum()), **numbers}


def _probabilities(name: str, table: pd.DataFrame) -> tuple[Numbers, Numbers]:
    """How sure the model says it is, and what its token probabilities say; NaN where there is neither."""
    return _numbers(confidence_key(name), table), _numbers(probability_column(name), table)


def _numbers(column: str, table: pd.DataFrame) -> Numbers:
    if column not in table:
        return np.full(len(table), np.nan)
    return np.asarray(table[column].astype("Float64").to_numpy(np.float64, na_value=np.nan))


def _length(variable: Variable, cell: Any) -> int:
    if pd.isna(cell):
        return 0
    is_list = isinstance(variable, Quote) or (isinstance(variable, Text) and variable.many)
    return len(items_of(cell)) if is_list else len(str(cell))
