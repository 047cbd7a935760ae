"""By what one sees that a file was written anew."""

from pathlib import Path

FileState = tuple[int, ...]


def state_of_file(path: Path) -> FileState:
    """What is another one where a file was written anew; empty where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
