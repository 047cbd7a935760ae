"""The finished results of an experiment in the record, once all of its shards are merged."""

import sqlite3

import pandas as pd


def put_merged_results(connection: sqlite3.Connection, experiment_id: str, results: pd.DataFrame) -> None:
    """Make the experiment's rows in the record the finished results and no others; `result_id` stays.

    In: a writing transaction; the id of an experiment that is in the record; all its finished results, one row a
    narrative, with columns as `narrative_results` names them.
    """
    plain = results.astype(object).where(pd.notna(results), None)
    columns = list(plain.columns)
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns)
    connection.executemany(
        f"INSERT INTO narrative_results (experiment_id, {', '.join(columns)}) "
        f"VALUES (?{', ?' * len(columns)}) "
        f"ON CONFLICT (experiment_id, incident_id, narrative_type) DO UPDATE SET {updates}",
        ((experiment_id, *row) for row in plain.itertuples(index=False, name=None)),
    )
    # Before the first answer the workbook, or how it is read, may have changed: errors of narratives that are none any
    # more.
    keys = set(zip(results["incident_id"], results["narrative_type"], strict=True))
    kept = connection.execute(
        "SELECT result_id, incident_id, narrative_type FROM narrative_results WHERE experiment_id = ?",
        (experiment_id,),
    )
    connection.executemany(
        "DELETE FROM narrative_results WHERE result_id = ?",
        [(result_id,) for result_id, *key in kept if tuple(key) not in keys],
    )
