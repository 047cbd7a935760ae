"""The narratives of a workbook in the record, so that its queries need no Excel."""

import sqlite3
from collections.abc import Callable, Iterable

from narrative_runs.record import database, state
from narrative_runs.source.shards import Narrative


def put_sources(
    connection: sqlite3.Connection, narratives: Iterable[Narrative], data_source: str, data_checksum: str
) -> None:
    """Add the narratives of one workbook that are not there yet.

    data_source: the workbook's path as in data.file; data_checksum: its md5.
    """
    loaded_at = state.now()
    connection.executemany(
        "INSERT OR IGNORE INTO source_narratives (incident_id, narrative_type, narrative_text, manual_flag_ind, "
        "manual_flag, data_source, data_checksum, loaded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                narrative.incident_id,
                narrative.narrative_type,
                narrative.narrative_text,
                narrative.manual_flag_ind,
                narrative.manual_flag,
                data_source,
                data_checksum,
                loaded_at,
            )
            for narrative in narratives
        ),
    )


def ensure_sources(
    narratives: Callable[[], Iterable[Narrative]],
    data_source: str,
    data_checksum: str,
    patience_s: float = database.BUSY_TIMEOUT_S,
) -> None:
    """Bring the narratives of a workbook into a record that has not got them, as one that was lost.

    narratives: gives them all, and is called only then; patience_s: how long to wait for other programs.

    Raises:
        RecordError: the record cannot be written.
    """
    with database.transaction(patience_s=patience_s) as connection:
        if not holds_sources(connection, data_source, data_checksum):
            put_sources(connection, narratives(), data_source, data_checksum)


def holds_sources(connection: sqlite3.Connection, data_source: str, data_checksum: str) -> bool:
    """Whether the narratives of this workbook are there."""
    return bool(
        connection.execute(
            "SELECT EXISTS (SELECT 1 FROM source_narratives WHERE data_source = ? AND data_checksum = ?)",
            (data_source, data_checksum),
        ).fetchone()[0]
    )
