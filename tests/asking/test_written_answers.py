from dataclasses import replace

import pytest
from tests.asking.written_answers import WRITTEN, Written

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.results import Result, result_of
from narrative_runs.source.shards import Narrative

NARRATIVE = Narrative(1, "0012", "le", "V was found by a neighbor.", 1, None)


def result_from(case: Written) -> Result:
    """The row that what a model wrote becomes."""
    choice = {"message": {"content": case.content, **case.message}, "finish_reason": case.finish_reason}
    return result_of(
        NARRATIVE,
        {
            "fingerprint": "f",
            "attempt": 1,
            "first_error_message": None,
            "asked_at": "2024-05-01T12:00:00+02:00",
            "response": {"choices": [choice]},
        },
        DEFAULT,
    )


# A whole answer stands in them before the end: whoever is cut off there has not said the rest.
SAID_IN_PARTS = ("several: ", "ending: ", "channels: two finals that differ", "thought: final response")


@pytest.mark.parametrize("name", WRITTEN)
def test_an_answer_is_read_as_it_was_meant_or_not_at_all(name: str) -> None:
    """Where one complete final answer stands it is read, with its confidence; else the row is an error of its kind."""
    case = WRITTEN[name]
    result = result_from(case)
    found = result.error_category if result.error_occurred else (result.detected, result.confidence)
    assert found == case.outcome, result.error_message


@pytest.mark.parametrize("name", [name for name in WRITTEN if name.startswith("refusal: ")])
def test_a_refusal_is_told_as_one(name: str) -> None:
    """A refusal in words has the message of one in the field for it, and its words are kept; other prose has not."""
    case = WRITTEN[name]
    result = result_from(case)
    assert ("the model refused" in (result.error_message or "")) == (case.outcome == "data_error")
    assert result.raw_response


@pytest.mark.parametrize(
    "name", [name for name, case in WRITTEN.items() if name.startswith("ending: ") and isinstance(case.outcome, str)]
)
def test_how_an_answer_ended_stands_in_its_error(name: str) -> None:
    """Whoever reads the error sees why the answer is none."""
    case = WRITTEN[name]
    reason = (case.finish_reason or "").lower()
    assert reason.replace("_", " ") in (result_from(case).error_message or "").replace("_", " ")


@pytest.mark.parametrize("name", [name for name in WRITTEN if not name.startswith(SAID_IN_PARTS)])
def test_an_answer_cut_off_anywhere_says_nothing_else(name: str) -> None:
    """Wherever the tokens ran out, the row has what the whole text says, or an error: never a draft, never a half."""
    case = WRITTEN[name]
    for end in range(len(case.content or "")):
        result = result_from(replace(case, content=(case.content or "")[:end], finish_reason="length"))
        assert result.error_occurred or (result.detected, result.confidence) == case.outcome
