"""The workbook of a try: the narratives among which a sample is drawn, with their labels, as a run would read them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd

from narrative_runs import experiment
from narrative_runs.atomic_files import temporary_folder
from narrative_runs.codebook.result_columns import reserved_beside
from narrative_runs.codebook.texts import written
from narrative_runs.development.configuration import Answered, Configuration, Sample
from narrative_runs.development.drawing import UNLABELLED, Candidate, Drawn
from narrative_runs.findings.by_variable.labels import labels_to_measure, read_labels
from narrative_runs.jobs.source import write_quality
from narrative_runs.params import Params
from narrative_runs.paths import DEVELOPMENT, ExperimentFolder
from narrative_runs.permissions import folder_mode
from narrative_runs.results import result_of
from narrative_runs.source import checksum, rules, workbook
from narrative_runs.source.incidents import write_incidents
from narrative_runs.source.reading import reading_of
from narrative_runs.source.shards import Narrative
from narrative_runs.source.variable_labels import LabelsOfVariable, check_labels


@dataclass(frozen=True)
class WorkbookOfTry:
    """A workbook as read by the params of one configuration.

    source: its narratives; source_md5: of the file; folder: the temporary one with incidents and other columns, as a
    run would write them.
    """

    source: workbook.Source
    source_md5: str
    folder: ExperimentFolder

    def candidates(self, configuration: Configuration) -> list[Candidate]:
        """All narratives in workbook order, each with the label of the first variable that has labels; without one of
        its own with that of its incident."""
        keys = self.source.keys
        by_variable = self._labels(configuration, keys)
        have_own = keys["manual_flag_ind"].notna().any() or any(
            of_variable.has_own and any(label is not None for label in of_variable.of_rows)
            for of_variable in by_variable.values()
        )
        labels = _first_labels(by_variable)
        if labels is None:
            own = keys["manual_flag_ind"].fillna(keys["manual_flag"])
            labels = ["" if pd.isna(flag) else str(int(flag)) for flag in own]
        is_of_incident = any(labels) and not have_own
        rows = zip(keys["incident_id"], keys["narrative_type"], labels, strict=True)
        return [Candidate(*row, is_of_incident) for row in rows]

    def sample(self, candidates: Sequence[Candidate], drawn: Drawn) -> Sample:
        """The narratives that were drawn, in the order in which they were drawn."""
        in_workbook = Counter(each.incident_id for each in candidates)
        in_sample = Counter(candidates[index].incident_id for index in drawn.indices)
        return Sample(
            self._narratives(drawn.indices),
            [candidates[index].label for index in drawn.indices],
            drawn.weights,
            len(candidates),
            [incident_id for incident_id, count in in_sample.items() if count < in_workbook[incident_id]],
        )

    def answered(
        self, configuration: Configuration, narratives: Sequence[Narrative], entries: Sequence[Mapping[str, Any]]
    ) -> Answered:
        """The answers of a configuration about these narratives; entries: the journal's entry of each."""
        numbers = [narrative.row_num - 1 for narrative in narratives]
        # With the labels that this configuration's codebook names.
        own = self._narratives(numbers)
        codebook = configuration.codebook
        results = [result_of(each, dict(entry), codebook) for each, entry in zip(own, entries, strict=True)]
        table = self.source.keys.iloc[numbers].reset_index(drop=True)
        labels = labels_to_measure(self._labels(configuration, table), self.folder, codebook, table)
        return Answered(configuration, results, labels)

    def _labels(self, configuration: Configuration, keys: pd.DataFrame) -> dict[str, LabelsOfVariable]:
        return read_labels(self.folder, configuration.codebook, keys)

    def _narratives(self, indices: Sequence[int]) -> list[Narrative]:
        return [next(self.source.narratives(index, len(self.source))) for index in indices]


@contextmanager
def read_workbook(params: Params) -> Iterator[WorkbookOfTry]:
    """Read the workbook that these params name, by the rules with which their experiment began if there is one.

    Raises:
        SourceError: it is missing, changed, of no known layout, or does not fit the codebook.
    """
    file = params.data.file
    checksum.fetch(file)
    md5 = checksum.verify(file)
    same = experiment.find(ExperimentFolder(params.slug))
    reading_rules = rules.numbered(same.reading_rules) if same else rules.CURRENT
    how = reading_of(params.data.model_dump(mode="json"), reading_rules, params.variables)
    DEVELOPMENT.mkdir(mode=folder_mode(), parents=True, exist_ok=True)
    with temporary_folder(".reading-", DEVELOPMENT) as scratch:
        source = workbook.read(file, how, scratch)
        check_labels(params.variables, how.types, source.others.names, source.rows_of_other_columns())
        folder = ExperimentFolder("workbook", scratch)
        folder.narratives.mkdir(parents=True)
        write_incidents(source.incidents, folder.incidents)
        source.write_other_columns(folder.other_columns, reserved_beside(params.variables))
        write_quality(source, md5, folder)
        yield WorkbookOfTry(source, md5, folder)


def _first_labels(labels: Mapping[str, LabelsOfVariable]) -> list[str] | None:
    """The labels of the first variable that has any, as texts; None where none has."""
    for of_variable in labels.values():
        labels_in_words = [written(label) or UNLABELLED for label in of_variable.of_rows]
        if any(labels_in_words):
            return labels_in_words
    return None
