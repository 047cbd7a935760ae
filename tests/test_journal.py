import errno
import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs import journal
from narrative_runs.errors import JournalError
from narrative_runs.journal import Journal

HEAD = {"experiment_id": "a", "params": {"model": {"name": "é\n"}}}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
entry_lists = st.lists(
    st.dictionaries(st.text().filter(lambda key: key != "head"), json_values, max_size=3), min_size=1, max_size=5
)


def written(path: Path, *entries: dict[str, Any], head: dict[str, Any] | None = None) -> bytes:
    """The content of a journal with these entries."""
    kept = Journal(path, HEAD if head is None else head)
    for entry in entries:
        kept.append(entry)
    kept.close()
    return path.read_bytes()


def read(path: Path) -> list[dict[str, Any]]:
    """All entries of a journal."""
    return [entry for _, entry in journal.entries(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a shard's journal of the first session is."""
    return tmp_path / "journal" / "session-0001" / "1-of-3.jsonl"


@given(entry_lists)
@pytest.mark.slow
def test_whatever_is_appended_is_read_back(entries: list[dict[str, Any]]) -> None:
    """Entries come back as they were and in their order, from the file and from each place in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session-0001" / "1-of-3.jsonl"
        written(path, *entries)
        assert read(path) == entries
        assert [place.read() for place, _ in journal.entries(path)] == entries
        assert journal.heads(Path(folder)) == [HEAD]


@given(entry_lists, st.data())
def test_a_torn_tail_loses_at_most_the_last_entry(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    """Cut off at any byte, a journal still gives all entries whose lines are whole, and no error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session-0001" / "1-of-3.jsonl"
        content = written(path, *entries)
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])
        whole_lines = content[:cut].count(b"\n")
        assert read(path) == entries[: max(0, whole_lines - 1)]
        assert journal.heads(Path(folder)) == ([HEAD] if whole_lines else [])


@given(entry_lists, st.data())
@pytest.mark.slow
def test_cutting_off_what_is_torn_costs_no_entry(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    """Cut off at any byte, a journal gives the same entries after its torn line is removed as before."""
    with tempfile.TemporaryDirectory() as folder:
        path = journal.growing(Path(folder), 1) / "1-of-3.jsonl"
        content = written(path, *entries, {"text": "x" * data.draw(st.sampled_from([1, 70_000, 140_000]))})
        cut = content[: data.draw(st.integers(0, len(content)))]
        path.write_bytes(cut)
        before = read(path)
        assert journal.seal(Path(folder)) == (0 if not cut or cut.endswith(b"\n") else 1)
        (sealed,) = journal.files(Path(folder))
        assert sealed.parent.name == "session-0001"
        assert read(sealed) == before
        assert sealed.read_bytes() == cut[: cut.rfind(b"\n") + 1]
        assert journal.seal(Path(folder)) == 0


@given(entry_lists, st.data())
def test_reading_goes_on_where_it_stopped(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    """From the end of any entry on, exactly those after it are read, with the same places."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session-0001" / "1-of-3.jsonl"
        written(path, *entries)
        found = list(journal.entries(path))
        number = data.draw(st.integers(0, len(found) - 1))
        place = found[number][0]
        assert list(journal.entries(path, place.offset + place.length)) == found[number + 1 :]


def test_entries_that_hold_a_text_are_found(path: Path) -> None:
    """Of a long journal the entries of one fingerprint alone are read, each at its place."""
    written(path, *({"fingerprint": f"f{number % 3}", "number": number} for number in range(6)))
    found = list(journal.entries(path, holding="f1"))
    assert [entry["number"] for _, entry in found] == [1, 4]
    assert [reference.read() for reference, _ in found] == [entry for _, entry in found]
    assert found == [each for each in journal.entries(path) if each[1]["fingerprint"] == "f1"]


def test_an_entry_is_in_the_file_when_append_returns(path: Path) -> None:
    """Others see an entry at once, before any sync or close."""
    kept = Journal(path, HEAD)
    for number in range(3):
        kept.append({"number": number})
        assert read(path) == [{"number": earlier} for earlier in range(number + 1)]
    kept.close()


def test_a_session_that_got_no_answer_leaves_no_file(path: Path) -> None:
    """Before the first entry there is neither file nor folder."""
    kept = Journal(path, HEAD)
    kept.sync()
    kept.close()
    assert not path.parent.exists()


def test_only_the_owner_reads_a_journal(path: Path) -> None:
    """Answers may quote narratives, so that nobody else may read the file."""
    written(path, {"a": 1})
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_two_processes_write_one_journal(path: Path) -> None:
    """A journal file that exists is not opened for writing again, and is locked while it is written."""
    kept = Journal(path, HEAD)
    kept.append({"a": 1})
    with path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(JournalError, match="exists"):
        Journal(path, HEAD).append({"a": 2})
    kept.close()
    assert read(path) == [{"a": 1}]


@pytest.mark.parametrize("at_once", [1, 7, 100])
def test_an_entry_is_whole_however_little_the_system_takes(
    path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Where a write takes only a part, the rest follows, as often as it needs."""
    plain = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: plain(descriptor, line[:at_once]))
    written(path, {"text": "x" * 300}, {"text": "y" * 300})
    assert read(path) == [{"text": "x" * 300}, {"text": "y" * 300}]


@pytest.mark.parametrize("room", [0, 1, 40])
@pytest.mark.parametrize("entries_before", [0, 1, 2])
def test_a_full_disk_tears_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, room: int, entries_before: int) -> None:
    """When an entry does not fit, the error says why, earlier ones stay, and later ones can follow."""
    kept = Journal(path, HEAD)
    before = [{"number": number} for number in range(entries_before)]
    for entry in before:
        kept.append(entry)
    plain = os.write

    def full(descriptor: int, line: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = plain(descriptor, line[:room])
        room -= taken
        return taken

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalError, match="No space left on device"):
        kept.append({"text": "x" * 300})
    assert read(path) == before
    monkeypatch.undo()
    kept.append({"number": "next"})
    kept.close()
    assert read(path) == [*before, {"number": "next"}]
    assert journal.heads(path.parents[1]) == [HEAD]


