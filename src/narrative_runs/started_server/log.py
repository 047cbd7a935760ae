"""What a started server writes: kept in a log of its own, without narrative text, without its key, and never large.

The log is one file of at most `LARGEST_FILE` bytes; when it is full it becomes `<name>.1`, instead of the one before.
"""

import codecs
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from narrative_runs.permissions import file_mode, folder_mode
from narrative_runs.plain_text import plain

LARGEST_FILE = 5_000_000
LONGEST_LINE = 500
LEFT_OUT = "(a line with narrative text is left out)"
KEY = "(the key)"
LATEST_TEXTS = 2000
WORDS_OF_A_RUN = 5
# A single word, such as a narrative that says `Unknown`, tells of nobody, and the log has words of its own.
FEWEST_WORDS = 2
_KEPT_LINES = 50
_LONGEST_UNENDED = 100_000
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# As Python, JSON and URLs write out characters; a log may hold what was written out twice.
_BYTES = re.compile(r"(?:(?:\\+x|%)[0-9a-fA-F]{2})+")
_WIDE = re.compile(r"\\+U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})")
_CHARACTERS = re.compile(r"(?:\\+u[0-9a-fA-F]{4})+")
_CONTROL = re.compile(r"\\+[bfnrt]")
# Where a script has no blanks between words, as Thai, Chinese and Japanese, each character counts as one.
_UNDIVIDED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNDIVIDED}]|[^\W_{_UNDIVIDED}]+")


class TextFilter:
    """Knows the texts that are asked about, and in which lines any of them can be read."""

    def __init__(self, always: Iterable[str] = (), latest: int = LATEST_TEXTS) -> None:
        """always: texts that stay known, such as prompts that quote cases; latest: so many of the texts that were added
        last are known, and at times up to twice as many."""
        self._new: deque[str] = deque(maxlen=latest)
        self._latest = latest
        self._counted = 0
        self._always = set(_runs_of_texts(always))
        self._newer: set[int] = set()
        self._older: set[int] = set()
        self._looking = threading.Lock()

    def add(self, text: str) -> None:
        """A text is being asked about. Costs next to nothing: it is read when the server writes a line."""
        self._new.append(text)

    def hides(self, line: str) -> bool:
        """Whether a line holds five words of a text one after the other, or the whole of a text of two to four words;
        in capitals or not, and also as Python, JSON and URLs write it out."""
        with self._looking:
            self._take_in()
            words = _words(line)
            runs = {run for length in range(FEWEST_WORDS, WORDS_OF_A_RUN + 1) for run in _runs(words, length)}
            return not all(runs.isdisjoint(known) for known in (self._always, self._newer, self._older))

    def _take_in(self) -> None:
        """Read the texts that were added since the last line."""
        with suppress(IndexError):
            while True:
                self._newer.update(_runs_of_texts([self._new.popleft()]))
                self._counted += 1
                if self._counted == self._latest:
                    self._older, self._newer, self._counted = self._newer, set(), 0


class ServerLog:
    """The log of one server over all its lives.

    It can be used by several threads.
    """

    def __init__(self, path: Path | None, hides: Callable[[str], bool], key: str = "") -> None:
        """path: the file, which is added to; None to keep none; hides: whether a line must not be kept; key: what no
        line may hold, empty for nothing."""
        self._path = path
        self._hides = hides
        self._key = key
        self._file: FileIO | None = None
        self._writing = threading.Lock()
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._drawn = ""
        self._unended = ""
        self._words_before: list[str] = []
        self._decoder = _decoder()

    def begin(self) -> None:
        """The server is started: what it wrote in an earlier life no longer counts as its last lines."""
        with self._writing:
            self._lines.clear()
            self._drawn = self._unended = ""
            self._words_before = []
            self._decoder = _decoder()
            self._write("(the server is started)")

    def take(self, data: bytes) -> None:
        """Keep what the server wrote: any part of its output, and nothing at its end."""
        with self._writing:
            text = self._unended + self._decoder.decode(data, final=not data)
            *lines, self._unended = re.split(r"\r?\n", text)
            for line in lines:
                self._add(line.rpartition("\r")[2])
            # A bar is drawn over and over in one line: it is shown, and kept when that line ends.
            *drawn, self._unended = re.split(r"\r(?!\Z)", self._unended)
            if drawn:
                self._drawn = self._kept(drawn[-1]) or self._drawn
            if not data or len(self._unended) > _LONGEST_UNENDED:
                self._add(self._unended)
                self._unended = ""

    @property
    def last_line(self) -> str:
        """What the server wrote last; empty where it wrote nothing."""
        with self._writing:
            return self._drawn or (self._lines[-1] if self._lines else "")

    def last_lines(self, count: int = _KEPT_LINES) -> list[str]:
        """Of its last lines so many, oldest first, as they stand in the log, without their times."""
        with self._writing:
            return list(self._lines)[-count:]

    def close(self) -> None:
        """Close the file; a line that comes later opens it again."""
        with self._writing:
            self._close()

    def _add(self, line: str) -> None:
        if kept := self._kept(line):
            self._drawn = ""
            self._lines.append(kept)
            self._write(kept)

    def _kept(self, line: str) -> str:
        """The line as it is kept; empty if nothing is in it."""
        line = _COLOURS.sub("", line).strip()
        if not line:
            return ""
        # A text may stand in several lines, and five of its words in no one of them.
        is_hidden = self._hides(" ".join([*self._words_before, line]))
        self._words_before = [*self._words_before, *line.split()][1 - WORDS_OF_A_RUN :]
        if is_hidden:
            return LEFT_OUT
        line = plain(line.replace(self._key, KEY) if self._key else line)
        return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"

    def _write(self, line: str) -> None:
        """Add a line to the file; a log that cannot be written stops no run."""
        if self._path is None:
            return
        content = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n".encode(errors="backslashreplace")
        with suppress(OSError):
            if self._file is None:
                self._file = _opened(self._path)
            if self._file.tell() + len(content) > LARGEST_FILE:
                self._close()
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                self._file = _opened(self._path)
            self._file.write(content)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")(errors="replace")


def _opened(path: Path) -> FileIO:
    path.parent.mkdir(folder_mode(), parents=True, exist_ok=True)
    return FileIO(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, file_mode()), "a")


def _words(text: str) -> list[str]:
    """The words of a text, as they are compared: however they are written out, and in whichever case."""
    if "\\" in text or "%" in text:
        text = _BYTES.sub(_of_bytes, text)
        text = _WIDE.sub(lambda match: chr(int(match[1], 16)), text)
        text = _CHARACTERS.sub(lambda match: _unhexed(match).decode("utf-16-be", "replace"), text)
        text = _CONTROL.sub(" ", text)
    return _WORD.findall(text.casefold())


def _of_bytes(match: re.Match[str]) -> str:
    """The characters of bytes that are written out: mostly UTF-8, else Latin-1, as Python writes é."""
    data = _unhexed(match)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unhexed(match: re.Match[str]) -> bytes:
    return bytes.fromhex(re.sub(r"\\+[xu]|%", "", match[0]))


def _runs(words: list[str], length: int) -> Iterator[int]:
    """A number for each run of so many words."""
    return map(hash, zip(*(words[first:] for first in range(length)), strict=False))


def _runs_of_texts(texts: Iterable[str]) -> Iterator[int]:
    """A number for each run of words by which a text is known."""
    for text in texts:
        words = _words(text)
        if len(words) >= FEWEST_WORDS:
            yield from _runs(words, min(len(words), WORDS_OF_A_RUN))
