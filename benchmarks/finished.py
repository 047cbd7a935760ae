"""A finished experiment that waits for its merge, built from its shards without a server, and the work of its last two
jobs, `record` and `report`, each in a process of its own."""

import json
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tests.project import ROOT
from tests.run_contexts import context_of

from benchmarks import measured, workbook
from narrative_runs import results_file
from narrative_runs.codebook.result_columns import reserved_beside
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.results import Result
from narrative_runs.run_context import RunContext
from narrative_runs.source.incidents import write_incidents
from narrative_runs.source.narratives import deal, write_shards
from narrative_runs.source.other_columns import OtherColumns
from narrative_runs.source.shards import Narrative, iterate

SHARDS = 16
JOBS = ("record", "report")
INDICATORS = ("threat", "weapon", "stalking", "injury", "control", "jealousy")

Answer = Callable[[Narrative, random.Random], Result]
Cells = Callable[[Sequence[Any]], dict[str, object]]


def context(**sections: Any) -> RunContext:
    """The run of the experiment; sections: of its params, beside those that every experiment has."""
    params = check(
        {
            "experiment": {"name": "Cases", "slug": "cases"},
            "model": {"name": workbook.MODEL, "api_url": "http://127.0.0.1:1/v1"},
            "prompt": {"system_prompt": workbook.SYSTEM_PROMPT, "user_template": workbook.USER_TEMPLATE},
            "data": {"file": "data/cases.xlsx"},
            "shards": {"count": SHARDS},
            **sections,
        },
        "the benchmark",
    )
    return context_of(params)


def fingerprint(row_num: int) -> str:
    """That of the question about a narrative."""
    return f"{row_num:064x}"


def result_at_random(narrative: Narrative, chance: random.Random) -> Result:
    """A result of the usual question, right in most rows and an error in one of a hundred."""
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
        fingerprint=fingerprint(narrative.row_num),
    )


def build(run: RunContext, narratives: int, answer: Answer, cells: Cells = lambda _: {}) -> None:
    """Narratives, shards, retries and data quality of an experiment that waits for its merge, below results/.

    answer: the result of a narrative; cells: what a row of the workbook, as `workbook.rows` gives it, has in its other
    columns, by their names.
    """
    folder, codebook = run.folder, run.params.variables
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
    _write_other_columns(folder, map(cells, incidents), reserved_beside(codebook))
    chance = random.Random(2)
    for shard in range(1, SHARDS + 1):
        results = _results(folder.narratives_of(shard, SHARDS), answer, chance)
        results_file.write(results, folder.results_of(shard, SHARDS), codebook)
    results_file.write([], folder.retries, codebook)
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


def work(job: str, run: RunContext) -> None:
    """Do the work of one of the JOBS, in this process."""
    if job == "record":
        from narrative_runs.jobs.record import merge as do
    else:
        from narrative_runs.jobs.report import write_report as do
    do(run)


def measure(module: str, *words: str) -> tuple[float, float]:
    """Have `python -m module --job` do both jobs, each in a process of its own, and print what each took.

    words: its further arguments. Out: seconds of both together, and the highest peak of memory in MB. Ends the process
    where a job fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    together_s, highest_mb = 0.0, 0.0
    for job in JOBS:
        ran = measured.run([sys.executable, "-m", module, *words, "--job", job], Path.cwd(), environment)
        if ran.exit_code != 0:
            sys.exit(ran.output)
        peak_mb = max(kind.peak_mb for kind in ran.kinds.values())
        print(f"{job:10} {ran.wall_s:5.1f} s, CPU {ran.cpu_s:5.1f} s, peak {peak_mb:4.0f} MB", flush=True)
        together_s, highest_mb = together_s + ran.wall_s, max(highest_mb, peak_mb)
    return together_s, highest_mb


def _write_other_columns(
    folder: ExperimentFolder, rows: Iterable[dict[str, object]], reserved: tuple[str, ...]
) -> None:
    others = OtherColumns(folder.path)
    # The two narratives of an incident stand in one row.
    numbers = [number for row in rows for number in [others.add(list(row), row.values())] * 2]
    others.write(numbers, None, reserved, folder.other_columns)


def _results(path: Path, answer: Answer, chance: random.Random) -> Iterator[Result]:
    for narrative in iterate(path):
        yield answer(narrative, chance)
