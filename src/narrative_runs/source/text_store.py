"""Texts on disk while a workbook is read, so that memory holds none of them, however large the workbook is."""

import os
import tempfile
from array import array
from pathlib import Path


class TextStore:
    """Texts by their number, from 0, in a file without a name: nobody else can open it, and nothing is left of it when
    the process ends, however it ends."""

    def __init__(self, folder: Path | None = None) -> None:
        """folder: on whose disk the texts are; the system's own folder for such files if it is None or missing."""
        # It lives as long as the store does.
        self._file = tempfile.TemporaryFile(dir=folder if folder and folder.is_dir() else None)  # noqa: SIM115
        self._ends = array("q", [0])
        self._is_flushed = True

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self):
            raise IndexError(number)
        if not self._is_flushed:
            self._file.flush()
            self._is_flushed = True
        begin, end = self._ends[number], self._ends[number + 1]
        return os.pread(self._file.fileno(), end - begin, begin).decode("utf-8", "surrogatepass")

    def add(self, text: str) -> int:
        """Keep a text; returns its number."""
        self._ends.append(self._ends[-1] + self._file.write(text.encode("utf-8", "surrogatepass")))
        self._is_flushed = False
        return len(self) - 1
