"""Time and memory of reading a workbook into shards: `python -m benchmarks.source`.

Each workbook is read by the rules of today and by those of the first release, each in a process of its own. The goal is
500 MB for any workbook of 50 MB.
"""

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from tests.project import ROOT

from benchmarks import measured
from narrative_runs.source import workbook
from narrative_runs.source.narratives import write_shards
from narrative_runs.source.reading import Reading
from narrative_runs.source.rules import numbered

GOAL_MB = 500.0
SHARDS = 16
_NS = "http://schemas.openxmlformats.org"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_NS}/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    '<Override PartName="/xl/sharedStrings.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_NS}/package/2006/relationships"><Relationship Id="r1" Type="{_NS}'
    '/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_NS}/spreadsheetml/2006/main" xmlns:r="{_NS}/officeDocument/2006/'
    'relationships"><sheets><sheet name="Cases" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_NS}/package/2006/relationships"><Relationship Id="r1" '
    f'Type="{_NS}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" '
    f'Type="{_NS}/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
}
_HEADER = ("IncidentID", "NarrativeCME", "NarrativeLE", "SiteID", "Notes")


def main() -> None:
    """Build the workbooks, read each, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.source", description=__doc__)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rules", type=int, default=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        source = workbook.read(arguments.read, Reading(numbered(arguments.rules)), Path.cwd())
        write_shards(source.dealt(SHARDS), Path.cwd() / "shards")
        print(len(source))
        return
    highest_mb = 0.0
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = Path(temporary)
        print(f"{'workbook':34} {'MB':>5} {'narratives':>10} {'rules':>5} {'s':>6} {'peak MB':>8}")
        for name, rows, characters, words, has_stray in (
            ("35,000 narratives of 900 letters", 17_500, 900, 4_000, False),
            ("50 MB of texts, all different", 20_000, 3_000, 4_000, False),
            ("50 MB of long texts that repeat", 4_200, 30_000, 60, False),
            ("a cell in the last row and column", 100, 900, 4_000, True),
        ):
            path = _write(folder / "cases.xlsx", rows, characters, words, has_stray)
            for rules in (2, 1):
                if rules == 1 and has_stray:
                    print(f"{name:34} {'':5} {'':10} {rules:5}    cannot be read")
                    continue
                peak_mb = _measure(name, path, rules, folder)
                highest_mb = max(highest_mb, peak_mb) if rules == 2 else highest_mb
    print(f"highest by the rules of today: {highest_mb:.0f} MB (goal: under {GOAL_MB:.0f} MB)")
    sys.exit(highest_mb > GOAL_MB)


def _measure(name: str, path: Path, rules: int, folder: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.source", "--read", str(path), "--rules", str(rules)]
    found = measured.run(command, folder, {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"})
    if found.exit_code != 0:
        sys.exit(found.output)
    peak_mb = max(kind.peak_mb for kind in found.kinds.values())
    size_mb, read = path.stat().st_size / 1e6, int(found.output.split()[-1])
    print(f"{name:34} {size_mb:5.1f} {read:10,} {rules:5} {found.wall_s:6.1f} {peak_mb:8.0f}", flush=True)
    return peak_mb


def _write(path: Path, rows: int, characters: int, words: int, has_stray: bool) -> Path:
    """A workbook as Excel writes it, its texts in one part and their numbers in the sheet."""
    chance = random.Random(1)
    vocabulary = [
        "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randrange(3, 10))) for _ in range(words)
    ]

    def texts() -> Iterator[str]:
        yield from _HEADER
        for number in range(rows):
            yield f"{number:06d}"
            for kind in ("cme", "le"):
                yield f"{kind} {number} " + " ".join(chance.choices(vocabulary, k=characters // 7))
            yield str(number % 50)
            yield "as it came"

    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=6) as archive:
        for part, content in _PARTS.items():
            archive.writestr(part, content)
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as stream:
            stream.write(f'<sst xmlns="{_NS}/spreadsheetml/2006/main">'.encode())
            for text in texts():
                stream.write(f"<si><t>{text}</t></si>".encode())
            stream.write(b"</sst>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as stream:
            stream.write(f'<worksheet xmlns="{_NS}/spreadsheetml/2006/main"><sheetData>'.encode())
            for row in range(rows + 1):
                cells = "".join(
                    f'<c r="{letter}{row + 1}" t="s"><v>{row * 5 + place}</v></c>'
                    for place, letter in enumerate("ABCDE")
                )
                stream.write(f'<row r="{row + 1}">{cells}</row>'.encode())
            stray = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' if has_stray else b""
            stream.write(stray + b"</sheetData></worksheet>")
    return path


if __name__ == "__main__":
    main()
