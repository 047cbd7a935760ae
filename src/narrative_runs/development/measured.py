"""How good each configuration is on the development sample, its cost, and which differences may be chance."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd

from narrative_runs.codebook.variables import Binary, Codebook, Quote, Variable, not_in_text_column
from narrative_runs.comparison import pairs
from narrative_runs.comparison.codebooks import why_not_compared
from narrative_runs.comparison.coded_experiment import CodedExperiment, coded_results
from narrative_runs.comparison.variable_pairs import (
    INCIDENT,
    NARRATIVE,
    VariablePair,
    VariableTest,
    in_words,
    values_in_words,
    variable_pair,
)
from narrative_runs.comparison.variables_beside import COUNTS, MeasureBeside
from narrative_runs.development.configuration import Answered, Sample
from narrative_runs.estimates.prevalence import rate_of
from narrative_runs.estimates.stratified import cells_of, weighted_share
from narrative_runs.findings.by_variable.coding import Mask
from narrative_runs.findings.by_variable.levels import Levels
from narrative_runs.findings.by_variable.main_measure import main_measure
from narrative_runs.findings.by_variable.outcomes import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    RIGHT,
    TRUE_NEGATIVE,
    TRUE_POSITIVE,
    WRONG,
    outcomes,
)
from narrative_runs.findings.by_variable.passages import Passages
from narrative_runs.findings.by_variable.resamples import proportion
from narrative_runs.findings.by_variable.units import Status, Units
from narrative_runs.findings.columns import OUTCOME_COLUMNS, types_of
from narrative_runs.findings.intervals import Rate
from narrative_runs.findings.summary import SIGNIFICANT
from narrative_runs.observation.cost import cost_of
from narrative_runs.params import bootstrap_seed

AGREEMENT = "agreement"
ERROR, NO_VALUE = "error", "-"
RIGHT_OUTCOMES = (TRUE_POSITIVE, TRUE_NEGATIVE, RIGHT)
WRONG_OUTCOMES = (FALSE_POSITIVE, FALSE_NEGATIVE, WRONG)

Coded = CodedExperiment | None


class Spent(NamedTuple):
    """Tokens, time and cost of one configuration's answers, and those expected for the whole workbook.

    n, n_errors: narratives asked, and those whose answer is an error; prompt_tokens, completion_tokens: of the sample,
    None where the server does not count; seconds: from question to answer, on average; cost: of the sample, in the
    user's currency, None without a price or without counted tokens.
    """

    n: int
    n_errors: int
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float | None
    cost: float | None
    tokens_of_workbook: float | None
    cost_of_workbook: float | None


class Differing(NamedTuple):
    """A variable of one narrative to which configurations gave different values: its label in words, None without one,
    and the value of each configuration, `error` and `-` (another variable, or none) among them."""

    incident_id: str
    narrative_type: str
    variable: str
    label: str | None
    values: tuple[str, ...]


class Tried(NamedTuple):
    """The comparison of a try: measures with the value of each configuration, in their order; of each what it took; by
    the index of each other configuration how it differs from the first; and where any of them differ."""

    measures: list[MeasureBeside]
    spent: list[Spent]
    pairs: dict[int, VariablePair]
    differing: list[Differing]


class AgreementSoFar(NamedTuple):
    """Of one variable, how many labelled narratives (or incidents, by `level`) were answered with a value, how many of
    them right, and that share with its interval; None where there are none."""

    variable: str
    level: str
    n: int
    n_right: int
    rate: Rate


def tried(sample: Sample, answered: Sequence[Answered]) -> Tried:
    """The comparison of some configurations with the first of them.

    In: what each answered about the same sample. A variable is compared where it has the same type and the same values
    in the first configuration, whose `run.seed` is that of bootstrap and sign flips.
    """
    seed = bootstrap_seed(answered[0].configuration.params.run.seed)
    first = answered[0].configuration.codebook
    coded = [_coded(sample, each, first) for each in answered]
    reasons = [why_not_compared(first, each.configuration.codebook) for each in answered]
    of_pairs = {index: variable_pair(coded[0], coded[index], reasons[index], seed) for index in range(1, len(answered))}
    adjusted = pairs.adjusted([pair.tests for pair in of_pairs.values()])
    return Tried(
        measures=_measures(sample, coded, seed),
        spent=[spent(sample, each) for each in answered],
        pairs={
            index: pair._replace(tests=tests) for (index, pair), tests in zip(of_pairs.items(), adjusted, strict=True)
        },
        differing=_differing(sample, coded, reasons),
    )


def may_be_chance(test: VariableTest) -> bool:
    """Whether a difference is no larger than what chance alone often makes, by its p value adjusted for all tests."""
    return test.p_holm is None or test.p_holm >= SIGNIFICANT


def other_less_first(test: VariableTest) -> Rate:
    """How much better the other configuration is than the first, with its interval; below 0 if it is worse."""
    difference = test.difference
    return difference and {"value": -difference["value"], "low": -difference["high"], "high": -difference["low"]}


def spent(sample: Sample, answered: Answered) -> Spent:
    """What the answers of a configuration took; of the whole workbook as much for each narrative as here on average,
    each with its weight."""
    results, run = answered.results, answered.configuration.params.run
    tokens = np.array([(each.prompt_tokens or 0, each.completion_tokens or 0) for each in results]).reshape(-1, 2)
    seconds = [each.response_sec for each in results if each.response_sec is not None]
    is_counted = bool(tokens.any())
    prompt, completion = (int(number) for number in tokens.sum(axis=0))
    mean_tokens = np.average(tokens, axis=0, weights=np.asarray(sample.weight)) if is_counted else np.zeros(2)
    of_workbook = [round(float(number)) for number in mean_tokens * sample.n_in_workbook]
    return Spent(
        n=len(results),
        n_errors=sum(each.error_occurred for each in results),
        prompt_tokens=prompt if is_counted else None,
        completion_tokens=completion if is_counted else None,
        seconds=float(np.mean(seconds)) if seconds else None,
        cost=cost_of(prompt, completion, run) if is_counted else None,
        tokens_of_workbook=float(sum(of_workbook)) if is_counted else None,
        cost_of_workbook=cost_of(of_workbook[0], of_workbook[1], run) if is_counted else None,
    )


def agreement_so_far(sample: Sample, answered: Answered) -> list[AgreementSoFar]:
    """How often the answers about this sample are right, for each variable that can be right or wrong; as they are,
    without weights."""
    coded = _coded(sample, answered, answered.configuration.codebook)
    if coded is None:
        return []
    agreements = []
    for name, variable in coded.codebook.variables.items():
        if isinstance(variable, Quote):
            continue
        level = level_of(coded, name)
        units = _units(coded, name, level)
        is_right, is_compared = _right(variable, units)
        rate = proportion(units.incident[is_compared], is_right[is_compared])
        agreements.append(AgreementSoFar(name, level, int(is_compared.sum()), int(is_right.sum()), rate))
    return agreements


def table_of(answered: Answered) -> pd.DataFrame:
    """The results as a table with the types of its columns, one row a narrative in the order of the sample."""
    types = {
        name: kind for name, kind in types_of(answered.configuration.codebook).items() if name not in OUTCOME_COLUMNS
    }
    return pd.DataFrame([each.row for each in answered.results]).reindex(columns=list(types)).astype(types)


def level_of(coded: CodedExperiment, name: str) -> str:
    """Whether a variable is compared with labels of narratives or, where there are no others, with those of
    incidents."""
    of_incidents_alone = coded.incidents[name].label.is_given.any() and not coded.narratives[name].label.is_given.any()
    return INCIDENT if of_incidents_alone else NARRATIVE


def _coded(sample: Sample, answered: Answered, first: Codebook) -> Coded:
    codebook = answered.configuration.codebook
    return coded_results(table_of(answered), codebook, answered.labels, first, sample.unasked)


def _units(coded: CodedExperiment, name: str, level: str) -> Units:
    return (coded.incidents if level == INCIDENT else coded.narratives)[name]


def _right(variable: Variable, units: Units) -> tuple[Mask, Mask]:
    """Whether each answer is right, and whether it can be compared at all."""
    words = outcomes(variable, units)
    is_right = words.isin(RIGHT_OUTCOMES).to_numpy(bool)
    return is_right, is_right | words.isin(WRONG_OUTCOMES).to_numpy(bool)


def _measures(sample: Sample, coded: Sequence[Coded], seed: int) -> list[MeasureBeside]:
    """The measures of all variables that any configuration has; a configuration has none for a variable that differs
    from that of the first configuration that has it."""
    rows = []
    for name in dict.fromkeys(chain.from_iterable(each.codebook.names for each in coded if each)):
        owner = next(each for each in coded if each and name in each.codebook.names)
        level = level_of(owner, name)
        measured = [
            _measured(sample, each, name, level, seed)
            if each and why_not_compared(owner.codebook, each.codebook).get(name, NO_VALUE) is None
            else {}
            for each in coded
        ]
        for measure in dict.fromkeys(chain.from_iterable(measured)):
            values = tuple(each.get(measure) for each in measured)
            rows.append(MeasureBeside(name, level, measure, values))
    return rows


def _measured(sample: Sample, coded: CodedExperiment, name: str, level: str, seed: int) -> dict[str, int | Rate]:
    """The counts and the main measures of one variable of one configuration."""
    variable = coded.codebook.variables[name]
    passages = None
    if isinstance(variable, Quote):
        passages = Passages(coded.narratives[name], coded.table[not_in_text_column(name)])
    levels = Levels(variable, coded.narratives[name], coded.incidents[name], passages, seed)
    measures_of_level = (levels.of_incidents() if level == INCIDENT else levels.of_narratives()) or {}
    main = main_measure(variable.type)
    rates = ["recall", "specificity"] if isinstance(variable, Binary) else [main] if main else []
    measured = {measure: measures_of_level.get(measure) for measure in [*COUNTS, *rates]}
    if not isinstance(variable, Quote):
        measured[AGREEMENT] = _weighted_agreement(sample, coded, name, level)
    return measured


def _weighted_agreement(sample: Sample, coded: CodedExperiment, name: str, level: str) -> Rate:
    """The share of right answers in the workbook's mix of labels: those of each stratum count for as many narratives of
    the workbook as its labelled ones stand for. None without a labelled answer."""
    units = _units(coded, name, level)
    is_right, is_compared = _right(coded.codebook.variables[name], units)
    if not is_compared.any():
        return None
    of_narratives = pd.DataFrame({"stratum": list(sample.stratum), "weight": list(sample.weight)})
    # The rows of the coded table are in the order of the workbook.
    in_order = np.argsort([narrative.row_num for narrative in sample.narratives], kind="stable")
    mix = of_narratives.iloc[in_order].reset_index(drop=True)
    if level == INCIDENT:
        mix = mix.groupby(coded.narratives[name].incident).agg({"stratum": "first", "weight": "mean"})
    stratum, names = pd.factorize(mix["stratum"].to_numpy(object)[is_compared])
    sizes = mix[units.label.is_given].groupby("stratum")["weight"].sum()
    cells = cells_of(np.asarray(stratum, np.int64), units.incident[is_compared], is_right[is_compared].astype(float))
    return rate_of(weighted_share(cells._replace(size=sizes.reindex(names).to_numpy(np.float64))))


def _differing(sample: Sample, coded: Sequence[Coded], reasons: Sequence[Mapping[str, str | None]]) -> list[Differing]:
    """The differing values in the order of the sample. A value in one and only an error in another is no difference."""
    if coded[0] is None:
        return []
    order = np.argsort(np.argsort([narrative.row_num for narrative in sample.narratives], kind="stable"))
    rows = []
    for name, variable in coded[0].codebook.variables.items():
        same = [
            each if each and reason.get(name, NO_VALUE) is None else None
            for each, reason in zip(coded, reasons, strict=True)
        ]
        values, keys = zip(*(_values(name, each, len(order)) for each in same), strict=True)
        labels = _labels(name, variable, [each for each in same if each])
        for narrative, row in zip(sample.narratives, order, strict=True):
            if len({key[row] for key in keys} - {ERROR, NO_VALUE}) > 1:
                of_all = tuple(of_one[row] for of_one in values)
                rows.append(Differing(narrative.incident_id, narrative.narrative_type, name, labels[row], of_all))
    return rows


def _values(name: str, coded: Coded, n: int) -> tuple[list[str], list[str]]:
    """The value of each narrative in words, and the key by which values differ: for passages the passages
    themselves."""
    if coded is None:
        return [NO_VALUE] * n, [NO_VALUE] * n
    variable, units = coded.codebook.variables[name], coded.narratives[name]
    values = [ERROR if value is None else value for value in values_in_words(variable, units)]
    if not isinstance(variable, Quote):
        return values, values
    answers = zip(values, units.answer.values, units.status == Status.ANSWERED, strict=True)
    return values, [str(answer) if is_answered else value for value, answer, is_answered in answers]


def _labels(name: str, variable: Variable, coded: Sequence[CodedExperiment]) -> list[str | None]:
    """The label of each narrative, or where its labels are those of incidents of its incident, in words, from the first
    configuration that has one."""
    of_each = []
    for each in coded:
        label = each.narratives[name].label
        if level_of(each, name) == INCIDENT:
            label = each.incidents[name].label.at(each.narratives[name].incident)
        of_each.append(in_words(variable, label, is_label=True))
    return [next((label for label in of_one if label is not None), None) for of_one in zip(*of_each, strict=True)]
