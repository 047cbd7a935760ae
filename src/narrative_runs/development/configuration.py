"""The parts of a try: configurations (a prompt, a model, a codebook), the sample that each is asked, and its
answers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.params import Params
from narrative_runs.results import Result
from narrative_runs.source.shards import Narrative


@dataclass(frozen=True)
class Configuration:
    """One params file: a prompt, a model and a codebook; name: the stem of the file, which no other configuration of
    the same try has."""

    name: str
    file: Path
    params: Params

    @property
    def codebook(self) -> Codebook:
        """The codebook that is asked."""
        return self.params.variables


@dataclass(frozen=True)
class Sample:
    """The development sample: the same narratives for each configuration.

    stratum: of each narrative the label of the first variable that has labels, empty without one; weight: of each how
    many narratives of the workbook it stands for, those with its label over those drawn (unlabelled ones likewise);
    n_in_workbook: narratives that a run of the whole workbook would ask about; unasked: the incidents in the sample
    that have another narrative in the workbook, which is not in it.
    """

    narratives: Sequence[Narrative]
    stratum: Sequence[str]
    weight: Sequence[float]
    n_in_workbook: int
    unasked: Collection[str] = ()


@dataclass(frozen=True)
class Answered:
    """The answers of one configuration.

    results: one a narrative, in the order of the sample; labels: of the variables of its codebook that have any, as
    `labels_to_measure` gives them, of narratives by the index 0, 1, 2 … of the results. Without a codebook there are
    none: those of the workbook's layout count, which the results hold.
    """

    configuration: Configuration
    results: Sequence[Result]
    labels: Mapping[str, VariableLabels] = field(default_factory=dict)
