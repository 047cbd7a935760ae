"""What a command means: the params that it names, and what else it asks for; nothing of the experiment is read yet."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from narrative_runs import experiment
from narrative_runs import params as params_module
from narrative_runs.errors import ParamsError
from narrative_runs.results import ERROR_CATEGORIES
from narrative_runs.shell import PARAMS_FILE

RETRY_RULE = "retry_errors"


@dataclass(frozen=True)
class Command:
    """One `snakemake` command, as it was typed.

    values: of the params files and `--config`, laid one over the other; overrides: those of `--config` alone; origin:
    the params file, as messages name it; experiment_id: of the experiment that it means, whatever the file says; None
    for that of the file; is_proof: whether `dvc repro` types it; is_rederived: whether findings are taken over as this
    release derives them; retries: whether error rows are asked again, and of which categories, all when empty.
    """

    values: dict[str, Any]
    overrides: dict[str, Any]
    origin: str
    experiment_id: str | None = None
    is_proof: bool = False
    is_rederived: bool = False
    retries: bool = False
    categories: tuple[str, ...] = ()


def read_command(overrides: Mapping[str, Any], config_files: Sequence[Path]) -> Command:
    """The command that Snakemake was started with.

    overrides: what `--config` gave; config_files: what `--configfile` gave, which replaces params.yaml.

    Raises:
        ParamsError: a file cannot be read, or `--config` has a value that means nothing.
    """
    given = typed(overrides)
    files = list(config_files) or [PARAMS_FILE]
    experiment_id = given.pop("experiment_id", None)
    is_proof, is_rederived = bool(given.pop("proof", False)), bool(given.pop("rederive", False))
    categories = _categories(given.pop("retry", None))
    retries = RETRY_RULE in _forced_rules()
    if categories and not retries:
        raise ParamsError(
            f"--config retry={','.join(categories)} says which errors are asked again, but only "
            "`--forcerun retry_errors` asks again. Type both."
        )
    if is_proof:
        _must_be_watched(files)
    values: dict[str, Any] = {}
    for file in files:
        try:
            values = experiment.merged(values, params_module.read_file(file))
        except ParamsError:
            # An experiment that is named by its id needs no file.
            if experiment_id is None:
                raise
    return Command(
        values=experiment.merged(values, given),
        overrides=given,
        origin=os.path.relpath(files[-1]),
        experiment_id=None if experiment_id is None else str(experiment_id),
        is_proof=is_proof,
        is_rederived=is_rederived,
        retries=retries,
        categories=categories,
    )


def _must_be_watched(files: Sequence[Path]) -> None:
    """A proof holds only if DVC notices that a codebook in a file of its own was changed.

    Raises:
        ParamsError: it does not watch that file.
    """
    for file in files:
        codebook = params_module.codebook_file(file)
        stages = Path(file.parent if (file.parent / "dvc.yaml").exists() else ".") / "dvc.yaml"
        if not codebook or not stages.exists():
            continue
        watched = [stage.get("deps", ()) for stage in params_module.read_file(stages).get("stages", {}).values()]
        if any("Snakefile" in deps and codebook not in deps for deps in watched):
            raise ParamsError(
                f"{file}: DVC would not notice a change in {codebook}, so nothing can be proved. Add `- {codebook}` "
                f"to the deps of each stage in {stages} whose deps list Snakefile, or write the codebook into {file} "
                "itself."
            )


def typed(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What `--config` gave, with numbers and booleans as such: below the top level, Snakemake leaves them texts."""
    return {
        key: typed(value) if isinstance(value, Mapping) else _plain(value) if isinstance(value, str) else value
        for key, value in overrides.items()
    }


def _plain(text: str) -> Any:
    """The number, boolean or null that a text stands for; any other text is itself, whatever YAML would make of it."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if value is None or isinstance(value, bool | int | float) else text


def _categories(given: Any) -> tuple[str, ...]:
    """The categories of `--config retry=timeout,api_error`."""
    if given is None:
        return ()
    names = given if isinstance(given, list) else str(given).split(",")
    categories = tuple(dict.fromkeys(str(name).strip() for name in names))
    if unknown := [name for name in categories if name not in ERROR_CATEGORIES]:
        raise ParamsError(
            f"--config retry: {', '.join(map(repr, unknown))} is not an error category. The categories are "
            f"{', '.join(ERROR_CATEGORIES)}; give one or more, separated by commas."
        )
    return categories


def _forced_rules() -> set[str]:
    # Snakemake reads the Snakefile before it tells what --forcerun gave.
    from snakemake.cli import get_argument_parser

    try:
        return set(get_argument_parser().parse_known_args(sys.argv[1:])[0].forcerun or ())
    except SystemExit:
        return set()