@pytest.mark.parametrize("damage", [b"\x00\x00", b"{", b"\xff", b"{}}", b"[1", b"5", b"null", b"[]"])
def test_damage_amid_a_journal_is_told_with_its_place(path: Path, damage: bytes) -> None:
    """A line that cannot be read, with others after it, is an error with file and line, never passed over."""
    content = written(path, {"a": 1}, {"b": 2})
    lines = content.splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + damage + b"\n" + lines[2])
    with pytest.raises(JournalError, match=rf"1-of-3\.jsonl, line 3 \(byte {len(lines[0] + lines[1])}\):"):
        read(path)


@pytest.mark.parametrize("damage", [b"\x00\x00\n", b"{}\n", b"null\n", b'{"answer": 1}\n', b'{"head": 1}\n'])
def test_a_journal_without_its_head_is_named(path: Path, damage: bytes) -> None:
    """When the first line does not tell the experiment, the message names the file."""
    content = written(path, {"a": 1})
    path.write_bytes(damage + content.split(b"\n", 1)[1])
    with pytest.raises(JournalError, match=r"1-of-3\.jsonl"):
        journal.heads(path.parents[1])


def test_sessions_are_numbered_on(tmp_path: Path) -> None:
    """The first session is 1, and each has the number after the last one, whatever lies beside them."""
    assert journal.next_session(tmp_path / "journal") == 1
    for number in (1, 2, 10):
        (tmp_path / journal.SESSION_FOLDER.format(number)).mkdir()
    assert journal.next_session(tmp_path) == 11
    (tmp_path / "session-0010.bak").mkdir()
    (tmp_path / "session-old").mkdir()
    assert journal.next_session(tmp_path) == 11


def test_files_are_listed_oldest_session_first(tmp_path: Path) -> None:
    """Journals of one name, or of all, come in the order of their sessions."""
    for session in (10, 2, 1):
        for name in ("1-of-3", "2-of-3", journal.RETRY):
            written(tmp_path / journal.SESSION_FOLDER.format(session) / f"{name}.jsonl", {}, head={"session": session})
    assert [path.parent.name for path in journal.files(tmp_path, "2-of-3")] == [
        "session-0001",
        "session-0002",
        "session-0010",
    ]
    assert {path.stem for path in journal.files(tmp_path, "2-of-3")} == {"2-of-3"}
    assert [head["session"] for head in journal.heads(tmp_path)] == [1, 1, 1, 2, 2, 2, 10, 10, 10]


def test_an_entry_may_speak_of_a_head(path: Path) -> None:
    """Only the first line is the head: a text with this word is an entry like others."""
    written(path, {"response": {"head": "struck on the head"}, "text": '{"head": 1}'})
    assert len(read(path)) == 1


def test_a_line_is_one_json_object_in_ascii(path: Path) -> None:
    """Other programs read the file line by line, whatever characters the answer holds."""
    content = written(path, {"text": "é\u2028\n\x85😀"})
    assert content.isascii()
    assert [list(json.loads(line)) for line in content.decode().splitlines()] == [["head"], ["text"]]


