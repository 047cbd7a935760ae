"""`narrative-runs prove`: do the findings follow from this workbook, these params, these answers and this code?

First the answers are compared with the checksums that they were sealed with. Then everything is derived again from
the journals, aside, without a model or a server, and compared with the findings byte for byte. Then these are compared
with `dvc.lock`: what it records as the reference may only have changed if the workbook, the params or the answers have.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from narrative_runs import __version__, experiment, review_file
from narrative_runs import params as params_module
from narrative_runs.code import must_be_the_code_of
from narrative_runs.derivation.answers import dvc_md5, sealed_anew, without_proof
from narrative_runs.derivation.aside import derived_aside, differing, missing
from narrative_runs.derivation.evidence import is_altered
from narrative_runs.derivation.look import is_by_this_code
from narrative_runs.errors import ExperimentError
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.seal import SEALED, seal_of
from narrative_runs.params import default_of
from narrative_runs.paths import ExperimentFolder
from narrative_runs.shell import quoted, to_run
from narrative_runs.source import checksum


def prove(params_file: Path, lock_file: Path) -> list[str]:
    """Prove the findings of the experiment that `params_file` describes; returns which it is, and the result, in words.

    lock_file: the dvc.lock of its pipeline; one that does not exist records nothing.

    Raises:
        ExperimentError: there is no such experiment, or its findings do not follow.
        JournalError: an answer was altered.
        ReviewsError: a verdict of a coder was altered.
        NarrativeRunsError: the params or the workbook cannot be used.
    """
    must_be_the_code_of(Path.cwd())
    params = params_module.check(params_module.read_file(params_file), str(params_file))
    folder = ExperimentFolder(params.slug)
    state = experiment.find(folder)
    if state is None or not state.has_journals:
        raise ExperimentError(f"{folder.path}/ holds no answers yet. First run `{to_run(params_file)}`.")
    experiment.must_not_be_between(folder)
    experiment.must_not_differ(state, params, str(params_file))
    lock = yaml.safe_load(lock_file.read_text(encoding="utf-8")) if lock_file.exists() else {}
    with derived_aside(state, params, folder) as aside:
        if absent := missing(folder, aside):
            raise ExperimentError(
                f"{absent[0]} is missing. Run `{to_run(params_file)}`, which recreates it from the journals."
            )
        _must_follow(state, folder, differing(folder, aside), outs_of(lock), params_file)
    if lock:
        given = {str(params.data.file): state.source_md5, _journals_in(lock, folder): dvc_md5(folder.journals)}
        for path, md5 in recorded_as_reference(lock, given, params_module.read_file(params_file)).items():
            _must_have(Path(path), md5, lock_file)
    proved = [folder.path / name for name in SEALED if (folder.path / name).exists()]
    n_verdicts = review_file.must_be_as_sealed(folder)
    reviews = [f"{folder.reviews}: {n_verdicts} verdicts of coders, as they came"] if n_verdicts else []
    follows = [f"{path}: follows, byte for byte (md5 {checksum.md5_of(path)})" for path in proved]
    which = f"{params.experiment.name} ({folder.path}/), the experiment of {params_file}"
    return [which, *sealed_anew(folder.journals), *follows, *reviews]


def recorded_as_reference(lock: dict[str, Any], given: dict[str, str], values: dict[str, Any]) -> dict[str, str]:
    """The MD5s that a dvc.lock requires of the findings, by path, even if the code has changed.

    In: the content of dvc.lock; the MD5s of workbook and journals by path; the content of the params file. Out: the
    outs of the last stage `record`, if it had the same workbook, answers and params; else nothing.
    """
    last = _last_stage(lock)
    had = {Path(part["path"]).as_posix(): part["md5"] for part in last.get("deps", ())}
    same_params = [_that_count(of_file) == _that_count(values) for of_file in last.get("params", {}).values()]
    if not any(same_params) or any(had.get(path) != md5 for path, md5 in given.items()):
        return {}
    return outs_of(lock)


def outs_of(lock: dict[str, Any]) -> dict[str, str]:
    """The MD5s of the findings that the content of a dvc.lock names, by path."""
    return {Path(part["path"]).as_posix(): part["md5"] for part in _last_stage(lock).get("outs", ())}


def _last_stage(lock: dict[str, Any]) -> dict[str, Any]:
    stage: dict[str, Any] = lock.get("stages", {}).get("record", {})
    return stage


def _journals_in(lock: dict[str, Any], folder: ExperimentFolder) -> str:
    """By which path a dvc.lock names the journals; the first release's lock names the folder itself."""
    paths = {Path(part["path"]).as_posix() for part in _last_stage(lock).get("deps", ())}
    return next((str(path) for path in (folder.watched_journal, folder.journals) if str(path) in paths), "")


