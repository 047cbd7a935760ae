"""The job that reads the workbook, once: into fixed shards, into the record, and into data_quality.json."""

import json
from typing import Protocol

from narrative_runs.atomic_files import written_whole
from narrative_runs.codebook.result_columns import reserved_beside
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.record.sources import put_sources
from narrative_runs.run_context import RunContext
from narrative_runs.source import checksum, rules, workbook
from narrative_runs.source.groups import column_of, read_groups
from narrative_runs.source.incidents import write_incidents
from narrative_runs.source.narratives import write_shards
from narrative_runs.source.reading import reading_of
from narrative_runs.source.shards import iterate_all
from narrative_runs.source.summary import summary_lines
from narrative_runs.source.variable_labels import check_labels


class Channel(Protocol):
    """The messages of this job to the run that it belongs to."""

    def source_is_ready(self) -> None:
        """Tell the run that the workbook can be used, and wait until the experiment is in the record."""

    def show(self, line: str) -> None:
        """Show one line to the user."""


def read_source(context: RunContext, channel: Channel) -> None:
    """Read the workbook of the run's experiment; nothing is written before all of it is known to be usable.

    In: the run; the channel for the messages that the workbook can be used, and what it holds.

    Raises:
        SourceError: the workbook is missing, changed, of no known layout, or does not fit the codebook.
        FindingsError: it has no column that report.groups names, or one of too many groups.
        RecordError: the record cannot be written.
    """
    folder, params = context.folder, context.params
    file = params.data.file
    checksum.fetch(file)
    md5 = checksum.verify(file)
    checksum.must_be(file, context.source_md5, md5)
    how = reading_of(params.data.model_dump(mode="json"), rules.numbered(context.reading_rules), params.variables)
    source = workbook.read(file, how, folder.path)
    # It may have been saved while it was read.
    checksum.must_be(file, context.source_md5)
    check_labels(params.variables, how.types, source.others.names, source.rows_of_other_columns())
    groups, there = params.report.groups, source.names_of_other_columns(reserved_beside(params.variables))
    for name in groups:
        column_of(name, there)
    channel.source_is_ready()
    write_source(source, folder, params)
    _keep_in_record(context, md5, source)
    write_quality(source, md5, folder)
    # How many groups a column has is told by its cells, which lie there now.
    read_groups(folder.other_columns, groups)
    for line in summary_lines(source.quality):
        channel.show(line)


def write_source(source: workbook.Source, folder: ExperimentFolder, params: Params) -> None:
    """Write the narratives of a workbook into the experiment's shards, and its incidents and other columns beside
    them."""
    write_shards(source.dealt(params.shards.count), folder.narratives)
    write_incidents(source.incidents, folder.incidents)
    source.write_other_columns(folder.other_columns, reserved_beside(params.variables))


def write_quality(source: workbook.Source, md5: str, folder: ExperimentFolder) -> None:
    """Write data_quality.json for a workbook with this md5."""
    with written_whole(folder.data_quality) as draft:
        draft.write_text(json.dumps(source.quality.as_dict(md5), indent=2, ensure_ascii=False) + "\n", "utf-8")


def _keep_in_record(context: RunContext, md5: str, source: workbook.Source) -> None:
    params = context.params
    limit, total = params.run.max_narratives, source.quality.narratives.total
    with database.transaction() as connection:
        put_sources(connection, iterate_all(context.folder, params.shards.count), str(params.data.file), md5)
        database.update_experiment(
            connection,
            context.experiment_id,
            {
                "n_narratives_total": total if limit is None else min(limit, total),
                "n_narratives_skipped": source.quality.skipped,
            },
        )
