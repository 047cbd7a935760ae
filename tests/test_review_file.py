import json
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from narrative_runs import review_file
from narrative_runs.errors import ReviewsError
from narrative_runs.paths import ExperimentFolder

FOLDER = ExperimentFolder("cases")
ROWS = [
    {
        "row": f"{letter * 8}",
        "coder": coder,
        "incident_id": incident,
        "narrative_type": kind,
        "stratum": stratum,
        "position": 1,
    }
    for letter, coder, incident, kind, stratum in (
        ("b", "ana", "1", "cme", "error"),
        ("c", "ana", "1", "le", "error"),
        ("d", "ben", "1", "cme", "error"),
        ("f", "ben", "1", "le", "error"),
        ("g", "ana", "2", "cme", "error"),
        ("h", "ben", "3", "cme", "right"),
    )
]
DEAL: review_file.Line = {
    "line": "dealt",
    "deal": "wwwwwwww",
    "variable": "weapon",
    "purpose": "sample",
    "strata": {"error": 10, "right": 90},
    "rows": ROWS,
}


def verdict(row: str, value: str, **changed: Any) -> dict[str, Any]:
    """The line of a verdict on a row."""
    own = next(each for each in ROWS if each["row"] == row * 8)
    names = ("row", "coder", "incident_id", "narrative_type")
    line = {"line": "verdict", "deal": "wwwwwwww", "variable": "weapon", **{name: own[name] for name in names}}
    return {**line, "verdict": value, "typed": value, "notes": "", "reviewed_at": "2026-01-01 12:00:00", **changed}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder has an experiment's folder without reviews."""
    monkeypatch.chdir(tmp_path)
    FOLDER.path.mkdir(parents=True)


def add(*lines: dict[str, Any]) -> None:
    """Add these lines, in one call."""
    with review_file.opened(FOLDER) as reviews:
        reviews.append(lines)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Lines come back as they were written, in their order, and nobody but their owner can read the file."""
    assert review_file.read(FOLDER) == []
    add(DEAL, verdict("b", "gun"))
    add(verdict("c", 'd\u00e9j\u00e0 \u2028 vu\n"x"'))
    assert review_file.read(FOLDER) == [DEAL, verdict("b", "gun"), verdict("c", 'd\u00e9j\u00e0 \u2028 vu\n"x"')]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (FOLDER.reviews, FOLDER.reviews_seal))
    with review_file.opened(FOLDER) as reviews:
        assert len(reviews.lines) == 3


@pytest.mark.parametrize("at", range(4))
def test_an_altered_line_is_known(at: int) -> None:
    """A line that was changed, taken away, added or moved by hand is named with its number, and nothing is read."""
    add(DEAL, *(verdict(row, "gun") for row in "bcd"))
    lines = FOLDER.reviews.read_bytes().splitlines(keepends=True)
    changed = lines[at].replace(b"cme", b"le_").replace(b'le"', b'cm"')
    damages = {
        "changed": [*lines[:at], changed, *lines[at + 1 :]],
        "taken away": lines[:at] + lines[at + 1 :],
        "twice": [*lines[: at + 1], *lines[at:]],
        "moved": [*lines[at:], *lines[:at]] if at else [lines[1], lines[0], *lines[2:]],
    }
    for what, content in damages.items():
        FOLDER.reviews.write_bytes(b"".join(content))
        with pytest.raises(ReviewsError, match=r"reviews\.jsonl(, line [1-5]: |: 1 lines are missing at its end)"):
            review_file.read(FOLDER)
            pytest.fail(what)
    FOLDER.reviews.write_bytes(b"".join(lines))
    assert len(review_file.read(FOLDER)) == 4


def test_another_file_in_its_place_is_known() -> None:
    """A file that is whole, and not the one that was written here, is refused."""
    add(DEAL, verdict("b", "gun"))
    other = FOLDER.reviews.read_bytes()
    FOLDER.reviews.unlink()
    FOLDER.reviews_seal.unlink()
    add(DEAL, verdict("b", "poison"))
    FOLDER.reviews.write_bytes(other)
    with pytest.raises(ReviewsError, match="another file"):
        review_file.read(FOLDER)


def test_a_clone_without_the_seal_reads_the_file() -> None:
    """Where DVC brought back the file alone it is read, and sealed anew when something is added."""
    add(DEAL, verdict("b", "gun"))
    FOLDER.reviews_seal.unlink()
    assert len(review_file.read(FOLDER)) == 2
    add(verdict("c", "gun"))
    assert json.loads(FOLDER.reviews_seal.read_text())["lines"] == 3


@pytest.mark.slow
def test_a_kill_while_lines_are_written_leaves_whole_ones() -> None:
    """Whatever part of the lines a kill left, those that are whole are read, and the next ones come behind them."""
    add(DEAL)
    before, seal = FOLDER.reviews.read_bytes(), FOLDER.reviews_seal.read_bytes()
    add(*(verdict(row, "gun") for row in "bcd"))
    after = FOLDER.reviews.read_bytes()
    for size in range(len(before), len(after), 7):
        FOLDER.reviews.write_bytes(after[:size])
        FOLDER.reviews_seal.write_bytes(seal)
        n_whole = after[:size].count(b"\n")
        assert len(review_file.read(FOLDER)) == n_whole
        add(verdict("f", "poison"))
        assert [line.get("row") for line in review_file.read(FOLDER)][n_whole:] == ["f" * 8]


def test_a_full_disk_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a line does not fit on the disk, nothing of it stays, and the message says that nothing else is lost."""
    add(DEAL)
    content = FOLDER.reviews.read_bytes()
    write = os.write

    def full(descriptor: int, line: bytes) -> int:
        if len(line) <= 40:
            raise OSError(28, "No space left on device")
        return write(descriptor, line[:-40])

    with review_file.opened(FOLDER) as reviews:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(ReviewsError, match=r"No space left on device.*Its contents are kept"):
            reviews.append([verdict("b", "gun")])
    assert FOLDER.reviews.read_bytes() == content


