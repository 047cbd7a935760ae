"""What the main process says to its coordinator, heard from the first moment on, before anything else is imported."""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator


class ParentChannel:
    """Standard input, line by line. When it ends before the word `end`, the main process is gone, and soon this one is.

    spec: the first line; ends_alone: called when the main process is gone, and says for how many seconds this process
    may go on, to keep what is in flight; at_once: called before it ends all the same.
    """

    def __init__(self) -> None:
        self.spec = sys.stdin.readline()
        self.ends_alone: Callable[[], float] = lambda: 0.0
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
        time.sleep(self.ends_alone())
        self.at_once()
        os._exit(1)
