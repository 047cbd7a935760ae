"""`narrative-runs prove`, for the estimates: derived again from answers and reviews, and compared byte for byte."""

from pathlib import Path

from narrative_runs import experiment
from narrative_runs import params as params_module
from narrative_runs.errors import ExperimentError, NarrativeRunsError
from narrative_runs.estimating.content import estimates_of
from narrative_runs.estimating.files import csv_of, json_of
from narrative_runs.findings.estimates_file import made_from, older_in, older_in_words, read_estimates, wish_of
from narrative_runs.paths import RESULTS, ExperimentFolder
from narrative_runs.source.checksum import md5_of


def prove_estimates(params_file: Path) -> list[str]:
    """Prove the estimates of the experiment that a params file describes; returns the result in words, and nothing
    where nothing was estimated. Estimates of older answers or reviews are not proved; the result says so.

    Raises:
        ExperimentError: they do not follow.
        NarrativeRunsError: the params, the answers or the reviews cannot be used.
    """
    folder = ExperimentFolder(params_module.check(params_module.read_file(params_file), str(params_file)).slug)
    content, state = read_estimates(folder), experiment.find(folder)
    if content is None or state is None:
        return []
    wish = wish_of(content, folder)
    command = wish.command(folder.slug)
    if older := older_in(content, made_from(folder, experiment.suppress_below(folder, state))):
        return [f"{folder.estimates}: not proved, as it is of {older_in_words(older)}; to recreate it: `{command}`"]
    derived = estimates_of(folder.slug, wish).content
    made = {folder.estimates: json_of(derived), folder.estimates_table: csv_of(derived, folder)}
    for path, expected in made.items():
        if not path.exists():
            raise ExperimentError(f"{path} is missing. To recreate it: `{command}`")
        if path.read_bytes() != expected:
            raise ExperimentError(
                f"{path} does not follow from the answers and the reviews: it was altered, or another release derived "
                f"it. To recreate it: `{command}`"
            )
    return [f"{path}: follows, byte for byte (md5 {md5_of(path)})" for path in made]


def older_estimates() -> list[str]:
    """A line for each experiment whose estimates are of older answers or reviews."""
    lines = []
    for path in sorted(RESULTS.glob("*/estimates.json")):
        folder = ExperimentFolder(path.parent.name)
        try:
            content, state = read_estimates(folder), experiment.find(folder)
            if content is None or state is None:
                continue
            older = older_in(content, made_from(folder, experiment.suppress_below(folder, state)))
            command = wish_of(content, folder).command(folder.slug)
        except NarrativeRunsError as error:
            lines.append(str(error))
            continue
        if older:
            lines.append(f"{path} is of {older_in_words(older)}; to recreate it: `{command}`")
    return lines
