"""What an invented incident is, and what its labels mean.

A narrative is labelled 1 when its own text shows that the decedent was abused (physically, sexually, by
threats, stalking or coercive control) by a current or former intimate partner; else 0. What the other
narrative of the same incident tells does not count.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Narrative:
    """One text and its label."""

    text: str
    partner_abuse: bool


@dataclass(frozen=True)
class Incident:
    """One death, as told by the coroner or medical examiner and by law enforcement; None where blank."""

    cme: Narrative | None
    le: Narrative | None


def abused(text: str) -> Narrative:
    """A narrative that shows abuse of the decedent by a partner; line breaks in `text` become spaces."""
    return Narrative(" ".join(text.split()), True)


def not_abused(text: str) -> Narrative:
    """A narrative that shows no abuse of the decedent by a partner; line breaks in `text` become spaces."""
    return Narrative(" ".join(text.split()), False)
