"""The picture of the terminal in the README, from a real run: `python -m benchmarks.picture`.

2,000 synthetic narratives on a server of the tests, some of whose answers cannot be read. Half-way the lines of the
real terminal are taken, and the block is drawn once more from what the session tells, into docs/pictures/terminal.svg.
"""

import io
import os
import re
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console
from tests.project import ROOT, Project, fake_server, wait_until
from tests.terminal import Window

from benchmarks.pictured_run import LATENCY_S, NARRATIVES, requests, write_run
from narrative_runs.monitoring.status import ask
from narrative_runs.observation.panel import panel

PICTURE = ROOT / "docs/pictures/terminal.svg"
COLUMNS = 100


def main() -> None:
    """Run it, and draw."""
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO(), highlight=False)
    with tempfile.TemporaryDirectory(prefix="picture-") as folder, fake_server(latency_s=LATENCY_S) as fake:
        project = Project(Path(folder))
        write_run(project, fake)
        terminal = Window(COLUMNS)
        run = subprocess.Popen(
            project.command("snakemake", "--cores", "4"),
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=terminal.slave,
            stdout=terminal.slave,
            stderr=terminal.slave,
            start_new_session=True,
        )
        wait_until(lambda: requests(fake) > 0.6 * NARRATIVES)
        standing = ask(project.folder / "results/synthetic")
        lines = terminal.lines()
        run.wait()
        terminal.close()
    assert standing is not None
    console.print("$ snakemake --cores 4", style="bold")
    for line in lines[: lines.index(standing.experiment_name)]:
        if re.match(r"\d", line):
            console.print(line)
    console.print(panel(standing))
    svg = console.export_svg(title="narrative-runs")
    # Without its fonts, which would be fetched from elsewhere.
    PICTURE.write_text(re.sub(r" *@font-face \{.*?\}\n", "", svg, flags=re.S), encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)} is drawn.")


if __name__ == "__main__":
    main()
