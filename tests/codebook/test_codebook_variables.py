import json
from typing import Any

import pytest
from pydantic import ValidationError

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import (
    Binary,
    Category,
    Codebook,
    Number,
    Ordinal,
    confidence_key,
    reserved_problems,
)

ALL_TYPES: dict[str, Any] = {
    "detected": {"type": "binary", "label": "manual_flag_ind", "definition": "Violence by a partner."},
    "weapon": {
        "type": "category",
        "values": {"poison": "Drugs or gas", "firearm": "", "other": "Anything else"},
        "label": {"cme": "WeaponCME", "incident": "Weapon"},
        "examples": {"FIREARM": "shot", "unclear": ["hurt", "harmed"]},
        "only_if": {"detected": "true"},
    },
    "severity": {"type": "ordinal", "values": ["none", "threat", "injury"], "unclear": "error"},
    "told": {"type": "multi", "values": ["partner", "family"], "only_if": {"weapon": ["Firearm", "poison"]}},
    "age": {"type": "number", "minimum": "0", "maximum": "120", "tolerance": "1", "examples": {"34": "aged 34"}},
    "evidence": {"type": "quote", "examples": "he hit her"},
    "summary": {"type": "text", "many": "true", "confidence": "true"},
}


def codebook(**variables: dict[str, Any]) -> Codebook:
    return Codebook.model_validate({"variables": variables})


def problem(**variables: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as error:
        codebook(**variables)
    return str(error.value)


def test_a_codebook_survives_json_unchanged() -> None:
    """What a journal keeps as JSON is the same codebook again, with its order."""
    for each in (codebook(**ALL_TYPES), DEFAULT):
        text = each.model_dump_json()
        again = Codebook.model_validate(json.loads(text))
        assert again == each
        assert again.model_dump_json() == text
        assert again.model_dump(mode="json") == json.loads(text)


def test_the_order_of_values_survives_sorted_keys() -> None:
    """Values with definitions keep their order even where all keys are sorted, as for a fingerprint."""
    severity = {"type": "ordinal", "values": {"threat": "Words", "injury": "Wounds"}}
    kept = json.loads(json.dumps(codebook(severity=severity).model_dump(mode="json"), sort_keys=True))
    assert Codebook.model_validate(kept).variables["severity"].value_names == ("threat", "injury")


def test_the_order_counts() -> None:
    """Codebooks with another order of variables or values are others."""
    first, second = {"type": "text"}, {"type": "quote"}
    assert codebook(a=first, b=second) != codebook(b=second, a=first)
    assert codebook(a=first, b=second) == codebook(a=first, b=second)
    assert hash(codebook(a=first)) == hash(codebook(a=first))
    up, down = ({"type": "ordinal", "values": values} for values in (["x", "y"], ["y", "x"]))
    assert codebook(a=up) != codebook(a=down)


def test_what_was_typed_becomes_what_it_means() -> None:
    """Texts become numbers and flags, single ones lists, and values are spelled as the codebook spells them."""
    book = codebook(**ALL_TYPES)
    age, weapon, summary = book.variables["age"], book.variables["weapon"], book.variables["summary"]
    assert isinstance(age, Number) and (age.minimum, age.maximum, age.tolerance) == (0.0, 120.0, 1.0)
    assert weapon.only_if == {"detected": ["yes"]}
    assert weapon.examples == {"firearm": ["shot"], "unclear": ["hurt", "harmed"]}
    assert book.variables["told"].only_if == {"weapon": ["firearm", "poison"]}
    assert book.variables["evidence"].examples == ["he hit her"]
    assert summary.confidence is True


def test_names_in_their_order() -> None:
    """The anchors are in every answer and can be told from prose; the first binary variable is known."""
    book = codebook(**ALL_TYPES)
    assert book.names == tuple(ALL_TYPES)
    assert book.anchors == ("detected", "severity", "age")
    assert book.first_binary == "detected"
    texts = codebook(a={"type": "text"}, b={"type": "quote"})
    assert texts.anchors == ("a", "b")
    assert texts.first_binary is None


def test_conditions_stand_before_what_depends_on_them() -> None:
    """Each variable is behind those that it depends on, and else in its order."""
    book = codebook(
        a={"type": "text", "only_if": {"c": "yes"}},
        b={"type": "text"},
        c={"type": "binary", "only_if": {"d": "x"}},
        d={"type": "category", "values": ["x", "y"]},
    )
    assert book.conditions_first == ("d", "c", "a", "b")


def test_which_codebooks_fit_the_record() -> None:
    """The record has columns for the three usual variables alone, and none that says why a value is missing."""
    assert DEFAULT.fits_the_record
    assert codebook(detected={"type": "binary", "unclear": "no"}).fits_the_record
    assert not codebook(detected={"type": "binary"}).fits_the_record
    assert not codebook(**ALL_TYPES).fits_the_record


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "has no variables"),
        ({"Weapon": {"type": "text"}}, "lower-case letters"),
        ({"a" * 41: {"type": "text"}}, "at most 40"),
        ({"a_confidence": {"type": "text"}}, "end in _confidence"),
        ({"a_missing": {"type": "text"}}, "end in _confidence or _missing"),
        ({"p_a": {"type": "text"}}, "begin with p_"),
        ({"detected": {"type": "text"}}, "`detected` must be binary"),
        ({"a": {"type": "binary"}, "detected": {"type": "binary"}}, "first binary"),
        ({"indicators": {"type": "text"}}, "`indicators` must be"),
        ({"rationale": {"type": "text", "many": True}}, "`rationale` must be"),
        ({"detected": {"type": "binary"}, "confidence": {"type": "text"}}, "column confidence would also belong to"),
        ({"a": {"type": "category", "values": ["x"]}}, "at least two"),
        ({"a": {"type": "ordinal", "values": []}}, "at least two"),
        ({"a": {"type": "multi", "values": []}}, "at least one"),
        ({"a": {"type": "category", "values": ["x y", "X Y"]}}, "the same value"),
        ({"a": {"type": "category", "values": ["xy", "x y"]}}, "the same value"),
        ({"a": {"type": "category", "values": ["x", " "]}}, "a value is blank"),
        ({"a": {"type": "category", "values": ["x", "y|z"]}}, "which separates values"),
        ({"a": {"type": "category", "values": ["x", "Unclear"]}}, "no value of its own"),
        ({"a": {"type": "category", "values": "x"}}, "give a list of values"),
        ({"a": {"type": "category", "values": ["x", ["y"]]}}, "give a list of values"),
        ({"a": {"type": "number", "minimum": 2, "maximum": 2}}, "must be below maximum"),
        ({"a": {"type": "number", "tolerance": "-1"}}, "below 0"),
        ({"a": {"type": "number", "minimum": "few"}}, "give a number"),
        ({"a": {"type": "binary", "many": True}}, "many"),
        ({"a": {"type": "text", "many": "perhaps"}}, "give true or false"),
        ({"a": {"type": "text", "unclear": "no"}}, "only for binary variables"),
        ({"a": {"type": "quote", "unclear": "no"}}, "only for binary variables"),
        ({"a": {"type": "binary", "unclear": "maybe"}}, "give value, no or error"),
        ({"a": {"type": "binary", "label": []}}, "give a column name"),
        ({"a": {"type": "binary", "label": " "}}, "give a column name"),
        ({"a": {"type": "binary", "examples": {"maybe": "x"}}}, "none of the values"),
        ({"a": {"type": "binary", "examples": [["x"]]}}, "list of texts"),
        ({"a": {"type": "binary", "only_if": "b"}}, "give a mapping"),
        ({"a": {"type": "binary", "only_if": {"b": []}}}, "give a mapping"),
        ({"a": {"type": "binary", "only_if": {"b": "yes"}}}, "no such variable"),
        ({"a": {"type": "binary", "only_if": {"b": "yes"}}, "b": {"type": "text"}}, "can be conditions"),
        ({"a": {"type": "text", "only_if": {"b": "maybe"}}, "b": {"type": "binary"}}, "none of its values"),
        ({"a": {"type": "binary", "only_if": {"a": "yes"}}}, "form a circle: `a` on `a`"),
    ],
)
def test_what_cannot_be_a_codebook_is_refused(variables: dict[str, Any], message: str) -> None:
    """Each mistake has a message of its own."""
    assert message in problem(**variables)


