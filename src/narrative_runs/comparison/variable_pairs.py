"""The same variable in two experiments: how often its value is the same, which experiment is closer to the labels, and
which narratives changed.

A narrative is the same where incident id, narrative type and text are; an incident is, where all its narratives are in
both. A variable is compared over narratives, or over incidents where its labels are those of incidents alone. Only
those to which both gave a value are compared, and of these only those count as labelled that have one and the same
label in both, which counts there by the conditions of the variable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from narrative_runs.codebook.texts import written
from narrative_runs.codebook.values import NOT_ASKED, UNCLEAR
from narrative_runs.codebook.variables import Binary, Listed, Multi, Number, Quote, Variable
from narrative_runs.comparison.coded_experiment import CodedExperiment
from narrative_runs.comparison.pairs import KEY, matched
from narrative_runs.comparison.scores import are_same, passages_of, score_name, scores
from narrative_runs.findings.by_variable.coding import Coded, Codes, Mask
from narrative_runs.findings.by_variable.resamples import (
    Numbers,
    proportion,
    rate,
    ratio,
    resampled_sums,
    sums_of_incidents,
)
from narrative_runs.findings.by_variable.units import Status, Units
from narrative_runs.findings.intervals import Rate
from narrative_runs.findings.sign_flips import sign_flips

NARRATIVE, INCIDENT = "narrative", "incident"
CHANGED_COLUMNS = (*KEY, "value_first", "value_other", "label_first", "label_other")
# Scores differ by less where they are the same but for rounding.
_NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class VariableTest:
    """One variable in two experiments; counts of narratives, or of incidents, by `level`.

    n_only_first, n_only_other: in one of the two alone; n_other_text: in both, with another text; n_error: the same
    text, but an error of the variable in one or both; n_no_value: unclear, or not asked for, in one or both, or an
    incident whose narratives give different values of a category. n_compared: all other, with a value in both; same:
    the share of them with the same value. n_other_label: those of them whose label is not the same in both; n_labelled:
    those with one label, counted by which of the two has the better score (`scores`). difference: the mean score of the
    first less that of the other, above 0 where the first is better. p_value: a sign-flip test over incidents; None
    without a label. p_holm: adjusted for all that are shown.
    """

    variable: str
    type: str
    level: str
    score: str
    n_only_first: int
    n_only_other: int
    n_other_text: int
    n_error: int
    n_no_value: int
    n_compared: int
    same: Rate
    n_other_label: int
    n_labelled: int
    first_better: int
    other_better: int
    as_good: int
    difference: Rate
    p_value: float | None
    p_holm: float | None = None


class VariablePair(NamedTuple):
    """Two experiments by variable: the tests, and by variable the narratives whose value changed; and why the others
    are not compared, with `{first}` and `{other}` for the experiments."""

    tests: list[VariableTest]
    changed: dict[str, pd.DataFrame]
    not_compared: dict[str, str]


class _Same(NamedTuple):
    """The narratives, or incidents, that are the same: the index of each in the first experiment and in the other; and
    how many are not."""

    first: Codes
    other: Codes
    n_only_first: int
    n_only_other: int
    n_other_text: int


def variable_pair(
    first: CodedExperiment | None, other: CodedExperiment | None, reasons: Mapping[str, str | None], seed: int
) -> VariablePair:
    """Two experiments compared by variable.

    In: their values, None where all variables are texts; what `why_not_compared` gives of those variables that are to
    be shown; the seed of the bootstrap and of the sign flips.
    """
    not_compared = {name: reason for name, reason in reasons.items() if reason is not None}
    if first is None or other is None:
        return VariablePair([], {}, not_compared)
    narratives = _same_narratives(first.table, other.table)
    incidents = _same_incidents(first.table, other.table)
    tests, changes = [], {}
    for name in (name for name in reasons if name not in not_compared):
        variable, level = first.codebook.variables[name], _level(name, first, other)
        if level == INCIDENT:
            units = first.incidents[name], other.incidents[name], incidents
        else:
            units = first.narratives[name], other.narratives[name], narratives
        tests.append(_test(name, variable, level, *units, seed))
        changes[name] = _changed(name, level, first, other, narratives)
    return VariablePair(tests, changes, not_compared)


def _level(name: str, first: CodedExperiment, other: CodedExperiment) -> str:
    def have_labels(one: Units, another: Units) -> bool:
        return bool(one.label.is_given.any() and another.label.is_given.any())

    if have_labels(first.narratives[name], other.narratives[name]):
        return NARRATIVE
    return INCIDENT if have_labels(first.incidents[name], other.incidents[name]) else NARRATIVE


def _same_narratives(first: pd.DataFrame, other: pd.DataFrame) -> _Same:
    both = _matched(first, other)
    is_same = both["side"].eq("both") & both["has_same_text"]
    return _Same(
        both.loc[is_same, "row_first"].to_numpy(np.int64),
        both.loc[is_same, "row_other"].to_numpy(np.int64),
        int(both["side"].eq("left_only").sum()),
        int(both["side"].eq("right_only").sum()),
        int((both["side"].eq("both") & ~both["has_same_text"]).sum()),
    )


def _same_incidents(first: pd.DataFrame, other: pd.DataFrame) -> _Same:
    both = _matched(first, other)
    of_incidents = pd.DataFrame(
        {
            "first": both["side"].ne("right_only"),
            "other": both["side"].ne("left_only"),
            "same": both["has_same_text"],
        }
    ).groupby(both["incident_id"])
    is_in, is_same = of_incidents[["first", "other"]].any(), of_incidents["same"].all()
    ids = is_same.index[is_same]
    # The incidents of an experiment are in the order of their ids.
    rows = [pd.Index(np.unique(table["incident_id"].to_numpy(object))).get_indexer(ids) for table in (first, other)]
    return _Same(
        rows[0].astype(np.int64),
        rows[1].astype(np.int64),
        int((~is_in["other"]).sum()),
        int((~is_in["first"]).sum()),
        int((is_in.all(axis=1) & ~is_same).sum()),
    )


def _matched(first: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "narrative_text", "row"]
    return matched(*(table.assign(row=np.arange(len(table)))[columns] for table in (first, other)))


def _test(
    name: str, variable: Variable, level: str, first: Units, other: Units, same: _Same, seed: int
) -> VariableTest:
    first, other = _at(first, same.first), _at(other, same.other)
    is_compared = first.is_answered & other.is_answered
    is_error = _is_error(first) | _is_error(other)
    first, other = first.at(is_compared), other.at(is_compared)
    has_same_label = _have_same_label(variable, first, other)
    is_other_label = (first.label.is_given | other.label.is_given) & ~has_same_label
    labelled = first.at(has_same_label)
    gains = scores(variable, labelled.answer.values, labelled.label.values) - scores(
        variable, other.at(has_same_label).answer.values, labelled.label.values
    )
    incident = labelled.incident
    has_gains = len(gains) > 0
    return VariableTest(
        variable=name,
        type=variable.type,
        level=level,
        score=score_name(variable),
        n_only_first=same.n_only_first,
        n_only_other=same.n_only_other,
        n_other_text=same.n_other_text,
        n_error=int(is_error.sum()),
        n_no_value=int((~is_error & ~is_compared).sum()),
        n_compared=int(is_compared.sum()),
        same=proportion(first.incident, are_same(variable, first.answer.values, other.answer.values)),
        n_other_label=int(is_other_label.sum()),
        n_labelled=len(gains),
        first_better=int((gains > _NEAR).sum()),
        other_better=int((gains < -_NEAR).sum()),
        as_good=int((np.abs(gains) <= _NEAR).sum()),
        difference=_mean_gain(incident, gains, _widest_gain(variable, first, other), seed),
        p_value=sign_flips(sums_of_incidents(incident, [gains])[:, 0], seed) if has_gains else None,
    )


def _mean_gain(incident: Codes, gains: Numbers, widest: float, seed: int) -> Rate:
    """The mean gain of a narrative, with its bootstrap interval over incidents.

    Where all gains are alike, the interval allows for as many unlike ones as may have gone unseen, each with the widest
    gain that there can be.
    """
    if not len(gains):
        return None
    sums = resampled_sums(incident, [gains, np.ones(len(gains))], seed)
    value, all_alike = float(gains.mean()), proportion(incident, np.ones(len(gains)))
    assert all_alike is not None
    unseen = (1 - all_alike["low"]) * widest
    return rate(value, ratio(sums[:, 0], sums[:, 1]), lambda: (value - unseen, value + unseen))


def _widest_gain(variable: Variable, first: Units, other: Units) -> float:
    if isinstance(variable, Number):
        numbers = np.concatenate([first.answer.values, other.answer.values, first.label.values[first.label.is_given]])
        return float(np.ptp(numbers)) if len(numbers) else 0.0
    is_ranked = isinstance(variable, Listed) and variable.type == "ordinal"
    return float(len(variable.value_names) - 1) if is_ranked else 1.0


def _have_same_label(variable: Variable, first: Units, other: Units) -> Mask:
    both = first.label.is_given & other.label.is_given
    labels = first.label.values[both], other.label.values[both]
    # The label of a quote is one text.
    is_same = np.zeros(len(both), dtype=np.bool_)
    is_same[both] = labels[0] == labels[1] if isinstance(variable, Quote) else are_same(variable, *labels)
    return is_same


def _changed(name: str, level: str, first: CodedExperiment, other: CodedExperiment, same: _Same) -> pd.DataFrame:
    """The narratives whose value changed, including unclear and not asked, without errors: their key, and values
    and labels in words; of passages how many there are, since they are pieces of narratives."""
    variable = first.codebook.variables[name]
    units = _at(first.narratives[name], same.first), _at(other.narratives[name], same.other)
    both = units[0].is_answered & units[1].is_answered
    is_changed = units[0].status != units[1].status
    is_changed[both] = ~are_same(variable, *(each.answer.values[both] for each in units))
    is_changed &= ~_is_error(units[0]) & ~_is_error(units[1])
    table: pd.DataFrame = first.table.iloc[same.first[is_changed]][list(KEY)].reset_index(drop=True)
    for side, experiment, of_both in zip(("first", "other"), (first, other), units, strict=True):
        changed = of_both.at(is_changed)
        table[f"value_{side}"] = pd.array(values_in_words(variable, changed), dtype="string")
        label = changed.label
        if level == INCIDENT:
            label = experiment.incidents[name].label.at(changed.incident)
        table[f"label_{side}"] = pd.array(in_words(variable, label, is_label=True), dtype="string")
    return table.reindex(columns=list(CHANGED_COLUMNS))


def values_in_words(variable: Variable, units: Units) -> list[str | None]:
    """The model's value of each unit in words, including `unclear` and `not asked`; None where there is an error."""
    without = {Status.UNCLEAR.value: UNCLEAR, Status.NOT_ASKED.value: NOT_ASKED}
    values = in_words(variable, units.answer)
    return [without.get(int(status), value) for status, value in zip(units.status, values, strict=True)]


def in_words(variable: Variable, known: Coded, is_label: bool = False) -> list[str | None]:
    """Each value in words, None where none is given; of passages how many there are, since they are pieces of
    narratives. The label of a quote (is_label) is one passage."""

    def word(value: Any) -> str | None:
        match variable:
            case Binary():
                return written(bool(value))
            case Multi():
                return written(
                    [name for name, is_in in zip(variable.value_names, np.asarray(value), strict=True) if is_in]
                )
            case Listed():
                return variable.value_names[int(value)]
            case Number():
                return written(float(value))
            case _:
                number = 1 if is_label else len(passages_of(value))
                return f"{number} passage{'' if number == 1 else 's'}"

    return [word(value) if is_given else None for value, is_given in zip(known.values, known.is_given, strict=True)]


def _is_error(units: Units) -> Mask:
    return np.isin(units.status, [Status.FAILED.value, Status.UNASKED.value])


def _at(units: Units, rows: Codes) -> Units:
    """The units of these rows, in their order."""
    return Units(units.incident[rows], units.status[rows], units.answer.at(rows), units.label.at(rows))
