"""Where the real servers are installed: once, each in an environment of its own in the user's cache folder.

The files under `requirements/` pin every package, as `pip freeze` told them in a new environment.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from narrative_runs.embedded.model_file import cache_directory

REQUIREMENTS = Path(__file__).parent / "requirements"
CACHE = cache_directory().parents[1] / "narrative-runs-tests"
PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1")
APT_GET = ("apt-get", "-qq", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1")
LONGEST_STEP_S = 1200


class NotInstallable(Exception):
    """A server cannot be installed here; the text is the reason."""


@dataclass(frozen=True)
class PythonEnvironment:
    """A virtual environment with pinned packages.

    requirements: files of pins, installed one after the other; options: more words for pip; settings: environment
    variables of the installation.
    """

    name: str
    requirements: tuple[str, ...]
    options: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return CACHE / self.name

    @property
    def programs(self) -> Path:
        """Where its programs lie."""
        return self.folder / "bin"

    def install(self) -> None:
        """Install it, unless that was done before; of several processes one installs, and the others wait.

        Raises:
            NotInstallable: a step failed.
        """
        stamp = self.folder / "installed"
        with locked(self.name):
            if stamp.is_file() and stamp.read_text(encoding="ascii") == self._digest():
                return
            run(sys.executable, "-m", "venv", "--clear", str(self.folder))
            for name in self.requirements:
                pins = str(REQUIREMENTS / name)
                run(str(self.programs / "python"), *PIP_INSTALL, *self.options, "-r", pins, **self.settings)
            stamp.write_text(self._digest(), encoding="ascii")

    def _digest(self) -> str:
        digest = hashlib.sha256(repr((sys.version, self.options, sorted(self.settings.items()))).encode())
        for name in self.requirements:
            digest.update((REQUIREMENTS / name).read_bytes())
        return digest.hexdigest()


# There is no wheel of it. What is not needed for text is left out, and optimisation is moderate, to spare build time:
# two and a half minutes of two cores.
LLAMA_CPP_PYTHON = PythonEnvironment(
    "llama-cpp-python-0.3.36",
    ("build.txt", "llama-cpp-python.txt"),
    options=("--no-build-isolation",),
    settings={
        "CMAKE_ARGS": " ".join(
            (
                "-DLLAVA_BUILD=OFF",
                "-DLLAMA_OPENSSL=OFF",
                "-DGGML_OPENMP=OFF",
                "'-DCMAKE_C_FLAGS_RELEASE=-O2 -DNDEBUG'",
                "'-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG'",
            )
        ),
        "CMAKE_BUILD_PARALLEL_LEVEL": "2",
    },
)
LITELLM = PythonEnvironment("litellm-1.106.12", ("litellm.txt",))


def debian_program(name: str) -> Path:
    """The program of the Debian package that has its name, installed where it is missing.

    Raises:
        NotInstallable: it is missing, and cannot be installed.
    """
    with locked("debian"):
        if find(name) is None:
            if shutil.which("apt-get") is None or os.geteuid() != 0:
                raise NotInstallable(f"{name} is not installed, and only root of a Debian system can install it here")
            run(*APT_GET, "update")
            run(*APT_GET, "install", "-y", "--no-install-recommends", name, DEBIAN_FRONTEND="noninteractive")
    program = find(name)
    if program is None:
        raise NotInstallable(f"the package {name} holds no program of this name")
    return program


def find(name: str) -> Path | None:
    """A program of the system, also where only root's search path leads."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))
    return Path(found) if found else None


def run(*command: str, **settings: str) -> None:
    """Run one step of an installation.

    Raises:
        NotInstallable: it failed; the reason is the last line of what it said.
    """
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LONGEST_STEP_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstallable(str(error)) from error
    if done.returncode != 0:
        said = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotInstallable(f"{Path(command[0]).name} … {Path(command[-1]).name}: {said[-1].strip()}")


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of one installation."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
