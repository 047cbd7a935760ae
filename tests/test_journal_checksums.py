import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs import journal, journal_checksums
from narrative_runs.errors import JournalError
from narrative_runs.journal import Journal

HEAD = {"experiment_id": "a", "reading_rules": 2}


def sealed(folder: Path, answers: int = 4, files: int = 2) -> Path:
    """The folder of the journals, with one sealed session."""
    for number in range(1, files + 1):
        kept = Journal(journal.growing(folder, 1) / f"{number}-of-{files}.jsonl", HEAD)
        for answer in range(answers):
            kept.append({"fingerprint": f"{number} {answer}", "response": {"text": "yes"}})
        kept.close()
    journal.seal(folder)
    return folder


def told(folder: Path, with_content: bool) -> str:
    """Why the journals are refused; empty where they are not."""
    try:
        journal.must_be_as_sealed(folder, with_content)
    except JournalError as error:
        return str(error)
    return ""


def told_to_reader(path: Path) -> str:
    """Why a reader of one journal is refused; empty where he is not."""
    try:
        list(journal.entries(path))
    except JournalError as error:
        return str(error)
    return ""


def of_line(number: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A change of one line of a file, from 1."""

    def changed(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        lines[number - 1] = change(lines[number - 1])
        return b"".join(lines)

    return changed


CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "an answer": (of_line(3, lambda line: line.replace(b"yes", b"no!")), "line 3 changed"),
    "the head": (of_line(1, lambda line: line.replace(b'"a"', b'"b"')), "line 1 changed"),
    "a bit": (of_line(2, lambda line: line[:20] + bytes([line[20] ^ 1]) + line[21:]), "line 2 changed"),
    "two answers": (lambda content: content.replace(b"yes", b"no!"), "lines 2, 3, 4, 5 changed"),
    "a line removed": (of_line(3, lambda _: b""), "has 4 lines, and was sealed with 5, and from line 3 on it differs"),
    "a line repeated": (of_line(5, lambda line: line * 2), "has 6 lines, and was sealed with 5"),
    "the end cut off": (lambda content: content[:-7], "line 5 changed"),
    "the last line's end": (lambda content: content[:-1] + b"\x8a", "line 5 changed"),
    "a line's end": (of_line(2, lambda line: line[:-1] + b"\x8a"), "has 4 lines, and was sealed with 5"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_altered_is_found_with_its_line(tmp_path: Path, change: str) -> None:
    """Whatever is changed in a sealed journal, by hand or by a disk, is told with file and line, to the byte."""
    folder = sealed(tmp_path / "journal")
    path = folder / "session-0001/1-of-2.jsonl"
    alter, words = CHANGES[change]
    path.write_bytes(alter(path.read_bytes()))
    for reason in (told(folder, True), told(folder, False)):
        assert "session-0001/1-of-2.jsonl: " in reason and words in reason
        assert "Restore the sealed session from a backup." in reason


@pytest.mark.parametrize("change", CHANGES)
def test_no_reader_takes_an_altered_answer(tmp_path: Path, change: str) -> None:
    """Who reads a sealed journal compares each line, also where size and time tell nothing."""
    path = sealed(tmp_path / "journal") / "session-0001/1-of-2.jsonl"
    before = path.stat()
    path.write_bytes(CHANGES[change][0](path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "session-0001/1-of-2.jsonl: " in told_to_reader(path)


def test_a_sealed_session_passes_wherever_it_is_taken(tmp_path: Path) -> None:
    """Sessions are as they were sealed here, with other times, and in another place."""
    folder = sealed(tmp_path / "journal")
    assert told(folder, True) == told(folder, False) == ""
    for path in journal.files(folder):
        os.utime(path)
        assert told_to_reader(path) == ""
    folder.rename(tmp_path / "elsewhere")
    assert told(tmp_path / "elsewhere", True) == told(tmp_path / "elsewhere", False) == ""


def test_sizes_and_times_alone_are_looked_at_in_no_time(tmp_path: Path) -> None:
    """The quick look does not read a journal of which neither size nor time has changed; the thorough one does."""
    folder = sealed(tmp_path / "journal")
    path = folder / "session-0001/2-of-2.jsonl"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"yes", b"no!"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert told(folder, False) == ""
    assert "lines 2, 3, 4, 5 changed" in told(folder, True)


def test_a_journal_that_is_gone_or_new_is_told(tmp_path: Path) -> None:
    """A sealed session lacks no journal, and gains none."""
    folder = sealed(tmp_path / "journal")
    path = folder / "session-0001/2-of-2.jsonl"
    content = path.read_bytes()
    path.unlink()
    assert "2-of-2.jsonl: this journal is missing" in told(folder, False)
    path.write_bytes(content)
    added = path.with_name("retry.jsonl")
    added.write_bytes(content)
    assert "retry.jsonl: this journal was added" in told(folder, False)
    assert "retry.jsonl: this journal was added" in told_to_reader(added)


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"files": {"1-of-2.jsonl": {}}}', '{"files": []}'])
def test_checksums_that_are_gone_or_damaged_are_told(tmp_path: Path, content: str | None) -> None:
    """A session that was sealed with checksums is not believed without them."""
    folder = sealed(tmp_path / "journal")
    checksums = folder / "session-0001" / journal_checksums.NAME
    if content is None:
        checksums.unlink()
    else:
        checksums.write_text(content)
    assert "checksums" in told(folder, False)


def test_a_session_of_the_first_release_is_taken_as_it_is(tmp_path: Path) -> None:
    """What was sealed without checksums has none to be compared with."""
    kept = Journal(tmp_path / "journal/session-0001/1-of-1.jsonl", {"experiment_id": "a"})
    kept.append({"fingerprint": "b"})
    kept.close()
    assert told(tmp_path / "journal", True) == ""
    assert [entry for _, entry in journal.entries(tmp_path / "journal/session-0001/1-of-1.jsonl")]


def test_a_session_that_was_opened_again_is_sealed_with_a_note(tmp_path: Path) -> None:
    """The way out that the message names works: the session is sealed anew, and that it was changed stays known."""
    folder = sealed(tmp_path / "journal")
    session = folder / "session-0001"
    path = session / "1-of-2.jsonl"
    path.write_bytes(of_line(3, lambda _: b"damaged\n")(path.read_bytes()))
    command = re.search(r"`mv (\S+) (\S+)`", told(folder, True))
    assert command is not None
    path.write_bytes(of_line(3, lambda _: b"")(path.read_bytes()))
    Path(command[1]).rename(command[2])
    assert journal.seal(folder) == 0
    assert told(folder, True) == ""
    assert journal_checksums.was_changed_and_sealed_anew(session) == ["1-of-2.jsonl"]
    assert len(list(journal.entries(path))) == 3


def test_sealing_twice_leaves_no_note(tmp_path: Path) -> None:
    """A kill between the checksums and the sealing changes nothing: the next session seals the same."""
    folder = sealed(tmp_path / "journal")
    (folder / "session-0001").rename(folder / "session-0001.open")
    journal.seal(folder)
    assert journal_checksums.was_changed_and_sealed_anew(folder / "session-0001") == []


def test_a_torn_last_line_is_no_damage(tmp_path: Path) -> None:
    """What a kill left of a last line is cut off before the checksums are taken, and told apart from damage."""
    kept = Journal(journal.growing(tmp_path, 1) / "1-of-1.jsonl", HEAD)
    kept.append({"fingerprint": "whole"})
    kept.close()
    with (journal.growing(tmp_path, 1) / "1-of-1.jsonl").open("ab") as file:
        file.write(b'{"fingerprint": "tor')
    assert journal.seal(tmp_path) == 1
    assert told(tmp_path, True) == told_to_reader(tmp_path / "session-0001/1-of-1.jsonl") == ""


def test_a_full_disk_leaves_the_session_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that cannot be sealed is told, and sealed by the next one."""
    kept = Journal(journal.growing(tmp_path, 1) / "1-of-1.jsonl", HEAD)
    kept.append({"fingerprint": "whole"})
    kept.close()

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dumps", full)
    with pytest.raises(JournalError, match="cannot be sealed"):
        journal.seal(tmp_path)
    monkeypatch.undo()
    assert journal.sealed_sessions(tmp_path) == []
    journal.seal(tmp_path)
    assert [session.name for session in journal.sealed_sessions(tmp_path)] == ["session-0001"]


@given(st.data(), st.integers(1, 60))
def test_no_change_of_a_byte_passes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, answers: int
) -> None:
    """Any byte of any sealed journal, changed to any other, is found by both looks and by readers."""
    folder = sealed(tmp_path_factory.mktemp("journal"), answers, files=1)
    path = folder / "session-0001/1-of-1.jsonl"
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert told(folder, True) and told_to_reader(path)
