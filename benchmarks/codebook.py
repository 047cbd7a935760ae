"""What a codebook of 20 variables costs beside the usual question: `python -m benchmarks.codebook`.

The same narratives, asked the usual question and asked for 20 variables of all types, at a server that answers by a
schema and at one that refuses it; each several times, in turn, and the medians are shown. The asking is the CPU of the
coordinator, its start included: requests, journals, the reading of answers, the record. Every value is looked up in its
row.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq
import yaml
from tests.fake_server import answer_by, answer_to
from tests.project import Project, fake_server

from benchmarks import measured, workbook
from narrative_runs.codebook.schema import schema
from narrative_runs.codebook.variables import Codebook

LATENCY_S, SLOTS, SHARDS, MAY_TAKE = 0.02, 16, 8, 1.2
REFUSED = 400
WEAPONS, PLACES = ["gun", "knife", "rope", "poison", "none"], ["home", "street", "work", "elsewhere"]
PERSONS = ["partner", "parent", "child", "friend", "stranger"]
DEGREES = ["none", "light", "severe"]


def _binary(what: str, **more: Any) -> dict[str, Any]:
    return {"type": "binary", "definition": f"Whether the narrative tells of {what}.", **more}


def _listed(kind: str, values: list[str], what: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "definition": f"What the narrative tells of {what}.", "values": values, **more}


VARIABLES: dict[str, dict[str, Any]] = {
    "detected": _binary("violence by a partner", confidence=True, label="manual_flag_ind"),
    "alcohol": _binary("alcohol"),
    "drugs": _binary("drugs"),
    "note_left": _binary("a note"),
    "weapon": _listed("category", WEAPONS, "the weapon", confidence=True),
    "place": _listed("category", PLACES, "the place"),
    "found_by": _listed("category", PERSONS, "who found the person"),
    "season": _listed("category", ["winter", "spring", "summer", "autumn"], "the season"),
    "severity": _listed("ordinal", DEGREES, "injuries by the partner", only_if={"detected": "yes"}),
    "intoxication": _listed("ordinal", DEGREES, "intoxication"),
    "relations": _listed("multi", PERSONS, "who is named"),
    "present": _listed("multi", PERSONS, "who was present"),
    "weapons_near": _listed("multi", WEAPONS, "weapons nearby"),
    "age": {"type": "number", "definition": "Age in years.", "minimum": 0, "maximum": 110},
    "children": {"type": "number", "definition": "Number of children.", "minimum": 0, "maximum": 20},
    "hours": {"type": "number", "definition": "Hours since the person was last seen.", "minimum": 0},
    "evidence": {"type": "quote", "definition": "Where violence by a partner is told."},
    "threats": {"type": "quote", "definition": "Where a threat is told."},
    "summary": {"type": "text", "definition": "One sentence."},
    "reasons": {"type": "text", "definition": "Why you answered so.", "many": True},
}


@dataclass(frozen=True)
class Run:
    """CPU seconds of one run: of its coordinator, and of all its processes; seconds from command to end."""

    asking_s: float
    cpu_s: float
    wall_s: float


def main() -> None:
    """Run all sides in turn, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codebook", description=__doc__)
    parser.add_argument("--narratives", type=int, default=2_000)
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    sides = [(takes_schema, has_codebook) for takes_schema in (True, False) for has_codebook in (False, True)]
    runs: dict[tuple[bool, bool], list[Run]] = {side: [] for side in sides}
    for _ in range(arguments.times):
        for side in sides:
            runs[side].append(_run(*side, arguments.narratives))
    print(f"{arguments.narratives:,} narratives, {LATENCY_S:g} s each{'asking, s':>20}{'all, s':>10}{'wall, s':>10}")
    worst = 0.0
    for takes_schema in (True, False):
        usual, coded = (_medians(runs[takes_schema, has_codebook]) for has_codebook in (False, True))
        server = "by a schema" if takes_schema else "no schema"
        for name, run in (("the usual question", usual), (f"{len(VARIABLES)} variables", coded)):
            print(f"{f'{name}, {server}':40}{run.asking_s:10.2f}{run.cpu_s:10.2f}{run.wall_s:10.2f}")
        ratio = coded.asking_s / usual.asking_s
        worst = max(worst, ratio)
        more_ms = 1000 * (coded.asking_s - usual.asking_s) / arguments.narratives
        print(
            f"{'  to the usual question':40}{ratio:10.2f}{coded.cpu_s / usual.cpu_s:10.2f}"
            f"{coded.wall_s / usual.wall_s:10.2f}   {more_ms:.2f} ms of asking more a narrative"
        )
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"CPU of the asking: {worst:.2f} times (goal: at most {MAY_TAKE:g}); load {load} on {os.cpu_count()} cores")
    sys.exit(worst > MAY_TAKE)


def _medians(runs: list[Run]) -> Run:
    return Run(
        median(run.asking_s for run in runs), median(run.cpu_s for run in runs), median(run.wall_s for run in runs)
    )


def _run(takes_schema: bool, has_codebook: bool, narratives: int) -> Run:
    """One run in a fresh project; ends the process when it does not succeed, or a value is not in its row."""
    form = schema(Codebook.model_validate({"variables": VARIABLES})) if has_codebook else None
    refuse = 0 if takes_schema else REFUSED
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        fake_server(latency_s=LATENCY_S, models=[workbook.MODEL], refuse_schema=refuse, schema=form) as fake,
    ):
        project = Project(Path(folder))
        project.write_workbook(workbook.rows(narratives))
        params = project.write_params(
            fake.url,
            model={"name": workbook.MODEL},
            prompt={
                "system_prompt": workbook.SYSTEM_PROMPT + ("\n<<CODEBOOK>>" if has_codebook else ""),
                "user_template": workbook.USER_TEMPLATE,
            },
            run={"max_in_flight": SLOTS},
            shards={"count": SHARDS},
        )
        if has_codebook:
            params["codebook"] = {"variables": VARIABLES}
            text = yaml.safe_dump(params, sort_keys=False)
            (project.folder / "params.yaml").write_text(text, encoding="utf-8")
        found = measured.run(project.command("snakemake", "--cores", "4"), project.folder, project.environment)
        if found.exit_code != 0:
            sys.exit(f"{found.output[-3000:]}\nThe command ended with exit code {found.exit_code}.")
        _check(project.folder / "results/cases/results.parquet", narratives, form)
        return Run(found.kinds["coordinator"].cpu_s, found.cpu_s, found.wall_s)


def _check(table: Path, narratives: int, form: dict[str, Any] | None) -> None:
    """End the process unless every value stands in the row of its narrative."""
    rows = pq.read_table(table).to_pylist()
    if len(rows) != narratives:
        sys.exit(f"{len(rows)} results for {narratives} narratives.")
    for row in rows:
        message = workbook.USER_TEMPLATE.replace("<<TEXT>>", row["narrative_text"])
        answer = answer_to(message) if form is None else answer_by(form, message)
        for name in answer:
            if row[name] != (expected := _in_column(name, answer)):
                sys.exit(f"{row['incident_id']} {row['narrative_type']}: {name} is {row[name]!r}, not {expected!r}.")


def _in_column(name: str, answer: Mapping[str, Any]) -> Any:
    """What belongs in a column, from what was answered."""
    value, kind = answer[name], VARIABLES.get(name, {}).get("type")
    if name == "severity" and not answer["detected"]:
        return None
    if kind == "quote" or name in ("reasons", "indicators"):
        value = value or []
    return json.dumps(value) if isinstance(value, list) else value


if __name__ == "__main__":
    main()
