import json
import stat
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as some

from narrative_runs.started_server import log
from narrative_runs.started_server.log import KEY, LEFT_OUT, LONGEST_LINE, ServerLog, TextFilter

TEXT = 'The victim\'s brother said: "He was\nat home", and José (34 y/o) drove Zoë to the café 100% sober.'
WORDS = ["victim", "brother", "said", "home", "drove", "sober"]


def filter_of(*texts: str) -> TextFilter:
    """A filter that knows these texts."""
    known = TextFilter()
    for text in texts:
        known.add(text)
    return known


@pytest.mark.parametrize(
    "line",
    [
        TEXT,
        TEXT.upper(),
        repr(TEXT),
        repr(TEXT.encode()),
        repr(TEXT.encode("latin-1")),
        ascii(TEXT),
        json.dumps(TEXT),
        json.dumps(TEXT, ensure_ascii=False),
        json.dumps(json.dumps(TEXT)),
        repr(json.dumps({"messages": [{"content": TEXT}]}).encode()),
        quote(TEXT),
        f"INFO 12:00:01 Received request 17: prompt: {TEXT[:40]!r}…, params: none",
        "a rationale: 'brother said he was at home'",
        "… y/o) DROVE ZOË TO …",
        ascii("y/o) drove Zoë to"),
    ],
)
def test_a_line_with_a_part_of_a_text_is_seen(line: str) -> None:
    """Five words of a text one after the other are seen in whichever form a program writes them into a line."""
    assert filter_of("Another text.", TEXT, "A third one.").hides(line)


@pytest.mark.parametrize(
    "line",
    [
        "INFO: 127.0.0.1:41234 - POST /v1/chat/completions HTTP/1.1 200 OK",
        "the victim of this error said nothing",
        "he was at",
        "",
        "100%",
    ],
)
def test_a_line_of_the_servers_own_is_kept(line: str) -> None:
    """Lines that share some words with a text, and not five in a row, are kept."""
    assert not filter_of(TEXT).hides(line)


def test_without_a_text_all_is_kept() -> None:
    """Before the first text was added, every line is kept."""
    assert not TextFilter().hides(TEXT)


@pytest.mark.parametrize(
    ("text", "line", "is_hidden"),
    [
        ("Gunshot wound.", "prompt: 'GUNSHOT  wound'", True),
        ("Gunshot wound, head.", "a gunshot wound", False),
        ("See CME", "see cme report", True),
        ("Unknown", "unknown model", False),
        ("", "anything", False),
        ("…", "anything …", False),
    ],
)
def test_short_texts_are_seen_whole(text: str, line: str, is_hidden: bool) -> None:
    """A text of two to four words is seen where all of it stands in a line; one of a single word, which tells of
    nobody, is not looked for."""
    assert filter_of(text).hides(line) is is_hidden


@pytest.mark.parametrize("text", ["被害者は元交際相手に自宅で刺された。", "ผู้เสียชีวิตถูกยิงที่บ้าน"])
def test_texts_without_blanks_are_seen(text: str) -> None:
    """A part of a text is seen also where its script puts no blanks between words."""
    assert filter_of(text).hides(f"prompt: {text[4:14]}") and not filter_of(text).hides(f"prompt: {text[:3]}")


