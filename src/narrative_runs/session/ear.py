"""What the main process says to its session, heard from the first moment on, before anything else is imported."""

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator


class Ear:
    """Standard input, line by line. When it ends before the word `end`, the main process is gone, and so is this one.

    order: the first line; at_once: called when the main process is gone, before this process ends.
    """

    def __init__(self) -> None:
        self.order = sys.stdin.readline()
        self.at_once: Callable[[], None] = lambda: None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def lines(self) -> Iterator[str]:
        """The lines after the first, as they come; `end` is the last."""
        while True:
            line = self._lines.get()
            yield line
            if line.startswith("end"):
                return

    def _listen(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.strip())
            if line.startswith("end"):
                return
        self.at_once()
        os._exit(1)
