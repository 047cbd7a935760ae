"""Commands as a person types them, in a POSIX shell in the project folder."""

import shlex
from pathlib import Path

PARAMS_FILE = Path("params.yaml")


def quoted(path: Path) -> str:
    """A path as one word of a command line."""
    text = str(path)
    # What begins with a dash would be taken for an option.
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def to_run(params_file: Path) -> str:
    """The command that runs the experiment of this params file, or goes on with it."""
    named = "" if params_file == PARAMS_FILE else f" --configfile {quoted(params_file)}"
    return f"snakemake --cores 4{named}"


def to_resume(experiment_id: str) -> str:
    """The command that goes on with an unfinished experiment, whichever params file is at hand."""
    return f"snakemake --cores 4 --config {shlex.quote(f'experiment_id={experiment_id}')}"
