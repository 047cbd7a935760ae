"""Notes that jobs leave which cannot reach their run."""

from pathlib import Path

from narrative_runs.coordination import job_messages


def test_notes_are_taken_once(tmp_path: Path) -> None:
    """Each note is read once, with the name of the host that left it, and nothing of it stays in the folder."""
    job_messages.leave(tmp_path, "no way to the run")
    job_messages.leave(tmp_path, "nor to the model server")
    notes = job_messages.take(tmp_path)
    assert sorted(note.partition(": ")[2] for note in notes) == ["no way to the run", "nor to the model server"]
    assert all(note.partition(": ")[0] for note in notes)
    assert job_messages.take(tmp_path) == [] and list(tmp_path.iterdir()) == []


def test_half_a_note_is_not_read(tmp_path: Path) -> None:
    """A note that is still being written is left for later."""
    job_messages.leave(tmp_path, "whole")
    draft = tmp_path / job_messages.NAME / ".draft"
    draft.write_text("half")
    assert len(job_messages.take(tmp_path)) == 1
    assert draft.exists()


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """Where nothing can be written, a job ends all the same."""
    job_messages.leave(tmp_path / "gone" / "further", "nobody reads this")
    assert job_messages.take(tmp_path / "gone" / "further") == []
