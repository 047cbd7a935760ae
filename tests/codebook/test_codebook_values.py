from typing import Any

import pytest

from narrative_runs.codebook.values import NOT_ASKED, UNCLEAR, Value, is_form, read_values, value_of
from narrative_runs.codebook.variables import Binary, Category, Codebook, Multi, Number, Ordinal, Quote, Text, Variable

WEAPON = Category(values={"firearm": "", "sharp object": "", "other": ""})
SEVERITY = Ordinal(values={"none": "", "threat": ""})
LEVEL = Ordinal(values={"1": "", "2": ""})
RELATIONS = Multi(values={"partner": "", "family": ""})
AGE = Number(minimum=0, maximum=120)


@pytest.mark.parametrize(
    ("variable", "raw", "value"),
    [
        (Binary(), True, True),
        (Binary(), " YES ", True),
        (Binary(), "False", False),
        (WEAPON, "firearm", "firearm"),
        (WEAPON, "Sharp-Object ", "sharp object"),
        (SEVERITY, "None", "none"),
        (LEVEL, 1, "1"),
        (LEVEL, 2.0, "2"),
        (Category(values={"true": "", "false": ""}), True, "true"),
        (RELATIONS, ["Family", "partner", "family"], ("partner", "family")),
        (RELATIONS, "PARTNER", ("partner",)),
        (RELATIONS, [], ()),
        (AGE, 34, 34.0),
        (AGE, "34", 34.0),
        (AGE, " 34.0 ", 34.0),
        (AGE, 0, 0.0),
        (Quote(), "he hit her", ("he hit her",)),
        (Quote(), ["a", " ", "b\ud800"], ("a", "b?")),
        (Quote(), None, ()),
        (Text(), "why", "why"),
        (Text(), "", ""),
        (Text(), None, None),
        (Text(), ["a"], '["a"]'),
        (Text(many=True), "a", ("a",)),
        (Text(many=True), "", ()),
        (Text(many=True), None, ()),
        (Text(many=True), ["a", None, 1], ("a", "null", "1")),
    ],
)
def test_what_is_read(variable: Variable, raw: Any, value: Any) -> None:
    """Plain values, and such as differ in case, white space or kind alone."""
    read = value_of("it", variable, raw)
    assert read == Value(value)
    assert type(read.value) is type(value)


@pytest.mark.parametrize(
    ("variable", "raw", "message"),
    [
        (Binary(), 1, "`it` is neither true nor false"),
        (Binary(), "maybe", "`it` is neither true nor false"),
        (Binary(), [True], "`it` is neither true nor false"),
        (WEAPON, "gun", "`it` is none of its values"),
        (WEAPON, ["firearm"], "`it` is none of its values"),
        (WEAPON, {"value": "firearm"}, "`it` is none of its values"),
        (WEAPON, float("nan"), "`it` is none of its values"),
        (LEVEL, True, "`it` is none of its values"),
        (RELATIONS, ["partner", "foe"], "`it` holds what is none of its values"),
        (RELATIONS, ["partner", "unclear"], "`it` holds what is none of its values"),
        (RELATIONS, "partner, family", "`it` holds what is none of its values"),
        (RELATIONS, {"partner": True}, "`it` is not a list"),
        (RELATIONS, 1, "`it` is not a list"),
        (AGE, "thirty", "`it` is not a number"),
        (AGE, True, "`it` is not a number"),
        (AGE, float("inf"), "`it` is not a number"),
        (AGE, 10**400, "`it` is not a number"),
        (AGE, 121, "`it` is not from 0 to 120"),
        (Number(minimum=1), 0, "`it` is below 1"),
        (Number(maximum=1.5), 2, "`it` is above 1.5"),
        (Quote(), [1], "`it` holds no passages"),
        (Quote(), {"a": "b"}, "`it` holds no passages"),
        (Text(many=True), {"a": "b"}, "`it` is not a list"),
        (Text(), object(), "`it` is no text"),
        (Text(many=True), [object()], "`it` holds no texts"),
        (Binary(unclear="error"), None, "`it` is neither true nor false"),
        (WEAPON.model_copy(update={"unclear": "error"}), "unclear", "`it` is none of its values"),
    ],
)
def test_what_cannot_be_read_is_an_error(variable: Variable, raw: Any, message: str) -> None:
    """It is said what is wrong, and never what the model wrote."""
    assert value_of("it", variable, raw) == Value(None, message, is_error=True)


@pytest.mark.parametrize("variable", [Binary(), WEAPON, LEVEL, RELATIONS, AGE])
@pytest.mark.parametrize("raw", [None, "unclear", " UNCLEAR ", "null"])
def test_the_text_may_not_tell(variable: Variable, raw: Any) -> None:
    """Null and the words for it are a value of their own."""
    assert value_of("it", variable, raw) == Value(None, UNCLEAR)


