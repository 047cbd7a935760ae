"""What a command makes, and from what: the workflow's rules read it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from narrative_runs import experiment
from narrative_runs.code import code_checksum
from narrative_runs.derivation.difference import Difference
from narrative_runs.experiment import ExperimentState
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder, shard_name
from narrative_runs.report.captions import CAPTIONS, Caption
from narrative_runs.shell import PARAMS_FILE
from narrative_runs.source import rules
from narrative_runs.source.tracking import tracking_file

# What of `data` says how the workbook is read.
READING_PARAMS = ("sheet", "id", "columns", "placeholders")


@dataclass
class Plan:
    """One experiment as it is when this command starts; making a plan writes nothing.

    recorded: every narrative wanted has its result, and findings and record hold them all; completed: the report is
    there as well. record_is_behind: the findings are there, but the record was lost, or does not call them completed.
    retry_errors, retry_categories: whether error rows are asked again, and of which categories, all when empty. origin:
    the params file that the command names. difference: what this release would change in a completed experiment: while
    there is any, nothing is made. is_whole: this is a completed experiment of an earlier release, this release derives
    the same findings, and nothing is missing: it is left as it is.
    """

    params: Params
    folder: ExperimentFolder
    state: ExperimentState | None
    source_md5: str
    recorded: bool
    completed: bool
    record_is_behind: bool
    retry_errors: bool
    retry_categories: tuple[str, ...] = ()
    origin: str = str(PARAMS_FILE)
    difference: Difference | None = None
    is_whole: bool = False

    @property
    def code(self) -> str:
        """The checksum of the code: results that other code derived are derived again."""
        return code_checksum()

    @property
    def asked(self) -> str:
        """The checksum of what makes the answers: until the first one it may still be changed."""
        return _checksum_of(experiment.frozen_params(self.params))

    @property
    def reading(self) -> str:
        """The checksum of how the workbook is read: which sheets and columns, and by which rules."""
        data = self.params.data.model_dump(mode="json")
        return _checksum_of({**{name: data[name] for name in READING_PARAMS}, "rules": self.reading_rules})

    @property
    def slug(self) -> str:
        """The experiment's folder name under results/."""
        return self.folder.slug

    @property
    def shards(self) -> list[str]:
        """The names of all shards."""
        count = self.params.shards.count
        return [shard_name(shard, count) for shard in range(1, count + 1)]

    @property
    def tables(self) -> list[str]:
        """The files that hold all rows."""
        names = ["results.parquet", "results.xlsx"]
        if self.params.run.save_csv_json:
            names += ["results.csv", "results.json"]
        return [str(self.folder.path / name) for name in names]

    @property
    def findings(self) -> list[str]:
        """All findings in the end: tables, metrics and report."""
        return [*self.findings_of_every_release, str(self.folder.metrics_to_publish)]

    @property
    def findings_of_every_release(self) -> list[str]:
        """Those of them that an earlier release made too."""
        return [*self.tables, str(self.folder.metrics), str(self.folder.report)]

    @property
    def wanted(self) -> list[str]:
        """The files that this command makes if they are missing or out of date."""
        if self.difference:
            return [str(self.folder.changes)]
        return [str(self.folder.description)] if self.is_whole else self.outputs

    @property
    def outputs(self) -> list[str]:
        """All files that the rules make: any of them that is missing is made again, for a completed experiment too."""
        folder, count = self.folder, self.params.shards.count
        numbers = range(1, count + 1)
        paths = [
            folder.data_quality,
            *(folder.narratives_of(number, count) for number in numbers),
            folder.incidents,
            folder.other_columns,
            *(folder.results_of(number, count) for number in numbers),
            folder.retries,
        ]
        figures = [*self.figures("png").values(), *self.figures("pdf").values()]
        return [*map(str, paths), *self.findings, *figures]

    @property
    def reading_rules(self) -> int:
        """The number of the rules by which the workbook is read."""
        return self.state.reading_rules if self.state else rules.CURRENT.number

    @property
    def captions(self) -> dict[str, Caption]:
        """Title and caption of each of the report's figures, by its name."""
        return CAPTIONS

    def figures(self, kind: str) -> dict[str, str]:
        """The report's figures as files, by name; kind: png or pdf."""
        return {name: str(self.folder.figure(name, kind)) for name in CAPTIONS}

    @property
    def tracking_files(self) -> list[str]:
        """The workbook's .dvc file: its content changes with the workbook's, not with a touch.

        Empty for a workbook with a brace in its path, which Snakemake would take for a wildcard: then `source_md5`
        alone shows that the workbook has changed.
        """
        path = str(tracking_file(self.params.data.file))
        return [] if "{" in path else [path]


def _checksum_of(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
