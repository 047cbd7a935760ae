"""The copies of an experiment that DVC keeps here, and what git and DVC's remotes may still hold."""

import hashlib
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from narrative_runs.paths import ExperimentFolder
from narrative_runs.review_file import earlier_contents

# Where no .dvc file of a user lies.
_NOT_LOOKED_INTO = {".git", ".dvc", ".venv", ".snakemake"}


def objects_of(folder: Path) -> list[Path]:
    """The files in DVC's cache that the .dvc files in this folder name, and no other .dvc file of the project; for the
    reviews, which grow, also what DVC kept of them earlier."""
    cache = _cache()
    if cache is None:
        return []
    wanted: set[Path] = set()
    others: set[Path] = set()
    for tracking in _tracking_files(Path()):
        (wanted if folder in tracking.parents else others).update(_objects(tracking, cache))
    for content in earlier_contents(ExperimentFolder(folder.name, folder.parent).reviews):
        name = hashlib.md5(content).hexdigest()
        wanted.add(cache / name[:2] / name[2:])
    return sorted(path for path in wanted - others if path.exists())


def remotes() -> list[str]:
    """The names of DVC's remotes except the demo's, which is part of the project."""
    with_dvc = _repo()
    if with_dvc is None:
        return []
    try:
        return sorted(name for name in with_dvc.config["remote"] if name != "demo")
    finally:
        with_dvc.close()


def commits_with(path: Path, words: str = "") -> int:
    """How many commits of git's history changed this path; words: only those that added or removed them."""
    searched = ["-S", words] if words else []
    asked = _git("log", "--all", "--format=%H", *searched, "--", str(path))
    return len(asked.splitlines())


def _git(*words: str) -> str:
    try:
        return subprocess.run(["git", *words], capture_output=True, text=True, errors="replace").stdout
    except FileNotFoundError:
        return ""


def _repo() -> Any:
    # Imported here: it takes half a second.
    from dvc.exceptions import DvcException  # type: ignore[import-untyped]
    from dvc.repo import Repo  # type: ignore[import-untyped]
    from dvc.scm import SCMError  # type: ignore[import-untyped]

    try:
        return Repo()
    except SCMError:
        return Repo(config={"core": {"no_scm": True}})
    except DvcException:
        return None


def _cache() -> Path | None:
    """The folder of DVC's cache, wherever its configuration has it; None without DVC."""
    with_dvc = _repo()
    if with_dvc is None:
        return None
    try:
        return Path(with_dvc.cache.local.path)
    finally:
        with_dvc.close()


def _tracking_files(top: Path) -> Iterator[Path]:
    for path in sorted(top.iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name not in _NOT_LOOKED_INTO:
            yield from _tracking_files(path)
        elif path.suffix == ".dvc" and path.is_file():
            yield path


def _objects(tracking: Path, cache: Path) -> set[Path]:
    """The files in the cache that a .dvc file names: for a folder, its list and what that lists."""
    try:
        outs = yaml.safe_load(tracking.read_text(encoding="utf-8"))["outs"]
        names = [str(out["md5"]) for out in outs if "md5" in out]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return set()
    listed: set[str] = set(names)
    for name in names:
        if name.endswith(".dir"):
            listed.update(_listed(cache / name[:2] / name[2:]))
    return {cache / name[:2] / name[2:] for name in listed}


def _listed(folder: Path) -> Iterable[str]:
    try:
        return [str(entry["md5"]) for entry in json.loads(folder.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError):
        return []
