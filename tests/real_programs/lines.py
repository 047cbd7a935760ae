"""The lines of docs/reading.md and of README.txt, each with what it reads, ready to be run."""

import re
from dataclasses import dataclass
from textwrap import dedent

from tests.project import ROOT

READING = ROOT / "docs/reading.md"
# What each file is read into.
VARIABLES = {"performance.log": "performance", "api_calls.log": "calls"}
_FILE = re.compile(r"(results\.(?:csv|json|parquet|xlsx)|experiments\.db|performance\.log|api_calls\.log)\b")


@dataclass(frozen=True)
class Lines:
    """Lines of one program, in paragraphs, of which each may read a file."""

    paragraphs: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """The names of the files that are read, in their order."""
        return [file for paragraph in self.paragraphs if (file := read_by(paragraph))]

    def with_dumps(self, slug: str) -> str:
        """The lines for one experiment, with a call of `dump(table, name)` behind each paragraph that reads a file."""
        written = []
        for paragraph in self.paragraphs:
            written.append(paragraph.replace("SLUG", slug))
            if file := read_by(paragraph):
                written.append(f'dump({VARIABLES.get(file, "results")}, "{file}")')
        return "\n".join(written)


def documented(heading: str, language: str, number: int = 0) -> Lines:
    """The lines of a program in docs/reading.md: its heading, and which of the blocks under it."""
    text = READING.read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.M)[0]
    return Lines(tuple(re.findall(rf"^```{language}\n(.*?)^```$", section, re.M | re.S)[number].split("\n\n")))


def of_readme(text: str, heading: str) -> Lines:
    """The lines under a heading of README.txt."""
    section = text.partition(f"\n{heading}\n\n")[2]
    return Lines((dedent(section.split("\n\n")[0]),))


def read_by(paragraph: str) -> str | None:
    """The name of the file that a paragraph reads; `narrative_runs.read` reads results.parquet."""
    if "narrative_runs.read" in paragraph:
        return "results.parquet"
    found = _FILE.search(paragraph)
    return found[1] if found else None
