"""`narrative-runs prove`: do the findings follow from this workbook, these params, these answers and this code?

Everything is derived once more from the journals, aside, without a model or a server, and compared with the findings
byte for byte. Then these are held against `dvc.lock`: what it vouches for may only have changed if the workbook, the
params or the answers have.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from narrative_runs import experiment
from narrative_runs import params as params_module
from narrative_runs.errors import ExperimentError
from narrative_runs.experiment import Begun
from narrative_runs.findings.metrics import write_metrics
from narrative_runs.jobs.classify import write_results
from narrative_runs.jobs.record import write_findings
from narrative_runs.jobs.retry_errors import write_retries
from narrative_runs.jobs.source import write_quality
from narrative_runs.journal import OPEN
from narrative_runs.params import Params
from narrative_runs.places import ExperimentFolder
from narrative_runs.source import checksum, workbook
from narrative_runs.source.narratives import write_shards
from narrative_runs.whole_files import scratch_folder

# Not results.xlsx: reviewers write into it.
COMPARED = ("data_quality.json", "results.parquet", "results.csv", "results.json", "metrics.json")


def prove(params_file: Path, lock_file: Path) -> list[str]:
    """Prove the findings of the experiment that `params_file` describes; returns what was found, in words.

    lock_file: the dvc.lock of its pipeline; one that does not exist vouches for nothing.

    Raises:
        ExperimentError: there is no such experiment, or its findings do not follow.
        NarrativeRunsError: the params or the workbook cannot be used.
    """
    params = params_module.check(params_module.read_file(params_file), str(params_file))
    folder = ExperimentFolder(params.slug)
    begun = experiment.find(folder)
    if begun is None or not begun.has_answers:
        raise ExperimentError(f"{folder.path}/ holds no answers yet. Run snakemake first.")
    experiment.must_not_differ(begun, params, str(params_file))
    with scratch_folder(folder.path / ".proof") as scratch:
        aside = ExperimentFolder(folder.slug, scratch)
        _derive(begun, params, folder, aside)
        told = list(_compared(folder, aside))
    if lock_file.exists():
        lock = yaml.safe_load(lock_file.read_text(encoding="utf-8"))
        given = {str(params.data.file): begun.source_md5, str(folder.journals): dvc_md5(folder.journals)}
        for path, md5 in vouched(lock, given, params_module.read_file(params_file)).items():
            _must_have(Path(path), md5, lock_file)
    return told


def vouched(lock: dict[str, Any], given: dict[str, str], values: dict[str, Any]) -> dict[str, str]:
    """What a dvc.lock says must be found, whatever became of the code: MD5s by path.

    In: the content of dvc.lock; the MD5s of workbook and journals by path; the content of the params file. Out: the
    outs of the last stage `record`, if it had the same workbook, answers and params; else nothing.
    """
    last = lock.get("stages", {}).get("record", {})
    had = {Path(part["path"]).as_posix(): part["md5"] for part in last.get("deps", ())}
    same_params = [_that_count(of_file) == _that_count(values) for of_file in last.get("params", {}).values()]
    if not any(same_params) or any(had.get(path) != md5 for path, md5 in given.items()):
        return {}
    return {part["path"]: part["md5"] for part in last["outs"]}


def _that_count(values: dict[str, Any]) -> list[Any]:
    """The values of a params file that findings depend on; a name or a note does not excuse other numbers."""
    keys = (*experiment.FROZEN_KEYS, "run.max_narratives", "run.save_csv_json")
    return [(values.get(section) or {}).get(name) for section, name in (key.split(".") for key in keys)]


def dvc_md5(folder: Path) -> str:
    """The checksum that DVC 3 gives a folder: the MD5 of the JSON list of its files' MD5s and relative paths, those
    left out that `.dvcignore` names."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.parent.name.endswith(OPEN)]
    listed = [{"md5": checksum.md5_of(path), "relpath": path.relative_to(folder).as_posix()} for path in files]
    listed.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _derive(begun: Begun, params: Params, folder: ExperimentFolder, aside: ExperimentFolder) -> None:
    """Derive all findings of an experiment into the folder `aside`."""
    md5 = checksum.verify(params.data.file)
    if md5 != begun.source_md5:
        raise checksum.changed(params.data.file, begun.source_md5, md5)
    aside.path.mkdir()
    aside.journals.symlink_to(folder.journals.resolve(), target_is_directory=True)
    source = workbook.read(params.data.file)
    write_shards(source.narratives, aside.narratives, params.shards.count)
    write_quality(source, md5, aside)
    for shard in range(1, params.shards.count + 1):
        write_results(aside, params, shard)
    write_retries(aside, params)
    _, measured = write_findings(aside, begun.experiment_id, params.model_dump(mode="json"))
    write_metrics(measured, aside.metrics)


def _compared(folder: ExperimentFolder, aside: ExperimentFolder) -> Iterator[str]:
    for derived in (aside.path / name for name in COMPARED):
        if not derived.exists():
            continue
        found = folder.path / derived.name
        if not found.exists():
            raise ExperimentError(f"{found} is missing. Start snakemake: it is made again from the journals.")
        if found.read_bytes() != derived.read_bytes():
            raise ExperimentError(
                f"{found} does not follow from the workbook, the params, the answers and this code: it was altered, "
                f"or other code made it. Delete it and {folder.shards}/, and start snakemake: both are made again "
                "from the journals."
            )
        yield f"{found}: follows, byte for byte (md5 {checksum.md5_of(found)})"


def _must_have(path: Path, md5: str, lock_file: Path) -> None:
    if checksum.md5_of(path) != md5:
        raise ExperimentError(
            f"{path} is not the one that {lock_file} vouches for ({md5}), although workbook, params and answers are "
            "the same: the code has changed it. If it was meant to, `dvc commit --force record` vouches for the new "
            "one; else go back to the code that made the old one."
        )
