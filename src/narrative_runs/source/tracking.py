"""The commands by which DVC tracks a workbook, or brings it back: those that work in this folder as it is.

A message may only advise what works when it is typed. What DVC refuses depends on the folder: whether there are a DVC
project and a git repository, what git ignores or keeps itself, which folders are tracked as a whole, where links lead.
So DVC itself is asked here, which takes half a second on the way to a message.
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from narrative_runs.shell import quoted

ENDING = ".dvc"
DATA = "data"
GIT_IGNORED = "where git ignores its .dvc file"


def tracking_file(workbook: Path) -> Path:
    """Where DVC keeps the workbook's checksum: ``<workbook>.dvc`` beside it."""
    return workbook.with_name(workbook.name + ENDING)


def tracked_checksum(tracking: Path) -> tuple[str, str | None]:
    """The checksum that a .dvc file names, and its kind, which older DVC did not write.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a .dvc file, or names no checksum.
    """
    try:
        entry = yaml.safe_load(tracking.read_text(encoding="utf-8"))["outs"][0]
        return str(entry["md5"]), entry.get("hash")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError):
        raise ValueError(f"no checksum can be read from {tracking}") from None


def dvc_name(tracking: Path) -> Path:
    """The path to give to DVC for a .dvc file: that file, or what it tracks if a colon would end the name there."""
    return tracking.with_suffix("") if ":" in str(tracking) else tracking


def free(path: Path) -> Path:
    """This path, with a number after its stem if something is there already, or a .dvc file beside it."""
    number, taken = 1, path
    while os.path.lexists(taken) or os.path.lexists(tracking_file(taken)):
        number += 1
        taken = path.with_stem(f"{path.stem}-{number}")
    return taken


def way_to_track(workbook: Path, replaces: bool = False) -> str:
    """What to do so that DVC tracks this workbook: words that begin with a verb, with the command that works.

    replaces: whether its .dvc file, which gives no checksum, is to be put aside first.
    """
    try:
        with _dvc_here() as dvc:
            return _way_to_track(workbook, replaces, dvc)
    except Exception as error:
        # The message quotes whatever DVC stumbles over.
        return _correct(str(error))


def command_to_restore(*tracking_files: Path) -> str:
    """The command that brings back what these .dvc files name, from DVC's cache or else from a remote; empty if
    none can."""
    try:
        with _dvc_here() as dvc:
            return _command_to_restore(tracking_files, dvc)
    except Exception:
        return ""


@dataclass
class _Dvc:
    """DVC as it is in the working folder.

    repo: its project, None if there is none; git: None if it uses none; preparation: commands that it needs
    before any other; damaged: what it says of files that it cannot read; tracked: outputs by their paths.
    """

    root: Path
    repo: Any
    git: Any
    preparation: list[str]
    damaged: dict[Path, str] = field(default_factory=dict)
    tracked: dict[Path, Any] = field(default_factory=dict)

    def holder(self, path: Path) -> Path | None:
        """The .dvc file that tracks a folder around this path as a whole, or the path itself under another name."""
        for tracked in (path, *path.parents):
            stage = self.tracked.get(tracked)
            if stage is not None and stage.is_data_source and Path(stage.path) != tracking_file(path):
                return Path(stage.path)
        return None

    def refusal(self, path: Path) -> str:
        """Why DVC would not track a file at this path; empty if it would."""
        if not path.is_relative_to(self.root):
            return "outside the project"
        if any(folder in self.tracked for folder in path.parents) or self.is_output(path):
            return "among what DVC tracks otherwise"
        if self.repo is not None and self.repo.dvcignore.is_ignored_file(str(path)):
            return "where .dvcignore has DVC not look"
        return GIT_IGNORED if self.is_ignored(tracking_file(path)) else ""

    def is_output(self, path: Path) -> bool:
        """Whether a stage of dvc.yaml makes the file at this path."""
        stage = self.tracked.get(path)
        return stage is not None and not stage.is_data_source

    def is_ignored(self, path: Path | str) -> bool:
        """Whether git ignores this path, as DVC sees it; a folder ends in a slash."""
        return self.git is not None and bool(self.git.is_ignored(str(path)))

    def is_ignored_without(self, path: Path, holder: Path) -> bool:
        """Whether git would ignore this path even without the line that DVC wrote for the holder, which `dvc remove`
        takes away."""
        ignoring = holder.with_name(".gitignore")
        lines = ignoring.read_text(encoding="utf-8").splitlines() if ignoring.is_file() else []
        return f"/{holder.stem}" not in lines and self.is_ignored(path)


