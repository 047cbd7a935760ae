"""Promises that are kept in many variants: a few of them at each `make test`, the others at `make test-long`."""

from collections.abc import Iterable
from typing import Any

import pytest


def rest_is_long(variants: Iterable[Any], first: int = 1) -> list[Any]:
    """The values of a parametrized test, of which all but the first so many are for `make test-long`.

    variants: a value each, or a tuple of values where the test has several parameters.
    """
    return [
        variant
        if number < first
        else pytest.param(*(variant if isinstance(variant, tuple) else (variant,)), marks=pytest.mark.long)
        for number, variant in enumerate(variants)
    ]
