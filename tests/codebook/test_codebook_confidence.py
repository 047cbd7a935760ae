from typing import Any

import pytest

from narrative_runs.codebook.confidence import confidence_of


@pytest.mark.parametrize(
    ("raw", "confidence"),
    [
        (0.85, 0.85),
        ("0,85", 0.85),
        (".85", 0.85),
        ("85%", 0.85),
        ("zero.nine", 0.9),
        (1, 1.0),
        (85, None),
        ("0.85%", None),
        (True, None),
        (None, None),
        ([0.5], None),
        (float("nan"), None),
        ("high", None),
    ],
)
def test_a_confidence_is_read_without_guessing_its_scale(raw: Any, confidence: float | None) -> None:
    """Shares and percents are read, and what has no known scale is none."""
    assert confidence_of(raw) == confidence
