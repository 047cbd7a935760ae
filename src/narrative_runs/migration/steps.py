"""What an older record lacks, as small named steps: decided by what it holds, so that nothing is done twice.

Nothing is ever dropped, renamed or retyped, and new columns come at a table's end: the R system still opens it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from narrative_runs.migration.inspection import DUPLICATES, Column, RecordContent
from narrative_runs.record import schema

RESULT_INDEX = "uq_result_per_exp_narrative"
_SOURCE_KEY = ("data_source", "data_checksum", "incident_id", "narrative_type")

# Names of columns by table.
Columns = dict[str, tuple[str, ...]]

# Migration 1 and 2 of the R design, and the token counts that its later versions wrote.
DATA_CHECKSUM: Columns = {"source_narratives": ("data_checksum",)}
ERROR_COLUMNS: Columns = {
    "narrative_results": (
        "error_occurred",
        "error_message",
        "attempt_count",
        "first_error_message",
        "last_attempt_at",
        "error_category",
    )
}
PROGRESS_COLUMNS: Columns = {
    "experiments": ("n_narratives_completed", "last_progress_update", "estimated_completion_time"),
}
TOKEN_COLUMNS: Columns = {"narrative_results": ("prompt_tokens", "completion_tokens", "tokens_used")}

# What the new count is of experiments that were run without it.
_COUNT_COMPLETED = """
UPDATE experiments SET n_narratives_completed = (
  SELECT count(*) FROM narrative_results AS result
  WHERE result.experiment_id = experiments.experiment_id AND coalesce(result.error_occurred, 0) = 0
)"""


@dataclass(frozen=True)
class Step:
    """One step: its name, what it does in words, and the SQL statements that do it, in their order."""

    name: str
    about: str
    statements: tuple[str, ...]


def steps(content: RecordContent, ours: dict[str, list[Column]]) -> list[Step]:
    """The steps that bring a record up to date, in their order; none for one that is already.

    ours: the columns of each of our tables, as they are declared.
    """
    return [step for step in _all_steps(content, ours) if step.statements]


def _all_steps(content: RecordContent, ours: dict[str, list[Column]]) -> Iterator[Step]:
    missing = [table for table in schema.TABLES if table not in content.columns]
    yield Step(
        "add_missing_tables", f"tables added: {', '.join(missing)}", tuple(schema.TABLES[table] for table in missing)
    )
    yield Step(
        "deduplicate_narrative_results",
        f"{content.duplicates:,} rows removed from narrative_results: of several for one narrative of an experiment, "
        "the one with the highest result_id is kept",
        (f"DELETE FROM narrative_results WHERE {DUPLICATES}",) if content.duplicates else (),
    )
    yield Step(
        "add_unique_result_index",
        f"unique index {RESULT_INDEX} on (experiment_id, incident_id, narrative_type)",
        () if RESULT_INDEX in content.indexes else (schema.UNIQUE_RESULT,),
    )
    yield _added("add_data_checksum", content, ours, DATA_CHECKSUM)
    yield _added("add_error_columns", content, ours, ERROR_COLUMNS)
    progress = _added("add_progress_columns", content, ours, PROGRESS_COLUMNS)
    if "n_narratives_completed" not in content.columns["experiments"]:
        progress = Step(progress.name, progress.about, (*progress.statements, _COUNT_COMPLETED))
    yield progress
    yield _added("add_token_columns", content, ours, TOKEN_COLUMNS)
    yield _added("add_columns_of_our_own", content, ours, _all_others(ours))
    yield from _unique_keys(content)


def _added(name: str, content: RecordContent, ours: dict[str, list[Column]], wanted: Columns) -> Step:
    """The step that adds those of the wanted columns that a table lacks; a table that is missing is made whole."""
    lacking = [
        (table, column)
        for table, names in wanted.items()
        for column in ours[table]
        if table in content.columns and column.name in names and column.name not in content.columns[table]
    ]
    about = "; ".join(
        f"{table} gains {', '.join(column.name for owner, column in lacking if owner == table)}"
        for table in dict.fromkeys(table for table, _ in lacking)
    )
    return Step(name, about, tuple(_add_column(table, column) for table, column in lacking))


def _add_column(table: str, column: Column) -> str:
    default = f" DEFAULT {column.default}" if column.default is not None else ""
    return f"ALTER TABLE {table} ADD COLUMN {column.name} {column.declared_type}{default}"


def _all_others(ours: dict[str, list[Column]]) -> Columns:
    named = {
        (table, name)
        for group in (DATA_CHECKSUM, ERROR_COLUMNS, PROGRESS_COLUMNS, TOKEN_COLUMNS)
        for table, names in group.items()
        for name in names
    }
    return {
        table: tuple(column.name for column in columns if (table, column.name) not in named)
        for table, columns in ours.items()
    }


def _unique_keys(content: RecordContent) -> Iterator[Step]:
    """The other keys that writing relies on: R may have made its tables without them."""
    yield Step(
        "add_unique_experiment_id",
        "unique index uq_experiment on experiments (experiment_id)",
        ()
        if ("experiment_id",) in content.unique["experiments"]
        else ("CREATE UNIQUE INDEX uq_experiment ON experiments (experiment_id)",),
    )
    is_unique = any(set(group) == set(_SOURCE_KEY) for group in content.unique.get("source_narratives", [_SOURCE_KEY]))
    yield Step(
        "add_unique_source_index",
        f"unique index uq_source_narrative on source_narratives ({', '.join(_SOURCE_KEY)})",
        ()
        if is_unique or content.double_sources
        else (f"CREATE UNIQUE INDEX uq_source_narrative ON source_narratives ({', '.join(_SOURCE_KEY)})",),
    )