def test_sessions_come_in_their_order_open_or_sealed(tmp_path: Path) -> None:
    """Sealed journals and the one that grows are read alike, oldest first; the next session has the next number."""
    assert journal.next_session(tmp_path) == 1
    for session in (1, 2):
        assert journal.next_session(tmp_path) == session
        written(journal.growing(tmp_path, session) / "1-of-3.jsonl", {"session": session})
        if session == 1:
            journal.seal(tmp_path)
    assert [path.parent.name for path in journal.files(tmp_path)] == ["session-0001", "session-0002.open"]
    assert [read(path) for path in journal.files(tmp_path)] == [[{"session": 1}], [{"session": 2}]]
    assert journal.next_session(tmp_path) == 3


def test_spans_tell_when_a_session_asked(tmp_path: Path) -> None:
    """A session's span is from its first question to its last answer, over all its journals."""
    for session, name, asked_at, seconds in [
        (1, "1-of-3", ["2024-05-01T12:00:10+00:00", "2024-05-01T12:00:20+00:00"], 5.0),
        (1, "2-of-3", ["2024-05-01T12:00:05+00:00"], 1.0),
        (2, "1-of-3", ["2024-05-02T12:00:00+00:00"], 2.0),
    ]:
        path = journal.growing(tmp_path, session) / f"{name}.jsonl"
        written(path, *({"asked_at": moment, "response_sec": seconds} for moment in asked_at))
    spans = [(first.isoformat(), last.isoformat()) for first, last in journal.spans(tmp_path)]
    assert spans == [
        ("2024-05-01T12:00:05+00:00", "2024-05-01T12:00:25+00:00"),
        ("2024-05-02T12:00:00+00:00", "2024-05-02T12:00:02+00:00"),
    ]


def test_folders_put_together_lose_nothing(tmp_path: Path) -> None:
    """Where a sealed session has the number of an open one, both stay, and the open one gets the next number."""
    written(tmp_path / "session-0001" / "1-of-3.jsonl", {"copy": 1})
    written(journal.growing(tmp_path, 1) / "1-of-3.jsonl", {"copy": 2})
    journal.seal(tmp_path)
    assert {path.parent.name: read(path) for path in journal.files(tmp_path)} == {
        "session-0001": [{"copy": 1}],
        "session-0002": [{"copy": 2}],
    }


STRANGERS = [
    "._2-of-3.jsonl",
    "2-of-3 (conflicted copy 2026-01-02).jsonl",
    "2-of-3.sync-conflict-20260102-030405-ABCDEFG.jsonl",
    "2-of-3 2.jsonl",
    "2-of-3.jsonl~",
    ".2-of-3.jsonl.swp",
    "#2-of-3.jsonl#",
    ".DS_Store",
    "Icon\r",
    "desktop.ini",
    "retry (1).jsonl",
]


@pytest.mark.parametrize("ending", ["", journal.OPEN])
@pytest.mark.parametrize("name", STRANGERS)
def test_what_others_put_among_journals_is_passed_over(tmp_path: Path, name: str, ending: str) -> None:
    """A copy, a note or a backup that another program left beside a journal is not read, not altered, and named."""
    folder = tmp_path / f"session-0001{ending}"
    written(folder / "2-of-3.jsonl", {"a": 1})
    (folder / name).write_bytes(b"\x00\x05\x16\x07 no journal")
    assert journal.files(tmp_path) == [folder / "2-of-3.jsonl"]
    assert journal.heads(tmp_path) == [HEAD]
    assert journal.strangers(tmp_path) == [folder / name]
    journal.seal(tmp_path)
    assert (tmp_path / "session-0001" / name).read_bytes() == b"\x00\x05\x16\x07 no journal"


@pytest.mark.parametrize(
    "name",
    ["session-0001 (copy)", "session-0009 2.open", "._session-0009.dvc", "session-0009 (conflicted copy).dvc", "notes"],
)
def test_copies_of_sessions_are_passed_over(tmp_path: Path, name: str) -> None:
    """A copy of a session's folder, or of its .dvc file, is no session: neither read, nor missing, nor counted."""
    written(tmp_path / "session-0001" / "1-of-3.jsonl", {"a": 1})
    written(tmp_path / name / "1-of-3.jsonl", {"a": 2}, head={"experiment_id": "copy"})
    assert journal.heads(tmp_path) == [HEAD]
    assert journal.strangers(tmp_path) == [tmp_path / name]
    assert journal.not_here(tmp_path) == []
    assert journal.next_session(tmp_path) == 2
    assert journal.seal(tmp_path) == 0


def test_what_git_and_dvc_put_among_journals_is_known(tmp_path: Path) -> None:
    """The .dvc file of a session and git's list of what it ignores are no strangers."""
    written(tmp_path / "session-0001" / "1-of-3.jsonl", {"a": 1})
    (tmp_path / "session-0001.dvc").touch()
    (tmp_path / ".gitignore").touch()
    assert journal.strangers(tmp_path) == []
    assert journal.strangers(tmp_path / "nowhere") == []


