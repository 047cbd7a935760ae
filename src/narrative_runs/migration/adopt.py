"""`narrative-runs adopt`: brings one experiment of the R system into results/, whole or not at all.

The journal is the authority here, so the R system's answers become journal entries: one for each narrative of the
workbook that a row answers, under the fingerprint of the question that the R system asked.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from narrative_runs import experiment, journal
from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import ExperimentError, SourceChanged
from narrative_runs.journal import Journal
from narrative_runs.migration import messages, r_metrics
from narrative_runs.migration.adoption import Adoption, entries_of, limit_of
from narrative_runs.migration.inspection import columns_of_ours, look, read_only
from narrative_runs.migration.matching import Key, key_of, match
from narrative_runs.migration.r_params import params_of
from narrative_runs.params import slug_of
from narrative_runs.paths import ADOPTING, RECORD, RESULTS, ExperimentFolder, shard_name
from narrative_runs.record import database, experiment_rows
from narrative_runs.record.sources import put_sources
from narrative_runs.shell import to_resume
from narrative_runs.source import checksum, rules, workbook
from narrative_runs.source.cells import text_of
from narrative_runs.source.narratives import write_shards
from narrative_runs.source.reading import Reading
from narrative_runs.source.shards import Narrative
from narrative_runs.source.summary import summary_lines
from narrative_runs.source.tracking import free

SESSION = 1

Row = dict[str, Any]


def adopt(path: Path, experiment_id: str, data: str, slug: str, tell: Callable[[str], None]) -> None:
    """Bring an experiment over from the R system's record at `path`, which is only read.

    data: the workbook's path here, as in the record when empty; slug: made from the name when empty; tell: shows a
    line to the user. A completed experiment is also merged and measured, which asks nothing.

    Raises:
        RecordError: the record cannot be read.
        ExperimentError: it holds no such experiment, or id or folder are there already.
        ParamsError: its row does not make a question.
        SourceError: the workbook is missing, untracked, or not the one that the R system read.
    """
    with read_only(path, not_utf8="replace") as connection:
        look(connection, path)
        row = _experiment(connection, path, experiment_id)
        slug = slug or slug_of(text_of(row["experiment_name"]))
        file = Path(data or text_of(row.get("data_file")))
        # Before a workbook of thousands of rows is read: can this come over at all?
        params_of(row, str(file), slug, None)
        _must_be_new(experiment_id, slug)
        md5, is_proved = _checked_workbook(connection, row, file)
        source = workbook.read(file, Reading(rules.OF_THE_R_SYSTEM), RESULTS)
        narratives = _narratives(source)
        rows = connection.execute(
            "SELECT * FROM narrative_results WHERE experiment_id = ? ORDER BY result_id", (experiment_id,)
        )
        matched = match(map(dict, rows), narratives, _source_texts(connection, row, narratives), is_proved)
    limit = limit_of(row, matched, narratives)
    params = params_of(row, str(file), slug, limit)
    wanted = len(narratives) if limit is None else limit
    adoption = Adoption(row, params, md5, len(narratives), wanted, entries_of(row, params, matched, narratives))
    _write(adoption, source, narratives)
    for line in (*summary_lines(source.quality), *messages.of(adoption, matched, is_proved)):
        tell(line)
    if adoption.status == "completed":
        _measure(adoption, tell)
    else:
        tell(f"To continue: `{to_resume(experiment_id)}`")


def _experiment(connection: sqlite3.Connection, path: Path, experiment_id: str) -> Row:
    rows = connection.execute("SELECT * FROM experiments").fetchall()
    for row in rows:
        if row["experiment_id"] == experiment_id:
            stored = dict(row)
            if stored.get("slug"):
                raise ExperimentError(
                    f"{experiment_id} was started by this software, not by the R system: its answers are in the "
                    f"journals of results/{stored['slug']}/. Copy that folder here instead."
                )
            return stored
    known = "".join(f"\n  {row['experiment_id']}  {row['status']}  {row['experiment_name']}" for row in rows[:20])
    raise ExperimentError(f"{path} holds no experiment {experiment_id}. It holds:{known or ' none'}")


def _must_be_new(experiment_id: str, slug: str) -> None:
    folder = ExperimentFolder(slug)
    for other, state in experiment.all_here():
        if isinstance(state, experiment.ExperimentState) and state.experiment_id == experiment_id:
            raise ExperimentError(f"{experiment_id} is already here, in {other.path}/. Nothing was changed.")
    row = database.experiment(experiment_id)
    if row is not None:
        raise ExperimentError(
            f"{experiment_id} is already in {RECORD}. If that file is the R system's, move it away "
            f"(`mv {RECORD} {free(Path('data/r.db'))}`) and adopt from there. Nothing was changed."
        )
    if experiment_rows.with_slug(slug) or folder.path.exists():
        raise ExperimentError(
            f"{folder.path}/ belongs to another experiment. Give this one its own folder with --slug."
        )


def _checked_workbook(connection: sqlite3.Connection, row: Row, file: Path) -> tuple[str, bool]:
    """(the workbook's md5, whether a stored checksum proves that the R system read this very file)."""
    checksum.fetch(file)
    md5 = checksum.verify(file)
    stored = {source["data_checksum"] for source in _sources(connection, row) if source["data_checksum"]}
    if stored and md5 not in stored:
        raise SourceChanged(
            f"Data file is not the one that the R system read: {file}\n"
            f"  Its checksum in the record: {', '.join(sorted(stored))}\n"
            f"  Current checksum:           {md5}\n"
            "Put that file in its place, or give another path with --data."
        )
    return md5, bool(stored)


def _sources(connection: sqlite3.Connection, row: Row) -> Iterator[sqlite3.Row]:
    """The record's rows about the experiment's workbook; an old record may have none, or no checksum."""
    columns = {column[1] for column in connection.execute("PRAGMA table_info(source_narratives)")}
    if columns:
        stored = "data_checksum" if "data_checksum" in columns else "NULL AS data_checksum"
        yield from connection.execute(
            f"SELECT incident_id, narrative_type, narrative_text, {stored} FROM source_narratives "
            "WHERE data_source = ? ORDER BY narrative_id",
            (row.get("data_file"),),
        )


def _source_texts(connection: sqlite3.Connection, row: Row, narratives: dict[Key, Narrative]) -> dict[Key, str]:
    ids = {incident_id: None for incident_id, _ in narratives}
    return {key_of(source, ids): source["narrative_text"] for source in map(dict, _sources(connection, row))}


def _narratives(source: workbook.Source) -> dict[Key, Narrative]:
    """The workbook's narratives by key, in its order."""
    table = source.with_texts()
    plain = table.astype(object).where(table.notna(), None)
    narratives = (Narrative(*values) for values in plain.itertuples(index=False, name=None))
    return {(narrative.incident_id, narrative.narrative_type): narrative for narrative in narratives}


def _write(adoption: Adoption, source: workbook.Source, narratives: dict[Key, Narrative]) -> None:
    """Write folder and record; on an error neither is there."""
    params, md5 = adoption.params, adoption.source_md5
    folder, draft = ExperimentFolder(params.slug), ExperimentFolder(f"{ADOPTING}/{params.slug}")
    shutil.rmtree(draft.path, ignore_errors=True)
    try:
        write_shards(source.dealt(params.shards.count), draft.narratives)
        with written_whole(draft.data_quality) as file:
            file.write_text(json.dumps(source.quality.as_dict(md5), indent=2, ensure_ascii=False) + "\n", "utf-8")
        _write_journals(adoption, draft)
        state = experiment.ExperimentState(
            adoption.experiment_id,
            md5,
            params.model_dump(mode="json"),
            bool(adoption.entries),
            adoption.began_at,
            rules.OF_THE_R_SYSTEM.number,
        )
        experiment.describe(draft, state)
        columns = [column.name for column in columns_of_ours()["experiments"]]
        with database.transaction() as connection:
            database.put_experiment(
                connection, adoption.experiment_id, adoption.experiment_row(columns, source.quality.skipped)
            )
            database.put_results(connection, adoption.experiment_id, adoption.results)
            put_sources(connection, narratives.values(), str(params.data.file), md5)
            draft.path.rename(folder.path)
    finally:
        shutil.rmtree(draft.path, ignore_errors=True)
        draft.path.parent.rmdir()


def _write_journals(adoption: Adoption, folder: ExperimentFolder) -> None:
    """Write one sealed session, with a journal for each shard."""
    count = adoption.params.shards.count
    head = adoption.head(text_of(adoption.row.get("hostname")) or None)
    for shard in range(1, count + 1):
        kept = Journal(journal.growing(folder.journals, SESSION) / f"{shard_name(shard, count)}.jsonl", head)
        try:
            for narrative, entry in adoption.entries:
                if (narrative.row_num - 1) % count == shard - 1:
                    kept.append(entry)
        finally:
            kept.close()
    journal.seal(folder.journals)


def _measure(adoption: Adoption, tell: Callable[[str], None]) -> None:
    """Merge and measure an experiment that is complete, and set the R system's measures beside ours."""
    ended = subprocess.run(
        [sys.executable, "-m", "snakemake", "--config", f"experiment_id={adoption.experiment_id}"],
        stdin=subprocess.DEVNULL,
    )
    folder = ExperimentFolder(adoption.params.slug)
    if ended.returncode:
        raise ExperimentError(
            "The experiment is here, but could not be measured. In the project folder, start "
            f"`{to_resume(adoption.experiment_id)}`."
        )
    ours = database.experiment(adoption.experiment_id) or {}
    measured = json.loads(folder.metrics.read_text(encoding="utf-8"))
    compared = r_metrics.compare(adoption.row, ours, measured)
    with written_whole(folder.r_metrics) as file:
        file.write_text(json.dumps(compared, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for line in r_metrics.lines(compared):
        tell(line)
    tell(f"The R system's measures: {folder.r_metrics}")
