from typing import Any

import pytest

from narrative_runs.one_result import OneVariable, as_lines

ROW: dict[str, Any] = {
    "incident_id": "0007",
    "narrative_type": "le",
    "source_row": 8,
    "narrative_text": "He had threatened her before.",
    "manual_flag_ind": 1,
    "detected": 0,
    "confidence": 0.9,
    "p_detected": 0.13249,
    "indicators": '["threats", "jealousy"]',
    "rationale": "No partner is named.",
    "reasoning_steps": "First, who is she?",
    "raw_response": '{"detected": false}',
    "error_category": None,
    "error_message": None,
    "outcome": "false negative",
}
PAGE = """\
0007 LE, source row 8
=====================

NARRATIVE
  He had threatened her before.

ANSWER
  label       positive
  answer      not detected
  outcome     false negative
  confidence  0.90
  p_detected  0.132

INDICATORS
  - threats
  - jealousy

RATIONALE
  No partner is named.

REASONING
  First, who is she?"""
NOTHING: dict[str, Any] = {**dict.fromkeys(ROW), "incident_id": "0007", "narrative_type": "le"}


def test_a_result_is_a_page_for_its_reader() -> None:
    """Narrative, label, answer, outcome, numbers, indicators and reasons stand under headings, in this order."""
    assert "\n".join(as_lines(ROW, 80)) == PAGE


def test_the_place_stands_before_the_title() -> None:
    """Among several, the title says which one it is."""
    assert as_lines(ROW, 80, "3 of 41")[0] == "3 of 41, 0007 LE, source row 8"


def test_what_is_not_there_is_left_out() -> None:
    """For numbers, indicators, reasons and source row that are missing nothing stands; a missing label is told."""
    row = {**NOTHING, "narrative_text": "A text.", "detected": 1, "indicators": "[]", "outcome": "no label"}
    assert as_lines(row, 80) == [
        *("0007 LE", "======="),
        *("", "NARRATIVE", "  A text."),
        *("", "ANSWER", "  label       none", "  answer      detected", "  outcome     no label"),
    ]


def test_an_error_is_told_with_what_the_model_wrote() -> None:
    """Of an error the category, the message and the unreadable reply are shown, and no outcome."""
    told = {"error_category": "parse_error", "error_message": "the answer is no whole JSON object"}
    lines = as_lines({**NOTHING, **told, "manual_flag_ind": 0, "raw_response": "Yes, I", "outcome": "error"}, 80)
    assert lines[2:] == [
        *("", "ANSWER", "  label       negative"),
        "  answer      error (parse_error): the answer is no whole JSON object",
        *("  outcome     no answer", "", "WHAT THE MODEL WROTE", "  Yes, I"),
    ]


@pytest.mark.parametrize(("text", "shown"), [("jealousy", ["jealousy"]), ('"threats"', ["threats"]), (None, [])])
def test_indicators_of_an_older_record_are_shown(text: str | None, shown: list[str]) -> None:
    """Indicators that are no JSON list are shown as they are."""
    lines = as_lines({**ROW, "indicators": text}, 80)
    assert [line for line in lines if line.startswith("  - ")] == [f"  - {indicator}" for indicator in shown]


@pytest.mark.parametrize("width", [20, 40, 80])
def test_lines_fit_into_the_terminal(width: int) -> None:
    """No line is wider than the terminal, whatever stands in it, and no word of a text is lost."""
    long = "word " * 50 + "\n\n" + "x" * 200
    names = ("incident_id", "narrative_text", "rationale", "reasoning_steps")
    lines = as_lines({**ROW, **dict.fromkeys(names, long), "indicators": f'["{"y " * 100}"]'}, width)
    assert max(map(len, lines)) <= width
    shown = "".join(lines)
    assert (shown.count("word"), shown.count("x"), shown.count("y ")) >= (150, 600, 90)


def test_paragraphs_stay() -> None:
    """Line ends of a narrative stay, those of Windows too, and blank lines between paragraphs."""
    lines = as_lines({**ROW, "narrative_text": "One.\r\n\r\nTwo.\nThree.\n"}, 80)
    assert lines[3:8] == ["NARRATIVE", "  One.", "", "  Two.", "  Three."]


def test_no_text_steers_the_terminal_or_passes_for_a_heading() -> None:
    """Control sequences of narrative, id, error and model are written out, and no text stands at the left margin."""
    hostile = "a\x1b[2J\x9b31m\u202e\x07\r\nRATIONALE\nb"
    names = ("incident_id", "narrative_type", "narrative_text", "rationale", "reasoning_steps", "raw_response")
    texts = dict.fromkeys((*names, "error_category", "error_message"), hostile)
    for outcome in ("error", "true positive"):
        lines = as_lines({**ROW, **texts, "indicators": hostile, "outcome": outcome}, 80)
        assert all(mark >= " " and mark not in "\x7f\x9b\u202e" for line in lines for mark in line)
        assert "  a\\u001b[2J\\u009b31m\\u202e\\u0007" in lines
        assert lines[lines.index("NARRATIVE") :].count("RATIONALE") == 1


CODED: dict[str, Any] = {
    "variable": "evidence",
    "value": '["He had threatened her", "never"]',
    "label": None,
    "probability": 0.125,
    "error_message": None,
    "confidence": 0.5,
    "not_in_text": '["never"]',
}
OF_VARIABLE = """\
0007 LE, source row 8
=====================

NARRATIVE
  He had threatened her before.

ANSWER
  variable    evidence
  label       none
  answer      ["He had threatened her", "never"]
  outcome     not in the text
  confidence  0.50
  probability 0.125

NOT IN THE NARRATIVE
  - never"""


def test_one_variable_is_shown_alone() -> None:
    """Of the answer the variable's part stands under its headings, and nothing of other variables."""
    row = {**ROW, "coded": [{**CODED, "variable": "weapon", "value": "gun"}, CODED]}
    assert "\n".join(as_lines(row, 80, alone=OneVariable("evidence", "not in the text", None))) == OF_VARIABLE


def test_an_error_of_one_variable_is_told_with_what_the_model_wrote() -> None:
    """Where a variable cannot be read, the reason and the reply are shown; what is not there is left out."""
    told = {"value": None, "error_message": "none of its values", "not_in_text": None}
    coded = {**CODED, **told, "probability": None, "confidence": None}
    lines = as_lines({**ROW, "coded": [coded]}, 80, alone=OneVariable("evidence", "", "a (of the incident)"))
    assert lines[6:] == [
        *("ANSWER", "  variable    evidence", "  label       a (of the incident)"),
        "  answer      error: none of its values",
        *("", "WHAT THE MODEL WROTE", '  {"detected": false}'),
    ]


@pytest.mark.parametrize(("outcome", "shown"), [("WRONG", "WRONG; "), ("", "")])
def test_each_variable_may_have_an_outcome(outcome: str, shown: str) -> None:
    """Where it is known what came out for a variable, this stands behind its label."""
    coded = {**CODED, "value": "gun", "label": "knife", "not_in_text": None, "probability": None, "outcome": outcome}
    lines = as_lines({**ROW, "error_occurred": False, "coded": [coded]}, 80)
    assert lines[7] == f"  evidence  gun; label knife; {shown}confidence 0.50"
