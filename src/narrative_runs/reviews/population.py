"""All incidents of the workbook: the population from which samples for review are drawn.

Errors, and incidents with a narrative that was not asked about, are strata like others: narratives that the model did
not answer are part of the population.
"""

import json
import zlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.codebook.texts import written
from narrative_runs.codebook.values import NOT_ASKED, UNCLEAR
from narrative_runs.codebook.variables import (
    Binary,
    Category,
    Codebook,
    Listed,
    Multi,
    Number,
    Ordinal,
    Quote,
    Text,
    Variable,
    missing_column,
    not_in_text_column,
)
from narrative_runs.findings.by_variable.coding import Coded
from narrative_runs.findings.by_variable.outcomes import DIFFERING, NO_LABEL, UNASKED, outcomes
from narrative_runs.findings.by_variable.units import Units, VariableLabels, units_of

_UNLABELLED, _ANSWERED, _ERROR = "unlabelled", "answered", "error"
_ALL_IN_TEXT, _SOME_NOT_IN_TEXT = "all in the text", "some not in the text"


class Population(NamedTuple):
    """One variable of all incidents, by `incident_id` in the order of the texts, and of all their narratives.

    incidents: `stratum` (text), `predicted` and `label` (a value, None where there is none), `checksum` (uint32, of
    what the model answered in its narratives); narratives: `incident_id`, `narrative_type`, `predicted`, `label`, in
    the order of the workbook, by `row_num`.
    """

    incidents: pd.DataFrame
    narratives: pd.DataFrame


def population_of(
    name: str, codebook: Codebook, results: pd.DataFrame, labels: Mapping[str, VariableLabels], keys: pd.DataFrame
) -> Population:
    """The population of a variable.

    In: one row for each narrative that was asked about, with `row_num`, `incident_id`, `narrative_type` and the columns
    of the variables, by a plain index in the order of `row_num`, and its labels by the same index; keys: `row_num`,
    `incident_id` and `narrative_type` of all narratives of the workbook.
    """
    variable = codebook.variables[name]
    asked = set(results["row_num"])
    unasked = keys[~keys["row_num"].isin(asked)]
    columns = [column for each in codebook.names for column in (each, missing_column(each))]
    table = results.reindex(columns=["incident_id", *columns])
    of_narratives, of_incidents = units_of(table, codebook, labels, set(unasked["incident_id"]))
    narratives = pd.concat(
        [
            results[["row_num", "incident_id", "narrative_type"]].assign(
                predicted=_values(variable, of_narratives[name].answer),
                label=_values(variable, of_narratives[name].label),
                said=_said(results, name),
            ),
            unasked.assign(predicted=None, label=None, said=UNASKED),
        ]
    )
    narratives = narratives.set_index("row_num").sort_index()
    incidents = pd.DataFrame(
        {
            "stratum": _strata(name, variable, of_incidents[name], results),
            "predicted": _values(variable, of_incidents[name].answer),
            "label": _values(variable, of_incidents[name].label),
        },
        index=pd.Index(sorted(results["incident_id"].unique()), name="incident_id"),
        dtype=object,
    )
    incidents = incidents.reindex(sorted(narratives["incident_id"].unique()))
    incidents["stratum"] = incidents["stratum"].fillna(UNASKED)
    incidents = incidents.where(incidents.notna(), None)
    checksums = _checksums(narratives).reindex(incidents.index)
    return Population(incidents.assign(checksum=checksums.astype(np.uint32)), narratives.drop(columns="said"))


def strata_in_order(variable: Variable, there: Collection[str]) -> list[str]:
    """The names of the strata, those with a label first, and those that the model did not answer last."""
    last = [UNCLEAR, NOT_ASKED, DIFFERING, _ERROR, UNASKED]
    first = [name for name in there if not name.startswith(_UNLABELLED) and name not in last]
    values = [f"{_UNLABELLED}: {value}" for value in variable.value_names]
    ordered = [*sorted(first), *values, _UNLABELLED, *last]
    return [name for name in ordered if name in there]


def value_in(variable: Variable, text: str | None) -> Any:
    """The value that `codebook.texts.written` wrote as this text; None for `unclear`, which a variable may count as no,
    and for no text."""
    if text is None:
        return None
    if text == UNCLEAR and text not in variable.value_names and not isinstance(variable, Quote | Text):
        return False if isinstance(variable, Binary) and variable.unclear == "no" else None
    match variable:
        case Binary():
            return text == "yes"
        case Number():
            return float(text)
        case Multi():
            return tuple(json.loads(text))
        case _:
            return text


def _values(variable: Variable, known: Coded) -> list[Any]:
    """The values one by one; None where there is none."""
    values: list[Any]
    match variable:
        case Binary():
            values = [bool(value) for value in known.values]
        case Multi():
            names = np.array(variable.value_names, dtype=object)
            values = [tuple(names[row]) for row in known.values.astype(bool)]
        case Listed():
            values = [variable.value_names[index] for index in known.values]
        case Number():
            values = [float(value) for value in known.values]
        case _:
            values = list(known.values)
    return [value if is_given else None for value, is_given in zip(values, known.is_given, strict=True)]


def _strata(name: str, variable: Variable, units: Units, results: pd.DataFrame) -> NDArray[Any]:
    words = outcomes(variable, units).to_numpy(object)
    if isinstance(variable, Text | Quote):
        # Of passages and texts an incident has no value of its own: it is answered where its narratives are.
        is_answered = (words == NO_LABEL) | (words == DIFFERING)
        words[is_answered] = _ANSWERED
        if isinstance(variable, Quote):
            strange = results[not_in_text_column(name)].fillna("[]") != "[]"
            has_strange = strange.groupby(results["incident_id"]).any().sort_index().to_numpy(bool)
            words[is_answered] = np.where(has_strange, _SOME_NOT_IN_TEXT, _ALL_IN_TEXT)[is_answered]
        return words
    unlabelled = words == NO_LABEL
    words[unlabelled] = _UNLABELLED
    if isinstance(variable, Binary | Category | Ordinal):
        values = [written(value) for value in _values(variable, units.answer)]
        words[unlabelled] = [f"{_UNLABELLED}: {value}" for value in np.array(values, dtype=object)[unlabelled]]
    return words


def _said(results: pd.DataFrame, name: str) -> list[str]:
    """The model's answer on each narrative, as one text."""
    missing = results[missing_column(name)] if missing_column(name) in results else pd.Series(None, results.index)
    given = results[name].astype(object).where(results[name].notna(), None)
    reasons = missing.astype(object).where(missing.notna(), None)
    known = (UNCLEAR, NOT_ASKED)
    return [
        f"= {written(value)}" if value is not None else reason if reason in known else _ERROR if reason else "none"
        for value, reason in zip(given, reasons, strict=True)
    ]


def _checksums(narratives: pd.DataFrame) -> pd.Series:
    answers = narratives["narrative_type"].astype(str) + "\x1f" + narratives["said"].astype(str)
    joined = answers.groupby(narratives["incident_id"]).agg("\x1e".join)
    checksums: pd.Series = joined.map(lambda text: zlib.crc32(text.encode()))
    return checksums
