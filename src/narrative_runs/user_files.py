"""Files that a user asked for: only their owner can read them, none is overwritten unasked, and none with texts goes to
git."""

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import FindingsError
from narrative_runs.permissions import file_mode
from narrative_runs.shell import quoted


def check_free(paths: Sequence[Path], force: bool) -> None:
    """See that nothing stands in the place of these files, before any work is done; with `force`, that no folder does.

    Raises:
        FindingsError: something does.
    """
    for path in paths:
        if path.is_dir():
            raise FindingsError(f"{path} is a folder. Give the name of a file.")
        if path.exists() and not force:
            raise FindingsError(
                f"{path} already exists and may contain somebody's work. Give another name, or add --force."
            )


def check_git_ignores(path: Path, instead: Path, option: str = "") -> None:
    """See that no `git add` would take this file, which holds texts.

    instead: a place where git ignores it; option: which has to name that place; empty where the file is written there
    if --output is left out.

    Raises:
        FindingsError: it lies in a git work tree that would take it.
    """
    folder = next(folder for folder in path.absolute().parents if folder.is_dir())
    if not _says_yes(folder, "rev-parse", "--is-inside-work-tree"):
        return
    if _says_yes(folder, "check-ignore", "--quiet", str(path.absolute())):
        return
    ignoring = folder / ".gitignore"
    line = f"/{path.absolute().relative_to(folder)}"
    first = (
        f"Type {option} {quoted(instead)}, which is ignored by git"
        if option
        else f"Leave out --output ({instead} is ignored by git)"
    )
    raise FindingsError(
        f"{path} would contain restricted texts where the next `git add` would include them. {first}, name "
        f"a file outside the project, or have git ignore it first: `echo {shlex.quote(line)} >> {quoted(ignoring)}`"
    )


def _says_yes(folder: Path, *words: str) -> bool:
    try:
        asked = subprocess.run(["git", "-C", str(folder), *words], capture_output=True)
    except FileNotFoundError:
        return False
    return asked.returncode == 0 and asked.stdout.strip() != b"false"


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
            draft.chmod(file_mode())
            yield draft
    except OSError as error:
        raise FindingsError(f"{path} cannot be written: {error.strerror or error}.") from None
