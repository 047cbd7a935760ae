import numpy as np
import pandas as pd
import pytest

from narrative_runs.findings.cut_texts import cut, mark, words

CHANCE = np.random.default_rng(1)


def counted(lengths: list[int], limit: float = np.inf, noise: float = 0.03) -> pd.DataFrame:
    """Rows whose server counts 300 tokens of prompt and 1.3 a word, give or take, and cuts at `limit`."""
    tokens = [min(limit, 300 + 1.3 * length * CHANCE.normal(1, noise)) for length in lengths]
    return pd.DataFrame(
        {
            "narrative_text": ["word " * length for length in lengths],
            "prompt_tokens": pd.array([round(count) for count in tokens], dtype="Int64"),
            "detected": pd.array([True] * len(lengths), dtype="boolean"),
            "confidence": pd.array([0.9] * len(lengths), dtype="Float64"),
            "p_detected": pd.array([0.9] * len(lengths), dtype="Float64"),
            "rationale": pd.array(["r"] * len(lengths), dtype="string"),
            "indicators": pd.array(["[]"] * len(lengths), dtype="string"),
            "error_occurred": [False] * len(lengths),
            "error_category": pd.array([None] * len(lengths), dtype="string"),
            "error_message": pd.array([None] * len(lengths), dtype="string"),
        }
    )


@pytest.mark.parametrize("limit", [1024, 2048, 4096])
def test_what_is_cut_by_a_third_is_found(limit: int) -> None:
    """Rows that need half as much again as the server's limit are found, and no row below the limit is."""
    lengths = [int(length) for length in CHANCE.integers(50, 600, 300)] + [int(1.5 * limit / 1.3)] * 3
    rows = counted(lengths, limit)
    needed = 300 + 1.3 * np.array(lengths)
    found = cut(rows)
    assert found[-3:].all()
    assert not found[needed < limit].any()


def test_uncut_texts_of_all_lengths_are_answers() -> None:
    """Without a limit nothing is found, however the lengths differ and whatever their tokens a word."""
    lengths = [int(length) for length in CHANCE.lognormal(5, 1, 2000)]
    assert not cut(counted(lengths, noise=0.1)).any()


def test_rules_of_dashes_are_not_missing_tokens() -> None:
    """Long runs of marks and blanks, which cost few tokens, do not make a text look cut."""
    rows = counted([100] * 50 + [200] * 50)
    rows.loc[0, "narrative_text"] = "word " * 100 + "-" * 4000 + "\n" * 500
    assert not cut(rows).any()
    assert words("a  b\n\n---- c.") == 4


def test_too_little_to_learn_from() -> None:
    """Few rows, rows without a count, and counts that do not grow with the text tell nothing."""
    assert not cut(counted([50, 4000, 60], limit=500)).any()
    uncounted = counted([100] * 40)
    uncounted["prompt_tokens"] = pd.array([None] * 40, dtype="Int64")
    assert not cut(uncounted).any()
    assert not cut(counted([100, 5000] * 30, limit=40)).any()


def test_order_does_not_matter() -> None:
    """The same rows are found in whatever order they come."""
    rows = counted([int(length) for length in CHANCE.integers(50, 600, 200)] + [5000], limit=1500)
    shuffled = rows.sample(frac=1, random_state=2)
    assert set(rows.index[cut(rows)]) == set(shuffled.index[cut(shuffled)]) == {200}


def test_marked_rows_are_data_errors() -> None:
    """An answer to a cut text becomes a data_error without an answer; the other rows stay as they are."""
    rows = counted([100 + place for place in range(60)] + [5000], limit=1500)
    marked = mark(rows)
    assert marked["error_category"].dropna().tolist() == ["data_error"]
    last = marked.iloc[-1]
    assert last["error_occurred"] and pd.isna(last["detected"]) and "1500 tokens" in last["error_message"]
    pd.testing.assert_frame_equal(marked.iloc[:-1], rows.iloc[:-1])
