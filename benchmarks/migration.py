"""How long moving from the R system takes: `python -m benchmarks.migration`.

A record of the R system's oldest age with 35,000 results of about 900 characters, and a second result for one narrative
in a hundred, is migrated. Printed are the seconds, and what became of every row.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from tests.migration import r_system

from benchmarks import workbook
from narrative_runs.migration.migrate import migrate

GOAL_S = 10.0


def main() -> None:
    """Run it, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.migration", description=__doc__)
    parser.add_argument("--narratives", type=int, default=35_000)
    narratives = parser.parse_args().narratives
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        record = Path(folder) / "production_20k.db"
        make(record, narratives)
        size, before = record.stat().st_size, _rows(record)
        told: list[str] = []
        began = time.monotonic()
        migrate(record, False, told.append)
        seconds = time.monotonic() - began
        after = _rows(record)
    print(f"rows before       {before:,} ({size / 1e6:.0f} MB)")
    print(f"removed, saved    {before - after:,}")
    print(f"rows after        {after:,} of {narratives:,} narratives")
    print(f"migrate, in all   {seconds:.1f} s (goal: under {GOAL_S:.0f} s)")
    sys.exit(seconds > GOAL_S or after != narratives)


def make(path: Path, narratives: int) -> None:
    """Make the record; every hundredth narrative has two results."""
    r_system.make(path, "oldest")
    r_system.fill(path, "experiments", [r_system.experiment()])
    texts = [(row[0], kind, row[place]) for row in workbook.rows(narratives) for kind, place in (("cme", 1), ("le", 2))]
    r_system.fill(path, "narrative_results", (r_system.result(*key) for key in texts[::100]))
    r_system.fill(path, "narrative_results", (r_system.result(*key) for key in texts))


def _rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM narrative_results").fetchone()[0])
    finally:
        connection.close()


if __name__ == "__main__":
    main()
