"""Chooses the sheets of a workbook to read, and never guesses: the only one with narratives, or those that `data.sheet`
names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from narrative_runs.errors import SourceError
from narrative_runs.source.cells import text_of
from narrative_runs.source.formats import Cells, Table
from narrative_runs.source.layouts import KNOWN, Match, match
from narrative_runs.source.reading import Reading
from narrative_runs.source.rules import Objections
from narrative_runs.source.suggestion import nearest, suggestion

# A title or a remark may stand above the names of the columns.
_HEADER_WITHIN = 10
_EXAMPLES = 50
_SHOWN_COLUMNS = 30


@dataclass(frozen=True)
class Candidate:
    """A table with its header: the row that comes closest to the column names of a layout, and its number."""

    table: Table
    header: Cells
    header_row: int
    match: Match

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """(number, cells) of each row below the header."""
        return ((number, cells) for number, cells in self.table.rows() if number > self.header_row)

    def is_row(self, cells: Cells) -> bool:
        """Whether any cell is not blank."""
        return any(text_of(cell).strip() for cell in cells)

    @property
    def count(self) -> int:
        """How many rows below the header are not blank."""
        return sum(self.is_row(cells) for _, cells in self.rows())

    @property
    def title(self) -> str:
        """What a person would call it."""
        return f"{'hidden ' if self.table.is_hidden else ''}sheet {self.table.name!r}" if self.table.name else "file"


@dataclass(frozen=True)
class Choice:
    """The sheets of a workbook that are read, and those that are not."""

    read: list[Candidate]
    left: list[Candidate]


def choose(path: Path, tables: Sequence[Table], reading: Reading, objections: Objections) -> Choice:
    """Choose the sheets to read.

    Raises:
        SourceError: there is none, more than one, only a hidden one, or not the one that data.sheet names.
    """
    candidates = [_candidate(table, reading) for table in tables]
    if reading.sheets:
        read = [_named(path, name, candidates) for name in reading.sheets]
        if shapeless := [candidate for candidate in read if not candidate.match.complete]:
            raise _unknown_layout(path, shapeless, reading)
        if len({candidate.table.name for candidate in read}) < len(read):
            raise SourceError(f"data.sheet names a sheet of {path} twice: {', '.join(reading.sheets)}\nName each once.")
        return Choice(read, [candidate for candidate in candidates if candidate not in read])
    known = [candidate for candidate in candidates if candidate.match.complete]
    if not known:
        raise _unknown_layout(path, candidates, reading)
    visible = [candidate for candidate in known if not candidate.table.is_hidden]
    chosen = visible[0] if visible and reading.rules.tells_all else known[0]
    if not visible:
        objections.since(
            2, f"Data file {path} has its narratives in a hidden sheet:\n{_listed(known)}\n{_advice(known)}"
        )
    elif len(visible) > 1:
        objections.since(
            2,
            f"Data file {path} has {len(visible)} sheets with narratives, of which one would be read:\n"
            f"{_listed(visible)}\n{_advice(visible)}",
        )
    elif known[0].table.is_hidden:
        objections.since(3, f"Data file {path}: the {known[0].title} is read, and not the {visible[0].title}.")
    return Choice([chosen], [candidate for candidate in candidates if candidate is not chosen])


def _candidate(table: Table, reading: Reading) -> Candidate:
    """The table with its header: of the first rows, the one that matches a layout, or else the first."""
    filled = ((number, cells) for number, cells in table.rows() if any(text_of(cell).strip() for cell in cells))
    first = list(islice(filled, _HEADER_WITHIN if reading.rules.headers_cleaned else 1))
    tried = [Candidate(table, cells, number, match(cells, reading)) for number, cells in first]
    empty = Candidate(table, (), 0, match((), reading))
    return next((candidate for candidate in tried if candidate.match.complete), tried[0] if tried else empty)


def _named(path: Path, name: str, candidates: Sequence[Candidate]) -> Candidate:
    names = [candidate.table.name for candidate in candidates]
    if names == [None]:
        raise SourceError(f"Data file {path} has no sheets: remove data.sheet from the params.")
    for candidate in candidates:
        if candidate.table.name == name:
            return candidate
    same = [
        candidate for candidate in candidates if str(candidate.table.name).strip().casefold() == name.strip().casefold()
    ]
    if len(same) == 1:
        return same[0]
    raise SourceError(
        f"Data file {path} has no sheet {name!r}, which data.sheet names. Its sheets: "
        + ", ".join(repr(other) for other in names)
    )


def _listed(candidates: Sequence[Candidate]) -> str:
    return "\n".join(
        f"  {candidate.title}: {candidate.count:,} rows ({candidate.match.layout})" for candidate in candidates
    )


def _advice(candidates: Sequence[Candidate]) -> str:
    names = [str(candidate.table.name) for candidate in candidates]
    several = f', or several of them: ["{names[0]}", "{names[1]}"]' if len(names) > 1 else ""
    return f'Name the one to read in the params, such as data.sheet: "{names[0]}"{several}.'


def _unknown_layout(path: Path, candidates: Sequence[Candidate], reading: Reading) -> SourceError:
    lines = [f"Data file has no sheet of a known layout: {path}"]
    lines += [f"  {candidate.title}: {_shortfall(candidate)}" for candidate in candidates]
    best = min(
        candidates, key=lambda candidate: (not len(candidate.header), candidate.match.share_missing), default=None
    )
    guessed = None
    if best is not None and len(best.header) and not best.match.doubled:
        rows = [cells for _, cells in islice(best.rows(), _EXAMPLES)]
        guessed = suggestion(best.header, rows, reading.columns)
        lines += _not_there(best, reading)
    if guessed and reading.columns:
        corrected = ["Correct data.columns in the params. What fits is kept, the rest is guessed:", *_indented(guessed)]
        return SourceError("\n".join([*lines, *corrected]))
    if guessed:
        lines += [
            "If your columns have other names, say which is which in the params. Guessed from their names and texts:",
            *_indented(guessed),
            "Or name the columns in the first row as one of these, and leave cells without a label empty:",
        ]
    else:
        lines.append("Name the columns in its first row as one of these, and leave cells without a label empty:")
    return SourceError("\n".join([*lines, *(f"  {layout}: {', '.join(names)}" for layout, names in KNOWN.items())]))


def _not_there(candidate: Candidate, reading: Reading) -> Iterator[str]:
    """A line for each column that `data.columns` names and the header does not have, with the one most like it."""
    for role, name in reading.columns.items():
        if name in candidate.match.missing:
            near = nearest(name, candidate.header)
            yield f"data.columns.{role} names {name}; " + (
                f"the workbook has {near}." if near else "the workbook has no such column, and none with such a name."
            )


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _shortfall(candidate: Candidate) -> str:
    names = [name for name in (text_of(cell).strip() for cell in candidate.header) if name]
    if not names:
        return "is empty"
    shown = ", ".join(name[:40] for name in names[:_SHOWN_COLUMNS]) + (", ..." if len(names) > _SHOWN_COLUMNS else "")
    closest = candidate.match
    lacks = f"lacks {', '.join(closest.missing)}" if closest.missing else f"has twice {', '.join(closest.doubled)}"
    return f"{lacks}; found: {shown}"
