"""The codebook on the page: what was asked, for readers who did not write it."""

from collections.abc import Mapping
from typing import NamedTuple

from narrative_runs.codebook.variables import Quote, Text, Variable

_NOTHING = "–"
_UNCLEAR = {"value": "a finding of its own", "no": "counts as no", "error": "an error"}


class CodebookRow(NamedTuple):
    """What the codebook says of one variable, in words; unclear: what it is where the narrative does not tell."""

    name: str
    type: str
    definition: str
    values: str
    only_if: str
    unclear: str
    label: str


def codebook_rows(variables: Mapping[str, Variable]) -> list[CodebookRow]:
    """A row for each variable, in the order of the codebook."""
    return [
        CodebookRow(
            name,
            variable.type,
            variable.definition or _NOTHING,
            ", ".join(variable.value_names) or _NOTHING,
            "; ".join(f"{on}: {' or '.join(values)}" for on, values in variable.only_if.items()) or _NOTHING,
            # They may be empty without a reason.
            _NOTHING if isinstance(variable, Quote | Text) else _UNCLEAR[variable.unclear],
            _label(variable.label),
        )
        for name, variable in variables.items()
    ]


def _label(label: str | dict[str, str] | None) -> str:
    """The workbook's column of labels, or one for each narrative type and for incidents."""
    if isinstance(label, dict):
        return "; ".join(f"{kind}: {column}" for kind, column in label.items())
    return label or _NOTHING
