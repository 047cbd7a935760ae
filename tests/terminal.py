"""A real pseudo-terminal, and what a person would see in it."""

import fcntl
import os
import pty
import struct
import termios
import threading

import pyte

ROWS = 40


class Window:
    """A terminal of so many columns; `slave` is the descriptor that a program writes to."""

    def __init__(self, columns: int) -> None:
        self.raw = b""
        self.columns = columns
        self._screen = pyte.HistoryScreen(columns, ROWS, history=5000)
        self._stream = pyte.ByteStream(self._screen)
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        self._looking = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def lines(self) -> list[str]:
        """All that can be seen, with what has been scrolled away; without trailing blanks."""
        with self._looking:
            above = ["".join(row[column].data for column in range(self.columns)) for row in self._screen.history.top]
            return [line.rstrip() for line in [*above, *self._screen.display]]

    def names(self) -> set[str]:
        """The first word of each line."""
        return {line.split(" ")[0] for line in self.lines()}

    def close(self) -> None:
        """Let go of the slave; what was written has been seen when this returns."""
        os.close(self.slave)
        self._reader.join(timeout=10)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            if not data:
                return
            with self._looking:
                self.raw += data
                self._stream.feed(data)
