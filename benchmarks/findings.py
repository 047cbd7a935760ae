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

from benchmarks import finished, workbook
from narrative_runs.results import Result
from narrative_runs.source.shards import Narrative

GOAL_S = 20.0
GOAL_MB = 500.0
INDICATORS = ("threat", "weapon", "stalking", "injury", "control", "jealousy")


def main() -> None:
    """Build the experiment, do the work of both jobs, and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.findings", description=__doc__)
    parser.add_argument("--narratives", type=int, default=35_000)
    parser.add_argument("--job", choices=finished.JOBS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        finished.work(arguments.job, finished.context())
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        os.chdir(folder)
        finished.build(finished.context(), arguments.narratives, _result)
        together_s, highest_mb = finished.measure("benchmarks.findings")
    print(f"together   {together_s:5.1f} s (goal: under {GOAL_S:.0f} s), {highest_mb:.0f} MB (under {GOAL_MB:.0f} MB)")
    sys.exit(together_s > GOAL_S or highest_mb > GOAL_MB)


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