def test_journals_out_of_reach_are_not_taken_for_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a drive that is not there, and a folder or file without permission, are told, never passed over."""
    (tmp_path / "journal").symlink_to(tmp_path / "nowhere")
    with pytest.raises(JournalError, match="journal cannot be read"):
        journal.files(tmp_path / "journal")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "session-0001").symlink_to(tmp_path / "nowhere")
    with pytest.raises(JournalError, match="session-0001 cannot be read"):
        journal.heads(tmp_path / "other")
    written(tmp_path / "kept" / "session-0001" / "1-of-3.jsonl", {"a": 1})
    (tmp_path / "kept" / "session-0001" / "2-of-3.jsonl").symlink_to(tmp_path / "nowhere")
    with pytest.raises(JournalError, match=r"2-of-3\.jsonl cannot be read"):
        journal.heads(tmp_path / "kept")

    def denied(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(JournalError, match="Permission denied"):
        journal.files(tmp_path / "kept")


def test_a_session_whose_answers_are_elsewhere_keeps_its_number(tmp_path: Path) -> None:
    """The number of a session that only its .dvc file names is given to no other."""
    (tmp_path / "session-0001.dvc").touch()
    assert journal.next_session(tmp_path) == 2


def test_answers_that_are_not_here_are_known(tmp_path: Path) -> None:
    """A session that only a .dvc file names is missing until its folder is there."""
    (tmp_path / "session-0001.dvc").touch()
    assert journal.not_here(tmp_path) == ["session-0001"]
    written(tmp_path / "session-0001" / "1-of-3.jsonl", {"a": 1})
    assert journal.not_here(tmp_path) == []


def test_a_second_journal_of_a_shard_counts_as_its_own(tmp_path: Path) -> None:
    """Where a host that is gone has begun a shard's journal, the next one begins another; both are the shard's, in the
    order in which they were begun, whatever the names of files sort like."""
    folder = journal.growing(tmp_path, 1)
    paths = []
    for number in range(1, 12):
        path = journal.new_file(tmp_path, 1, "3-of-4")
        written = Journal(path, {"experiment_id": "x"})
        written.append({"fingerprint": f"f{number}"})
        written.close()
        paths.append(path)
    assert [path.name for path in paths[:2]] == ["3-of-4.jsonl", "3-of-4.2.jsonl"]
    (folder / "3-of-4.copy.jsonl").touch()
    assert journal.files(tmp_path, "3-of-4") == paths
    assert {journal.name_of(path) for path in paths} == {"3-of-4"}
    assert journal.seal(tmp_path) == 0
    assert list(journal.first_entries(tmp_path, "3-of-4")) == [f"f{number}" for number in range(1, 12)]


def test_a_path_leads_to_a_session_that_was_sealed_meanwhile(tmp_path: Path) -> None:
    """Who looked up the files of an open session reads them also after it was sealed."""
    path = journal.growing(tmp_path, 1) / "1-of-3.jsonl"
    written(path, {"fingerprint": "a"})
    (reference,) = (reference for reference, _ in journal.entries(path))
    journal.seal(tmp_path)
    assert not path.exists()
    assert reference.read() == {"fingerprint": "a"} and read(path) == [{"fingerprint": "a"}]
    assert journal.head(path) == HEAD and journal.files_of(path.parent) != []


def test_only_earlier_sessions_are_sealed_for_a_snapshot(tmp_path: Path) -> None:
    """The session that a run goes on with is left open."""
    for session in (1, 2):
        written(journal.growing(tmp_path, session) / "1-of-3.jsonl", {"fingerprint": f"{session}"})
    assert journal.seal(tmp_path, before=2) == 0
    assert [path.parent.name for path in journal.files(tmp_path)] == ["session-0001", "session-0002.open"]
    assert journal.is_growing(tmp_path)


def test_a_sitting_that_a_snapshot_divides_is_one(tmp_path: Path) -> None:
    """Of sessions that overlap, as requests were in flight when the first was sealed, the time counts once."""
    times = {1: ("10:00:00", "10:00:30"), 2: ("10:00:29", "10:01:00"), 3: ("12:00:00", "12:00:10")}
    for session, asked in times.items():
        entries = [
            {"fingerprint": f"{session}{time}", "asked_at": f"2026-01-02T{time}+00:00", "response_sec": 0.0}
            for time in asked
        ]
        written(tmp_path / f"session-{session:04d}" / "1-of-3.jsonl", *entries)
    assert [(last - first).total_seconds() for first, last in journal.spans(tmp_path)] == [60.0, 10.0]


def test_a_journal_is_closed_once(path: Path) -> None:
    """To close a journal again does nothing, also while another thread syncs it."""
    kept = Journal(path, HEAD)
    kept.append({"fingerprint": "a"})
    kept.close()
    kept.sync()
    kept.close()
    assert read(path) == [{"fingerprint": "a"}]
