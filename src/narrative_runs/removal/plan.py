"""What there is of an experiment: read without changing anything, and kept until all of it is removed."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from narrative_runs import experiment
from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import ExperimentError, JournalError
from narrative_runs.paths import DEVELOPMENT, FORGETTING, RESULTS, SEARCH_INDEX, SEEN, ExperimentFolder
from narrative_runs.record import experiment_rows, removal, search_index
from narrative_runs.removal import copies, development

_LOCK = Path("dvc.lock")


@dataclass(frozen=True)
class Removal:
    """What is to be removed.

    name: of the folder below results/, or else the experiment's id; title: the experiment's own name; experiment_ids:
    those that the record and the folder have for it; data_files: the workbooks that it was asked about; objects: files
    in DVC's cache; has_lock: whether dvc.lock belongs to it; is_removed: whether all is removed, and only the record is
    still to be compacted.
    """

    name: str
    title: str
    experiment_ids: list[str]
    data_files: list[str]
    objects: list[str] = field(default_factory=list)
    has_lock: bool = False
    is_removed: bool = False

    @property
    def has_folder(self) -> bool:
        """Whether it can have a folder of its name: an id of the R system's may be anything."""
        return _is_name(self.name)

    @property
    def folder(self) -> ExperimentFolder:
        """Its folder, which need not be there."""
        return ExperimentFolder(self.name)

    @property
    def file(self) -> Path:
        """Where this is kept during the removal."""
        return FORGETTING / f"{quote(self.name, safe='')}.json"

    @property
    def leaving(self) -> Path:
        """Where its folder is from the first moment of its removal on: nobody takes it for an experiment there."""
        return FORGETTING / f"{self.name}.removed"

    def keep(self) -> None:
        """Write it to the disk."""
        with written_whole(self.file) as draft:
            draft.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def unfinished() -> list[Removal]:
    """The removals that have started and not ended."""
    return [Removal(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(FORGETTING.glob("*.json"))]


def removal_of(which: str) -> Removal:
    """What there is of the experiment with this slug or id; what a killed removal had listed, if there was one.

    Raises:
        ExperimentError: there is no such experiment.
        RecordError: the record cannot be read.
    """
    for removed in unfinished():
        if which in (removed.name, *removed.experiment_ids):
            return removed
    rows = experiment_rows.with_slug_or_id(which)
    name = next((row["slug"] for row in rows if row["slug"]), which)
    folder, here = ExperimentFolder(name), None
    try:
        here = experiment.find(folder) if _is_name(name) and folder.path.is_dir() else None
        if here is None and not rows:
            folder, here = experiment.find_by_id(which)
    except (JournalError, ExperimentError):
        # Damaged answers can be removed as well.
        if not rows and not (_is_name(name) and folder.journals.is_dir()):
            raise ExperimentError(
                f"There is no experiment {which}, neither in the record nor under {RESULTS}/. "
                "`narrative-runs list` shows all."
            ) from None
    ids = {row["experiment_id"] for row in rows} | ({here.experiment_id} if here else set())
    files = {row["data_file"] for row in rows if row["data_file"]}
    files |= {str(here.params["data"]["file"])} if here else set()
    titles = [row["experiment_name"] for row in rows] + ([here.params["experiment"]["name"]] if here else [])
    return Removal(
        folder.slug,
        titles[0] if titles else folder.slug,
        sorted(ids),
        sorted(files),
        [str(path) for path in copies.objects_of(folder.path)] if _is_name(folder.slug) else [],
        _is_in_lock(folder),
    )


def lines(planned: Removal) -> list[str]:
    """What is removed, and what stays, in words.

    Raises:
        RecordError: the record or a backup cannot be read.
    """
    removed = [
        f"To be removed for good: {planned.title} ({', '.join(planned.experiment_ids) or 'its id is not known'})"
    ]
    for path in (planned.folder.path, planned.leaving):
        if planned.has_folder and path.is_dir():
            files = [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
            removed.append(f"  {path}/: {len(files):,} files, {size_of(files)}")
    for path in removal.databases():
        if there := removal.held(path, planned.experiment_ids):
            removed.append(f"  {path}: {there.results:,} results, {there.narratives:,} narratives of the workbook")
    if search_index.holds(planned.experiment_ids):
        removed.append(f"  {SEARCH_INDEX}: the words of its narratives")
    objects = [path for path in map(Path, planned.objects) if path.exists()]
    if objects:
        removed.append(f"  DVC's cache: {len(objects):,} files, {size_of(objects)}")
    if planned.has_lock and _LOCK.exists():
        removed.append(f"  {_LOCK}, which repeats its params")
    return [
        *removed,
        "Not removed, although it may contain texts of the experiment:",
        *(f"  {line}" for line in _what_stays(planned)),
    ]


def _what_stays(planned: Removal) -> list[str]:
    stays = [
        f"{file}, and its copy in DVC's cache: docs/restricted-data.md says how they go" for file in planned.data_files
    ]
    stays.append("your params file, exports to other places, and the model server's own logs")
    if development.parts():
        stays.append(
            f"{DEVELOPMENT}/: what `narrative-runs try` and `preflight --show` asked, perhaps of the same workbook. "
            f"`{development.COMMAND}` removes it"
        )
    if SEEN.exists():
        stays.append(development.STAYS)
    if planned.has_folder:
        if commits := copies.commits_with(planned.folder.path):
            stays.append(f"git: {commits:,} commits have its .dvc files, which hold checksums and no text")
        if commits := copies.commits_with(_LOCK, f"{planned.folder.path}/"):
            stays.append(f"git: {commits:,} commits have a dvc.lock of it, which repeats its prompts")
        if names := copies.remotes():
            stays.append(f"DVC's remotes ({', '.join(names)}): what was pushed to them is deleted there")
    return stays


def _is_name(name: str) -> bool:
    """Whether this can be the name of a folder below results/."""
    return bool(name) and "/" not in name and not name.startswith(".")


def _is_in_lock(folder: ExperimentFolder) -> bool:
    try:
        return f"path: {folder.path.as_posix()}/" in _LOCK.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def size_of(files: Iterable[Path]) -> str:
    """How large these files are together, in words."""
    n_bytes = sum(file.stat().st_size for file in files)
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 100_000 else f"{n_bytes / 1e3:,.1f} kB"
