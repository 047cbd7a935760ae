import json
from typing import Any

import pytest

from narrative_runs.migration.r_rows import (
    NEITHER,
    NO_MESSAGE,
    answer_of,
    attempts_of,
    category_of,
    id_of,
    indicators_of,
    time_of,
)
from tests.migration import r_system


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (123, "123"),
        (123.0, "123"),
        ("123.0", "123"),
        ("1e+05", "100000"),
        ("1.2E+05", "120000"),
        (" 0012 ", "0012"),
        ("A-7", "A-7"),
        ("12", "12"),
        ("9999.0", "9999.0"),
        (None, ""),
    ],
)
def test_an_id_meets_the_workbook(value: object, meant: str) -> None:
    """An id that R or SQLite rewrote as a number is that number's text; `0012` and `12` stay apart."""
    assert id_of(value, dict.fromkeys(["123", "100000", "120000", "0012", "A-7"])) == meant


def test_an_answer_keeps_every_value() -> None:
    """Verdict, words, tokens and times of an answer are the R row's."""
    row = r_system.result("1", "cme", "text")
    answer = answer_of(row)
    assert {name: answer[name] for name in answer if name in row} == {
        **{name: row[name] for name in answer if name in row},
        "detected": True,
        "error_occurred": False,
    }
    assert answer["last_attempt_at"] == row["processed_at"]
    assert attempts_of(row) == 1


def test_columns_that_an_old_record_lacks_are_empty() -> None:
    """A row of the oldest age is an answer without tokens and without an error."""
    row = {name: value for name, value in r_system.result("1", "cme", "x").items() if name not in r_system.TOKENS}
    del row["error_occurred"]
    answer = answer_of(row)
    assert (answer["tokens_used"], answer["error_occurred"], answer["error_message"]) == (None, False, None)


def test_a_row_with_neither_answer_nor_error_is_an_error() -> None:
    """What R kept as NA can be asked again: it is an error that says so."""
    answer = answer_of(r_system.result("1", "cme", "x", detected=None))
    assert (answer["error_occurred"], answer["error_message"], answer["error_category"]) == (True, NEITHER, "unknown")
    assert answer_of(r_system.result("1", "cme", "x", error_occurred=1))["error_message"] == NO_MESSAGE


@pytest.mark.parametrize(
    ("value", "meant"), [(0.8, 0.8), ("0.8", 0.8), (1, 1.0), (95, None), (-0.1, None), ("NA", None)]
)
def test_a_confidence_lies_between_0_and_1(value: Any, meant: float | None) -> None:
    """What is no probability is no confidence: no measure of calibration could take it."""
    assert answer_of(r_system.result("1", "cme", "x", confidence=value))["confidence"] == meant


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ('["a","b"]', ["a", "b"]),
        ('"a"', ["a"]),
        ("a; b", ["a; b"]),
        ("null", []),
        (None, []),
        ("", []),
        ("[]", []),
        ('["a", null, 3]', ["a", "3"]),
    ],
)
def test_indicators_are_a_list_of_texts(value: str | None, meant: list[str]) -> None:
    """However R wrote them, the indicators are a JSON list; one that is stays to the letter."""
    assert json.loads(indicators_of(value)) == meant
    assert indicators_of('["a","b"]') == '["a","b"]'


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("HTTP 429: Too Many Requests", "rate_limit"),
        ("Timeout was reached: [localhost] Operation timed out", "timeout"),
        ("lexical error: invalid char in json text", "parse_error"),
        ("Failed to parse response", "parse_error"),
        ("Failed to connect to localhost port 1234: Connection refused", "api_error"),
        ("HTTP 500", "api_error"),
        ("subscript out of bounds", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_error_without_a_category_gets_one_from_its_message(message: str | None, category: str) -> None:
    """What R's message says decides; a category that R gave stands."""
    assert category_of(None, message) == category
    assert category_of("rate_limit", message) == "rate_limit"
    assert category_of("weird", message) == category


def test_times_are_local_texts() -> None:
    """Text keeps its time; the number that DBI makes of a POSIXct is read as seconds since 1970, in local time."""
    assert time_of("2025-10-27T10:00:00.123Z") == time_of("2025-10-27 10:00:00") == "2025-10-27 10:00:00"
    moment = time_of(1761559200.0)
    assert moment is not None and moment.startswith("2025-10-27 ")
    assert time_of(None) is None and time_of("") is None
