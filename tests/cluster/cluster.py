"""A Slurm of its own on this machine: the hosts `model`, `login`, `node1` and `node2` that `sandbox.sh` brings up.

All hosts see the machine's files, but each has a /tmp of its own; a project that is run here lies in `Cluster.shared`.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.project import ROOT, Fake, Project, cases, fake_server, wait_until
from tests.real_servers.environments import APT_GET, CACHE, NotInstallable, PythonEnvironment, find, locked, run

SANDBOX = Path(__file__).with_name("sandbox.sh")
MODEL_ADDRESS = "10.77.0.1"
LOGIN, NODES = "login", ("node1", "node2")

# What is asked in all tests, and what comes of it.
INCIDENTS = 60
SLOTS = 4
# A server that takes so long for an answer lets a run end in no test that has something to do meanwhile.
SLOW_S = 4.0
FINDINGS = ("results.csv", "results.parquet", "results.json")
DEBIAN_PACKAGES = {
    "slurmctld": "slurm-wlm",
    "munged": "munge",
    "ip": "iproute2",
    "bindfs": "bindfs",
    "nft": "nftables",
}
OF_EACH_HOST = tuple(map(Path, ("/tmp", "/run", "/dev/shm")))

# A folder of packages rather than an environment: Snakemake finds its plugins among all that Python can import.
EXECUTOR_PACKAGES = CACHE / "slurm-executors" / "packages"
EXECUTORS = PythonEnvironment(
    "slurm-executors",
    (str(Path(__file__).with_name("executors.txt")),),
    options=("--no-deps", "--target", str(EXECUTOR_PACKAGES)),
)


def install() -> None:
    """Install Slurm and what the sandbox needs beside it, where they are missing.

    Raises:
        NotInstallable: they are missing and cannot be installed, or this machine does not let hosts be made.
    """
    if os.geteuid() != 0:
        raise NotInstallable("only root can make the hosts of a cluster on one machine")
    if find("unshare") is None:
        raise NotInstallable("there is no unshare, which makes the hosts of a cluster on one machine")
    run("unshare", "--net", "--uts", "--mount", "--pid", "--ipc", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/tmp")
    with locked("debian"):
        missing = [package for program, package in DEBIAN_PACKAGES.items() if find(program) is None]
        if missing and find("apt-get") is None:
            raise NotInstallable(f"not installed, and there is no apt-get to do so: {', '.join(missing)}")
        if missing:
            run(*APT_GET, "update")
            run(*APT_GET, "install", "-y", "--no-install-recommends", *missing, DEBIAN_FRONTEND="noninteractive")


class Cluster:
    """The hosts, and their Slurm."""

    def __init__(self, folder: Path, file_system: str = "bind") -> None:
        """folder: where all of it lies; hosts see it at the same path; file_system: how, as FS in `sandbox.sh`."""
        self.folder = folder
        self.shared = folder / "shared"
        seen = (ROOT, Path(sys.prefix), Path(sys.base_prefix), CACHE)
        also = {path.resolve() for path in seen if any(path.resolve().is_relative_to(own) for own in OF_EACH_HOST)}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "LLM_API_KEY"))},
            "SANDBOX": str(folder),
            "SHARED": str(self.shared),
            "FS": file_system,
            "ALSO": "\n".join(sorted(map(str, also))),
        }
        self._killed: set[str] = set()
        self._unplugged: set[str] = set()
        self._walled: set[str] = set()

    def start(self) -> None:
        """Bring all up; it takes some seconds."""
        self._sandbox("start", timeout=120)

    def stop(self) -> None:
        """End all that was started."""
        self._sandbox("stop")

    def kill(self, host: str) -> None:
        """Cut the power of a host."""
        self._sandbox("kill", host)
        self._killed.add(host)

    def boot(self, host: str) -> None:
        """Switch on a host that was killed."""
        self._sandbox("boot", host)
        self._killed.discard(host)

    def unplug(self, host: str) -> None:
        """Pull the network cable of a host."""
        self._sandbox("unplug", host)
        self._unplugged.add(host)

    def plug(self, host: str) -> None:
        """Put the network cable of a host back."""
        self._sandbox("plug", host)
        self._unplugged.discard(host)

    def wall(self, host: str) -> None:
        """Let nodes open no connections to a host, but Slurm's own."""
        self._sandbox("wall", host)
        self._walled.add(host)

    def unwall(self, host: str) -> None:
        """Let nodes open connections to a host again."""
        self._sandbox("unwall", host)
        self._walled.discard(host)

    def set_right(self) -> None:
        """End all jobs, and have all hosts up and connected, as after `start`."""
        for host in sorted(self._walled):
            self.unwall(host)
        for host in sorted(self._unplugged - self._killed):
            self.plug(host)
        for host in sorted(self._killed):
            self.boot(host)
        self._unplugged.clear()
        self.on(LOGIN, "scancel", "--user", "root")
        wait_until(self._is_idle, timeout=60)

    def command(self, host: str, *words: str) -> list[str]:
        """The command that runs these words on a host."""
        return ["bash", str(SANDBOX), "on", host, *words]

    def on(self, host: str, *words: str, timeout: float = 60) -> str:
        """What a command says that is run on a host, in the shared folder, to a good end."""
        done = subprocess.run(
            self.command(host, *words),
            cwd=self.shared,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def model_server(self, **behaviour: object) -> Iterator[Fake]:
        """A fake model server on the host `model`, which all hosts reach."""
        socket = self.folder / "model.socket"
        socket.unlink(missing_ok=True)
        through = ["env", *(f"{name}={self.environment[name]}" for name in ("SANDBOX", "SHARED"))]
        with fake_server(
            (*through, *self.command("model")), address=MODEL_ADDRESS, socket=str(socket), **behaviour
        ) as fake:
            yield fake

    def job(self, number: str) -> dict[str, str]:
        """What Slurm says of a job: `JobState`, `Reason`, `BatchHost` and so on."""
        said = self.on(LOGIN, "scontrol", "--oneliner", "show", "job", number)
        return dict(word.partition("=")[::2] for word in said.split())

    def wait_for(self, number: str, *states: str, timeout: float = 60) -> dict[str, str]:
        """Wait until a job is in one of these states; returns what Slurm says of it then."""
        found: dict[str, str] = {}

        def is_there() -> bool:
            found.update(self.job(number))
            return found["JobState"] in states

        wait_until(is_there, timeout=timeout, every=0.2)
        return found

    def files_with(self, words: bytes) -> list[Path]:
        """All files of hosts, Slurm and projects that hold these words."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            try:
                if path.is_file() and not path.is_symlink() and words in path.read_bytes():
                    found.append(path.relative_to(self.folder))
            except FileNotFoundError:
                continue
        return found

    def _is_idle(self) -> bool:
        states = self.on(LOGIN, "sinfo", "--noheader", "--Node", "--partition", "work", "--format", "%N %t").split("\n")
        return set(filter(None, states)) == {f"{node} idle" for node in NODES}

    def _sandbox(self, *words: str, timeout: float = 60) -> None:
        done = subprocess.run(
            ["bash", str(SANDBOX), *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"sandbox.sh {shlex.join(words)}: {done.stdout}"


class ClusterProject(Project):
    """A fresh copy of the project in the folder that all hosts share; its commands run on one of them.

    Its `.venv` leads to the environment that runs the tests.
    """

    def __init__(self, cluster: Cluster, name: str, host: str = LOGIN) -> None:
        folder = cluster.shared / name
        folder.mkdir()
        super().__init__(folder)
        (folder / ".venv").symlink_to(sys.prefix)
        self.cluster, self.host = cluster, host
        self.environment |= cluster.environment

    def on(self, host: str) -> "ClusterProject":
        """The same project, used from another host."""
        project = ClusterProject.__new__(ClusterProject)
        project.folder, project.environment = self.folder, self.environment
        project.cluster, project.host = self.cluster, host
        return project

    def program(self, *words: str) -> list[str]:
        """The full command of one of the environment's programs, wherever it is run."""
        return super().command(*words)

    def command(self, *words: str) -> list[str]:
        """The command that runs one of the environment's programs, or another one, on the host."""
        return self.cluster.command(self.host, *self.program(*words))

    def submit(self, *words: str) -> str:
        """Hand a job to Slurm with `sbatch`, in the project folder; returns its number."""
        done = self.run("sbatch", "--parsable", *words, timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()


def describe(project: Project, url: str, shards: int = 3, **model: str) -> None:
    """Write a workbook, and a params file that has a model server asked for it in so many shards.

    model: values of this section of the params.
    """
    project.write_workbook(cases(INCIDENTS))
    run, parts = {"max_in_flight": SLOTS, "timeout_s": 30}, {"count": shards}
    project.write_params(url, "my.yaml", model=model, run=run, shards=parts)


def assert_answered(calls: dict[str, Any], again: int = SLOTS) -> None:
    """All narratives were answered, and so many of them at most a second time; calls: of the model server."""
    answered = calls["answered"]
    assert len(answered) == 2 * INCIDENTS and sum(answered.values()) - len(answered) <= again


def assert_same_findings(project: Project, other: Project) -> None:
    """The findings of two projects are the same, byte for byte."""
    for name in FINDINGS:
        path = Path("results/cases") / name
        assert (project.folder / path).read_bytes() == (other.folder / path).read_bytes(), name
