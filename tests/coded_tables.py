"""Tables of results with all types of variables, and their labels, at random."""

import json
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.by_variable.units import VariableLabels
from tests.result_tables import table_at_random

VALUES = ["low", "middle", "high"]
CODEBOOK = Codebook.model_validate(
    {
        "variables": {
            "detected": {"type": "binary"},
            "weapon": {"type": "category", "values": VALUES},
            "severity": {"type": "ordinal", "values": VALUES, "only_if": {"detected": "yes"}},
            "persons": {"type": "multi", "values": VALUES},
            "age": {"type": "number", "tolerance": 1},
            "evidence": {"type": "quote"},
            "summary": {"type": "text"},
            "threat": {"type": "binary", "only_if": {"detected": "yes"}},
        }
    }
)
Labels = dict[str, VariableLabels]


def case(n_incidents: int, seed: int, share_unclear: float = 0.1) -> tuple[pd.DataFrame, Labels]:
    """A table of results with all types of variables, and its labels."""
    table = table_at_random(n_incidents, seed)
    random, n = np.random.default_rng(seed), len(table)
    kinds: dict[str, tuple[Any, Any]] = {
        "weapon": ("string", lambda: list(random.choice(VALUES, n))),
        "severity": ("string", lambda: list(random.choice(VALUES, n))),
        "persons": ("string", lambda: [json.dumps([v for v in VALUES if random.random() < 0.5]) for _ in range(n)]),
        "age": ("Float64", lambda: list(random.integers(20, 30, n).astype(float))),
        "evidence": ("string", lambda: [json.dumps([word]) for word in random.choice(["a b", "b", "c"], n)]),
        "summary": ("string", lambda: list(random.choice(["yes", ""], n))),
        "threat": ("boolean", lambda: list(random.random(n) < 0.5)),
    }
    error = table["detected"].isna().to_numpy(bool)
    # Without a value of `detected`, what depends on it is an error or not asked.
    nothing = pd.Series(None, index=table.index, dtype=object)
    table["detected_missing"] = nothing.mask(error, "error: no answer").astype("string")
    is_yes = table["detected"].fillna(False).to_numpy(bool)
    labels: Labels = {"detected": VariableLabels(table["manual_flag_ind"].astype("boolean"))}
    for name, (dtype, draw) in kinds.items():
        answer = pd.Series(draw(), dtype=object)
        label = answer.where(random.random(n) < 0.6, pd.Series(draw(), dtype=object))
        missing = nothing.mask(random.random(n) < share_unclear, "unclear")
        if name in ("evidence", "summary"):
            missing[:] = None
        if CODEBOOK.variables[name].only_if:
            missing[~is_yes] = "not asked"
        missing[error] = "error: no answer"
        table[name] = answer.where(missing.isna(), None).astype(dtype)
        table[f"{name}_missing"] = missing.astype("string")
        if name == "persons":
            label = label.map(lambda cell: tuple(json.loads(cell)))
        if name == "evidence":
            table["evidence_not_in_text"] = table["evidence"].where(random.random(n) < 0.2, "[]")
            label = label.map(lambda cell: json.loads(cell)[0])
        if name != "summary":
            labels[name] = VariableLabels(label.where(random.random(n) < 0.9, None))
    return table, labels
