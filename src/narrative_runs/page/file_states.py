"""A file's state, by which to see whether the file was rewritten."""

from pathlib import Path

FileState = tuple[int, ...]


def state_of_file(path: Path) -> FileState:
    """A value that changes whenever the file is rewritten; empty if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns
