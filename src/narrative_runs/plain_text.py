"""Text that others wrote, as it may be shown: what would steer a terminal, or turn its lines round, is written out.

Model servers, workbooks and params files fill messages, logs and tables. There are three gates, and each of them uses
this one filter: the screen of a run, its logs, and what a command writes.
"""

import re
from collections.abc import Iterable
from typing import Any, TextIO, cast

# C0 but tab and line feed, DEL, C1, separators of lines, controls of direction (Unicode Bidirectional Algorithm,
# UAX 9), and halves of surrogate pairs, which no terminal can be sent.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]",
)


def plain(text: str) -> str:
    """The text with each such character as `\\u001b`, as JSON has it; all else, and line feeds and tabs, as it is."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class PlainStream:
    """A stream of text through which only plain text goes."""

    def __init__(self, stream: TextIO) -> None:
        # By this name rich finds the stream itself: its own colours pass, and its text comes through `PlainConsole`.
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write the text, made plain; returns its length as given."""
        self.rich_proxied_file.write(plain(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def plain_stream(stream: TextIO) -> TextIO:
    """The stream, behind the filter."""
    return cast(TextIO, PlainStream(stream))