@given(some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\\"), min_size=1))
def test_a_text_is_seen_in_the_forms_of_json(text: str) -> None:
    """Whatever a text holds but backslashes: where it is seen as it is, it is seen as JSON too, and as JSON in JSON."""
    known = filter_of(text)
    if known.hides(text):
        assert known.hides(json.dumps(text)) and known.hides(json.dumps(json.dumps(text)))


def test_the_latest_texts_are_known() -> None:
    """So many texts as were asked for are known, the latest; those that always count are known after any number."""
    known = TextFilter(always=["these words stay known for ever"], latest=10)
    texts = [" ".join(f"{word}{number}" for word in WORDS) for number in range(100)]
    for count, text in enumerate(texts, start=1):
        known.add(text)
        if count % 3 == 0:
            known.hides("a line")
    assert all(known.hides(text) for text in texts[-10:])
    assert not any(known.hides(text) for text in texts[:80])
    assert known.hides("words stay known for ever")


def test_many_texts_between_two_lines_need_no_more_room() -> None:
    """Of the texts that were added since the last line, the latest are known, and no more are kept."""
    known = filter_of(*(" ".join(f"{word}{number}" for word in WORDS) for number in range(5000)))
    assert known.hides("victim4999 brother4999 said4999 home4999 drove4999")
    assert not known.hides("victim0 brother0 said0 home0 drove0")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is to be."""
    return tmp_path / "logs" / "server.log"


def lines_of(path: Path) -> list[str]:
    """The lines of a log, without their times."""
    return [line[20:] for line in path.read_text("utf-8").splitlines()]


def test_each_line_has_its_time_and_the_file_is_private(path: Path) -> None:
    """What a server writes is added to the file, each line with its time, and nobody else can read it."""
    path.parent.mkdir()
    path.write_text("of an earlier run\n")
    path.chmod(0o600)
    kept = ServerLog(path, TextFilter().hides)
    kept.take(b"loading\n\nready\n")
    earlier, *lines = path.read_text().splitlines()
    assert earlier == "of an earlier run" and [line[20:] for line in lines] == ["loading", "ready"]
    assert all(line[4] == "-" and line[13] == ":" for line in lines)
    path.unlink()
    ServerLog(path, TextFilter().hides).take(b"line\n")
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_are_whole_however_they_come(path: Path, size: int) -> None:
    """The pieces in which output arrives cut no line and no character."""
    kept = ServerLog(path, TextFilter().hides)
    data = "größe 1\r\nzwei — drei\nunended".encode()
    for first in range(0, len(data), size):
        kept.take(data[first : first + size])
    kept.take(b"")
    assert lines_of(path) == ["größe 1", "zwei — drei", "unended"] == kept.last_lines()


def test_narrative_text_is_left_out(path: Path) -> None:
    """A line with narrative text is replaced, in the file and in messages; the lines about it stay."""
    kept = ServerLog(path, filter_of(TEXT).hides)
    kept.take(f"before\nprompt: {TEXT!r}\nafter\n".encode())
    assert lines_of(path) == ["before", LEFT_OUT, "after"] == kept.last_lines()


def test_narrative_text_over_several_lines_is_left_out(path: Path) -> None:
    """A text whose lines are too short to be known by themselves is known by those before, from its fifth word on."""
    kept = ServerLog(path, filter_of("Male, 34.\nFound dead\nat home\nby partner").hides)
    kept.take(b"Male, 34.\nFound dead\nat home\nby partner\nan honest line\nanother one\n")
    assert lines_of(path) == ["Male, 34.", "Found dead", LEFT_OUT, LEFT_OUT, "an honest line", "another one"]


def test_a_progress_bar_is_shown_and_kept_once(path: Path) -> None:
    """Of a line that is drawn over and over the newest state is the last line, and only its end is kept."""
    kept = ServerLog(path, filter_of(TEXT).hides)
    kept.take(b"start\n\rLoading:  10%\rLoading:  20%\rLoad")
    assert kept.last_line == "Loading:  20%"
    kept.take(f"ing: 30%\r{TEXT.replace(chr(10), ' ')}\rL".encode())
    assert kept.last_line == LEFT_OUT
    kept.take(b"oading: 100%\nready\n")
    assert lines_of(path) == ["start", "Loading: 100%", "ready"]


def test_the_key_is_nowhere(path: Path) -> None:
    """The server's key is replaced, also where the line is cut."""
    key = "k" * 40
    kept = ServerLog(path, TextFilter().hides, key)
    kept.take(f"key={key}\n{'x' * (LONGEST_LINE - 20)}{key}\n".encode())
    assert lines_of(path)[0] == f"key={KEY}" and key[:5] not in path.read_text()


def test_lines_are_short_and_plain(path: Path) -> None:
    """A long line is cut, colours are taken out, and what would steer a terminal is written out."""
    kept = ServerLog(path, TextFilter().hides)
    kept.take(b"\x1b[1;32mgreen\x1b[0m \x07bell\n" + b"y" * 100_000 + b"\n")
    green, long = lines_of(path)
    assert green == "green \\u0007bell" and len(long) == LONGEST_LINE


def test_the_log_stays_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full log becomes the earlier one, instead of the one before; both together are never larger than twice the
    limit."""
    monkeypatch.setattr(log, "LARGEST_FILE", 1000)
    kept = ServerLog(path, TextFilter().hides)
    for number in range(500):
        kept.take(f"line {number}\n".encode())
        assert path.stat().st_size <= 1000
    assert sorted(file.name for file in path.parent.iterdir()) == ["server.log", "server.log.1"]
    assert lines_of(path)[-1] == "line 499"


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """Where no log can be written, the last lines are known all the same."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "server.log", None):
        kept = ServerLog(path, TextFilter().hides)
        kept.take(b"line\n")
        kept.close()
        assert kept.last_lines() == ["line"]


def test_another_life_has_other_last_lines(path: Path) -> None:
    """After a new start the last lines are those of the new life, and the log holds both, and where it began."""
    kept = ServerLog(path, TextFilter().hides)
    kept.take(b"old\nunended")
    kept.begin()
    assert kept.last_lines() == [] and kept.last_line == ""
    kept.take(b"new\n")
    assert kept.last_lines() == ["new"] and lines_of(path) == ["old", "(the server is started)", "new"]
