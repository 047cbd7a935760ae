"""One command, measured from outside with all the processes that it starts."""

import os
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

POLL_EVERY_S = 0.05
PROC = Path("/proc")
KINDS = {
    "narrative_runs.coordination": "coordinator",
    "narrative_runs.jobs": "jobs",
    "narrative_runs classify": "classify",
    "narrative_runs source": "source",
    "narrative_runs record": "record",
    "narrative_runs report": "report",
    "narrative_runs retry_errors": "retry_errors",
    "benchmarks.bare_loop": "bare loop",
    "snakemake": "main",
}


@dataclass
class Kind:
    """All processes of one kind: how many, the CPU seconds of all, the peak memory of the largest in MB."""

    processes: int = 0
    cpu_s: float = 0.0
    peak_mb: float = 0.0


@dataclass
class Measured:
    """One run of a command.

    began_at, ended_at: seconds of the monotonic clock; cpu_s: user and system seconds of the command and of all its
    descendants; machine_cpu_s: CPU seconds that the whole machine spent meanwhile; kinds: by kind of process, empty
    where there is no /proc; output: standard output and error together.
    """

    exit_code: int
    began_at: float
    ended_at: float
    cpu_s: float
    machine_cpu_s: float
    output: str
    kinds: dict[str, Kind] = field(default_factory=dict)

    @property
    def wall_s(self) -> float:
        """Seconds from start to end."""
        return self.ended_at - self.began_at


def run(command: list[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run a command in `folder` to its end, and look at its processes every 50 ms."""
    seen: dict[int, tuple[str, float, float]] = {}
    heard = folder / "benchmark.out"
    machine_before, began_at = _machine_cpu_s(), time.monotonic()
    with heard.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        # Every process is reaped by its parent, so that the last usage holds them all.
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            _look(process.pid, seen)
            time.sleep(POLL_EVERY_S)
    ended_at = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    return Measured(
        exit_code=process.returncode,
        began_at=began_at,
        ended_at=ended_at,
        cpu_s=ended[2].ru_utime + ended[2].ru_stime,
        machine_cpu_s=_machine_cpu_s() - machine_before,
        output=heard.read_text(encoding="utf-8", errors="replace"),
        kinds=_by_kind(seen),
    )


def _look(pid: int, seen: dict[int, tuple[str, float, float]]) -> None:
    """Note kind, CPU seconds and peak memory of a process and of all below it."""
    folder = PROC / str(pid)
    try:
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        # The command's name may hold blanks: the fields are counted from its closing parenthesis.
        user, system = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
        status = (folder / "status").read_text()
        children = [child for task in (folder / "task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return
    if "VmHWM:" in status:
        kind = next((name for words, name in KINDS.items() if words in command), "other")
        peak_kb = int(status.partition("VmHWM:")[2].split()[0])
        seen[pid] = kind, (int(user) + int(system)) / os.sysconf("SC_CLK_TCK"), peak_kb / 1024
    for child in children:
        _look(int(child), seen)


def _by_kind(seen: dict[int, tuple[str, float, float]]) -> dict[str, Kind]:
    kinds: defaultdict[str, Kind] = defaultdict(Kind)
    for name, cpu_s, peak_mb in seen.values():
        kind = kinds[name]
        kind.processes += 1
        kind.cpu_s += cpu_s
        kind.peak_mb = max(kind.peak_mb, peak_mb)
    return dict(kinds)


def _machine_cpu_s() -> float:
    """CPU seconds that all processes of the machine have spent: user, nice, system, irq and softirq of /proc/stat."""
    try:
        ticks = [int(part) for part in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]
    except OSError:
        return 0.0
    return sum(ticks[place] for place in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")
