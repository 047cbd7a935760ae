"""The pictures of docs/page.md, of the page as Chromium shows it: `python -m benchmarks.page_pictures`.

A run of 2,000 synthetic narratives on a server of the tests is on its way; beside it lie experiments of the demo's
invented incidents. Colours are reduced, so that the pictures are small.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize
from tests import page_world
from tests.chromium import started_browser
from tests.page_server import TOKEN, page_served
from tests.project import ROOT, Project, fake_server, wait_until

from benchmarks.pictured_run import LATENCY_S, NARRATIVES, requests, write_run

PICTURES = ROOT / "docs/pictures"
SIZE = ViewportSize(width=1000, height=760)
COLOURS = 48
ROOMS = {
    "page_findings": "/experiments/circumstances/findings",
    "page_history": "/history?with=first-prompt&with=second-prompt&wait=yes",
    "page_narratives": "/experiments/first-prompt/narratives?outcome=fp&q=husband",
}


def main() -> None:
    """Run it, and photograph each room."""
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder, fake_server(latency_s=LATENCY_S) as fake:
        project = Project(Path(folder))
        with chdir(folder):
            page_world.write_world(repeats=5)
            write_run(project, fake)
            with page_served() as server, in_chromium() as page:
                page.goto(f"{server.origin}/?token={TOKEN}")
                for name, address in ROOMS.items():
                    page.goto(server.origin + address)
                    if name == "page_narratives":
                        page.get_by_role("button", name="Show texts").click()
                    keep(page, name)
                with project.started("snakemake", "--cores", "4"):
                    page.goto(server.origin)
                    wait_until(lambda: requests(fake) > 0.6 * NARRATIVES, timeout=300)
                    keep(page, "page_now")


@contextmanager
def in_chromium() -> Iterator[Page]:
    """A page of Debian's Chromium."""
    with started_browser() as browser:
        yield browser.new_page(viewport=SIZE)


def keep(page: Page, name: str) -> None:
    """Write what is to be seen of the page as a small picture."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    path = PICTURES / f"{name}.png"
    shot.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)} is drawn: {path.stat().st_size // 1024} KB.", flush=True)


if __name__ == "__main__":
    main()