def test_a_link_to_the_cache_of_dvc_is_not_written_through(tmp_path: Path) -> None:
    """Where DVC linked the file to its cache, what is added does not change the copy in the cache."""
    add(DEAL)
    kept = tmp_path / "cached"
    FOLDER.reviews.rename(kept)
    content = kept.read_bytes()
    for link in (FOLDER.reviews.symlink_to, FOLDER.reviews.hardlink_to):
        FOLDER.reviews.unlink(missing_ok=True)
        FOLDER.reviews_seal.unlink(missing_ok=True)
        link(kept)
        add(verdict("b", "gun"))
        assert kept.read_bytes() == content and len(review_file.read(FOLDER)) == 2


def _add_some(row: str) -> None:
    for number in range(20):
        add(verdict(row, str(number)))


def test_two_at_once_wait_for_each_other() -> None:
    """Of two processes that add lines at the same time none loses one."""
    add(DEAL)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_add_some, args=(row,)) for row in "bc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    lines = review_file.read(FOLDER)
    assert [[line["verdict"] for line in lines if line.get("row") == row * 8] for row in "bc"] == [
        [str(number) for number in range(20)]
    ] * 2


def test_the_last_verdict_of_each_coder_counts() -> None:
    """A coder's later verdict takes the place of the earlier one, and of no other coder's."""
    lines = [DEAL, verdict("b", "gun"), verdict("d", "poison"), verdict("b", "rope", notes="again")]
    latest = review_file.latest_verdicts(lines)
    assert [(each.coder, each.verdict, each.notes, each.stratum) for each in latest] == [
        ("ana", "rope", "again", "error"),
        ("ben", "poison", "", "error"),
    ]
    assert review_file.latest_verdicts(lines, "other") == []


def test_weights_are_of_incidents_that_are_reviewed() -> None:
    """An incident counts in the weight of its stratum when each of its narratives has a verdict of some coder."""
    lines = [DEAL, verdict("b", "gun"), verdict("g", "gun")]
    assert review_file.weights(lines) == {("wwwwwwww", "error"): 10.0}
    lines += [verdict("f", "gun"), verdict("h", "gun")]
    assert review_file.weights(lines) == {("wwwwwwww", "error"): 5.0, ("wwwwwwww", "right"): 90.0}