@contextmanager
def _dvc_here() -> Iterator[_Dvc]:
    # Imported here: nobody needs DVC but for a message.
    from dvc.exceptions import DvcException, NotDvcRepoError  # type: ignore[import-untyped]
    from dvc.repo import Repo  # type: ignore[import-untyped]
    from dvc.scm import SCM, SCMError  # type: ignore[import-untyped]

    here = Path.cwd()
    try:
        repo = Repo()
        git, preparation = (None if repo.config["core"].get("no_scm") else repo.scm), []
    except NotDvcRepoError:
        try:
            git = SCM(str(here))
            kind = "" if Path(git.root_dir) == here else " --subdir"
        except SCMError:
            git, kind = None, " --no-scm"
        yield _Dvc(here, None, git, [f"dvc init -q{kind}"])
        return
    except SCMError:
        repo = Repo(config={"core": {"no_scm": True}})
        git, preparation = None, ["dvc config --local core.no_scm true"]
    dvc = _Dvc(Path(repo.root_dir), repo, git, preparation)

    def note(path: str, error: Exception) -> None:
        dvc.damaged[Path(path).absolute()] = str(error)

    try:
        repo.stage_collection_error_handler = note
        dvc.tracked |= {Path(out.fs_path): out.stage for out in repo.index.outs}
        try:
            repo.index.check_graph()
        except DvcException as error:
            dvc.damaged[dvc.root] = str(error)
        yield dvc
    finally:
        repo.close()


def _way_to_track(workbook: Path, replaces: bool, dvc: _Dvc) -> str:
    # DVC follows no link to a folder: it gets the path where the workbook really is.
    resolved = workbook.parent.resolve() / workbook.name
    own = tracking_file(resolved)
    if others := [words for path, words in dvc.damaged.items() if path != own]:
        return _correct(others[0])
    steps, target, refusal = list(dvc.preparation), resolved, dvc.refusal(resolved)
    holder = dvc.holder(resolved)
    if holder is not None and not dvc.is_ignored_without(own, holder):
        steps.append(f"dvc remove {quoted(_shown(holder))}")
    elif refusal == GIT_IGNORED and not dvc.is_ignored(f"{resolved.parent}/"):
        steps.append(f"echo {shlex.quote(f'!*{ENDING}')} >> {quoted(_shown(resolved.with_name('.gitignore')))}")
    elif refusal:
        rooms = [folder.resolve() for folder in (Path(DATA), Path()) if folder.is_dir()]
        targets = [free(room / resolved.name) for room in rooms]
        target = next((target for target in targets if not dvc.refusal(target)), resolved)
        if target == resolved:
            return _correct(f"it would track no workbook {dvc.refusal(targets[-1])}")
        steps.append(f"cp {quoted(_shown(resolved))} {quoted(_shown(target))}")
    if replaces and target == resolved:
        steps.append(f"mv {quoted(_shown(own))} {quoted(_shown(free(own.with_name(f'{own.name}.old'))))}")
    if dvc.git is not None and dvc.git.is_tracked(str(target)):
        steps.append(f"git rm --cached -qf {quoted(_shown(target))}")
    steps.append(f"dvc add {quoted(_shown(target))}")
    moved = f", and set data.file to {_shown(target)}, since DVC would not track it {refusal}"
    return f"run `{' && '.join(steps)}`{'' if target == resolved else moved}"


def _command_to_restore(tracking_files: tuple[Path, ...], dvc: _Dvc) -> str:
    if dvc.repo is None:
        return ""
    outs = [
        out
        for path in tracking_files
        for stage in dvc.repo.stage.load_file(str(path.parent.resolve() / path.name))
        for out in stage.outs
    ]
    lacking = [out for out in outs if out.changed_cache()]
    if not all(_is_in_a_remote(out, dvc) for out in lacking):
        return ""
    verb, names = "pull" if lacking else "checkout", (quoted(dvc_name(path)) for path in tracking_files)
    return " && ".join([*dvc.preparation, f"dvc {verb} {' '.join(names)}"])


def _is_in_a_remote(out: Any, dvc: _Dvc) -> bool:
    """Whether a remote has this; assumed of a remote that is not a folder of this machine."""
    from dvc.exceptions import DvcException

    try:
        remote = dvc.repo.cloud.get_remote_odb(out.remote, "pull", hash_name=out.hash_name)
    except DvcException:
        return False
    return remote.fs.protocol != "local" or bool(remote.exists(out.hash_info.value))


def _shown(path: Path) -> Path:
    """The path as it is typed in the working folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _correct(words: str) -> str:
    said = " ".join(words.replace("`", "'").split())
    return f"correct what stops DVC from working here ({said.rstrip('.')}), then start the same command again"
