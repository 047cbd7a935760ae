"""Lines to the user, from the main process; where nobody reads them any more, the run goes on."""

import select
import sys
from contextlib import suppress
from typing import NoReturn


def tell(text: str) -> None:
    """Show one line to the user."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def somebody_reads() -> bool:
    """Whether standard error leads anywhere still: the reader of a pipe, or the terminal, may be gone."""
    looking = select.poll()
    looking.register(sys.__stderr__ or 2, 0)
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in looking.poll(0))


def give_up(reason: object) -> NoReturn:
    """End the process with a message; Snakemake takes this for a clean end."""
    raise SystemExit(f"narrative-runs: {reason}")
