import json
from typing import Any

import pytest

from narrative_runs.codebook.coded import CodedValue, coded_columns, coded_values, coded_without_answer, values_lost
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.values import read_values
from narrative_runs.codebook.variables import Codebook

CODEBOOK = Codebook.model_validate(
    {
        "variables": {
            "detected": {"type": "binary", "confidence": True},
            "weapon": {"type": "category", "values": ["gun", "knife"], "only_if": {"detected": "yes"}},
            "relations": {"type": "multi", "values": ["partner", "friend"]},
            "age": {"type": "number"},
            "evidence": {"type": "quote"},
        }
    }
)
TEXT = "V was shot by her partner, 34 years old."
ANSWER: dict[str, Any] = {
    "detected": True,
    "confidence": 0.9,
    "weapon": "gun",
    "relations": ["partner"],
    "age": 34,
    "evidence": ["shot by her partner", "stabbed"],
}


def row_of(likely: dict[str, float] | None = None, **changes: Any) -> dict[str, Any]:
    """A row of results, as far as it matters here, for this answer with changes."""
    values = read_values(CODEBOOK, {**ANSWER, **changes})
    columns = coded_columns(CODEBOOK, values, likely or {}, TEXT)
    detected = values["detected"]
    return {"detected": detected.value, "confidence": detected.confidence, "p_detected": 0.8, **columns}


def test_each_column_has_its_value() -> None:
    """Values stand in their columns with their own types, and passages that are not in the narrative are marked."""
    row = row_of({"weapon": 0.7})
    assert (row["weapon"], row["p_weapon"], row["age"], row["relations"]) == ("gun", 0.7, 34.0, '["partner"]')
    assert json.loads(row["evidence"]) == ["shot by her partner", "stabbed"]
    assert json.loads(row["evidence_not_in_text"]) == ["stabbed"]
    assert {row[f"{name}_missing"] for name in CODEBOOK.variables} == {None}


def test_nothing_stands_beside_the_record_for_the_usual_question() -> None:
    """Where the record has a column for each variable, there is no other one, and no row a variable."""
    values = read_values(DEFAULT, ANSWER)
    assert coded_columns(DEFAULT, values, {}, TEXT) == coded_without_answer(DEFAULT) == {}
    assert list(coded_values(DEFAULT, {})) == []


def test_a_row_a_variable() -> None:
    """Each variable has a row with its value as text, in the order of the codebook."""
    assert list(coded_values(CODEBOOK, row_of({"weapon": 0.7}))) == [
        CodedValue("detected", "yes", 0.8, 0.9, None, None),
        CodedValue("weapon", "gun", 0.7, None, None, None),
        CodedValue("relations", '["partner"]', None, None, None, None),
        CodedValue("age", "34", None, None, None, None),
        CodedValue("evidence", '["shot by her partner", "stabbed"]', None, None, None, '["stabbed"]'),
    ]


def test_why_a_value_is_missing() -> None:
    """Unclear is a value of its own; what was not asked has neither value nor error; an error has its message."""
    rows = {row.variable: row for row in coded_values(CODEBOOK, row_of(detected=None, age="old"))}
    assert (rows["detected"].value, rows["detected"].error_message) == ("unclear", None)
    assert (rows["weapon"].value, rows["weapon"].error_message) == (None, None)
    assert (rows["age"].value, rows["age"].error_message) == (None, "`age` is not a number")


def test_without_an_answer_each_variable_has_the_rows_message() -> None:
    """Where the whole reply is none, each variable is an error, whose message stands in the record alone."""
    columns = coded_without_answer(CODEBOOK)
    assert {columns[f"{name}_missing"] for name in CODEBOOK.variables} == {"error: no answer"}
    rows = coded_values(CODEBOOK, {"detected": None, "confidence": None, "error_message": "HTTP 500", **columns})
    assert {(row.value, row.error_message) for row in rows} == {(None, "HTTP 500")}


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ({"age": "old"}, {}, []),
        ({"age": "old"}, {"age": "older"}, []),
        ({"age": "old"}, {"weapon": "bazooka"}, ["weapon"]),
        ({}, {"age": None}, []),
        ({"age": None}, {"age": "old"}, ["age"]),
        ({"detected": False}, {"weapon": "bazooka"}, ["weapon"]),
    ],
)
def test_what_a_retry_would_lose(before: dict[str, Any], after: dict[str, Any], lost: list[str]) -> None:
    """A variable is lost if it could be read before, also as unclear or not asked, and is an error after."""
    assert values_lost(row_of(**before), row_of(**after), CODEBOOK) == lost
