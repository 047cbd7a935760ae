import json
from typing import Any

import pytest

from narrative_runs.codebook.nesting import DEEPEST_ANSWER, is_shallow


def nested(levels: int, kind: type[Any]) -> Any:
    value: Any = kind()
    for _ in range(levels - 1):
        value = {"part": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("kind", [dict, list])
def test_the_deepest_answer_is_read_and_a_deeper_one_is_not(kind: type[Any]) -> None:
    """The limit is the same in each Python, and what keeps to it can be written as JSON by each."""
    assert is_shallow(nested(DEEPEST_ANSWER, kind))
    assert not is_shallow(nested(DEEPEST_ANSWER + 1, kind))
    assert json.loads(json.dumps(nested(DEEPEST_ANSWER, kind))) == nested(DEEPEST_ANSWER, kind)


def test_a_value_without_parts_is_shallow() -> None:
    """Texts, numbers and nothing lie in nothing, however long they are."""
    assert all(is_shallow(value, 1) for value in ("[" * 1000, 7, None, True))
