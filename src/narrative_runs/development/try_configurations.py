"""`narrative-runs try A.yaml B.yaml`: prompts and models on one development sample, before anything is frozen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from narrative_runs import params as params_module
from narrative_runs.comparison.compared import LETTERS
from narrative_runs.development.asking import ask_sample
from narrative_runs.development.configuration import Answered, Configuration, Sample
from narrative_runs.development.files import check_files_free, write_files
from narrative_runs.development.printed import print_try
from narrative_runs.development.sampling import draw_kept
from narrative_runs.development.workbook_sample import read_workbook
from narrative_runs.errors import ParamsError
from narrative_runs.seen_narratives import record_seen
from narrative_runs.source.summary import summary_lines


def try_configurations(
    files: Sequence[Path], n: int, hold_out: bool | None = None, csv_folder: Path | None = None, force: bool = False
) -> None:
    """Ask each configuration about the same `n` narratives, one after the other, and show how they compare.

    files: one params file a configuration; hold_out: see `draw_kept`; csv_folder: also write the tables there.

    Raises:
        NarrativeRunsError: a params file, the workbook or a server cannot be used; what was answered is kept.
    """
    check_files_free(csv_folder, force)
    configurations = read_configurations(files)
    sample: Sample | None = None
    answered: list[Answered] = []
    for configuration in configurations:
        params = configuration.params
        with read_workbook(params) as workbook:
            if sample is None:
                for line in summary_lines(workbook.source.quality):
                    print(line)
                candidates = workbook.candidates(configuration)
                drawn, lines = draw_kept(candidates, n, params.data.file, workbook.source_md5, hold_out)
                print("\n".join(lines), flush=True)
                sample = workbook.sample(candidates, drawn)
                record_seen(sample.narratives, "tried")
            entries = ask_sample(configuration.name, params, sample.narratives)
            answered.append(workbook.answered(configuration, sample.narratives, entries))
    assert sample is not None
    print_try(sample, answered)
    if csv_folder is not None:
        write_files(csv_folder, sample, answered)


def read_configurations(files: Sequence[Path]) -> list[Configuration]:
    """The configurations of these params files, which must name the same workbook, read in the same way.

    Raises:
        ParamsError: a file cannot be used, or their `data` differ.
    """
    if twice := [str(file) for file in dict.fromkeys(files) if files.count(file) > 1]:
        raise ParamsError(f"{', '.join(twice)}: named twice. Each configuration needs its own file.")
    if len(files) > len(LETTERS):
        raise ParamsError(f"{len(files)} params files: at most {len(LETTERS)} configurations are compared at once.")
    configurations: list[Configuration] = []
    for file in files:
        params = params_module.of_file(file)
        configurations.append(Configuration(_unique(file, files), file, params))
    first = _data(configurations[0])
    for other in configurations[1:]:
        apart = [key for key, value in _data(other).items() if value != first[key]]
        if apart:
            raise ParamsError(
                f"{other.file} and {configurations[0].file} differ in {', '.join(f'data.{key}' for key in apart)}: "
                "prompts and models are compared on the same narratives. Give these keys the same values in all files."
            )
    return configurations


def _data(configuration: Configuration) -> dict[str, Any]:
    # Who may read the project's files changes no narrative.
    return {key: value for key, value in configuration.params.data.model_dump(mode="json").items() if key != "share"}


def _unique(file: Path, files: Sequence[Path]) -> str:
    """The stem of a file; its whole path where another one has the same stem."""
    return file.stem if sum(each.stem == file.stem for each in files) == 1 else str(file)
