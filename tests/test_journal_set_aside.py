"""Sessions that do not count, and those that do."""

from dataclasses import asdict
from pathlib import Path

import pytest

from narrative_runs import journal, journal_set_aside
from narrative_runs.errors import JournalError
from narrative_runs.journal import Journal
from narrative_runs.journal_set_aside import Rollback
from tests.test_journal import HEAD, read

AT = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    """Three sealed sessions, with an answer each."""
    for session in (1, 2, 3):
        kept = Journal(journal.growing(tmp_path, session) / "1-of-2.jsonl", HEAD)
        kept.append({"fingerprint": f"{session}", "attempt": 1})
        kept.close()
    journal.seal(tmp_path)
    return tmp_path


def answers(journals: Path) -> list[str]:
    """The fingerprints of all answers that count."""
    return [entry["fingerprint"] for path in journal.files(journals) for entry in read(path)]


def test_what_is_set_aside_does_not_count(journals: Path) -> None:
    """Readers pass over sessions that are set aside until they are brought back; the next session has a number of its
    own, and nothing is taken for a stranger."""
    journal_set_aside.write(journals, Rollback(["session-0002", "session-0003"], "pilot", "before", AT))
    assert answers(journals) == ["1"] and list(journal.first_entries(journals, "1-of-2")) == ["1"]
    assert [path.name for path in journal.sealed_sessions(journals)] == ["session-0001"]
    assert len(journal.sealed_sessions(journals, with_set_aside=True)) == 3
    assert journal.next_session(journals) == 4 and journal.strangers(journals) == []
    journal_set_aside.write(journals, Rollback(["session-0003"], "pilot", "before", AT))
    assert answers(journals) == ["1", "2"]
    journal_set_aside.remove(journals)
    assert answers(journals) == ["1", "2", "3"]


def test_what_is_set_aside_need_not_be_here(journals: Path) -> None:
    """A clone needs only the sessions that count."""
    for session in (2, 3):
        (journals / f"session-000{session}.dvc").touch()
    journal_set_aside.write(journals, Rollback(["session-0003"], "pilot", "before", AT))
    for path in (journals / "session-0003").iterdir():
        path.unlink()
    (journals / "session-0003").rmdir()
    assert journal.not_here(journals) == []


def test_a_damaged_file_is_no_state(journals: Path) -> None:
    """Where nobody can tell which sessions count, nothing is read."""
    (journals / journal_set_aside.NAME).write_text("[]")
    with pytest.raises(JournalError, match="is damaged"):
        journal.files(journals)


def test_all_that_a_rollback_needs() -> None:
    """The snapshots to which it went and from which it came are needed, and those of the rollbacks before."""
    earlier = asdict(Rollback([], "a", "b", AT))
    assert Rollback([], "c", "d", AT, earlier).needed >= {"a", "b", "c", "d"}
