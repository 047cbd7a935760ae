"""What a model writes for a codebook of all types: whole, damaged, drafted, repeated, cut off."""

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from narrative_runs.asking.answer import Unreadable, located
from narrative_runs.codebook.form import form
from narrative_runs.codebook.values import NOT_ASKED, Value
from narrative_runs.codebook.variables import Codebook

CODEBOOK = Codebook.model_validate(
    {
        "variables": {
            "detected": {"type": "binary", "confidence": "true"},
            "weapon": {"type": "category", "values": ["firearm", "poison", "sharp object", "other"]},
            "severity": {"type": "ordinal", "values": ["none", "threat", "injury"]},
            "relations": {"type": "multi", "values": ["partner", "family", "friend"]},
            "age": {"type": "number", "minimum": "0", "maximum": "120"},
            "evidence": {"type": "quote"},
            "summary": {"type": "text"},
        }
    }
)
CLOSED = ("detected", "weapon", "severity", "relations", "age")
CASES = 1_000
Answer = dict[str, Any]


def answer_at_random(chance: random.Random) -> Answer:
    """An answer that is right in its form."""
    return {
        "detected": chance.random() < 0.5,
        "confidence": round(chance.random(), 2),
        "weapon": chance.choice(["firearm", "poison", "sharp object", "other"]),
        "severity": chance.choice(["none", "threat", "injury"]),
        "relations": chance.sample(["partner", "family", "friend"], chance.randrange(4)),
        "age": chance.randrange(121),
        "evidence": ['V was found, by a "friend".'] if chance.random() < 0.5 else [],
        "summary": chance.choice(["age: 34, weapon: poison", 'He said: {"detected": maybe}', "Nobody's fault", ""]),
    }


def meant(answer: Answer) -> Answer:
    """What the answer says of the variables with few values."""
    relations = tuple(value for value in ("partner", "family", "friend") if value in answer["relations"])
    return {**{name: answer[name] for name in CLOSED}, "relations": relations, "age": float(answer["age"])}


def another(answer: Answer, chance: random.Random) -> Answer:
    """An answer that differs in some variables."""
    other = answer_at_random(chance)
    return {key: other[key] if chance.random() < 0.5 else value for key, value in answer.items()}


def fenced(answer: Answer, chance: random.Random) -> str:
    return f"```json\n{json.dumps(answer, indent=2)}\n```"


def amid_prose(answer: Answer, chance: random.Random) -> str:
    return f"Here is the answer:\n{json.dumps(answer)}\nI hope this helps."


def nested(answer: Answer, chance: random.Random) -> str:
    return json.dumps({"answer": answer})


def as_string(answer: Answer, chance: random.Random) -> str:
    return json.dumps(json.dumps(answer))


def shouted(answer: Answer, chance: random.Random) -> str:
    return json.dumps({key.upper(): value for key, value in answer.items()})


def with_form_before(answer: Answer, chance: random.Random) -> str:
    return f"The form is:\n{form(CODEBOOK)}\nAnswer:\n{json.dumps(answer)}"


def said_twice(answer: Answer, chance: random.Random) -> str:
    return f"Draft: {json.dumps(answer)}\nFinal: {json.dumps(answer)}"


def with_a_comma_too_many(answer: Answer, chance: random.Random) -> str:
    return json.dumps(answer)[:-1] + ",}"


def as_python_writes_it(answer: Answer, chance: random.Random) -> str:
    return repr({**answer, "evidence": [], "summary": "none"})


def with_comments(answer: Answer, chance: random.Random) -> str:
    return "{\n" + ",\n".join(f'  "{key}": {json.dumps(value)} // as asked' for key, value in answer.items()) + "\n}"


def after_another_draft(answer: Answer, chance: random.Random) -> str:
    return f"Draft: {json.dumps(another(answer, chance))}\nFinal: {json.dumps(answer)}"


def after_a_damaged_draft(answer: Answer, chance: random.Random) -> str:
    return f"{json.dumps(another(answer, chance))[:-1]},}}\n{json.dumps(answer)}"


def half(answer: Answer, chance: random.Random) -> str:
    return json.dumps({key: answer[key] for key in chance.sample(list(answer), 1 + chance.randrange(len(answer)))})


def cut_off(answer: Answer, chance: random.Random) -> str:
    text = json.dumps(answer)
    return text[: chance.randrange(len(text))]


def without_quotes(answer: Answer, chance: random.Random) -> str:
    return json.dumps(answer).replace('"', "")


