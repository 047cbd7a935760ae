"""Named states, as they lie on disk."""

from dataclasses import replace
from pathlib import Path

import pytest

from narrative_runs import journal, journal_set_aside, snapshots
from narrative_runs.errors import ExperimentError
from narrative_runs.journal_set_aside import Rollback
from narrative_runs.snapshots import INTERVAL, KEPT, Counts, Snapshot
from tests.run_contexts import context_of
from tests.small_experiment import FOLDER, entry_of, keep, narratives_of, params_of, write_narratives

AT = "2026-01-02T03:04:05+00:00"
NARRATIVES = narratives_of(4)
PARAMS = params_of()
CONTEXT = context_of(PARAMS)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment with two sealed sessions."""
    monkeypatch.chdir(tmp_path)
    write_narratives(NARRATIVES, 2)
    for session, narrative in enumerate(NARRATIVES[:2], start=1):
        keep(replace(CONTEXT, session=session), f"{session}-of-2", [entry_of(narrative, PARAMS)])


def kept(name: str = "", made_for: str = snapshots.USER) -> Snapshot:
    """A snapshot of the experiment as it is."""
    params = PARAMS.model_dump(mode="json")
    return snapshots.keep(FOLDER, "0b6d", params, Counts(4, 2), name, "a note", made_for)


def test_what_was_kept_is_read_back() -> None:
    """A snapshot comes back as it was made, and its file holds no text of a narrative or an answer."""
    made = kept("pilot")
    assert snapshots.named(FOLDER, "pilot") == made and snapshots.all_of(FOLDER) == [made]
    assert list(made.sessions) == ["session-0001", "session-0002"] and not made.is_complete
    text = (FOLDER.snapshots / "pilot.json").read_text()
    assert len(text) < 5_000
    assert not any(narrative.narrative_text in text for narrative in NARRATIVES) and "rationale" not in text


def test_a_session_has_one_checksum_whoever_sealed_it() -> None:
    """The checksum of a session is the same with the checksums of its sealing and without, as the first release left
    it; another answer makes it another one."""
    session = FOLDER.journals / "session-0001"
    before = snapshots.checksum_of(session)
    (session / "checksums.json").unlink()
    assert snapshots.checksum_of(session) == before
    path = next(iter(journal.files_of(session)))
    path.write_bytes(path.read_bytes().replace(b"true", b"false"))
    assert snapshots.checksum_of(session) != before


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../a", "a@b", ".a", "-a", "é", "a" * 81])
def test_names_that_cannot_be(name: str) -> None:
    """A name that could not be a file, or not be told from `SLUG@NAME`, is refused."""
    with pytest.raises(ExperimentError, match="cannot be named"):
        snapshots.must_be_free(FOLDER, name)


def test_of_automatic_ones_the_last_are_kept() -> None:
    """Of each automatic kind the last ones are kept, of those of the user all, and what a rollback needs anyway."""
    first = kept(made_for=INTERVAL)
    journal_set_aside.write(FOLDER.journals, Rollback(["session-0002"], "pilot", first.name, AT))
    kept("pilot")
    later = [kept(made_for=INTERVAL) for _ in range(KEPT + 3)]
    names = [snapshot.name for snapshot in snapshots.all_of(FOLDER)]
    assert names == [first.name, "pilot", *(snapshot.name for snapshot in later[-KEPT:])]
    assert len(set(names)) == len(names)
    with pytest.raises(ExperimentError, match="first type `narrative-runs rollback cases --undo`"):
        snapshots.delete(FOLDER, first.name)
    assert list(later[0].sessions) == ["session-0001"]


def test_a_name_and_its_experiment() -> None:
    """`SLUG@NAME` is divided at its last `@`; without one it is an experiment."""
    assert snapshots.divided("cases@pilot") == ("cases", "pilot")
    assert snapshots.divided("cases") == ("cases", "")


def test_a_damaged_snapshot_is_named() -> None:
    """A file that cannot be read is an error that names it."""
    kept("pilot")
    (FOLDER.snapshots / "pilot.json").write_text("{")
    with pytest.raises(ExperimentError, match=r"pilot.json is damaged"):
        snapshots.all_of(FOLDER)
