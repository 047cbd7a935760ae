"""The values and labels of each variable, narrative by narrative and incident by incident.

A label counts where the labels of the variables in `only_if` meet the condition: where one of these has no label, it is
not known whether the variable applies, and the label counts in no rate. A label whose condition is in turn excluded by
another label does not meet it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.codebook.values import NOT_ASKED, UNCLEAR
from narrative_runs.codebook.variables import Binary, Category, Codebook, Quote, Text, Variable, missing_column
from narrative_runs.findings.by_variable.coding import Coded, Codes, Mask, coded, is_one_of, of_incidents


@dataclass(frozen=True)
class VariableLabels:
    """The human labels of one variable, as `codebook.labels.label_of` reads them.

    narrative: the label of each row of the table, by the same index; incident: those of the workbook's column of labels
    of incidents, by `incident_id`, None where there is no such column; inconsistent: the incidents with a blank
    narrative that is labelled yes, which have no label.
    """

    narrative: pd.Series
    incident: pd.Series | None = None
    inconsistent: Collection[str] = ()


class Status(IntEnum):
    """Whether a variable has a value in a narrative or an incident, and if not, why."""

    ANSWERED = 0
    UNCLEAR = 1
    NOT_ASKED = 2
    FAILED = 3
    # An incident whose narratives give different values of a category.
    DIFFERING = 4
    # An incident with a narrative that the limit left out.
    UNASKED = 5


@dataclass(frozen=True)
class Units:
    """One variable of each narrative, or of each incident.

    incident: the number of each unit's incident, from 0; label: given where it counts; is_asked_by_label: whether the
    labels say that the variable applies; counts: further counts of incidents.
    """

    incident: Codes
    status: NDArray[np.int64]
    answer: Coded
    label: Coded
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_answered(self) -> Mask:
        """Whether the model gave a value."""
        return np.asarray(self.status == Status.ANSWERED)

    @property
    def is_passed_over(self) -> Mask:
        """Whether the model did not answer because its own answers say that the variable does not apply, which the
        labels say it does."""
        return np.asarray(self.status == Status.NOT_ASKED) & self.label.is_given

    @property
    def is_compared(self) -> Mask:
        """Whether there is a value and a label that counts."""
        return self.is_answered & self.label.is_given

    def at(self, rows: Mask) -> "Units":
        """The units of these rows."""
        return Units(self.incident[rows], self.status[rows], self.answer.at(rows), self.label.at(rows))

    def sizes(self) -> dict[str, int]:
        """How many of them there are of each kind.

        `n`: with a value and a label that counts; `n_labelled`: with such a label; `n_answered`: with a value;
        `n_not_asked`: where the model's own answers say that the variable does not apply;
        `n_labelled_unclear`: of the labelled, where the text does not tell; `n_not_asked_by_model`: of the labelled,
        where the model's own answers say that the variable does not apply.
        """
        return {
            "n": int(self.is_compared.sum()),
            "n_labelled": int(self.label.is_given.sum()),
            "n_answered": int(self.is_answered.sum()),
            "n_errors": int((self.status == Status.FAILED).sum()),
            "n_unclear": int((self.status == Status.UNCLEAR).sum()),
            "n_not_asked": int((self.status == Status.NOT_ASKED).sum()),
            "n_labelled_unclear": int((self.label.is_given & (self.status == Status.UNCLEAR)).sum()),
            "n_not_asked_by_model": int(self.is_passed_over.sum()),
            **self.counts,
        }


class Condition(NamedTuple):
    """Whether the labels say that a variable applies (`is_met`), and whether they say that it does not."""

    is_met: Mask
    is_excluded: Mask


def units_of(
    table: pd.DataFrame, codebook: Codebook, labels: Mapping[str, VariableLabels], unasked: Collection[str] = ()
) -> tuple[dict[str, Units], dict[str, Units]]:
    """By variable, the narratives and the incidents.

    In: one row a narrative, in the order of `row_num`, with `incident_id` and the columns of the codebook; labels by
    variable, whose rows are those of the table; unasked: incidents with a narrative that the limit left out.
    """
    incident, ids = pd.factorize(table["incident_id"], sort=True)
    is_unasked = np.asarray(pd.Index(ids).isin(list(unasked)), dtype=np.bool_)
    nothing = pd.Series(None, index=table.index, dtype=object)
    label = {
        name: coded(name, variable, labels[name].narrative if name in labels else nothing)
        for name, variable in codebook.variables.items()
    }
    condition = conditions(codebook, label, len(table))
    label_of_incident: dict[str, Coded] = {}
    label_counts: dict[str, dict[str, Mask]] = {}
    for name, variable in codebook.variables.items():
        label_of_incident[name], label_counts[name] = _incident_labels(
            name, variable, label[name], condition[name], labels.get(name), incident, pd.Index(ids), is_unasked
        )
    condition_of_incident = conditions(codebook, label_of_incident, len(ids))
    narratives, incidents = {}, {}
    for name, variable in codebook.variables.items():
        answer = coded(name, variable, table[name])
        status = _status(variable, answer, table[missing_column(name)])
        answer = Coded(answer.values, status == Status.ANSWERED)
        narratives[name] = Units(incident, status, answer, _where(label[name], condition[name].is_met))
        answer, status = _incident_answers(variable, answer, status, incident, is_unasked)
        is_complete = (status != Status.FAILED) & (status != Status.UNASKED)
        counts = {
            "n_incomplete": int((~is_complete).sum()),
            "n_unasked": int(is_unasked.sum()),
            **{count: int((which & is_complete).sum()) for count, which in label_counts[name].items()},
        }
        if isinstance(variable, Category):
            counts["n_differing"] = int((status == Status.DIFFERING).sum())
        incidents[name] = Units(
            np.arange(len(ids)),
            status,
            answer,
            _where(label_of_incident[name], condition_of_incident[name].is_met),
            counts,
        )
    return narratives, incidents


def conditions(codebook: Codebook, label: Mapping[str, Coded], n: int) -> dict[str, Condition]:
    """By variable whether the labels meet its condition; a variable without one always applies."""
    known: dict[str, Condition] = {}
    for name in codebook.conditions_first:
        is_met, is_excluded = np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
        for on, among in codebook.variables[name].only_if.items():
            is_there = is_one_of(codebook.variables[on], label[on], among) & ~known[on].is_excluded
            is_met &= is_there
            is_excluded |= known[on].is_excluded | (label[on].is_given & ~is_there)
        known[name] = Condition(is_met, is_excluded)
    return known


def _where(known: Coded, rows: Mask) -> Coded:
    return Coded(known.values, known.is_given & rows)


def _status(variable: Variable, answer: Coded, missing: pd.Series) -> NDArray[np.int64]:
    reason = missing.astype("string")
    # A text may be empty without a reason.
    has_value = answer.is_given | isinstance(variable, Quote | Text)
    kinds = [reason.isna().to_numpy(bool) & has_value, *((reason == why).fillna(False) for why in (UNCLEAR, NOT_ASKED))]
    return np.select(
        [np.asarray(kind, dtype=np.bool_) for kind in kinds],
        [Status.ANSWERED.value, Status.UNCLEAR.value, Status.NOT_ASKED.value],
        default=Status.FAILED.value,
    ).astype(np.int64)


def _incident_answers(
    variable: Variable, answer: Coded, status: NDArray[np.int64], incident: Codes, is_unasked: Mask
) -> tuple[Coded, NDArray[np.int64]]:
    """The model's value of each incident, and its status.

    One with an error in any narrative is not answered, even if another one is positive, as in `findings.incidents`.
    Where the text of a narrative does not tell, the others stand for the incident; but a no is none without all.
    """
    n_incidents = len(is_unasked)

    def any_is(kind: Status) -> Mask:
        return np.asarray(np.bincount(incident[status == kind], minlength=n_incidents) > 0)

    value = of_incidents(variable, answer, incident, n_incidents)
    is_unclear, has_answer = any_is(Status.UNCLEAR), any_is(Status.ANSWERED)
    has_value = value.is_given
    if isinstance(variable, Binary):
        has_value = has_value & (value.values | ~is_unclear)
    of_incident = np.select(
        [is_unasked, any_is(Status.FAILED), has_value, has_answer & ~value.is_given, is_unclear],
        [
            Status.UNASKED.value,
            Status.FAILED.value,
            Status.ANSWERED.value,
            Status.DIFFERING.value,
            Status.UNCLEAR.value,
        ],
        default=Status.NOT_ASKED.value,
    ).astype(np.int64)
    return Coded(value.values, of_incident == Status.ANSWERED), of_incident


def _incident_labels(
    name: str,
    variable: Variable,
    label: Coded,
    condition: Condition,
    labels: VariableLabels | None,
    incident: Codes,
    ids: pd.Index,
    is_unasked: Mask,
) -> tuple[Coded, dict[str, Mask]]:
    """The label of each incident, and which incidents have none for which reason.

    The incident's own label counts where there is one. Otherwise it follows from the labels of its narratives, if all
    to which the variable applies have one.
    """
    label = _where(label, ~condition.is_excluded)
    is_lacking = ~label.is_given & ~condition.is_excluded
    n_given = np.bincount(incident[label.is_given], minlength=len(ids))
    n_lacking = np.bincount(incident[is_lacking], minlength=len(ids))
    of_incident = of_incidents(variable, label, incident, len(ids))
    values, is_complete = of_incident.values, (n_lacking == 0) & ~is_unasked
    is_given = of_incident.is_given & is_complete
    is_inconsistent = np.zeros(len(ids), dtype=np.bool_)
    if labels is not None:
        if labels.incident is not None and not isinstance(variable, Quote | Text):
            own = coded(name, variable, labels.incident.reindex(ids))
            is_own = own.is_given if values.ndim == 1 else own.is_given[:, None]
            values, is_given = np.where(is_own, own.values, values), is_given | own.is_given
        is_inconsistent = np.asarray(ids.isin(list(labels.inconsistent)), dtype=np.bool_)
    is_given = is_given & ~is_inconsistent
    is_left = ~is_given & (n_given > 0) & ~is_inconsistent
    counts = {"n_partly_labelled": is_left & ~is_complete, "n_inconsistent": is_inconsistent}
    if isinstance(variable, Category):
        counts["n_labels_differing"] = is_left & is_complete
    return Coded(values, is_given), counts
