"""The narratives that `preflight --show` shows: of each the text, the answer, the label and the reasons."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from narrative_runs.codebook.coded import coded_values
from narrative_runs.codebook.variables import (
    INDICATORS,
    RATIONALE,
    Codebook,
    Multi,
    Quote,
    Text,
    Variable,
)
from narrative_runs.development.configuration import Answered, Sample
from narrative_runs.development.measured import RIGHT_OUTCOMES, WRONG_OUTCOMES, table_of
from narrative_runs.findings.by_variable.coding import items_of
from narrative_runs.findings.by_variable.labels import labels_of_the_record
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.variable_outcomes import narrative_outcomes


class ShownValue(NamedTuple):
    """The answer for one variable.

    answer: in words, or several passages or values; label: in words, None without one; outcome: right or wrong by the
    label, in words, empty where it is neither; probability: the model's own confidence, or that of its tokens; None
    where there is none; not_in_text: passages that are not in the narrative.
    """

    variable: str
    answer: str | list[str]
    label: str | None
    outcome: str
    is_wrong: bool
    confidence: float | None
    probability: float | None
    not_in_text: list[str]


class ShownNarrative(NamedTuple):
    """One narrative; row: as `one_result.as_lines` takes it; values: of each variable but the reasons; reasons: texts
    and lists by their headings; wrong: the variables whose answer is not the label."""

    row: dict[str, Any]
    values: list[ShownValue]
    reasons: dict[str, str | list[str]]
    wrong: list[str]


def shown_narratives(sample: Sample, answered: Answered) -> list[ShownNarrative]:
    """The narratives of a sample with their answers, in the order of the sample."""
    codebook = answered.configuration.codebook
    rated = _rated(sample, answered)
    return [
        _shown(result.row, codebook, {name: table.iloc[at] for name, table in rated.items()})
        for at, result in enumerate(answered.results)
    ]


def _rated(sample: Sample, answered: Answered) -> dict[str, pd.DataFrame]:
    """The result of `narrative_outcomes` by variable, in the order of the sample."""
    codebook, table = answered.configuration.codebook, table_of(answered)
    labels: Mapping[str, VariableLabels] = answered.labels
    names = list(codebook.names)
    if codebook.fits_the_record:
        names = [name for name in names if name == codebook.first_binary]
        labels = {name: labels_of_the_record(table) for name in names}
    return {name: narrative_outcomes(name, codebook, table, labels, sample.unasked) for name in names}


def _shown(row: dict[str, Any], codebook: Codebook, rated: Mapping[str, Any]) -> ShownNarrative:
    labels = {name: _label(each) for name, each in rated.items()}
    outcomes = {name: _outcome(each["outcome"]) for name, each in rated.items()}
    wrong = [name for name, each in rated.items() if each["outcome"] in WRONG_OUTCOMES]
    coded = [
        {**each._asdict(), "label": labels[each.variable], "outcome": outcomes[each.variable]}
        for each in coded_values(codebook, row)
    ]
    is_error = row["error_occurred"]
    first = codebook.first_binary or ""
    of_first = outcomes.get(first) or "no label"
    is_of_incident = first in rated and bool(rated[first]["is_of_incident"])
    if is_of_incident and outcomes[first]:
        of_first = f"{of_first} (of the incident)"
    return ShownNarrative(
        row={
            **row,
            "coded": coded,
            "outcome": "error" if is_error else of_first,
            "has_label_of_incident": is_of_incident,
        },
        values=[_value(codebook.variables[each["variable"]], each, wrong) for each in coded if _is_value(each)]
        or [_usual_value(row, name, labels[name], outcomes[name], wrong) for name in rated],
        reasons={
            heading: text
            for heading, text in {
                "Indicators": _listed(row["indicators"]),
                "Rationale": row["rationale"],
                "Reasoning": row["reasoning_steps"],
                "Error": row["error_message"] if is_error else None,
                "What the model wrote": row["raw_response"] if is_error else None,
            }.items()
            if text
        },
        wrong=wrong,
    )


def _is_value(coded: Mapping[str, Any]) -> bool:
    return coded["variable"] not in (INDICATORS, RATIONALE)


def _value(variable: Variable, coded: Mapping[str, Any], wrong: list[str]) -> ShownValue:
    answer: str | list[str] = coded["value"] or "-"
    if coded["error_message"]:
        answer = "error"
    elif coded["value"] is not None and _has_several(variable):
        answer = _listed(coded["value"])
    return ShownValue(
        coded["variable"],
        answer,
        coded["label"],
        coded["outcome"],
        coded["variable"] in wrong,
        coded["confidence"],
        coded["probability"],
        _listed(coded["not_in_text"]),
    )


def _usual_value(row: Mapping[str, Any], name: str, label: str | None, outcome: str, wrong: list[str]) -> ShownValue:
    """The same for the usual question, whose answer is in the record's own columns."""
    answer = "error" if row["error_occurred"] else "yes" if row["detected"] else "no"
    return ShownValue(name, answer, label, outcome, name in wrong, row["confidence"], row["p_detected"], [])


def _label(rated: Any) -> str | None:
    label: str | None = rated["label"]
    return f"{label} (of the incident)" if label is not None and rated["is_of_incident"] else label


def _outcome(word: str) -> str:
    if word in WRONG_OUTCOMES:
        return "WRONG" if word == "wrong" else f"WRONG ({word})"
    return word if word in RIGHT_OUTCOMES else ""


def _has_several(variable: Variable) -> bool:
    return isinstance(variable, Multi | Quote) or (isinstance(variable, Text) and variable.many)


def _listed(cell: str | None) -> list[str]:
    """The texts of a cell that holds a JSON list; a text that is none, as it is."""
    try:
        return items_of(cell or "[]")
    except json.JSONDecodeError:
        return [str(cell)]
