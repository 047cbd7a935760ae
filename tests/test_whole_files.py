from pathlib import Path

import pytest

from narrative_runs.whole_files import written_whole


def test_the_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    """Nobody sees a file that is still being written; then it is there, and its draft is gone."""
    path = tmp_path / "new" / "results.csv"
    with written_whole(path) as draft:
        draft.write_text("half")
        assert not path.exists()
        draft.write_text("whole")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    """If writing fails, the old file stays, and no draft of the new one."""
    path = tmp_path / "results.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk"), written_whole(path) as draft:
        draft.write_text("half")
        raise RuntimeError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_draft_of_a_killed_process_is_overwritten(tmp_path: Path) -> None:
    """What was left behind neither piles up nor gets into the file."""
    path = tmp_path / "results.csv"
    with written_whole(path) as draft:
        left_behind = draft
        draft.write_text("x")
    left_behind.write_text("a long text that a killed process left behind")
    with written_whole(path) as draft:
        draft.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
