"""A thousand malformed answers of each type: none is read as a wrong value, and none raises."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from narrative_runs.codebook.values import UNCLEAR, Value, read_values
from narrative_runs.codebook.variables import Codebook

CASES = 1_000
BOOK = Codebook.model_validate(
    {
        "variables": {
            "detected": {"type": "binary"},
            "weapon": {"type": "category", "values": ["firearm", "sharp object", "poison"]},
            "severity": {"type": "ordinal", "values": ["none", "threat", "severe injury"]},
            "relation": {"type": "multi", "values": ["partner", "family member", "friend"]},
            "age": {"type": "number", "minimum": 0, "maximum": 120},
            "evidence": {"type": "quote"},
            "summary": {"type": "text"},
            "reasons": {"type": "text", "many": True},
        }
    }
)
RIGHT: dict[str, tuple[Any, Any]] = {
    "detected": (True, True),
    "weapon": ("poison", "poison"),
    "severity": ("threat", "threat"),
    "relation": (["friend"], ("friend",)),
    "age": (34, 34.0),
    "evidence": (["he hit her"], ("he hit her",)),
    "summary": ("short", "short"),
    "reasons": (["one", "two"], ("one", "two")),
}
OF_TYPE = {
    "binary": "detected",
    "category": "weapon",
    "ordinal": "severity",
    "multi": "relation",
    "number": "age",
    "quote": "evidence",
    "text": "summary",
    "text, many": "reasons",
}


@dataclass(frozen=True)
class Error:
    """That a value must be none."""


@dataclass(frozen=True)
class Absent:
    """That the key is left out."""


def nested(depth: int) -> Any:
    """A list in a list, and so on."""
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


DEEP = nested(5_000)

# What is written, and what it must be read as: by construction, not by any rule of the software.
Case = tuple[Any, Any]
Choose = random.Random


def in_any_case(choose: Choose, text: str) -> str:
    blanks = ["", " ", "\n", "\t ", "  "]
    spelled = "".join(choose.choice((letter.upper(), letter.lower())) for letter in text)
    parted = spelled.replace(" ", choose.choice([" ", "_", "-", "  ", " - "]))
    return choose.choice(blanks) + parted + choose.choice(blanks)


def unclear(choose: Choose) -> Case:
    words = ["unclear", "null", "UNCLEAR", " Null "]
    return choose.choice([None, *words]), UNCLEAR


def binary(choose: Choose) -> Case:
    value = choose.random() < 0.5
    word = choose.choice(["true", "yes"] if value else ["false", "no"])
    return choose.choice(
        [
            (in_any_case(choose, word), value),
            unclear(choose),
            (
                choose.choice(["y", "n", "positive", "absent", "maybe", "oui", "likely", "not true", "true.", "no no"]),
                Error(),
            ),
            (choose.choice([0, 1, 1.0, 2, -1, "1", "0", "one"]), Error()),
            ([value], Error()),
            ([word, "no"], Error()),
            ({"value": value}, Error()),
            ("yes and no", Error()),
            (choose.choice(["poison", "threat", "34", 34, "he hit her", ""]), Error()),
            (Absent(), Error()),
        ]
    )


def one_of(values: list[str], synonyms: list[str]) -> Callable[[Choose], Case]:
    def case(choose: Choose) -> Case:
        value, other = choose.choice(values), choose.choice(values)
        return choose.choice(
            [
                (in_any_case(choose, value), value),
                unclear(choose),
                (choose.choice(synonyms), Error()),
                ([value], Error()),
                ({"value": value}, Error()),
                ({value: True}, Error()),
                (f"{value}, {other}", Error()),
                (f"{value} or {other}", Error()),
                (f"not {value}", Error()),
                (value[:-1], Error()),
                (value + choose.choice([".", "s", " (likely)", "?"]), Error()),
                (choose.choice([0, 1, 2, 0.5, True, False, "1", "one", "friend", "34", "he hit her", ""]), Error()),
                (Absent(), Error()),
            ]
        )

    return case


def multi(choose: Choose) -> Case:
    values = ["partner", "family member", "friend"]
    some = choose.sample(values, choose.randrange(0, 4))
    in_order = tuple(value for value in values if value in some)
    one = choose.choice(values)
    return choose.choice(
        [
            ([in_any_case(choose, value) for value in some], in_order),
            ([*some, *(in_any_case(choose, value) for value in some)], in_order),
            (in_any_case(choose, one), (one,)),
            unclear(choose),
            ([*some, choose.choice(["husband", "foe", "poison", "no", 3, True, None, "", "partners"])], Error()),
            ([*some, one, "unclear"], Error()),
            ([*some, [one]], Error()),
            ([*some, {"value": one}], Error()),
            ({one: True}, Error()),
            (", ".join([one, "friend"]), Error()),
            (choose.choice([0, 1, True, False, "", "threat", "everybody", "34"]), Error()),
            (Absent(), Error()),
        ]
    )


def number(choose: Choose) -> Case:
    age = choose.randrange(0, 121)
    return choose.choice(
        [
            (str(age), float(age)),
            (f" {age}.0\n", float(age)),
            (age + 0.5 if age < 120 else 119.5, age + 0.5 if age < 120 else 119.5),
            (f"+{age}", float(age)),
            unclear(choose),
            (choose.choice(["thirty-four", "one", "thirties", "30s", "30-40", "~30", "unknown age", "adult"]), Error()),
            (f"{age} years", Error()),
            (f"{age},5", Error()),
            (f"{age}e1", Error()),
            ([age], Error()),
            ({"age": age}, Error()),
            (choose.choice([121, 1_000, -1, "-1", "121", 120.5, 1e9, 10**400, "9" * 500]), Error()),
            (choose.choice([True, False, float("nan"), float("inf"), "nan", "Infinity", ""]), Error()),
            (choose.choice(["yes", "poison", "threat", "friend", "he hit her"]), Error()),
            (Absent(), Error()),
        ]
    )


def quote(choose: Choose) -> Case:
    passages = [f"he said {choose.randrange(100)}" for _ in range(choose.randrange(1, 4))]
    return choose.choice(
        [
            (passages[0], (passages[0],)),
            (["", *passages, "  "], tuple(passages)),
            (choose.choice([[], [""], "", "  ", None, ["\n"]]), ()),
            (Absent(), ()),
            ([*passages, "\ud83d"], (*passages, "?")),
            ([*passages, choose.choice([1, 0.5, True, None, ["he"], {"quote": "he"}])], Error()),
            ({"quote": passages[0]}, Error()),
            ({passages[0]: True}, Error()),
            (choose.choice([0, 1, 34, True, False, 0.5]), Error()),
        ]
    )


def text(choose: Choose) -> Case:
    words = f"he said {choose.randrange(100)}"
    return choose.choice(
        [
            (words, words),
            (f"  {words}", f"  {words}"),
            (choose.choice([None, Absent()]), None),
            ("\udc00" + words, "?" + words),
            ([words], f'["{words}"]'),
            ({"a": words}, f'{{"a": "{words}"}}'),
            (7, "7"),
            (True, "true"),
            (DEEP, Error()),
            ({"a": DEEP}, Error()),
        ]
    )


def many_texts(choose: Choose) -> Case:
    words = f"he said {choose.randrange(100)}"
    return choose.choice(
        [
            (words, (words,)),
            ([words, 7, None, {"a": 1}], (words, "7", "null", '{"a": 1}')),
            (choose.choice([None, "", [], {}, Absent()]), ()),
            (["\ud800", words], ("?", words)),
            ({"a": words}, Error()),
            (choose.choice([1, 7.5, True]), Error()),
        ]
    )


CASES_OF: dict[str, Callable[[Choose], Case]] = {
    "binary": binary,
    "category": one_of(
        ["firearm", "sharp object", "poison"],
        ["gun", "pistol", "knife", "fire arm", "drugs", "weapon", "sharpobject", "blunt object", "n/a", "unknown"],
    ),
    "ordinal": one_of(
        ["none", "threat", "severe injury"],
        ["no", "nothing", "menace", "threats", "severe", "injury", "severeinjury", "high", "lowest", "3", "unknown"],
    ),
    "multi": multi,
    "number": number,
    "quote": quote,
    "text": text,
    "text, many": many_texts,
}


def answer_with(choose: Choose, name: str, raw: Any) -> dict[str, Any]:
    """A whole answer with this one value in it, its keys in any case and order."""
    items = [(key, written) for key, (written, _) in RIGHT.items() if key != name]
    items += [] if isinstance(raw, Absent) else [(name, raw)]
    choose.shuffle(items)
    return {choose.choice([key, key.upper(), key.title(), f" {key} "]): written for key, written in items}


@pytest.mark.parametrize("kind", CASES_OF)
def test_malformed_answers_are_read_right_or_not_at_all(kind: str) -> None:
    """Of a thousand for each type, each is its right value, unclear or an error, and leaves the others alone."""
    choose = random.Random(f"malformed {kind}")
    name = OF_TYPE[kind]
    right = errors = 0
    for number_of_case in range(CASES):
        raw, expected = CASES_OF[kind](choose)
        values = read_values(BOOK, answer_with(choose, name, raw))
        read = values.pop(name)
        if isinstance(expected, Error):
            errors += 1
            assert read.is_error and read.value is None, (number_of_case, name, type(raw))
            assert read.missing and f"`{name}`" in read.missing
        elif expected == UNCLEAR:
            assert read == Value(None, UNCLEAR), (raw, read)
        else:
            right += 1
            assert read == Value(expected), (raw, read)
            assert type(read.value) is type(expected)
        assert values == {other: Value(value) for other, (_, value) in RIGHT.items() if other != name}
    assert right > CASES / 50
    assert errors > CASES / 50


def test_half_an_answer_has_errors_where_something_is_missing() -> None:
    """Whichever keys are left out, what stands there is read and the rest is missed, but for texts."""
    choose = random.Random("half")
    for _ in range(CASES):
        kept = set(choose.sample(list(RIGHT), choose.randrange(0, len(RIGHT))))
        values = read_values(BOOK, {name: written for name, (written, _) in RIGHT.items() if name in kept})
        for name, value in values.items():
            if name in kept:
                assert value == Value(RIGHT[name][1])
            elif name in ("evidence", "reasons"):
                assert value == Value(())
            elif name == "summary":
                assert value == Value(None)
            else:
                assert value == Value(None, f"`{name}` is missing", is_error=True)
