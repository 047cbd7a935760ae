"""The job that reads the workbook, once: into fixed shards, into the record, and into data_quality.json."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from narrative_runs.places import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.session.attend import attend
from narrative_runs.source import checksum, quality, workbook
from narrative_runs.source.narratives import write_shards
from narrative_runs.whole_files import written_whole


def read_source() -> None:
    """Read the workbook of the session's experiment.

    Raises:
        SourceError: the workbook is missing, changed, or of no known layout.
        RecordError: the record cannot be written.
    """
    settings = attend("source")
    folder = ExperimentFolder(settings["slug"])
    file = Path(settings["params"]["data"]["file"])
    original = settings["head"]["source_md5"]
    checksum.fetch(file)
    md5 = checksum.verify(file)
    if md5 != original:
        raise checksum.changed(file, original, md5)
    source = workbook.read(file)
    write_shards(source.narratives, folder.narratives, settings["params"]["shards"]["count"])
    _keep_in_record(source, file, md5, settings)
    with written_whole(folder.data_quality) as draft:
        draft.write_text(json.dumps(source.quality.as_dict(md5), indent=2, ensure_ascii=False) + "\n", "utf-8")
    for line in quality.summary_lines(source.quality):
        print(line, file=sys.stderr)


def _keep_in_record(source: workbook.Source, file: Path, md5: str, settings: dict[str, Any]) -> None:
    loaded_at = datetime.now().strftime("%Y-%m-%d %H:%M:%S")
    columns = ("incident_id", "narrative_type", "narrative_text", "manual_flag_ind", "manual_flag")
    rows = source.narratives[list(columns)].astype(object)
    rows = rows.where(pd.notna(rows), None)
    limit = settings["params"]["run"]["max_narratives"]
    total = len(rows) if limit is None else min(limit, len(rows))
    with database.transaction() as connection:
        connection.executemany(
            f"INSERT OR IGNORE INTO source_narratives ({', '.join(columns)}, data_source, data_checksum, loaded_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((*row, str(file), md5, loaded_at) for row in rows.itertuples(index=False)),
        )
        database.update_experiment(
            connection,
            settings["head"]["experiment_id"],
            {"n_narratives_total": total, "n_narratives_skipped": source.quality.skipped},
        )
