"""Asks as often as a nervous person would: `python -m tests.poller`, in a project folder, until it is killed.

Every 200 ms it prints one JSON line: the time of the monotonic clock, the document of `status --json`, and the rows of
the R design's own monitoring query; or the error.
"""

import json
import sqlite3
import time

from narrative_runs.monitoring.experiments import chosen
from narrative_runs.monitoring.status import status_of

EVERY_S = 0.2
MONITORING_QUERY = """
    SELECT
      experiment_name,
      status,
      n_narratives_processed || '/' || n_narratives_total as progress,
      ROUND(100.0 * n_narratives_processed / n_narratives_total, 1) || '%' as pct_done,
      estimated_completion_time as eta,
      last_progress_update
    FROM experiments
    WHERE status = 'running'
    ORDER BY start_time DESC
    LIMIT 1;
"""


def look() -> dict[str, object]:
    """One look at the latest experiment."""
    try:
        status = status_of(chosen("")).as_dict()
        connection = sqlite3.connect("results/experiments.db")
        try:
            rows = connection.execute(MONITORING_QUERY).fetchall()
        finally:
            connection.close()
    except Exception as error:
        return {"at": time.monotonic(), "error": repr(error)}
    return {"at": time.monotonic(), "status": status, "rows": rows}


if __name__ == "__main__":
    while True:
        began = time.monotonic()
        print(json.dumps(look()), flush=True)
        time.sleep(max(0.0, began + EVERY_S - time.monotonic()))
