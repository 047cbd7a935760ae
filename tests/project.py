"""A fresh copy of the project, used from outside as a user does."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from openpyxl import Workbook

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
# Nothing takes as long, also where other things keep the machine busy, and nobody waits for it.
AT_LONGEST_S = 300.0
LABELLED = ["IncidentID", "NarrativeCME", "NarrativeLE", "ipv_manualCME", "ipv_manualLE", "ipv_manual"]


class Project:
    """One copy of the project in `folder`, without results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in _tracked():
            if name.startswith(("tests/", "src/")) or not (ROOT / name).is_file():
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "120"}

    @classmethod
    def at(cls, folder: Path, environment: dict[str, str]) -> "Project":
        """A project that is there already."""
        project = cls.__new__(cls)
        project.folder, project.environment = folder, environment
        return project

    def command(self, *words: str) -> list[str]:
        """The full command of one of the environment's programs."""
        program = BIN / words[0]
        return [str(program) if program.exists() else words[0], *words[1:]]

    def run(self, *words: str, timeout: float = AT_LONGEST_S) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; output and errors together in stdout."""
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )

    def snakemake(self, *words: str, timeout: float = AT_LONGEST_S) -> subprocess.CompletedProcess[str]:
        """Run `snakemake --cores 4` to its end."""
        return self.run("snakemake", "--cores", "4", *words, timeout=timeout)

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command as the leader of a process group; what is left of the group is killed at the end."""
        process = subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            assert process.stdout is not None
            process.stdout.close()
            process.wait()

    def run_until(self, rule: str) -> None:
        """Have each run end with this rule of the workflow. Figures and report take as long as all else together: only
        tests that look at them, or at an experiment for which nothing is left to do, need them made."""
        with (self.folder / "profiles/default/config.yaml").open("a") as profile:
            profile.write(f"until: [{rule}]\n")

    def write_workbook(
        self, rows: list[list[Any]], header: list[str] | None = None, name: str = "data/cases.xlsx"
    ) -> Path:
        """Write a workbook and track it with DVC."""
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        for row in [header or LABELLED, *rows]:
            sheet.append(row)
        path = self.folder / name
        book.save(path)
        self.track(path)
        return path

    def track(self, path: Path) -> None:
        """What `dvc add` does, at a hundredth of its time: a .dvc file with the md5."""
        import hashlib

        content = path.read_bytes()
        out = {"md5": hashlib.md5(content).hexdigest(), "size": len(content), "hash": "md5", "path": path.name}
        path.with_name(f"{path.name}.dvc").write_text(yaml.safe_dump({"outs": [out]}))

    def write_params(self, url: str, name: str = "params.yaml", **changes: Any) -> dict[str, Any]:
        """Write a params file for a fake server; `changes` are sections laid over the defaults."""
        params: dict[str, Any] = {
            "experiment": {"name": "Cases", "slug": "cases"},
            "model": {"name": "fake", "provider": "openai", "api_url": url, "temperature": 0},
            "prompt": {"system_prompt": "Decide.", "user_template": "Narrative: <<TEXT>>"},
            "data": {"file": "data/cases.xlsx"},
            "run": {"max_in_flight": 4},
            "shards": {"count": 3},
        }
        for section, values in changes.items():
            params.setdefault(section, {}).update(values)
        (self.folder / name).write_text(yaml.safe_dump(params, allow_unicode=True))
        return params

    def written(self) -> list[Path]:
        """What lies under results/ beside what every clone has there."""
        cloned = {Path(name) for name in _tracked() if name.startswith("results/")}
        cloned |= {folder for name in cloned for folder in name.parents}
        found = (path.relative_to(self.folder) for path in (self.folder / "results").rglob("*"))
        return [path for path in found if path not in cloned]

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on the record."""
        connection = sqlite3.connect(self.folder / "results/experiments.db", timeout=30)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def status(self) -> str:
        """The status of the only experiment in the record."""
        ((found,),) = self.query("SELECT status FROM experiments")
        return str(found)

    def read_json(self, name: str) -> Any:
        """A JSON file of the project."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def journal_entries(self, slug: str = "cases") -> list[dict[str, Any]]:
        """All whole entries of an experiment's journals."""
        found = []
        for path in sorted((self.folder / "results" / slug / "journal").rglob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n") and not line.startswith('{"head"'):
                    found.append(json.loads(line))
        return found


def _tracked() -> list[str]:
    """The files that a clone has, new ones included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return list(filter(None, listed.split("\0")))


class Fake:
    """A running fake server."""

    def __init__(self, process: subprocess.Popen[str], address: str, socket: str) -> None:
        """socket: the path of the Unix socket on which it is looked at; empty for its address."""
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        self._process = process
        self._socket = socket or None
        self.origin = f"http://{address}:{port}"
        self.url = f"{self.origin}/v1"

    def behave(self, **behaviour: Any) -> None:
        """Change how it answers from now on."""
        with self._client() as client:
            client.post(f"{self.origin}/control", json=behaviour).raise_for_status()

    def calls(self) -> dict[str, Any]:
        """What was asked so far."""
        with self._client() as client:
            told: dict[str, Any] = client.get(f"{self.origin}/calls").json()
        return told

    def stop(self) -> None:
        """Kill the server."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.HTTPTransport(uds=self._socket), trust_env=False)

    @property
    def asked(self) -> int:
        """How many requests came so far."""
        return sum(self.calls()["asked"].values())


@contextmanager
def fake_server(through: Sequence[str] = (), **options: Any) -> Iterator[Fake]:
    """A fake server in a process group of its own.

    through: words before its command, such as those that start it on another host; options: its behaviour, and where
    it listens: `address`, `port`, `certificate` and `socket`.
    """
    process = subprocess.Popen(
        [*through, sys.executable, "-m", "tests.fake_server", json.dumps(options)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Fake(process, options.get("address", "127.0.0.1"), options.get("socket", ""))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def cases(count: int) -> list[list[Any]]:
    """Rows of a labelled workbook: `count` incidents with two narratives each, all texts different."""
    return [
        [f"{number:04d}", f"CME text of case {number}.", f"LE text of case {number}.", number % 2, number % 3 == 0, 1]
        if number % 2 or number % 3 == 0
        else [f"{number:04d}", f"CME text of case {number}.", f"LE text of case {number}.", 0, 0, 0]
        for number in range(count)
    ]


def processes_in(folder: Path) -> list[psutil.Process]:
    """What runs in this folder."""
    here = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                here.append(process)
    return here


def wait_until(condition: Callable[[], Any], timeout: float = AT_LONGEST_S, every: float = 0.05) -> Any:
    """Wait until `condition` gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError(f"not within {timeout} s: {condition}")
