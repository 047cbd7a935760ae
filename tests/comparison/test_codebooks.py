from typing import Any

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.comparison.codebooks import (
    A_TEXT,
    ONLY_FIRST,
    ONLY_OTHER,
    OTHER_TYPE,
    OTHER_VALUES,
    why_not_compared,
    with_answers_to_compare,
)


def codebook(**variables: dict[str, Any]) -> Codebook:
    """A codebook of these variables."""
    return Codebook.model_validate({"variables": variables})


FIRST = codebook(
    detected={"type": "binary"},
    weapon={"type": "category", "values": ["gun", "knife", "rope"]},
    severity={"type": "ordinal", "values": ["low", "high"]},
    relations={"type": "multi", "values": {"partner": "A spouse", "child": ""}},
    age={"type": "number", "tolerance": 1},
    place={"type": "text"},
    summary={"type": "text"},
)
OTHER = codebook(
    summary={"type": "text", "many": True},
    weapon={"type": "category", "values": ["rope", "gun", "knife"], "definition": "Another one."},
    severity={"type": "ordinal", "values": ["high", "low"]},
    relations={"type": "multi", "values": {"child": "Of any age", "partner": ""}, "only_if": {"weapon": "gun"}},
    age={"type": "number", "minimum": 3},
    place={"type": "category", "values": ["home", "street"]},
    motive={"type": "binary"},
)


def test_variables_are_compared_where_type_and_values_are_the_same() -> None:
    """Definitions, conditions, tolerances and the order of values do not matter, but for ordinal variables; of all
    others a reason is given."""
    assert why_not_compared(FIRST, OTHER) == {
        "detected": ONLY_FIRST,
        "weapon": None,
        "severity": OTHER_VALUES,
        "relations": None,
        "age": None,
        "place": OTHER_TYPE,
        "summary": A_TEXT,
        "motive": ONLY_OTHER,
    }


def test_a_value_has_the_same_index_in_both() -> None:
    """Values that are compared stand in the order of the first codebook, others as they were; texts are left out."""
    compared = with_answers_to_compare(OTHER, FIRST)
    assert compared is not None
    assert compared.names == ("weapon", "severity", "relations", "age", "place", "motive")
    assert compared.variables["weapon"].value_names == ("gun", "knife", "rope")
    assert compared.variables["relations"].value_names == ("partner", "child")
    assert compared.variables["relations"].only_if == {"weapon": ["gun"]}
    assert compared.variables["severity"].value_names == ("high", "low")


def test_without_a_codebook_there_is_the_variable_detected() -> None:
    """The usual question is one of yes or no; a codebook of texts has nothing that can be compared."""
    usual = with_answers_to_compare(DEFAULT, FIRST)
    assert usual is not None and usual.names == ("detected",)
    assert why_not_compared(FIRST, DEFAULT)["detected"] is None
    assert with_answers_to_compare(codebook(summary={"type": "text"}), FIRST) is None
