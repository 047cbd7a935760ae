"""The three layouts of a workbook, told apart by the names of their columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from narrative_runs.source.cells import text_of


@dataclass(frozen=True)
class Layout:
    """The columns that make a layout; every column not named here rides along unread."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


PRODUCTION = Layout("production", ("IncidentID", "NarrativeCME", "NarrativeLE"))
MANUAL_LABELS = ("ipv_manualCME", "ipv_manualLE", "ipv_manual")
LABELLED = Layout("labelled", PRODUCTION.required + MANUAL_LABELS)
LONG = Layout(
    "long",
    required=("incident_id", "narrative_type", "narrative_text", "manual_flag_ind"),
    optional=("manual_flag",),
)
ID_COLUMNS = (PRODUCTION.required[0], LONG.required[0])


@dataclass(frozen=True)
class Match:
    """The layout that a header comes closest to.

    ``positions`` holds the 0-based place of each of its columns that was found, ``missing`` those that were
    not, ``doubled`` those found twice, so that either may be meant.
    """

    layout: Layout
    positions: dict[str, int]
    missing: tuple[str, ...]
    doubled: tuple[str, ...]

    def unread(self, header: Sequence[object]) -> tuple[str, ...]:
        """The names of the header's other columns."""
        names = [text_of(cell).strip() for cell in header]
        return tuple(name for place, name in enumerate(names) if name and place not in self.positions.values())

    @property
    def complete(self) -> bool:
        """Whether the header is of the layout."""
        return not self.missing and not self.doubled


def match(header: Sequence[object]) -> Match:
    """Compare a header's cells with each layout: names as they are, else without case and blanks around them.

    One manual label is enough to ask for all three: a workbook that lost some is not silently unlabelled.
    """
    names = [text_of(cell) for cell in header]
    wide = LABELLED if any(_places(names, label) for label in MANUAL_LABELS) else PRODUCTION
    return min((_compare(names, layout) for layout in (wide, LONG)), key=_distance)


def _compare(names: list[str], layout: Layout) -> Match:
    places = {column: _places(names, column) for column in layout.required + layout.optional}
    return Match(
        layout,
        positions={column: found[0] for column, found in places.items() if found},
        missing=tuple(column for column in layout.required if not places[column]),
        doubled=tuple(column for column, found in places.items() if len(found) > 1),
    )


def _places(names: list[str], column: str) -> list[int]:
    exact = [place for place, name in enumerate(names) if name == column]
    wanted = column.casefold()
    return exact or [place for place, name in enumerate(names) if name.strip().casefold() == wanted]


def _distance(comparison: Match) -> tuple[bool, float]:
    return not comparison.complete, len(comparison.missing) / len(comparison.layout.required)