def test_unclear_may_count_as_no() -> None:
    """With `unclear: no` a binary variable is no where the text does not tell."""
    assert value_of("it", Binary(unclear="no"), None) == Value(False)
    assert value_of("it", Binary(unclear="no"), "maybe").is_error


def test_a_list_of_unclear_alone_is_unclear() -> None:
    """Some models put it into the list."""
    assert value_of("it", RELATIONS, ["unclear"]) == Value(None, UNCLEAR)


BOOK = Codebook.model_validate(
    {
        "variables": {
            "summary": {"type": "text", "only_if": {"relations": ["partner"]}},
            "detected": {"type": "binary", "confidence": True},
            "weapon": {
                "type": "category",
                "values": ["firearm", "other"],
                "only_if": {"detected": "yes"},
                "confidence": True,
            },
            "relations": {"type": "multi", "values": ["partner", "family"], "only_if": {"weapon": ["firearm"]}},
            "age": {"type": "number"},
        }
    }
)


def test_a_whole_answer_in_the_order_of_the_codebook() -> None:
    """Keys are known in any case, and each confidence is that of its variable."""
    answer = {
        " Detected": "yes",
        "CONFIDENCE": "90%",
        "weapon": "firearm",
        "weapon_confidence": 7,
        "relations": ["partner", "family"],
        "age": 3,
        "summary": "s",
        "else": 1,
    }
    values = read_values(BOOK, answer)
    assert list(values) == list(BOOK.names)
    assert values == {
        "summary": Value("s"),
        "detected": Value(True, confidence=0.9),
        "weapon": Value("firearm"),
        "relations": Value(("partner", "family")),
        "age": Value(3.0),
    }


def test_what_does_not_apply_is_not_asked() -> None:
    """Where a condition is not met, nothing counts that stands there, and nothing is missed; so on down the line."""
    values = read_values(BOOK, {"detected": False, "weapon": "nonsense", "weapon_confidence": 1, "age": None})
    assert values["weapon"] == values["relations"] == values["summary"] == Value(None, NOT_ASKED)
    assert values["age"] == Value(None, UNCLEAR)
    assert read_values(BOOK, {"detected": "unclear", "age": 1})["weapon"] == Value(None, NOT_ASKED)


def test_what_depends_on_an_error_is_one() -> None:
    """Whether it was to be asked for cannot be known."""
    values = read_values(BOOK, {"detected": "perhaps", "weapon": "firearm", "age": 1})
    assert values["weapon"] == Value(None, "`weapon` depends on `detected`, which cannot be read", is_error=True)
    assert values["relations"].missing == "`relations` depends on `weapon`, which cannot be read"


def test_a_missing_key_is_an_error_but_of_texts() -> None:
    """Values are missed; texts and passages are not."""
    values = read_values(BOOK, {"detected": True, "weapon": "firearm", "relations": "partner"})
    assert values["age"] == Value(None, "`age` is missing", is_error=True)
    assert values["summary"] == Value(None)


def test_two_keys_that_differ_are_no_answer() -> None:
    """Nothing says which of them counts; where they say the same, either does."""
    values = read_values(BOOK, {"detected": True, "Detected": False, "age": 3, "AGE": "3"})
    assert values["detected"].missing == "the answer has more than one key `detected`"
    assert values["age"] == Value(3.0)


def test_a_condition_that_is_surely_not_met_outweighs_an_error() -> None:
    """With two conditions, one that is not met is enough."""
    book = Codebook.model_validate(
        {
            "variables": {
                "a": {"type": "binary"},
                "b": {"type": "binary"},
                "c": {"type": "text", "only_if": {"a": "yes", "b": "no"}},
            }
        }
    )
    assert read_values(book, {"a": "?", "b": True})["c"] == Value(None, NOT_ASKED)
    assert read_values(book, {"a": "?", "b": False})["c"].is_error
    assert read_values(book, {"a": True, "b": False, "c": "x"})["c"] == Value("x")


@pytest.mark.parametrize(
    "raw",
    [
        "true or false",
        "true/false or null",
        "yes|no",
        "boolean",
        "...",
        "<number>",
        '"a" | "b" | null',
        {},
        ["<text>"],
        "{x",
    ],
)
def test_what_the_form_has_is_known(raw: Any) -> None:
    """Who repeats the form answers nothing."""
    assert is_form(raw)


@pytest.mark.parametrize("raw", ["true", "a or b", "unclear", "", "a |", "|", True, None, 3, [], ["a"], "x" * 100_000])
def test_what_the_form_does_not_have_is_none(raw: Any) -> None:
    """Values and words are no form."""
    assert not is_form(raw)


def test_a_text_that_is_null_in_words_is_none() -> None:
    """A model that puts null between quotation marks wrote no text, unless no null is asked for."""
    assert value_of("it", Text(), " Null ") == Value(None)
    assert value_of("it", Text(unclear="error"), "null") == Value("null")