def in_pieces(answer: Answer, chance: random.Random) -> str:
    return "\n".join(json.dumps({key: value}) for key, value in answer.items())


def with_values_swapped(answer: Answer, chance: random.Random) -> str:
    text = json.dumps(answer)
    letters = list(text)
    for _ in range(3):
        index = chance.randrange(len(letters))
        letters[index] = chance.choice('{}[]:,"x \n')
    return "".join(letters)


Damage = Callable[[Answer, random.Random], str]
READ_RIGHT: list[Damage] = [
    *(fenced, amid_prose, nested, as_string, shouted, with_form_before, said_twice),
    *(with_a_comma_too_many, as_python_writes_it, with_comments),
]
MAY_BE_READ: list[Damage] = [
    *(after_another_draft, after_a_damaged_draft, half, cut_off, without_quotes, in_pieces),
]


def values_of(text: str) -> dict[str, Value]:
    """What is read of each variable; nothing where there is no answer."""
    try:
        return dict(located(text, CODEBOOK).values)
    except Unreadable:
        return {}


@pytest.mark.parametrize("damage", READ_RIGHT)
@pytest.mark.slow
def test_what_leaves_no_doubt_is_read(damage: Damage) -> None:
    """However a model wraps its answer, repeats it or spoils its form, each variable has the value that it wrote."""
    chance = random.Random(damage.__name__)
    for _ in range(CASES):
        answer = answer_at_random(chance)
        text = damage(answer, chance)
        values = values_of(text)
        assert {name: values[name].value for name in CLOSED} == meant(answer), text
        assert values["detected"].confidence == answer["confidence"], text


@pytest.mark.parametrize("damage", MAY_BE_READ)
@pytest.mark.slow
def test_what_leaves_doubt_is_never_another_value(damage: Damage) -> None:
    """A draft that says otherwise, half an answer, one that is cut off or has lost its quotes: each variable has the
    value that the model wrote or is an error, and never another value."""
    chance = random.Random(damage.__name__)
    outcomes: Counter[str] = Counter()
    for _ in range(CASES):
        answer = answer_at_random(chance)
        text = damage(answer, chance)
        for name, value in values_of(text).items():
            if name in CLOSED and not value.is_error:
                assert value.value == meant(answer)[name], (name, value, text)
            outcomes["error" if value.is_error else "read"] += 1
        outcomes["texts"] += 1
    assert outcomes["texts"] == CASES


def test_a_draft_that_says_otherwise_is_an_error_of_what_differs() -> None:
    """Where two answers differ in one variable, that one is an error, and the others are read."""
    chance = random.Random(5)
    for _ in range(CASES):
        first = answer_at_random(chance)
        name = chance.choice(CLOSED)
        second = {**first, name: answer_at_random(chance)[name]}
        values = values_of(f"{json.dumps(first)}\n{json.dumps(second)}")
        differs = meant(first)[name] != meant(second)[name]
        assert [each for each in CLOSED if values[each].is_error] == ([name] if differs else [])


@pytest.mark.slow
def test_any_noise_is_read_or_refused() -> None:
    """Letters that are lost or changed anywhere in an answer stop nothing."""
    chance = random.Random(6)
    for _ in range(CASES):
        values_of(with_values_swapped(answer_at_random(chance), chance))


def test_a_variable_is_asked_for_only_if_its_condition_is_met() -> None:
    """What depends on a variable is read only where that has the value; where that cannot be read, nor can it be."""
    codebook = Codebook.model_validate(
        {
            "variables": {
                "detected": {"type": "binary"},
                "weapon": {"type": "category", "values": ["gun", "knife"], "only_if": {"detected": "yes"}},
            }
        }
    )

    def weapon(text: str) -> Value:
        return located(text, codebook).values["weapon"]

    assert weapon('{"detected": true, "weapon": "gun"}').value == "gun"
    assert weapon('{"detected": false, "weapon": "gun"}').missing == NOT_ASKED
    assert weapon('{"detected": null, "weapon": "gun"}').missing == NOT_ASKED
    with pytest.raises(Unreadable, match="neither true nor false"):
        weapon('{"detected": "perhaps", "weapon": "gun"}')


def test_the_message_never_repeats_what_the_model_wrote() -> None:
    """A message of an error may be shown anywhere, and so holds no word of the answer."""
    secret = "Zebulon"
    for name in CLOSED:
        answer = {**answer_at_random(random.Random(1)), name: secret}
        assert secret not in (values_of(json.dumps(answer))[name].missing or secret)
