"""A `data.columns` block for a workbook of no known layout, guessed from its columns' names and from its cells."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from statistics import mean

import yaml

from narrative_runs.data_columns import INCIDENT_ID, LABEL, LABEL_OF, NARRATIVE_TEXT, NARRATIVE_TYPE, types_of
from narrative_runs.source.cells import label_of, text_of

_NARRATIVE_CHARACTERS = 40
_FEW_KINDS = 6
_TYPE_WORDS = {
    "cme": ("cme", "coroner", "examiner", "medical", "me"),
    "le": ("le", "police", "law", "officer", "enforcement", "sheriff"),
}
_ID_WORDS = ("id", "case", "incident", "number", "no", "record", "key")
_LABEL_WORDS = ("label", "manual", "flag", "coded", "code", "coder", "truth", "gold", "ipv", "violence")
_KIND_WORDS = ("type", "kind", "source", "narrativetype")


def suggestion(
    header: Sequence[object], rows: Sequence[Sequence[object]], given: Mapping[str, str] | None = None
) -> list[str]:
    """The lines of the block, ready to paste; none if nothing looks like narratives.

    header: the names of the columns; rows: the first of the rows below it; given: what `data.columns` has already, by
    our own names: what fits is kept, and a name that is not there is corrected.
    """
    columns = {
        text_of(cell).strip(): [text_of(row[position]).strip() if position < len(row) else "" for row in rows]
        for position, cell in enumerate(header)
        if text_of(cell).strip()
    }
    guessed = _guessed(columns)
    if not guessed:
        return []
    block = yaml.safe_dump(
        {"data": {"columns": _corrected(given, guessed, list(columns)) if given else guessed}},
        sort_keys=False,
        allow_unicode=True,
        width=1000,
    )
    return block.rstrip("\n").split("\n")


def nearest(name: str, header: Sequence[object]) -> str | None:
    """The column of a header whose name is the most like this one; None if none is like it."""
    plain = {text_of(cell).strip().casefold(): text_of(cell).strip() for cell in header}
    near = get_close_matches(name.strip().casefold(), plain, n=1)
    return plain[near[0]] if near else None


def _corrected(given: Mapping[str, str], guessed: Mapping[str, str], header: Sequence[str]) -> dict[str, str]:
    """What `data.columns` has, each name that is not in the header corrected to the nearest one, or to the one that is
    guessed; a line for which there is neither is left out. Types and labels are guessed only if it names no type."""
    there = {name.casefold() for name in header}
    # Of a workbook with one narrative a row the types are no columns, but what stands in one.
    values = types_of(given) if NARRATIVE_TYPE in given else ()
    kept = {role: name for role, name in given.items() if role in values or name.strip().casefold() in there}
    free = [name for name in header if name.casefold() not in {one.strip().casefold() for one in kept.values()}]
    corrected: dict[str, str] = {}
    for role, name in given.items():
        fitting = kept.get(role) or nearest(name, free) or guessed.get(role)
        if fitting is not None and (role in kept or fitting in free):
            corrected[role] = fitting
            free = [one for one in free if one != fitting]
    has_texts = NARRATIVE_TEXT in corrected or any(role in corrected for role in types_of(given))
    wanted = {INCIDENT_ID} if has_texts else set(guessed)
    added = {role: name for role, name in guessed.items() if role in wanted and role not in corrected and name in free}
    return {role: name for role, name in added.items() if role == INCIDENT_ID} | corrected | added


def _guessed(columns: dict[str, list[str]]) -> dict[str, str]:
    """The workbook's names by ours; empty if nothing looks like narratives."""
    texts = [name for name, cells in columns.items() if _is_prose(cells)]
    if not texts:
        return {}
    guessed: dict[str, str] = {}
    if identifier := _identifier(columns, texts):
        guessed[INCIDENT_ID] = identifier
    kind = _kind_column(columns) if len(texts) == 1 else None
    if kind is not None:
        guessed |= {NARRATIVE_TYPE: kind, NARRATIVE_TEXT: texts[0]}
        values = sorted({cell for cell in columns[kind] if cell})
        guessed |= {name: value for name, value in _by_type(values).items() if name != value.lower()}
    else:
        guessed |= _by_type(texts)
    return guessed | _labels(columns, guessed, is_long=kind is not None)


def _is_prose(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    if not filled or mean(len(cell) for cell in filled) < _NARRATIVE_CHARACTERS:
        return False
    return sum(" " in cell for cell in filled) > len(filled) / 2


def _words(name: str) -> list[str]:
    """The words of a column's name: `ExaminerText`, `examiner_text` and `Examiner text` have the same."""
    parted = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3 \2\4", name)
    return [word.lower() for word in re.findall(r"[^\W_]+", parted)]


def _identifier(columns: dict[str, list[str]], texts: Sequence[str]) -> str | None:
    short = [name for name, cells in columns.items() if name not in texts and any(cells)]
    named = [name for name in short if any(word in _ID_WORDS or word.endswith("id") for word in _words(name))]
    return max(named, key=lambda name: len(set(columns[name])), default=None)


def _kind_column(columns: dict[str, list[str]]) -> str | None:
    """The column that gives the type of each narrative, in a workbook with one narrative per row."""
    for name, cells in columns.items():
        kinds = {cell for cell in cells if cell}
        if set(_words(name)) & set(_KIND_WORDS) and 1 < len(kinds) <= _FEW_KINDS:
            return name
    return None


def _by_type(names: Sequence[str]) -> dict[str, str]:
    """The names by their narrative types: cme or le by the words of the name, or else a type made from it."""
    types: dict[str, str] = {}
    for name in names:
        kind = next((kind for kind, words in _TYPE_WORDS.items() if set(words) & set(_words(name))), None)
        if kind is None or kind in types:
            kind = "_".join(_words(name))[:30].strip("_")
            kind = kind if re.match("[a-z]", kind) else f"text_{len(types) + 1}"
        types[kind] = name
    return types


def _labels(columns: dict[str, list[str]], guessed: dict[str, str], is_long: bool) -> dict[str, str]:
    labels: dict[str, str] = {}
    kinds = [role for role in guessed if role not in (INCIDENT_ID, NARRATIVE_TYPE, NARRATIVE_TEXT)]
    for name, cells in columns.items():
        words = _words(name)
        if name in guessed.values() or not any(word.startswith(_LABEL_WORDS) for word in words):
            continue
        if not _are_labels(cells):
            continue
        if is_long:
            labels.setdefault("manual_flag_ind", name)
            continue
        of = next((kind for kind in kinds if set(_TYPE_WORDS.get(kind, (kind,))) & set(words)), None)
        joined = "".join(words)
        of = of or next((kind for kind in kinds if joined.endswith(kind)), None)
        labels.setdefault(f"{LABEL_OF}{of}" if of else LABEL, name)
    return labels


def _are_labels(cells: Sequence[str]) -> bool:
    try:
        return any(label_of(cell) is not None for cell in cells)
    except ValueError:
        return False
