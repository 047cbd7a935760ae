from typing import Any

import pytest
from tests.result_tables import table_of

from narrative_runs.findings.read_first import (
    DISAGREEMENT,
    DOUBTFUL_AGREEMENT,
    DOUBTFUL_ANSWER,
    MOST,
    read_first,
)
from narrative_runs.findings.tables import finish


def ranked(*narratives: dict[str, Any]) -> list[tuple[int, str]]:
    """Number and reason of what is to be read first."""
    table = read_first(finish(table_of(*narratives)))
    return list(zip(table["row_num"].tolist(), table["why"].tolist(), strict=True))


def test_confident_disagreements_come_first_then_doubtful_answers() -> None:
    """False answers by falling certainty, then others by rising certainty; certain agreements and errors are not
    read."""
    assert ranked(
        {"detected": True, "manual_flag_ind": 0, "confidence": 0.7},
        {"detected": False, "manual_flag_ind": 1, "confidence": 0.99},
        {"detected": True, "manual_flag_ind": 1, "confidence": 0.6},
        {"detected": False, "manual_flag_ind": 0, "confidence": 0.95},
        {"detected": False, "confidence": 0.55},
        {"detected": None, "manual_flag_ind": 1},
    ) == [(2, DISAGREEMENT), (1, DISAGREEMENT), (5, DOUBTFUL_ANSWER), (3, DOUBTFUL_AGREEMENT)]


def test_token_probabilities_count_more_than_what_the_model_says() -> None:
    """Certainty is that of the answer: a small p_detected makes a certain no, whatever the stated confidence."""
    table = read_first(
        finish(
            table_of(
                {"detected": False, "manual_flag_ind": 1, "confidence": 0.5, "p_detected": 0.01},
                {"detected": True, "manual_flag_ind": 0, "confidence": 0.99, "p_detected": 0.6},
                {"detected": True, "manual_flag_ind": 0, "confidence": None},
            )
        )
    )
    assert table["row_num"].tolist() == [1, 2, 3]
    assert table["certainty"].tolist()[:2] == pytest.approx([0.99, 0.6]) and table["certainty"].isna().iloc[2]


def test_the_list_is_short_whatever_there_is() -> None:
    """Nobody reads thousands of rows first."""
    wrong = [{"detected": True, "manual_flag_ind": 0, "confidence": 0.9}] * 100
    doubted = [{"detected": True, "manual_flag_ind": 1, "confidence": 0.5}] * 100
    found = ranked(*wrong, *doubted)
    assert found == [(number, DISAGREEMENT) for number in range(1, MOST + 1)] + [
        (number, DOUBTFUL_AGREEMENT) for number in range(101, 101 + MOST)
    ]
