"""Which code runs, and its checksum: where it differs, the same answers may be read differently."""

import hashlib
import sys
from functools import cache
from pathlib import Path

import narrative_runs
from narrative_runs.errors import ExperimentError

PACKAGE = Path(narrative_runs.__file__).parent


@cache
def code_checksum() -> str:
    """The MD5, in hex, of this package's code and templates, by names and contents; a touch does not change it."""
    digest = hashlib.md5(usedforsecurity=False)
    for path in sorted(path for kind in ("*.py", "*.j2", "*.css") for path in PACKAGE.rglob(kind)):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def must_be_the_code_of(project: Path) -> None:
    """A project folder that holds the code is run by that code, or what is proved of it would be of another.

    In a second clone or a git worktree, the environment that is active may well be the first one's.

    Raises:
        ExperimentError: the folder holds this package, and another copy of it is running.
    """
    own = project / "src" / "narrative_runs"
    if own.is_dir() and not own.samefile(PACKAGE):
        raise ExperimentError(
            f"the active environment ({sys.prefix}) runs the code in {PACKAGE.parent.parent}, not the code in this "
            f"folder. Type `make install` here, then start the command from this folder's own environment, such as "
            "`.venv/bin/snakemake --cores 4`."
        )
