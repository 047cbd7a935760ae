"""Lines to the user, from the main process."""

import sys
from typing import NoReturn


def tell(text: str) -> None:
    """Show one line to the user."""
    print(text, file=sys.stderr, flush=True)


def give_up(reason: object) -> NoReturn:
    """End the process with a message; Snakemake takes this for a clean end."""
    raise SystemExit(f"narrative-runs: {reason}")
