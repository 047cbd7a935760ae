from typing import Any

import pytest

from narrative_runs.codebook.variables import Binary, Category, Multi, Number, Ordinal, Text, Variable
from narrative_runs.review_file import Verdict
from narrative_runs.reviews.truth import Truth, disagreements, truth_of_incident, truths_of_narratives

VALUES = {"low": "", "middle": "", "high": ""}


def of(coder: str, verdict: str, kind: str = "cme", purpose: str = "sample") -> Verdict:
    """A verdict on a narrative of one incident."""
    return Verdict("weapon", "0001", kind, coder, purpose, verdict, "", "deal", "error", "2026-01-01 12:00:00")


def test_whose_verdict_holds() -> None:
    """What was decided on a disagreement holds, else what all coders say; where they do not agree, it is open."""
    one, two, three = of("ana", "yes"), of("ben", "yes"), of("cleo", "no")
    key = ("0001", "cme")
    assert truths_of_narratives(Binary(), [one])[key] == Truth("yes", "unanimous", 1)
    assert truths_of_narratives(Binary(), [one, two])[key] == Truth("yes", "unanimous", 2)
    assert truths_of_narratives(Binary(), [one, two, three])[key] == Truth(None, "open", 3)
    decided = [one, three, of("ana", "unclear", purpose="adjudication")]
    assert truths_of_narratives(Binary(), decided)[key] == Truth("unclear", "adjudicated", 2)
    assert list(disagreements(Binary(), [one, two, three])) == [key]
    assert disagreements(Binary(), decided) == {} and list(disagreements(Binary(), decided, is_open=False)) == [key]


def test_texts_do_not_disagree() -> None:
    """Two coders' own words are no disagreement."""
    assert disagreements(Text(), [of("ana", "a"), of("ben", "b")]) == {}


@pytest.mark.parametrize(
    ("variable", "verdicts", "value"),
    [
        (Binary(), ["no", "yes"], True),
        (Binary(), ["no", "no"], False),
        (Binary(), ["no", "unclear"], None),
        (Binary(), ["yes", "unclear"], True),
        (Binary(unclear="no"), ["no", "unclear"], False),
        (Category(values=VALUES), ["low", "low"], "low"),
        (Category(values=VALUES), ["low", "high"], None),
        (Category(values=VALUES), ["low", "unclear"], "low"),
        (Ordinal(values=VALUES), ["high", "low"], "high"),
        (Multi(values=VALUES), ['["high"]', '["low"]'], ("low", "high")),
        (Multi(values=VALUES), ["[]", "[]"], ()),
        (Number(), ["34", "35.5"], 35.5),
        (Number(), ["unclear", "unclear"], None),
    ],
)
def test_an_incident_has_what_its_narratives_give(variable: Variable, verdicts: list[str], value: Any) -> None:
    """The truth of an incident follows from its narratives as the model's answer does."""
    truths = [Truth(verdict, "unanimous", 1 + at) for at, verdict in enumerate(verdicts)]
    assert truth_of_incident(variable, truths) == (value, "unanimous", 1)


def test_an_incident_waits_for_all_its_narratives() -> None:
    """Without a verdict on each narrative an incident is not reviewed, not even where one of them is a yes."""
    yes, still_open = Truth("yes", "adjudicated", 2), Truth(None, "open", 2)
    assert truth_of_incident(Binary(), [yes, None]) is None
    assert truth_of_incident(Binary(), [yes, still_open]) == (None, "open", 2)
    assert truth_of_incident(Binary(), [yes, Truth("no", "unanimous", 3)]) == (True, "adjudicated", 2)
