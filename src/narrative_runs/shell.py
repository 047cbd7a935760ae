"""Commands as a person types them, in a POSIX shell in the project folder."""

import shlex
import subprocess
from pathlib import Path

SHELL = "/bin/sh"
PARAMS_FILE = Path("params.yaml")


def quoted(path: Path) -> str:
    """A path as one word of a command line."""
    text = str(path)
    # What begins with a dash would be taken for an option.
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def to_run(params_file: Path) -> str:
    """The command that runs the experiment of this params file, or continues it."""
    return f"snakemake --cores 4{_file_of(params_file)}"


def _file_of(params_file: Path) -> str:
    return "" if params_file == PARAMS_FILE else f" --configfile {quoted(params_file)}"


def to_resume(experiment_id: str) -> str:
    """The command that continues an unfinished experiment, whichever params file is at hand."""
    return f"snakemake --cores 4 --config {shlex.quote(f'experiment_id={experiment_id}')}"


def why_unreadable(line: str) -> str | None:
    """Why the shell cannot read a line, in its own words; None where it can. Nothing of the line is run."""
    read = subprocess.run([SHELL, "-n", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if read.returncode == 0:
        return None
    # Some repeat the line below.
    said = read.stderr.strip().splitlines() or ["no reason given"]
    return said[0].removeprefix(f"{SHELL}: ")


def to_retry_by_file(params_file: Path) -> str:
    """The command that asks again for the errors of the experiment of this params file."""
    return f"snakemake --forcerun retry_errors{_file_of(params_file)}"


def to_retry(experiment_id: str, *overrides: str) -> str:
    """The command that asks again for the errors of an experiment; overrides: params to change, as `--config` takes
    them."""
    words = [to_resume(experiment_id), *map(shlex.quote, overrides), "--forcerun retry_errors"]
    return " ".join(words)