def test_a_circle_of_conditions_is_spelled_out() -> None:
    """Who depends on whom is said, once around."""
    loop = {name: {"type": "binary", "only_if": {on: "yes"}} for name, on in (("a", "b"), ("b", "c"), ("c", "b"))}
    assert "`b` on `c`, `c` on `b`" in problem(**loop)


def test_unclear_may_be_a_value_where_it_is_no_answer_of_its_own() -> None:
    """With `unclear: error` a list of values may hold it."""
    book = codebook(a={"type": "category", "values": ["x", "unclear"], "unclear": "error"})
    assert book.variables["a"].value_names == ("x", "unclear")


def test_columns_that_are_taken_are_refused() -> None:
    """A name is refused whose column, or that of its confidence, is there anyway; the three usual names are not."""
    book = codebook(detected={"type": "binary"}, year={"type": "text"}, model={"type": "text"}, a={"type": "text"})
    problems = reserved_problems(book, ["detected", "confidence", "Year", "model_confidence"])
    assert [path for path, _ in problems] == [("year",), ("model",)]


def test_models_can_be_made_in_code() -> None:
    """A codebook can be written in Python as well, and does not change."""
    book = Codebook(
        variables={"a": Binary(), "b": Category(values={"x": "", "y": ""}), "c": Ordinal(values={"1": "", "2": ""})}
    )
    with pytest.raises(ValidationError):
        book.variables["a"].definition = "another"  # type: ignore[misc]
    assert confidence_key("detected") == "confidence"
    assert confidence_key("a") == "a_confidence"
