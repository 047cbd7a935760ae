"""A `data.columns` block for a workbook of no known layout, guessed from its columns' names and from its cells."""

import re
from collections.abc import Sequence
from statistics import mean

import yaml

from narrative_runs.data_columns import INCIDENT_ID, LABEL, LABEL_OF, NARRATIVE_TEXT, NARRATIVE_TYPE
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


def suggestion(header: Sequence[object], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of the block, ready to paste; none if nothing looks like narratives.

    header: the names of the columns; rows: the first of the rows below it.
    """
    columns = {
        text_of(cell).strip(): [text_of(row[position]).strip() if position < len(row) else "" for row in rows]
        for position, cell in enumerate(header)
        if text_of(cell).strip()
    }
    texts = [name for name, cells in columns.items() if _is_prose(cells)]
    if not texts:
        return []
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
    guessed |= _labels(columns, guessed, is_long=kind is not None)
    block = yaml.safe_dump({"data": {"columns": guessed}}, sort_keys=False, allow_unicode=True, width=1000)
    return block.rstrip("\n").split("\n")


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
