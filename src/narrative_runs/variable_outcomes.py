"""One variable of the codebook in each narrative: its label, and what came out by it.

The rules are those of the findings. Where the workbook labels incidents and not narratives, the incident's value is
compared with the incident's label, and all its answered narratives have this outcome.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs import experiment
from narrative_runs.codebook.coded import NO_ANSWER
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.labels import Label
from narrative_runs.codebook.texts import written
from narrative_runs.codebook.values import NOT_ASKED, UNCLEAR
from narrative_runs.codebook.variables import (
    NO,
    YES,
    Binary,
    Category,
    Codebook,
    Number,
    Ordinal,
    Quote,
    Text,
    Variable,
    missing_column,
)
from narrative_runs.errors import ExperimentError, FindingsError
from narrative_runs.findings.by_variable.labels import labels_to_measure, read_labels
from narrative_runs.findings.by_variable.outcomes import (
    ERROR,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    NO_LABEL,
    RIGHT,
    TRUE_NEGATIVE,
    TRUE_POSITIVE,
    UNASKED,
    WRONG,
    outcomes,
)
from narrative_runs.findings.by_variable.units import Units, VariableLabels, units_of
from narrative_runs.findings.incidents import by_incident
from narrative_runs.one_result import OneVariable
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import coded_values, result_rows
from narrative_runs.source.incidents import read_incidents
from narrative_runs.source.shards import unasked_incidents

NOT_IN_TEXT = "not in the text"
# Before the reason why an incident with a label has no outcome by it, such as an error in its other narrative.
OF_INCIDENT = "incident: "
CELLS = {"tp": TRUE_POSITIVE, "fp": FALSE_POSITIVE, "fn": FALSE_NEGATIVE, "tn": TRUE_NEGATIVE}
_COMPARED = (*CELLS.values(), RIGHT, WRONG)


def variable_in(codebook: Codebook, name: str) -> Variable:
    """The variable of this name; where the record has a column for each variable, the usual question alone.

    Raises:
        FindingsError: there is no such variable; the message lists those that there are.
    """
    names = [codebook.first_binary or ""] if codebook.fits_the_record else list(codebook.names)
    if name not in names:
        raise FindingsError(f"--variable {name}: there is no such variable. There are: {', '.join(names)}.")
    return codebook.variables[name]


def outcomes_to_choose(variable: Variable) -> dict[str, str]:
    """The outcomes that narratives can have in a variable of this type, each as it is typed, and in words."""
    chosen: dict[str, str] = {"not-in-text": NOT_IN_TEXT} if isinstance(variable, Quote) else {}
    if not isinstance(variable, Quote | Text):
        chosen |= CELLS if isinstance(variable, Binary) else {"right": RIGHT, "wrong": WRONG}
        chosen["unlabelled"] = NO_LABEL
        chosen |= {"unclear": UNCLEAR} if variable.unclear == "value" else {}
    return chosen | ({"not-asked": NOT_ASKED} if variable.only_if else {}) | {"error": ERROR}


def outcome_typed(name: str, variable: Variable, typed: str) -> str:
    """The outcome in words.

    Raises:
        FindingsError: narratives cannot have it in a variable of this type; the message lists those they can have.
    """
    chosen = outcomes_to_choose(variable)
    if typed not in chosen:
        raise FindingsError(
            f"--outcome {typed}: it is not an outcome of {name}, which has type {variable.type}. "
            f"Its outcomes are: {', '.join(chosen)}."
        )
    return chosen[typed]


def narrative_outcomes(
    name: str,
    codebook: Codebook,
    table: pd.DataFrame,
    labels: Mapping[str, VariableLabels],
    unasked: Collection[str] = (),
) -> pd.DataFrame:
    """`outcome` of each narrative in words, `label` as text, None without one, and `is_of_incident`: whether both are
    those of its incident; by the index of the table.

    In: one row a narrative of the whole experiment, with `incident_id`, the variable's value, and why it has none;
    labels of all variables, whose rows are those of the table; unasked: incidents with a narrative that was not asked
    about.
    """
    variable = codebook.variables[name]
    narratives, incidents = _units(codebook, table, labels, unasked)
    outcome, label = outcomes(variable, narratives[name]), pd.Series(None, index=table.index, dtype=object)
    is_of_incident = _has_labels_of_incidents_alone(variable, labels.get(name))
    if name in labels:
        label = labels[name].narrative
    if is_of_incident:
        words = outcomes(variable, incidents[name]).where(incidents[name].label.is_given, NO_LABEL)
        words = words.where(words.isin([*_COMPARED, NO_LABEL]), OF_INCIDENT + words)
        at = narratives[name].incident
        # A binary variable that only the model passes over counts as no.
        is_passed_over = (words.isin(_COMPARED) & incidents[name].is_passed_over).to_numpy()[at]
        outcome = outcome.mask((outcome == NO_LABEL) | is_passed_over, words.take(at).reset_index(drop=True))
        label = labels[name].incident.reindex(table["incident_id"])  # type: ignore[union-attr]
    cells = {"outcome": outcome.tolist(), "label": _as_text(label.tolist())}
    return pd.DataFrame(cells, index=table.index, dtype=object).assign(is_of_incident=is_of_incident)


def in_words(variable: Variable, units: Units) -> pd.DataFrame:
    """Of each narrative or incident its `outcome`; and of a variable of which each has one value, its `value` and its
    `label` as far as that counts, as texts, None without one."""
    cells = pd.DataFrame({"outcome": outcomes(variable, units).astype(object)})
    for column, known in (("value", units.answer), ("label", units.label)):
        texts = np.full(len(known.is_given), None, dtype=object)
        if isinstance(variable, Binary):
            texts[known.is_given] = np.where(known.values, YES, NO)[known.is_given]
        elif isinstance(variable, Category | Ordinal):
            texts[known.is_given] = np.array(variable.value_names, dtype=object)[known.values[known.is_given]]
        cells[column] = texts
    return cells


def outcomes_in(folder: ExperimentFolder, codebook: Codebook, name: str, table: pd.DataFrame) -> pd.DataFrame:
    """The same, by the labels that the workbook left in the experiment's folder.

    In: the table with `row_num`, `narrative_type` and `manual_flag_ind` as well.

    Raises:
        ExperimentError: what was read of the workbook is not there.
    """
    labels, unasked = _labels_in(folder, codebook, table)
    return narrative_outcomes(name, codebook, table, labels, unasked)


def _labels_in(
    folder: ExperimentFolder, codebook: Codebook, table: pd.DataFrame
) -> tuple[dict[str, VariableLabels], set[str]]:
    """The labels of all variables, and the incidents with a narrative that was not asked about."""
    with _workbook_of(folder):
        labels = labels_to_measure(read_labels(folder, codebook, table), folder, codebook, table)
        return labels, unasked_incidents(folder, table["row_num"])


@contextmanager
def _workbook_of(folder: ExperimentFolder) -> Iterator[None]:
    """What is missing of what was read of the workbook becomes an ExperimentError."""
    try:
        yield
    except FileNotFoundError as error:
        raise ExperimentError(
            f"{error.filename or folder.narratives} is missing. Start the run of {folder.slug} again: it is recreated "
            "without asking the model."
        ) from None


def _units(
    codebook: Codebook, table: pd.DataFrame, labels: Mapping[str, VariableLabels], unasked: Collection[str]
) -> tuple[dict[str, Units], dict[str, Units]]:
    """The narratives and the incidents, where the table may lack other variables than the one that is looked at."""
    columns = [column for each in codebook.names for column in (each, missing_column(each))]
    return units_of(table.reindex(columns=["incident_id", *columns]), codebook, labels, unasked)


def codebook_of(row: Mapping[str, Any]) -> Codebook:
    """The codebook of the experiment with this row in the record.

    Raises:
        ExperimentError: its folder is not here, and the record holds values of variables.
    """
    state = experiment.find(ExperimentFolder(row["slug"])) if row["slug"] else None
    if state is not None:
        return experiment.codebook_of(state.params)
    if coded_values.has_values_of(row["experiment_id"]):
        raise ExperimentError(
            f"{ExperimentFolder(row['slug']).path}/ is not here. Restore it: it contains the codebook."
        )
    return DEFAULT


@dataclass(frozen=True)
class RecordedOutcomes:
    """One variable in all narratives that the record has so far.

    table: what `narrative_outcomes` gives, by `result_id` in row order, and `is_not_in_text`: whether a passage does
    not stand in the narrative.
    """

    name: str
    variable: Variable
    table: pd.DataFrame

    def ids_with(self, outcome: str) -> list[int]:
        """The `result_id` of all narratives with this outcome, in words, in row order."""
        has_it = self.table["is_not_in_text"] if outcome == NOT_IN_TEXT else self.table["outcome"] == outcome
        return [int(result_id) for result_id in self.table.index[has_it]]

    def of(self, result_id: int) -> OneVariable | None:
        """What is shown of a narrative; None where the record has no such value."""
        if result_id not in self.table.index:
            return None
        row: Any = self.table.loc[result_id]
        outcome, label, whose = row["outcome"], row["label"], " (of the incident)" if row["is_of_incident"] else ""
        if outcome == NO_LABEL and isinstance(self.variable, Quote | Text):
            outcome = NOT_IN_TEXT if row["is_not_in_text"] else ""
        elif outcome == NO_LABEL and label is not None:
            outcome = f"{NO_LABEL} that counts"
        elif outcome in _COMPARED:
            outcome += whose
        return OneVariable(self.name, outcome, None if label is None else label + whose)


def read(row: Mapping[str, Any], name: str) -> RecordedOutcomes | None:
    """The same as `recorded_outcomes`; None where the record's own columns hold all that was asked.

    Raises:
        ExperimentError: the experiment's folder is not here, or not whole.
        FindingsError: there is no such variable.
        RecordError: the record cannot be read.
    """
    codebook = codebook_of(row)
    variable_in(codebook, name)
    return None if codebook.fits_the_record else recorded_outcomes(row, codebook, name)


def recorded_outcomes(row: Mapping[str, Any], codebook: Codebook, name: str) -> RecordedOutcomes:
    """One variable of an experiment, from the record and what was read of the workbook; no text is read.

    In: the experiment's row in the record, and its codebook, which has more than the usual question.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        RecordError: the record cannot be read.
    """
    folder, variable = ExperimentFolder(row["slug"]), codebook.variables[name]
    table, is_not_in_text = _recorded(row["experiment_id"], codebook, name)
    if not len(table):
        return RecordedOutcomes(name, variable, pd.DataFrame(columns=["outcome", "is_not_in_text"]))
    rated = outcomes_in(folder, codebook, name, table)
    return RecordedOutcomes(name, variable, rated.assign(is_not_in_text=is_not_in_text))


def recorded_units(row: Mapping[str, Any], codebook: Codebook, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `in_words` gives of each narrative, and of the incident of each narrative; by `result_id` in row order.

    In, and what it raises: as `recorded_outcomes`.
    """
    folder, variable = ExperimentFolder(row["slug"]), codebook.variables[name]
    table, _ = _recorded(row["experiment_id"], codebook, name)
    if not len(table):
        return table, table
    narratives, incidents = _units(codebook, table, *_labels_in(folder, codebook, table))
    of_incidents = in_words(variable, incidents[name]).take(narratives[name].incident)
    return in_words(variable, narratives[name]).set_index(table.index), of_incidents.set_index(table.index)


