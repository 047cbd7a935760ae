"""One result as its reader wants it: the narrative, the label, the answer, and the model's reasons.

All of it stands in the record. Headings stand at the left margin and what they head is indented, so that no narrative
passes for a part of the page.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from narrative_runs.data_columns import type_title
from narrative_runs.findings.rounding import shown
from narrative_runs.plain_text import plain

OUTCOMES = {
    "tp": "true positive",
    "fp": "false positive",
    "fn": "false negative",
    "tn": "true negative",
    "error": "error",
}
_WIDTH_IN_A_PIPE, _NARROWEST = 80, 20
_INDENT = "  "
_NAMES_WIDTH = 12


@dataclass(frozen=True, slots=True)
class OneVariable:
    """The variable that alone is shown of an answer.

    outcome: what came out, in words, empty where there is nothing to say; label: as text, None without one.
    """

    name: str
    outcome: str
    label: str | None


def terminal_width() -> int:
    """How many characters a line may have: the terminal's width, or 80 where the output is no terminal."""
    if not sys.stdout.isatty():
        return _WIDTH_IN_A_PIPE
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def as_lines(row: dict[str, Any], width: int, position: str = "", alone: OneVariable | None = None) -> list[str]:
    """A result as lines of plain text, none longer than `width`; what is not there is left out.

    row: as the record's `of_narrative` gives it, where a variable may have an `outcome` in words as well, and the row
    `has_label_of_incident`: whether the label and outcome of the usual question are those of its incident; position:
    what stands before its title, such as `3 of 41`; alone: the one variable that is shown, if not all are.
    """
    title = [position, f"{row['incident_id']} {type_title(row['narrative_type'])}"]
    if row["source_row"] is not None:
        title.append(f"source row {row['source_row']}")
    above = _wrapped(", ".join(filter(None, title)), width)
    lines = [*above, "=" * max(map(len, above))]
    for heading, body in _parts_of_variable(row, alone, width) if alone else _parts(row, width):
        if body:
            lines += ["", heading, *body]
    return lines


def _parts(row: dict[str, Any], width: int) -> list[tuple[str, list[str]]]:
    return [
        ("NARRATIVE", _text(row["narrative_text"], width)),
        ("ANSWER", _values(row, width) if row.get("coded") else _answer(row, width)),
        ("INDICATORS", _indicators(row["indicators"], width)),
        ("RATIONALE", _text(row["rationale"], width)),
        ("REASONING", _text(row["reasoning_steps"], width)),
        # What the model wrote says more only where no answer could be read from it.
        ("WHAT THE MODEL WROTE", _text(row["raw_response"], width) if row["outcome"] == "error" else []),
    ]


def _parts_of_variable(row: dict[str, Any], alone: OneVariable, width: int) -> list[tuple[str, list[str]]]:
    coded = next(coded for coded in row["coded"] if coded["variable"] == alone.name)
    failed = coded["error_message"]
    facts = {
        "variable": alone.name,
        "label": "none" if alone.label is None else alone.label,
        "answer": f"error: {failed}" if failed else coded["value"] or "-",
        "outcome": alone.outcome or None,
        **_likelihoods(coded, "probability"),
    }
    return [
        ("NARRATIVE", _text(row["narrative_text"], width)),
        ("ANSWER", _facts(facts, width)),
        ("NOT IN THE NARRATIVE", _indicators(coded["not_in_text"], width)),
        ("WHAT THE MODEL WROTE", _text(row["raw_response"], width) if failed else []),
    ]


def _text(text: str | None, width: int) -> list[str]:
    return _wrapped(text.strip(), width, _INDENT) if text and text.strip() else []


def _answer(row: dict[str, Any], width: int) -> list[str]:
    answer = "detected" if row["detected"] else "not detected"
    outcome = row["outcome"]
    if outcome == "error":
        answer = f"error ({row['error_category'] or 'unknown'}): {row['error_message'] or 'no message'}"
        outcome = "no answer"
    is_of_incident = row.get("has_label_of_incident", False)
    label = {None: "none", 1: "positive"}.get(row["manual_flag" if is_of_incident else "manual_flag_ind"], "negative")
    facts = {
        "label": f"{label} (of the incident)" if is_of_incident and label != "none" else label,
        "answer": answer,
        "outcome": outcome,
        **_likelihoods(row, "p_detected"),
    }
    return _facts(facts, width)


def _likelihoods(row: dict[str, Any], probability: str) -> dict[str, str | None]:
    return {
        "confidence": None if row["confidence"] is None else shown(row["confidence"], 2),
        probability: None if row[probability] is None else shown(row[probability], 3),
    }


def _facts(facts: dict[str, str | None], width: int) -> list[str]:
    lines = []
    for name, value in facts.items():
        if value is not None:
            lines += _wrapped(value, width, f"{_INDENT}{name:{_NAMES_WIDTH}}")
    return lines


def _values(row: dict[str, Any], width: int) -> list[str]:
    """What was answered for each variable of the codebook, with its label where there is one."""
    lines: list[str] = []
    if row["error_occurred"]:
        lines += _wrapped(f"error ({row['error_category']}): {row['error_message']}", width, _INDENT)
    names = max(len(coded["variable"]) for coded in row["coded"]) + 2
    for coded in row["coded"]:
        value = f"error: {coded['error_message']}" if coded["error_message"] else coded["value"] or "-"
        facts = [value]
        facts += [f"label {coded['label']}"] if coded["label"] is not None else []
        facts += [coded["outcome"]] if coded.get("outcome") else []
        facts += [f"confidence {shown(coded['confidence'], 2)}"] if coded["confidence"] is not None else []
        facts += [f"probability {shown(coded['probability'], 3)}"] if coded["probability"] is not None else []
        if coded["not_in_text"] not in (None, "[]"):
            facts.append(f"not in the narrative: {coded['not_in_text']}")
        lines += _wrapped("; ".join(facts), width, f"{_INDENT}{coded['variable']:{names}}")
    return lines


def _indicators(text: str | None, width: int) -> list[str]:
    """The indicators, one below the other; a text that is no JSON list, as an older record may hold one, as it is."""
    try:
        named = json.loads(text or "[]")
    except ValueError:
        named = [text]
    lines = []
    for indicator in named if isinstance(named, list) else [named]:
        lines += _wrapped(str(indicator), width, f"{_INDENT}- ")
    return lines


def _wrapped(text: str, width: int, before: str = "") -> list[str]:
    """The text made plain, line by line; `before` stands before the first line, and as many blanks before the others.

    A line end of Windows is a line end.
    """
    lines: list[str] = []
    for line in plain(text.replace("\r\n", "\n")).split("\n"):
        ahead = " " * len(before) if lines else before
        lines += wrap(
            line, width, initial_indent=ahead, subsequent_indent=" " * len(before), break_on_hyphens=False
        ) or [ahead.rstrip()]
    return lines