def _that_count(values: dict[str, Any]) -> list[Any]:
    """The values of a params file that findings depend on; a changed name or note does not excuse other numbers."""
    keys = (
        *experiment.FROZEN_KEYS,
        "run.max_narratives",
        "run.save_csv_json",
        "report.groups",
        "report.suppress_below",
    )
    named = [key.split(".") for key in keys if key != experiment.CODEBOOK]
    values_that_count = [(values.get(section) or {}).get(name, default_of(section, name)) for section, name in named]
    return [*values_that_count, json.dumps(values.get(experiment.CODEBOOK))]


def _must_follow(
    state: ExperimentState, folder: ExperimentFolder, differing: list[str], locked: Mapping[str, str], params_file: Path
) -> None:
    """Tell an altered file from one that this release derives differently.

    Raises:
        ExperimentError: one of these findings is there, and differs from what was derived aside.
    """
    altered = {name: is_altered(name, folder, state.experiment_id, locked) for name in differing}
    unproved = ", ".join(map(str, without_proof(folder.journals)))
    if unproved and differing and (any(altered.values()) or is_by_this_code(folder)):
        # To make the findings again would hide an altered answer.
        name = next((name for name, answer in altered.items() if answer), differing[0])
        raise ExperimentError(
            f"{folder.path / name} does not follow from the workbook, the params and the answers: it was altered, or "
            f"the answers in {unproved} were, which an earlier release sealed without checksums. Compare them with a "
            "backup first. Only if nothing differs, "
            f"run `{_to_make_again(folder, name, params_file)}`: both are made again from the journals."
        )
    for name, answer in altered.items():
        if answer:
            raise ExperimentError(
                f"{folder.path / name} does not follow from the workbook, the params and the answers: it was "
                "altered, and the answers were not. "
                f"Run `{_to_make_again(folder, name, params_file)}`, which recreates both from the journals."
            )
    if differing:
        sealed = seal_of(folder)
        unknown = [name for name, answer in altered.items() if answer is None]
        raise ExperimentError(
            f"{', '.join(str(folder.path / name) for name in differing)}: derived differently by this release "
            f"({__version__}) than by {sealed.release if sealed else state.release or 'an earlier one'}, from the same "
            f"answers. `narrative-runs rederive {folder.slug}` accepts the new findings and keeps a copy of the old "
            "ones."
            + (f"\nWhether {', '.join(unknown)} was altered too is not known: it has no checksum." if unknown else "")
            + (
                f"\nWhether answers in {unproved} were altered is not known: it has no checksum either."
                if unproved
                else ""
            )
        )


def _to_make_again(folder: ExperimentFolder, name: str, params_file: Path) -> str:
    """The command that removes these findings, and the shards they come from, and makes both from the journals."""
    return f"rm -rf {quoted(folder.path / name)} {quoted(folder.shards)} && {to_run(params_file)}"


def _must_have(path: Path, md5: str, lock_file: Path) -> None:
    if checksum.md5_of(path) != md5:
        raise ExperimentError(
            f"{path} is not the one that {lock_file} records as the reference ({md5}), although workbook, params and "
            f"answers are the same: the code has changed it. If that was intended, {_renewal(lock_file)}; else go back "
            "to the code that made the old file."
        )


def _renewal(lock_file: Path) -> str:
    # DVC writes no other lock than the one beside a pipeline.
    if lock_file.name != "dvc.lock":
        return f"have {lock_file} record the new one"
    stage = Path("record") if lock_file == Path("dvc.lock") else lock_file.with_name("dvc.yaml:record")
    return f"`dvc commit --force {quoted(stage)}` records the new one as the reference"
