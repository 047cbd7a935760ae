"""What came out for each variable."""

import json

import numpy as np
import pandas as pd
import pytest
from tests.coded_tables import CODEBOOK, case

from narrative_runs.findings.by_variable.outcomes import is_right_by_label, outcomes
from narrative_runs.findings.by_variable.units import units_of


@pytest.mark.parametrize("seed", range(5))
def test_each_outcome_is_what_answer_and_label_say(seed: int) -> None:
    """Read one row at a time, answer, label and reason give the same outcome."""
    table, labels = case(60, seed)
    narratives, _ = units_of(table, CODEBOOK, labels)
    detected_label = labels["detected"].narrative
    for name, variable in CODEBOOK.variables.items():
        found = outcomes(variable, narratives[name]).tolist()
        for row, (answer, reason) in enumerate(zip(table[name], table[f"{name}_missing"], strict=True)):
            label = labels[name].narrative.iloc[row] if name in labels else None
            if variable.only_if and not (pd.notna(detected_label.iloc[row]) and detected_label.iloc[row]):
                label = None
            expected = _expected(variable.type, answer, None if pd.isna(reason) else reason, label)
            assert found[row] == expected, (name, row)


def test_a_number_is_right_within_its_tolerance() -> None:
    """A number is right as far from its label as the tolerance, and no further."""
    table, labels = case(80, 3)
    units = units_of(table, CODEBOOK, labels)[0]["age"]
    is_right = is_right_by_label(CODEBOOK.variables["age"], units)
    apart = np.abs(units.answer.values - units.label.values)
    assert set(apart[is_right & units.is_compared]) == {0.0, 1.0}
    assert apart[~is_right & units.is_compared].min() == 2.0


def _expected(kind: str, answer: object, reason: str | None, label: object) -> str:
    if kind == "binary" and reason == "not asked" and label is not None:
        # In the rates it counts as no.
        answer, reason = False, None
    if reason is not None:
        return "error" if reason.startswith("error") else reason
    if kind in ("quote", "text") or label is None or label is pd.NA:
        return "no label"
    if kind == "binary":
        return {(1, 1): "true positive", (1, 0): "false positive", (0, 1): "false negative", (0, 0): "true negative"}[
            (int(bool(answer)), int(bool(label)))
        ]
    if kind == "multi":
        is_right = set(json.loads(str(answer))) == set(label)  # type: ignore[call-overload]
    elif kind == "number":
        is_right = abs(float(answer) - float(label)) <= 1  # type: ignore[arg-type]
    else:
        is_right = answer == label
    return "right" if is_right else "wrong"
