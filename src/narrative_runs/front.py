"""`narrative-runs run`: a thin front of snakemake, which checks what was typed before Snakemake reads it."""

import os
import shlex
import sys
from pathlib import Path

from narrative_runs import params as params_module
from narrative_runs.code import must_be_the_code_of
from narrative_runs.errors import ParamsError
from narrative_runs.params import Params
from narrative_runs.shell import to_run
from narrative_runs.source import checksum


def run(params_file: Path, narratives: int | None) -> None:
    """Check the params and the workbook, print the snakemake command, and become it.

    narratives: only the first so many, as a pilot; None for what the file says.

    Raises:
        NarrativeRunsError: the params file or the workbook cannot be used.
    """
    params = checked(params_file)
    checksum.fetch(params.data.file)
    checksum.verify(params.data.file)
    words = command(params_file, narratives)
    print(shlex.join(words), flush=True)
    program = Path(sys.executable).with_name(words[0])
    os.execv(program, [str(program), *words[1:]])


def checked(params_file: Path) -> Params:
    """The params of a file that is there, holds what can be used, and is run by the code of this folder."""
    must_be_the_code_of(Path.cwd())
    if not Path("Snakefile").is_file():
        raise ParamsError(f"There is no Snakefile in {Path.cwd()}: start the command in the project folder.")
    if not params_file.is_file():
        there = sorted(path.name for path in Path().glob("*.yaml") if path.name != "dvc.yaml")
        raise ParamsError(f"{params_file} does not exist. Params files in this folder: {', '.join(there) or 'none'}.")
    return params_module.of_file(params_file)


def command(params_file: Path, narratives: int | None) -> list[str]:
    """The words of the snakemake command.

    Raises:
        ParamsError: `narratives` is no number of narratives.
    """
    words = shlex.split(to_run(params_file))
    if narratives is not None:
        if narratives < 1:
            raise ParamsError(f"--narratives {narratives}: a pilot needs at least one narrative.")
        words += ["--config", f"run={{max_narratives: {narratives}}}"]
    return words
