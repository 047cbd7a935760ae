from typing import Any

import pytest

from narrative_runs.workflow.plan import typed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("200", 200),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("Narrative: <<TEXT>>", "Narrative: <<TEXT>>"),
        ("[x", "[x"),
        ("a # b", "a # b"),
        ("2024-05-01", "2024-05-01"),
    ],
)
def test_texts_are_only_what_they_plainly_are(text: str, value: Any) -> None:
    """Of what `--config` gives, numbers, booleans and null are taken as such, and every other text as it is."""
    assert typed({"run": {"x": text}}) == {"run": {"x": value}}
