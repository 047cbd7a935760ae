"""Files that a user asked for: only their owner can read them, and none is overwritten unasked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from narrative_runs.errors import FindingsError
from narrative_runs.whole_files import written_whole


def check_free(paths: Sequence[Path], force: bool) -> None:
    """See that nothing stands in the place of these files, before any work is done; with `force`, that no folder does.

    Raises:
        FindingsError: something does.
    """
    for path in paths:
        if path.is_dir():
            raise FindingsError(f"{path} is a folder. Name a file.")
        if path.exists() and not force:
            raise FindingsError(f"{path} exists, and may hold somebody's work. Name another, or add --force.")


@contextmanager
def owner_only(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, which becomes `path` at the end; from its first byte on only its owner can
    read it.

    Raises:
        FindingsError: the file cannot be written.
    """
    try:
        with written_whole(path) as draft:
            draft.touch()
            draft.chmod(0o600)
            yield draft
    except OSError as error:
        raise FindingsError(f"{path} cannot be written: {error.strerror or error}.") from None
