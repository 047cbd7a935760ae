"""Time and memory of the findings of a codebook: `python -m benchmarks.variables`.

A finished experiment of 35,000 narratives, two an incident, with a codebook of 10 variables of all seven types, and one
of 50: five times the same mix. A person coded all but the texts, in a workbook with a row an incident. Most answers are
as the labels are; the others are wrong, unclear, not asked for, or errors. As for `benchmarks.findings` the experiment
is built from its shards, without a server, and the jobs `record` and `report` do their work, each in a process of its
own.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from benchmarks import finished, workbook
from narrative_runs.codebook.variables import (
    CODEBOOK_MARK,
    Binary,
    Category,
    Codebook,
    confidence_key,
    probability_column,
)
from narrative_runs.results import Result, result_of
from narrative_runs.run_context import RunContext
from narrative_runs.source.shards import Narrative

# By the number of variables: seconds of both jobs together, and MB of the larger one.
GOALS = {10: (60.0, 700.0), 50: (180.0, 1_000.0)}
WEAPONS, ROOMS = ["gun", "knife", "rope", "poison", "none"], ["kitchen", "bedroom", "garage", "other"]
PERSONS = ["partner", "parent", "child", "friend", "stranger"]
DEGREES = ["none", "light", "severe"]
MIX: dict[str, dict[str, Any]] = {
    "detected": {"type": "binary", "confidence": True},
    "note_left": {"type": "binary"},
    "weapon": {"type": "category", "values": WEAPONS, "confidence": True},
    "room": {"type": "category", "values": ROOMS},
    "severity": {"type": "ordinal", "values": DEGREES, "only_if": "detected"},
    "relations": {"type": "multi", "values": PERSONS},
    "age": {"type": "number", "minimum": 0, "maximum": 110, "tolerance": 1},
    "hours": {"type": "number", "minimum": 0},
    "evidence": {"type": "quote"},
    "summary": {"type": "text"},
}
# What is true of all narratives of an incident alike; and those of which the labels are the incident's, in one column,
# where the others have one for each narrative type.
ALIKE, OF_INCIDENTS = ("weapon", "room", "age", "hours"), ("room", "hours")
LABELLED, WRONG, UNCLEAR, UNREADABLE, FAILED = 0.8, 0.15, 0.05, 0.003, 0.01
# By the name in MIX, what may be true of a narrative with this text.
TRUE: dict[str, Callable[[random.Random, str], Any]] = {
    "detected": lambda chance, _: chance.random() < 0.3,
    "note_left": lambda chance, _: chance.random() < 0.2,
    "weapon": lambda chance, _: chance.choice(WEAPONS),
    "room": lambda chance, _: chance.choice(ROOMS),
    "severity": lambda chance, _: chance.choice(DEGREES),
    "relations": lambda chance, _: sorted(chance.sample(PERSONS, chance.randrange(3)), key=PERSONS.index),
    "age": lambda chance, _: chance.randint(12, 95),
    "hours": lambda chance, _: chance.randint(1, 960) / 10,
    "evidence": lambda chance, text: [chance.choice(text.split(". ")) for _ in range(chance.randrange(3))],
    "summary": lambda chance, _: f"A person of {chance.randint(12, 95)} years died; a partner is named.",
}


def main() -> None:
    """Build the experiments, do the work of both jobs, and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variables", description=__doc__)
    parser.add_argument("--narratives", type=int, default=35_000)
    parser.add_argument("--variables", type=int, nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--job", choices=finished.JOBS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        finished.work(arguments.job, _context(arguments.variables[0]))
        return
    missed = [_is_missed(arguments.narratives, n_variables) for n_variables in arguments.variables]
    sys.exit(any(missed))


def _is_missed(narratives: int, n_variables: int) -> bool:
    """Whether the findings of a codebook of so many variables miss their goal."""
    print(f"{narratives:,} narratives, {n_variables} variables", flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        os.chdir(folder)
        run = _context(n_variables)
        coded = _Coded(run.params.variables)
        finished.build(run, narratives, coded.answer, coded.labels)
        together_s, highest_mb = finished.measure("benchmarks.variables", "--variables", str(n_variables))
    goal_s, goal_mb = GOALS[n_variables]
    print(f"together   {together_s:5.1f} s (goal: under {goal_s:.0f} s), {highest_mb:.0f} MB (under {goal_mb:.0f} MB)")
    return together_s > goal_s or highest_mb > goal_mb


def _context(n_variables: int) -> RunContext:
    prompt = {
        "system_prompt": f"{workbook.SYSTEM_PROMPT}\n{CODEBOOK_MARK}",
        "user_template": workbook.USER_TEMPLATE,
    }
    return finished.context(prompt=prompt, codebook={"variables": dict(map(_variable, range(n_variables)))})


def _variable(number: int) -> tuple[str, dict[str, Any]]:
    """A variable's name and what it is; behind the mix it stands again, under other names."""
    base, copy = list(MIX)[number % len(MIX)], number // len(MIX)

    def named(base: str) -> str:
        return f"{base}_{copy}" if copy else base

    name, variable = named(base), dict(MIX[base])
    if "only_if" in variable:
        variable["only_if"] = {named(variable["only_if"]): "yes"}
    if name == "detected":
        variable["label"] = "manual_flag_ind"
    elif base in OF_INCIDENTS:
        variable["label"] = f"Coded {name}"
    elif base != "summary":
        variable["label"] = {"cme": f"Coded {name} CME", "le": f"Coded {name} LE"}
    return name, variable


class _Coded:
    """What is true of narratives, what a person coded of it, and what the model answered."""

    def __init__(self, codebook: Codebook) -> None:
        self._codebook = codebook
        self._base = {name: list(MIX)[number % len(MIX)] for number, name in enumerate(codebook.names)}

    def labels(self, row: Sequence[Any]) -> dict[str, object]:
        """The cells of the columns of labels, from a row as `workbook.rows` gives it."""
        incident, cme, le, *_ = row
        chance = random.Random(incident)
        cells: dict[str, object] = {}
        for kind, text in (("cme", cme), ("le", le)):
            for name, true in self._true(incident, kind, text).items():
                label = self._codebook.variables[name].label
                column = label.get(kind) if isinstance(label, dict) else label
                if column and name != "detected":
                    value = "; ".join(true) or "[]" if isinstance(true, list) else true
                    cells[column] = value if chance.random() < LABELLED else None
        return cells

    def answer(self, narrative: Narrative, chance: random.Random) -> Result:
        """The result of a narrative, read from a reply."""
        entry: dict[str, Any] = {
            "asked_at": "2026-01-01T12:00:00",
            "attempt": 1,
            "first_error_message": None,
            "response_sec": round(chance.lognormvariate(1.5, 0.5), 3),
            "fingerprint": f"{narrative.row_num:064x}",
        }
        if chance.random() < FAILED:
            error = {"category": "timeout", "message": "no answer within 300 s"}
            return result_of(narrative, entry | {"error": error}, self._codebook)
        text, answer = narrative.narrative_text, dict[str, Any]()
        true = self._true(narrative.incident_id, narrative.narrative_type, text)
        true["detected"] = bool(narrative.manual_flag_ind)
        for name in true:
            answer[name] = self._answered(name, true[name], text, chance)
            if self._codebook.variables[name].confidence:
                answer[confidence_key(name)] = round(chance.uniform(0.5, 1), 2)
        tokens = len(narrative.narrative_text.split()) * 4 // 3 + 60
        reply = {
            "model": workbook.MODEL,
            "choices": [{"message": {"content": json.dumps(answer)}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": tokens, "completion_tokens": 40, "total_tokens": tokens + 40},
        }
        return self._with_probabilities(result_of(narrative, entry | {"response": reply}, self._codebook), chance)

    def _true(self, incident: str, kind: str, text: str) -> dict[str, Any]:
        """What is true of a narrative, by variable; the same whenever it is asked for."""
        of_incident, own = random.Random(incident), random.Random(f"{incident} {kind}")
        return {name: TRUE[base](of_incident if base in ALIKE else own, text) for name, base in self._base.items()}

    def _answered(self, name: str, true: Any, text: str, chance: random.Random) -> Any:
        """What the model answers for a variable."""
        drawn, base = chance.random(), self._base[name]
        if drawn < UNREADABLE:
            return {"": ""}
        if drawn < UNREADABLE + UNCLEAR:
            return None
        return TRUE[base](chance, text) if drawn < UNREADABLE + UNCLEAR + WRONG else true

    def _with_probabilities(self, result: Result, chance: random.Random) -> Result:
        """The result with probabilities, as of a server that gives those of its tokens."""
        coded = dict(result.coded)
        for name, variable in self._codebook.variables.items():
            value = result.detected if name == "detected" else coded[name]
            if isinstance(variable, Binary | Category) and value is not None:
                is_likely = value is not False
                coded[probability_column(name)] = chance.betavariate(5, 2) if is_likely else chance.betavariate(2, 5)
        return replace(result, p_detected=coded.pop("p_detected", None), coded=coded)


if __name__ == "__main__":
    main()
