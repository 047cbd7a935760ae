"""The columns of a finished table of results, in their order, with their pandas types.

The workbook's other columns follow, unchanged.
"""

from collections.abc import Iterable

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import OUTCOME_COLUMNS, RECORD_COLUMNS, Kind, columns_of, names_of
from narrative_runs.codebook.variables import Codebook

__all__ = ["CLOCK_BOUND", "OUTCOME_COLUMNS", "RESULT_TYPES", "TROUBLES", "other_columns", "types_of"]

# What may hit one group of the narratives more than others, by the column that says so.
TROUBLES = {"errors": "error", "refusals": "refused"}
_TYPES = {
    Kind.TEXT: "string",
    Kind.LIST: "string",
    Kind.INTEGER: "Int64",
    Kind.FRACTION: "Float64",
    Kind.LOGICAL: "boolean",
}
# Where no value may be missing.
_WHOLE_TYPES = {Kind.INTEGER: "int64", Kind.LOGICAL: "bool"}


def types_of(codebook: Codebook) -> dict[str, str]:
    """The pandas type of each column of the results of an experiment with this codebook."""
    return {column.name: (_WHOLE_TYPES if column.is_needed else _TYPES)[column.kind] for column in columns_of(codebook)}


# Of those that every experiment has.
RESULT_TYPES = types_of(DEFAULT)

# They depend on when and how fast the model was asked, not on what it said.
CLOCK_BOUND = tuple(column.name for column in RECORD_COLUMNS if column.follows_clock)


def other_columns(names: Iterable[str], codebook: Codebook = DEFAULT) -> list[str]:
    """Those of the names of a table of results that are the workbook's other columns."""
    ours = set(names_of(columns_of(codebook)))
    return [name for name in names if name not in ours]
