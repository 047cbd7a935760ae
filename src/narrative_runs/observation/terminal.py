"""The terminal of a run, which the session owns: lines, and on a real terminal a panel below them that stays.

The main process speaks rarely: an error of the workflow, a stop. Before it does, it asks for a pause, and the panel
is taken away. So the two never write over each other.
"""

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from narrative_runs.observation.run_status import RunStatus
from narrative_runs.plain_text import plain

if TYPE_CHECKING:
    from rich.console import ConsoleDimensions
    from rich.live import Live

PAUSE_S = 1.0


class Terminal:
    """Standard error, or another stream; is_terminal: whether the panel can be shown there.

    The loss of a terminal stops no run.
    """

    def __init__(self, stream: TextIO | None = None, copy_to: int | None = None) -> None:
        """copy_to: the descriptor of a file that gets all lines too, and is closed with the process."""
        self._copy_to = copy_to
        self._stream = stream or sys.stderr
        self.is_terminal = self._stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
        self._live: Live | None = None
        self._paused_until = 0.0
        self._closed = False
        self._writing = threading.RLock()

    def say(self, text: str) -> None:
        """Show one line, above the panel."""
        text = plain(text)
        self._copy(text)
        with self._writing, suppress(OSError):
            if self._live is None:
                print(text, file=self._stream, flush=True)
            else:
                self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Show a line of progress, which on a terminal the panel shows already."""
        if self.is_terminal:
            self._copy(plain(text))
        else:
            self.say(text)

    def _copy(self, text: str) -> None:
        if self._copy_to is not None:
            with suppress(OSError):
                os.write(self._copy_to, f"{text}\n".encode(errors="replace"))

    def show(self, status: RunStatus) -> None:
        """Show the panel as it is now, on a terminal only."""
        with self._writing, suppress(OSError):
            if not self.is_terminal or self._closed or time.monotonic() < self._paused_until:
                return
            # Imported here: where there is no terminal nobody needs it.
            from narrative_runs.observation.panel import panel

            if self._live is None:
                self._live = _live(self._stream)
                self._live.start()
            self._live.console.size = self._size()
            self._live.update(panel(status), refresh=True)

    def _size(self) -> "ConsoleDimensions":
        from rich.console import ConsoleDimensions

        # What does not fit the stream's own width could not be taken away. Some terminals do not tell their size.
        columns, lines = os.get_terminal_size(self._stream.fileno())
        return ConsoleDimensions(columns or 80, lines or 25)

    def pause(self) -> None:
        """Take the panel away for a moment, so that another process may write."""
        with self._writing:
            self._paused_until = time.monotonic() + PAUSE_S
            self._stop()

    def close(self) -> None:
        """Take the panel away for good."""
        with self._writing:
            self._closed = True
            self._stop()

    def _stop(self) -> None:
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()
            self._live = None


def _live(stream: TextIO) -> "Live":
    from rich.live import Live

    from narrative_runs.plain_console import PlainConsole

    class Terminal(PlainConsole):
        """A console that leaves the cursor alone: who is killed could not bring a hidden one back."""

        def show_cursor(self, show: bool = True) -> bool:
            return False

    # Standard output is the session's line to its main process, and no part of the screen.
    console = Terminal(file=stream, force_terminal=True)
    return Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
