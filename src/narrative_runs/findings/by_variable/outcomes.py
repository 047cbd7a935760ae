"""The outcome of a variable in each narrative, or each incident: right or wrong by its label, or why it is neither.

For a binary variable the four cells of the confusion matrix replace right and wrong.
"""

import numpy as np
import pandas as pd

from narrative_runs.codebook.variables import Binary, Number, Quote, Text, Variable
from narrative_runs.findings.by_variable.coding import Mask
from narrative_runs.findings.by_variable.number import is_within
from narrative_runs.findings.by_variable.units import Status, Units

TRUE_POSITIVE, FALSE_POSITIVE = "true positive", "false positive"
FALSE_NEGATIVE, TRUE_NEGATIVE = "false negative", "true negative"
RIGHT, WRONG = "right", "wrong"
NO_LABEL, UNCLEAR, NOT_ASKED, ERROR = "no label", "unclear", "not asked", "error"
DIFFERING, UNASKED = "differing", "unasked"

_WITHOUT_A_VALUE = {
    Status.UNCLEAR: UNCLEAR,
    Status.NOT_ASKED: NOT_ASKED,
    Status.FAILED: ERROR,
    Status.DIFFERING: DIFFERING,
    Status.UNASKED: UNASKED,
}


def outcomes(variable: Variable, units: Units) -> pd.Series:
    """The outcome of each unit in one or two words; of passages and texts, which are neither right nor wrong, `no
    label` for each that was answered."""
    words = np.full(len(units.status), NO_LABEL, dtype=object)
    for status, outcome in _WITHOUT_A_VALUE.items():
        words[units.status == status] = outcome
    is_compared, is_right = units.is_compared, is_right_by_label(variable, units)
    if isinstance(variable, Binary):
        # Where only the model says that the variable does not apply, it counts as no, as in the rates.
        is_compared = is_compared | units.is_passed_over
        is_yes = units.answer.values & units.is_answered
        is_right = is_right | (units.is_passed_over & ~units.label.values)
        words[is_compared & is_yes] = np.where(is_right, TRUE_POSITIVE, FALSE_POSITIVE)[is_compared & is_yes]
        words[is_compared & ~is_yes] = np.where(is_right, TRUE_NEGATIVE, FALSE_NEGATIVE)[is_compared & ~is_yes]
    elif not isinstance(variable, Quote | Text):
        words[is_compared] = np.where(is_right, RIGHT, WRONG)[is_compared]
    return pd.Series(words, dtype="string")


def is_right_by_label(variable: Variable, units: Units) -> Mask:
    """Whether the answer agrees with the label: of a number, whether it is no further from it than the variable's
    `tolerance`; of several values, whether all are the same. False where there is not both."""
    compared = units.at(units.is_compared)
    label, answer = compared.label.values, compared.answer.values
    agrees = is_within(variable.tolerance or 0.0, label, answer) if isinstance(variable, Number) else label == answer
    is_right = np.zeros(len(units.status), dtype=np.bool_)
    is_right[units.is_compared] = agrees.all(axis=1) if agrees.ndim == 2 else agrees
    return is_right
