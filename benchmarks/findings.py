"""Time and memory of merge, metrics and report: `python -m benchmarks.findings`.

A finished experiment of 35,000 narratives is built from its shards, without a server; then the work of the jobs
`record` and `report` is done, each in a process of its own, as in a run.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from tests.project import ROOT
from tests.run_contexts import context_of

from benchmarks import measured, workbook
from narrative_runs import results_file
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import RESERVED
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.results import Result
from narrative_runs.run_context import RunContext
from narrative_runs.source.incidents import write_incidents
from narrative_runs.source.narratives import deal, write_shards
from narrative_runs.source.other_columns import OtherColumns
from narrative_runs.source.shards import Narrative, iterate

SHARDS = 16
GOAL_S = 20.0
GOAL_MB = 500.0
INDICATORS = ("threat", "weapon", "stalking", "injury", "control", "jealousy")


def main() -> None:
    """Build the experiment, do the work of both jobs, and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.findings", description=__doc__)
    parser.add_argument("--narratives", type=int, default=35_000)
    parser.add_argument("--job", choices=["record", "report"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        _work(arguments.job)
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = Path(temporary)
        os.chdir(folder)
        _build(arguments.narratives)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        together_s, highest_mb = 0.0, 0.0
        for job in ("record", "report"):
            found = measured.run([sys.executable, "-m", "benchmarks.findings", "--job", job], folder, environment)
            if found.exit_code != 0:
                sys.exit(found.output)
            peak_mb = max(kind.peak_mb for kind in found.kinds.values())
            print(f"{job:10} {found.wall_s:5.1f} s, CPU {found.cpu_s:5.1f} s, peak {peak_mb:4.0f} MB")
            together_s, highest_mb = together_s + found.wall_s, max(highest_mb, peak_mb)
    print(f"together   {together_s:5.1f} s (goal: under {GOAL_S:.0f} s), {highest_mb:.0f} MB (under {GOAL_MB:.0f} MB)")
    sys.exit(together_s > GOAL_S or highest_mb > GOAL_MB)


def _work(job: str) -> None:
    if job == "record":
        from narrative_runs.jobs.record import merge as work
    else:
        from narrative_runs.jobs.report import write_report as work
    work(_context())


def _context() -> RunContext:
    params = check(
        {
            "experiment": {"name": "Cases", "slug": "cases"},
            "model": {"name": workbook.MODEL, "api_url": "http://127.0.0.1:1/v1"},
            "prompt": {"system_prompt": workbook.SYSTEM_PROMPT, "user_template": workbook.USER_TEMPLATE},
            "data": {"file": "data/cases.xlsx"},
            "shards": {"count": SHARDS},
        },
        "the benchmark",
    )
    return context_of(params)


def _build(narratives: int) -> None:
    """Narratives, shards, retries and data quality of an experiment that waits for its merge, below results/."""
    folder = ExperimentFolder("cases")
    incidents = workbook.rows(narratives)
    rows = [
        (incident, kind, text, label, both)
        for incident, cme, le, cme_label, le_label, both in incidents
        for kind, text, label in (("cme", cme, cme_label), ("le", le, le_label))
    ]
    table = [Narrative(number, *row, source_row=(number + 1) // 2 + 1) for number, row in enumerate(rows, start=1)]
    write_shards(deal(table, SHARDS), folder.narratives)
    ids, labels = [row[0] for row in incidents], pd.array([row[-1] for row in incidents], "Int64")
    write_incidents(pd.DataFrame({"incident_id": ids, "label": labels, "is_inconsistent": False}), folder.incidents)
    others = OtherColumns(folder.path)
    others.write([others.add([], [])] * len(table), None, RESERVED, folder.other_columns)
    chance = random.Random(2)
    for shard in range(1, SHARDS + 1):
        results_file.write(
            _results(folder.narratives_of(shard, SHARDS), chance), folder.results_of(shard, SHARDS), DEFAULT
        )
    results_file.write([], folder.retries, DEFAULT)
    counts = {"total": len(table), "cme": len(table) // 2, "le": len(table) // 2}
    quality = {
        "file": "cases.xlsx",
        "layout": "labelled",
        "sheet": "Sheet",
        "rows_read": len(table) // 2,
        "rows_empty": 0,
        **dict.fromkeys(("narratives", "labelled", "positive", "blanks_skipped"), counts),
        **{name: {"total": 0} for name in ("duplicates_dropped", "without_id", "odd_labels")},
    }
    folder.data_quality.write_text(json.dumps(quality), encoding="utf-8")


def _results(path: Path, chance: random.Random) -> Iterator[Result]:
    for narrative in iterate(path):
        yield _result(narrative, chance)


def _result(narrative: Narrative, chance: random.Random) -> Result:
    detected = chance.random() < (0.8 if narrative.manual_flag_ind else 0.1)
    failed = chance.random() < 0.01
    tokens = len(narrative.narrative_text.split()) * 4 // 3 + 60
    answer = json.dumps({"detected": detected, "rationale": "Because of what the report says about the partner."})
    return Result(
        row_num=narrative.row_num,
        incident_id=narrative.incident_id,
        narrative_type=narrative.narrative_type,
        narrative_text=narrative.narrative_text,
        manual_flag_ind=narrative.manual_flag_ind,
        manual_flag=narrative.manual_flag,
        detected=None if failed else detected,
        confidence=None if failed else round(chance.uniform(0.5, 1), 2),
        indicators="[]" if failed else json.dumps(chance.sample(INDICATORS, 2)),
        rationale=None if failed else "Because of what the report says about the partner.",
        reasoning_steps=None,
        raw_response=None if failed else answer,
        response_sec=round(chance.lognormvariate(1.5, 0.5), 3),
        processed_at="2026-01-01 12:00:00",
        error_occurred=failed,
        error_message="no answer within 300 s" if failed else None,
        prompt_tokens=None if failed else tokens,
        completion_tokens=None if failed else 40,
        tokens_used=None if failed else tokens + 40,
        attempt_count=1,
        first_error_message=None,
        last_attempt_at="2026-01-01 12:00:00",
        error_category="timeout" if failed else None,
        p_detected=None if failed else chance.betavariate(5, 2) if detected else chance.betavariate(2, 5),
        model_answered=workbook.MODEL,
        source_row=narrative.source_row,
        fingerprint=f"{narrative.row_num:064x}",
    )


if __name__ == "__main__":
    main()
