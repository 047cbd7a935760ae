import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from narrative_runs.errors import DevelopmentError
from narrative_runs.paths import SEEN
from narrative_runs.seen_narratives import record_seen, seen_digests, text_digest
from narrative_runs.source.shards import Narrative
from tests.small_experiment import narratives_of


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project folder without results."""
    monkeypatch.chdir(tmp_path)


def lines() -> list[dict[str, str]]:
    """The lines of the file."""
    return [json.loads(line) for line in SEEN.read_text().splitlines()]


def digests(narratives: list[Narrative]) -> set[str]:
    """Those of their texts."""
    return {text_digest(each.narrative_text) for each in narratives}


def test_what_was_seen_is_kept_without_its_text() -> None:
    """Each narrative is a line with ids, digest, way and moment, and no text; only its owner can read it."""
    narratives = narratives_of(4)
    record_seen(narratives[:3], "shown")
    assert seen_digests() == digests(narratives[:3])
    assert [(line["incident_id"], line["narrative_type"]) for line in lines()] == [
        (each.incident_id, each.narrative_type) for each in narratives[:3]
    ]
    assert all(list(line) == ["incident_id", "narrative_type", "text_sha256", "how", "at"] for line in lines())
    assert not any(each.narrative_text in SEEN.read_text() for each in narratives)
    assert stat.S_IMODE(SEEN.stat().st_mode) == 0o600 and stat.S_IMODE(SEEN.parent.stat().st_mode) == 0o700


def test_a_narrative_is_kept_once_a_way() -> None:
    """Shown again, or twice in one call, it is no second line; tried as well, it is another one."""
    narratives = narratives_of(2)
    record_seen([*narratives, *narratives], "shown")
    record_seen(narratives, "shown")
    assert len(lines()) == 2
    record_seen(narratives, "tried")
    assert [line["how"] for line in lines()] == ["shown", "shown", "tried", "tried"]
    assert len(seen_digests()) == 2


def test_nothing_was_seen_before_the_first() -> None:
    """Without a file nothing was seen, and nothing to keep makes none."""
    record_seen([], "tried")
    assert seen_digests() == frozenset() and not SEEN.exists()


def test_a_text_is_known_however_its_lines_end() -> None:
    """Blanks and line ends make no other text, as a workbook and a .csv of it differ in them; a word does."""
    assert text_digest("He fell.\r\n\r\nShe saw it. ") == text_digest("He fell.\nShe saw it.")
    assert text_digest("He fell.") != text_digest("She fell.")
    assert len(text_digest("half a pair: \ud800")) == 16


@pytest.mark.parametrize("torn", [b'{"incident_id":"0009","narr', b"\0\0"])
def test_a_torn_last_line_is_passed_over_and_cut_off(torn: bytes) -> None:
    """What a power cut left of a last line counts as nothing, and the next line begins after the last whole one."""
    first, second = narratives_of(2)
    record_seen([first], "shown")
    with SEEN.open("ab") as file:
        file.write(torn)
    assert seen_digests() == digests([first])
    record_seen([second], "shown")
    assert seen_digests() == digests([first, second]) and len(lines()) == 2


def test_a_damaged_line_is_named() -> None:
    """A whole line that cannot be read is no silent gap: it is named, by reading and by writing, which changes
    nothing."""
    record_seen(narratives_of(2), "shown")
    whole = SEEN.read_bytes().splitlines(keepends=True)
    SEEN.write_bytes(whole[0] + b"{}\n" + whole[1])
    before = SEEN.read_bytes()
    with pytest.raises(DevelopmentError, match=r"seen\.jsonl, line 2 is damaged"):
        seen_digests()
    with pytest.raises(DevelopmentError, match="line 2"):
        record_seen(narratives_of(4), "shown")
    assert SEEN.read_bytes() == before


def test_a_full_disk_leaves_no_half_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the lines cannot be written whole, none of them is, and the reason is said."""
    first, second = narratives_of(2)
    record_seen([first], "shown")
    before, write = SEEN.read_bytes(), os.write

    def full(descriptor: int, content: bytes) -> int:
        if len(content) < 100:
            raise OSError(28, "No space left on device")
        return write(descriptor, content[:90])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DevelopmentError, match="No space left on device"):
        record_seen([second], "shown")
    assert SEEN.read_bytes() == before


def _record(number: int) -> None:
    for narrative in narratives_of(80)[number::4]:
        record_seen([narrative], "tried")


@pytest.mark.slow
def test_several_processes_keep_all_that_they_saw() -> None:
    """Four processes that write at once lose no line, and tear none."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(_record, range(4), chunksize=1)
    assert seen_digests() == digests(narratives_of(80)) and len(lines()) == 80
