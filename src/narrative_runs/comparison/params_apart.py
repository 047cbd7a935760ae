"""The params in which experiments differ, and the lines in which two long texts differ."""

import json
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, NamedTuple

from narrative_runs.experiment import CODEBOOK, FROZEN_KEYS, ExperimentState

SOURCE = "source_md5"
_LONG_VALUE = 40
_SHOWN_LINES = 12
_SHOWN_BEFORE = 20


class ParamApart(NamedTuple):
    """One param that is not the same in all: its dotted key, whether it is frozen, and its value in each experiment
    (None where it is missing)."""

    key: str
    is_frozen: bool
    values: tuple[Any, ...]


def params_apart(experiments: Sequence[ExperimentState]) -> list[ParamApart]:
    """The params that differ, the frozen ones first: these make the answers.

    The workbook's checksum counts as one. The slug does not: it is the name under which an experiment is shown.
    """
    flat = [{**_flat(state.params), SOURCE: state.source_md5} for state in experiments]
    keys = dict.fromkeys(key for params in flat for key in params if key != "experiment.slug")
    rows = [ParamApart(key, key in (*FROZEN_KEYS, SOURCE), tuple(params.get(key) for params in flat)) for key in keys]
    apart = [row for row in rows if any(value != row.values[0] for value in row.values)]
    return sorted(apart, key=lambda row: not row.is_frozen)


def is_long(row: ParamApart) -> bool:
    """Whether a value is too long for a table, so that it is better shown where it differs."""
    texts = [as_text(value) or "" for value in row.values]
    return row.key != SOURCE and any(len(text) > _LONG_VALUE or "\n" in text for text in texts)


def as_text(value: Any) -> str | None:
    """A param's value in words: a text as it is, all else as JSON, None where there is none."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def lines_apart(first: str, other: str, width: int) -> list[str]:
    """The differences between two texts, as a short diff: `line 3:`, then lines with `-` (first) and `+` (other).

    Of a long line only the part around its first difference is shown, in `width` characters; after a dozen lines
    the last one says how many more differ.
    """
    before, after = first.splitlines(keepends=True), other.splitlines(keepends=True)
    shown: list[str] = []
    for tag, start, end, other_start, other_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        shown.append(f"line {start + 1}:")
        for old, new in zip_longest(before[start:end], after[other_start:other_end]):
            index = _first_difference(old or "", new or "")
            shown += [
                f"{sign} {_part(line, index, width - 2)}" for sign, line in (("-", old), ("+", new)) if line is not None
            ]
    if len(shown) > _SHOWN_LINES:
        return [*shown[:_SHOWN_LINES], f"… and {len(shown) - _SHOWN_LINES} more lines"]
    return shown


def _first_difference(old: str, new: str) -> int:
    return next(
        (index for index, (one, two) in enumerate(zip(old, new, strict=False)) if one != two), min(len(old), len(new))
    )


def _part(line: str, index: int, width: int) -> str:
    """The part of a line around an index; line ends are shown, since they too may differ."""
    line = line.replace("\r", "␍").replace("\n", "⏎")
    start = max(0, min(index - _SHOWN_BEFORE, len(line) - width + 1))
    part = ("…" if start else "") + line[start:]
    return part if len(part) <= width else part[: width - 1] + "…"


def _flat(params: dict[str, Any]) -> dict[str, Any]:
    """The values by their dotted names; a codebook is one value."""
    sections = {section: values for section, values in params.items() if section != CODEBOOK}
    flat = {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}
    return flat if params.get(CODEBOOK) is None else {**flat, CODEBOOK: params[CODEBOOK]}
