"""Categories and ordinal variables: one of several values, against the label."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from narrative_runs.codebook.variables import Ordinal, Variable
from narrative_runs.findings.by_variable.agreement import (
    Agreement,
    alpha_nominal,
    alpha_ordinal,
    kappa,
    weighted_kappa,
)
from narrative_runs.findings.by_variable.coding import Codes
from narrative_runs.findings.by_variable.resamples import (
    Numbers,
    proportion,
    rate,
    ratio,
    resampled_cells,
    sums_of_incidents,
)
from narrative_runs.findings.by_variable.units import Units
from narrative_runs.findings.confusion import ConfusionMatrix
from narrative_runs.findings.intervals import RESAMPLES, Rate, f1_interval


class OfValue(NamedTuple):
    """The measures of one value against all others."""

    precision: Rate
    recall: Rate
    f1: Rate


def measure_category(variable: Variable, units: Units, seed: int, is_brief: bool = False) -> dict[str, Any]:
    """Answers against labels, where there are both.

    Out: `confusion`, the table of all values with a row for each label; `accuracy`; `kappa` (Cohen's) and `alpha`
    (Krippendorff's, nominal); micro and macro precision, recall and F1; and `by_value`, with `n_labelled` and
    `n_answered`. As each answer is one value, the three micro measures are the accuracy. A macro measure is the mean
    over the values for which it is defined: those that were answered, that are labels, or either. is_brief: the
    measures that count alone.
    """
    compared = units.at(units.is_compared)
    incident, label, answer = compared.incident, compared.label.values, compared.answer.values
    table, there, resampled = _tables(variable, incident, label, answer, seed)
    of_values = [_of_value(incident, label == value, answer == value) for value in range(len(variable.value_names))]
    accuracy = proportion(incident, label == answer)
    recalls = [of_values[value].recall for value in there]
    macro = {
        f"macro_{name}": _mean_over_values(number, table, there, resampled, [getattr(each, name) for each in of_values])
        for number, name in enumerate(OfValue._fields)
        if name == "f1" or not is_brief
    }
    if is_brief:
        return {"accuracy": accuracy, "kappa": _agreement(kappa, table, there, resampled, recalls), **macro}
    return {
        "confusion": {"values": list(variable.value_names), "counts": table.astype(int).tolist()},
        "accuracy": accuracy,
        "kappa": _agreement(kappa, table, there, resampled, recalls),
        "alpha": _agreement(alpha_nominal, table, there, resampled, recalls),
        **dict.fromkeys([f"micro_{name}" for name in OfValue._fields], accuracy),
        **macro,
        "by_value": {
            name: {
                "n_labelled": int(table[value].sum()),
                "n_answered": int(table[:, value].sum()),
                **of_values[value]._asdict(),
            }
            for value, name in enumerate(variable.value_names)
        },
    }


def measure_ordinal(variable: Ordinal, units: Units, seed: int, is_brief: bool = False) -> dict[str, Any]:
    """Answers against labels, where there are both.

    Out: `confusion`, as of a category; `accuracy`; `weighted_kappa` (Cohen's, with quadratic weights) and `alpha`
    (Krippendorff's, ordinal). is_brief: the measures that count alone.
    """
    compared = units.at(units.is_compared)
    incident, label, answer = compared.incident, compared.label.values, compared.answer.values
    table, there, resampled = _tables(variable, incident, label, answer, seed)
    recalls = [proportion(incident, (label == value) & (answer == value), label == value) for value in there]
    weighted = partial(weighted_kappa, ranks=there.astype(np.float64))
    measures = {
        "accuracy": proportion(incident, label == answer),
        "weighted_kappa": _agreement(weighted, table, there, resampled, recalls),
    }
    if is_brief:
        return measures
    return {
        "confusion": {"values": list(variable.value_names), "counts": table.astype(int).tolist()},
        **measures,
        "alpha": _agreement(alpha_ordinal, table, there, resampled, recalls),
    }


def _tables(
    variable: Variable, incident: Codes, label: Codes, answer: Codes, seed: int
) -> tuple[Numbers, Codes, Numbers]:
    """The table of labels and answers, the values that occur in it, and the tables of the resamples, of these alone."""
    size = len(variable.value_names)
    table = np.bincount(label * size + answer, minlength=size**2).reshape(size, size).astype(np.float64)
    there = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    cell = np.searchsorted(there, label) * len(there) + np.searchsorted(there, answer)
    resampled = resampled_cells(incident, cell, len(there) ** 2, seed)
    return table, there, resampled.reshape(RESAMPLES, len(there), len(there))


def _of_value(incident: Codes, is_label: Any, is_answer: Any) -> OfValue:
    sums = sums_of_incidents(incident, [is_label & is_answer, is_answer & ~is_label, is_label & ~is_answer])
    tp, fp, fn = sums.T
    return OfValue(
        proportion(incident, is_label & is_answer, is_answer),
        proportion(incident, is_label & is_answer, is_label),
        f1_interval(ConfusionMatrix(tp, fp, fn, np.zeros_like(tp))),
    )


def _agreement(measure: Agreement, table: Numbers, there: Codes, resampled: Numbers, recalls: list[Rate]) -> Rate:
    if not len(there):
        return None
    table = table[np.ix_(there, there)]
    return rate(
        float(measure(table)),
        measure(resampled),
        lambda: (
            float(measure(_outer_table(table, recalls, "low"))),
            float(measure(_outer_table(table, recalls, "high"))),
        ),
    )


def _outer_table(table: Numbers, recalls: list[Rate], bound: str) -> Numbers:
    """The table of the same labels with the recall of each at this bound; missed ones are answered with the other
    values, as often as these are labels."""
    labels = table.sum(axis=1)
    shares = np.array([0.0 if recall is None else recall[bound] for recall in recalls])
    others = labels[None, :] * (1.0 - np.eye(len(labels)))
    others = np.nan_to_num(ratio(others, others.sum(axis=1, keepdims=True)))
    return np.asarray(np.diag(labels * shares) + (labels * (1 - shares))[:, None] * others)


def _mean_over_values(number: int, table: Numbers, there: Codes, resampled: Numbers, of_values: list[Rate]) -> Rate:
    if not len(there):
        return None

    def bound(name: str) -> float:
        return float(np.mean([each[name] for each in of_values if each]))

    value = float(_macro(table[np.ix_(there, there)], number))
    return rate(value, _macro(resampled, number), lambda: (bound("low"), bound("high")))


def _macro(tables: Numbers, number: int) -> Numbers:
    """Macro precision, recall or F1, by its number; NaN where no value has one."""
    right = np.diagonal(tables, axis1=-2, axis2=-1)
    answers, labels = tables.sum(axis=-2), tables.sum(axis=-1)
    part, whole = ((right, answers), (right, labels), (2 * right, answers + labels))[number]
    shares = ratio(part, whole)
    return ratio(np.nansum(shares, axis=-1), (~np.isnan(shares)).sum(axis=-1))
