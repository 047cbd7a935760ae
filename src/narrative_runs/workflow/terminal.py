"""Lines to the user, from the main process; if nobody reads them any more, the run continues."""

import os
import select
import stat
import sys
from contextlib import suppress
from typing import NoReturn

from narrative_runs.plain_text import plain


def tell(text: str) -> None:
    """Show one line to the user."""
    text = plain(text)
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
    copy = copy_of_the_terminal()
    if copy is not None:
        with suppress(OSError):
            os.write(copy, f"{text}\n".encode(errors="replace"))


def copy_of_the_terminal() -> int | None:
    """The file to which standard output goes, as in `> run.log`, which gets all lines too; None if it goes to the
    terminal alone."""
    try:
        output, terminal = os.fstat(1), os.fstat(2)
    except OSError:
        return None
    is_apart = (output.st_dev, output.st_ino) != (terminal.st_dev, terminal.st_ino)
    return 1 if stat.S_ISREG(output.st_mode) and is_apart else None


def somebody_reads() -> bool:
    """Whether standard error still leads anywhere: the reader of a pipe, or the terminal, may be gone."""
    looking = select.poll()
    looking.register(sys.__stderr__ or 2, 0)
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in looking.poll(0))


def give_up(reason: object) -> NoReturn:
    """End the process with a message; Snakemake takes this for a clean end."""
    raise SystemExit(plain(f"narrative-runs: {reason}"))
