from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.source.text_store import TextStore


@given(st.lists(st.text(max_size=30)))
def test_texts_come_back_by_their_number(texts: list[str]) -> None:
    """Each text is found by the number that it got, in any order, while more are added."""
    store = TextStore()
    assert [store.add(text) for text in texts] == list(range(len(texts)))
    assert [store[number] for number in reversed(range(len(store)))] == texts[::-1]
    again = store.add("more")
    assert store[again] == "more" and len(store) == len(texts) + 1
    with pytest.raises(IndexError):
        store[len(store)]


def test_no_file_is_to_be_seen(tmp_path: Path) -> None:
    """While texts are kept, their folder shows no file that anybody could open."""
    store = TextStore(tmp_path)
    store.add("secret" * 100_000)
    assert store[0] and list(tmp_path.iterdir()) == []
