"""The picture of the terminal in the README, from a real run: `python -m benchmarks.picture`.

2,000 synthetic narratives on a server of the tests, some of whose answers cannot be read. Half-way the lines of the
real terminal are taken, and the block is drawn once more from what the session tells, into docs/pictures/terminal.svg.
"""

import io
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import httpx
from rich.console import Console
from tests.project import ROOT, Fake, Project, fake_server, wait_until
from tests.terminal import Window

from benchmarks import workbook
from narrative_runs.monitoring.status import ask
from narrative_runs.observation.panel import panel

PICTURE = ROOT / "docs/pictures/terminal.svg"
NARRATIVES = 2000
COLUMNS = 100
NONSENSE = {"choices": [{"message": {"content": "I would rather not say."}, "finish_reason": "stop"}], "usage": {}}


def main() -> None:
    """Run it, and draw."""
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO(), highlight=False)
    with tempfile.TemporaryDirectory(prefix="picture-") as folder, fake_server(latency_s=0.2) as fake:
        project = Project(Path(folder))
        project.write_workbook(workbook.rows(NARRATIVES))
        project.write_params(
            fake.url,
            experiment={"name": "Synthetic narratives", "slug": "synthetic"},
            model={"name": workbook.MODEL},
            prompt={"system_prompt": workbook.SYSTEM_PROMPT, "user_template": workbook.USER_TEMPLATE},
            run={
                "max_in_flight": 16,
                "price_per_million_prompt_tokens": 0.5,
                "price_per_million_completion_tokens": 1.5,
            },
            shards={"count": 16},
        )
        fake.behave(latency_s=0.2, only_if="report 7", body=json.dumps(NONSENSE))
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
        wait_until(lambda: _requests(fake) > 0.6 * NARRATIVES)
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


def _requests(fake: Fake) -> int:
    return int(httpx.get(f"{fake.origin}/pace", trust_env=False).json()["requests"])


if __name__ == "__main__":
    main()
