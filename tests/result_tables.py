"""Tables of results, made from what matters of each narrative."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

DTYPES = {
    "row_num": "int64",
    "incident_id": "string",
    "narrative_type": "string",
    "narrative_text": "string",
    "manual_flag_ind": "Int64",
    "manual_flag": "Int64",
    "detected": "boolean",
    "confidence": "Float64",
    "indicators": "string",
    "rationale": "string",
    "reasoning_steps": "string",
    "raw_response": "string",
    "response_sec": "Float64",
    "processed_at": "string",
    "error_occurred": "bool",
    "error_message": "string",
    "prompt_tokens": "Int64",
    "completion_tokens": "Int64",
    "tokens_used": "Int64",
    "attempt_count": "int64",
    "first_error_message": "string",
    "last_attempt_at": "string",
    "error_category": "string",
    "p_detected": "Float64",
    "model_answered": "string",
    "fingerprint": "string",
}


def table_of(*narratives: dict[str, Any]) -> pd.DataFrame:
    """A table of results from what matters of each narrative; the rest is filled with an answer without
    error.

    `detected=None` stands for an error. Rows are numbered in the order given.
    """
    rows = []
    for number, narrative in enumerate(narratives, start=1):
        failed = "detected" in narrative and narrative["detected"] is None
        answer = {
            "row_num": number,
            "incident_id": str(number),
            "narrative_type": "cme",
            "narrative_text": f"Text of narrative {number}.",
            "detected": False,
            "confidence": None if failed else 0.9,
            "indicators": None if failed else '["threat", "weapon"]',
            "rationale": None if failed else "Because.",
            "raw_response": None if failed else '{"detected": false}',
            "response_sec": 1.5,
            "processed_at": "2024-05-01 12:00:00",
            "last_attempt_at": "2024-05-01 12:00:00",
            "error_occurred": failed,
            "error_message": "no answer" if failed else None,
            "error_category": "timeout" if failed else None,
            "attempt_count": 1,
            "fingerprint": f"{number:064x}",
        }
        rows.append(answer | narrative)
    return pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)


def table_at_random(incidents: int, seed: int, types: Sequence[str] = ("cme", "le")) -> pd.DataFrame:
    """A labelled table of incidents with one narrative or more, some unlabelled, some with an error."""
    rng = np.random.default_rng(seed)
    narratives: list[dict[str, Any]] = []
    for incident in range(incidents):
        for kind in rng.permutation(list(types))[: rng.integers(1, len(types) + 1)]:
            label = int(rng.random() < 0.3)
            found = bool(rng.random() < (0.8 if label else 0.1))
            narratives.append(
                {
                    "incident_id": f"{incident:04d}",
                    "narrative_type": kind,
                    "manual_flag_ind": label if rng.random() < 0.9 else None,
                    "detected": found if rng.random() < 0.95 else None,
                    "confidence": round(float(rng.uniform(0.5, 1)), 2),
                    "p_detected": float(rng.beta(5, 2) if found else rng.beta(2, 5)),
                }
            )
    return table_of(*narratives)


def labelled_by_incident(results: pd.DataFrame) -> pd.DataFrame:
    """The same answers as of a workbook that labels incidents alone: the first label of each."""
    first = results["manual_flag_ind"].groupby(results["incident_id"]).transform("first")
    return results.assign(manual_flag=first.astype("Int64"), manual_flag_ind=pd.array([pd.NA] * len(results), "Int64"))


def others_of(results: pd.DataFrame) -> pd.DataFrame:
    """Other columns of a workbook beside these results, one of each type; every third narrative has none of them."""
    types = {"row_num": "int64", "Sex": "string", "Incident Year": "Int64", "Age": "Float64", "Veteran": "boolean"}
    rows = [
        (number, *((None,) * 4 if number % 3 == 0 else _other_cells(number)))
        for number in results["row_num"].sort_values()
    ]
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _other_cells(number: int) -> tuple[Any, ...]:
    return ("M" if number % 2 else "=F", 2000 + number, number / 2, number % 2 == 0)
