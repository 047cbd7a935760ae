import json
import math
from typing import Any

import pytest

from narrative_runs.asking.probabilities import probabilities
from narrative_runs.asking.reply import read
from narrative_runs.codebook.variables import Codebook

CODEBOOK = Codebook.model_validate(
    {
        "variables": {
            "violence": {"type": "binary"},
            "weapon": {"type": "category", "values": ["firearm", "poison", "police"]},
            "severity": {"type": "ordinal", "values": ["none", "injury"]},
            "told": {"type": "binary"},
        }
    }
)
ANSWER = {"violence": True, "weapon": "poison", "severity": "injury", "told": False}


def reply(content: str, likely: dict[str, dict[str, float]]) -> Any:
    """A reply with this content, of which each letter is a token, but for the words in `likely`: each is one token, in
    whose place others were likely, with these probabilities."""
    tokens, rest = [], content
    while rest:
        word = next((word for word in likely if rest.startswith(word)), rest[0])
        others = [
            {"token": other, "logprob": math.log(chance)} for other, chance in likely.get(word, {word: 1.0}).items()
        ]
        tokens.append({"token": word, "logprob": others[0]["logprob"], "top_logprobs": others})
        rest = rest[len(word) :]
    choice = {"message": {"content": content}, "finish_reason": "stop", "logprobs": {"content": tokens}}
    return read({"choices": [choice]})


def test_each_variable_with_few_values_has_its_own_probability() -> None:
    """Of two binary variables and a category each has the probability of its own place in the answer: of a yes, and of
    the value against all others; an ordinal variable has none."""
    found = probabilities(
        reply(
            json.dumps(ANSWER),
            {
                "true": {"true": 0.6, "false": 0.2},
                "poison": {"poison": 0.5, "firearm": 0.25, "police": 0.25},
                "false": {"false": 0.9, "true": 0.1},
            },
        ),
        CODEBOOK,
    )
    assert found == pytest.approx({"violence": 0.75, "weapon": 0.5, "told": 0.1})


def test_values_that_begin_alike_are_told_apart_where_they_part() -> None:
    """Where the first token fits two values, the next one decides between them."""
    answer = json.dumps(ANSWER)
    found = probabilities(
        reply(answer, {"po": {"po": 0.8, "fire": 0.2}, "ison": {"ison": 0.75, "lice": 0.25}}), CODEBOOK
    )
    assert found["weapon"] == pytest.approx(0.8 * 0.75)


@pytest.mark.parametrize("content", ["", "no answer", json.dumps({**ANSWER, "weapon": "rope"})])
def test_without_a_value_there_is_no_probability(content: str) -> None:
    """What cannot be read has no probability, and no error comes of it."""
    assert "weapon" not in probabilities(reply(content, {}), CODEBOOK)


def test_without_token_probabilities_there_is_none() -> None:
    """A server that gives no logarithms gives no probability."""
    assert probabilities(read({"choices": [{"message": {"content": json.dumps(ANSWER)}}]}), CODEBOOK) == {}