def recorded_incident_outcomes(row: Mapping[str, Any]) -> pd.Series:
    """The outcome of the incident of each narrative in words, where the record's own columns hold all that was asked;
    by `result_id` in row order.

    In: the experiment's row in the record.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        RecordError: the record cannot be read.
    """
    folder = ExperimentFolder(row["slug"] or "")
    columns = ["result_id", "row_num", "incident_id", "detected", "error_occurred", "manual_flag_ind"]
    rows = result_rows.of_experiment(row["experiment_id"], columns)
    table = pd.DataFrame(rows, columns=columns).set_index("result_id")
    with _workbook_of(folder):
        of_workbook, unasked = read_incidents(folder.incidents), unasked_incidents(folder, table["row_num"])
    answered = table["detected"].notna() & (table["error_occurred"] != 1)
    narratives = pd.DataFrame(
        {
            "incident_id": table["incident_id"],
            "answered": answered,
            "detected": answered & (table["detected"] == 1),
            "label": table["manual_flag_ind"].astype("float64"),
            "manual_flag": table["incident_id"].map(of_workbook.set_index("incident_id")["label"]).astype("float64"),
        }
    )
    inconsistent = set(of_workbook.loc[of_workbook["is_inconsistent"], "incident_id"])
    incidents = by_incident(narratives, unasked, inconsistent).set_index("incident_id")
    label, is_yes = incidents["label"], incidents["detected"]
    words = np.select(
        [incidents["is_unasked"], ~incidents["answered"], label.isna(), is_yes & (label == 1), is_yes, label == 1],
        [UNASKED, ERROR, NO_LABEL, TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE],
        default=TRUE_NEGATIVE,
    )
    return table["incident_id"].map(pd.Series(words, index=incidents.index))


