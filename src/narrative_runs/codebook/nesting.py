"""How deep the parts of a decoded JSON value lie within each other."""

from typing import Any

# Deeper than any answer, and within what each Python can decode and write. How deep that is differs between its
# releases, and the same answer must be read alike by all of them.
DEEPEST_ANSWER = 500


def is_shallow(value: Any, deepest: int = DEEPEST_ANSWER) -> bool:
    """Whether no part of a value, made of dicts and lists, lies within more than `deepest` others."""
    level = [value]
    for _ in range(deepest):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False