def _recorded(experiment_id: str, codebook: Codebook, name: str) -> tuple[pd.DataFrame, list[bool]]:
    """One variable of all narratives that the record has, as a table of results has it, by `result_id`; and of each
    whether a passage does not stand in its text."""
    variable = codebook.variables[name]
    rows = coded_values.of_variable(experiment_id, name, isinstance(variable, Quote | Text))
    columns = ["result_id", "row_num", "incident_id", "narrative_type", "manual_flag_ind"]
    table = pd.DataFrame(rows, columns=columns).set_index("result_id")
    cells = [_cell(variable, row["value"], bool(row["failed"])) for row in rows]
    table[name] = pd.Series([value for value, _ in cells], index=table.index, dtype=object)
    table[missing_column(name)] = pd.Series([why for _, why in cells], index=table.index, dtype=object)
    return table, [row["is_not_in_text"] == 1 for row in rows]


def _has_labels_of_incidents_alone(variable: Variable, labels: VariableLabels | None) -> bool:
    if labels is None or labels.incident is None or isinstance(variable, Quote | Text):
        return False
    return bool(labels.narrative.isna().all() and labels.incident.notna().any())


def _as_text(labels: Sequence[Label]) -> list[str | None]:
    return [None if label != label else written(label) for label in labels]


def _cell(variable: Variable, value: str | None, has_failed: bool) -> tuple[Any, str | None]:
    """The value as a table of results has it, and why there is none; from what the record keeps."""
    if has_failed:
        return None, NO_ANSWER
    if value is None:
        # A text may be empty; whether it was asked for cannot be seen then.
        return None, None if isinstance(variable, Text) and not variable.only_if else NOT_ASKED
    if value == UNCLEAR and variable.unclear == "value" and not isinstance(variable, Quote | Text):
        return None, UNCLEAR
    match variable:
        case Binary():
            return value == YES, None
        case Number():
            return float(json.loads(value)), None
        case _:
            return value, None
