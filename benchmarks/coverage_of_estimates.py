"""How often the intervals of estimates hold the truth: `python -m benchmarks.coverage estimates`.

Studies are drawn from known truths: a population whose incidents have one narrative or two, a model that is good, bad,
or good in one half of the incidents and bad in the other, errors that gather where there is something to be seen, and
reviews at random or by strata of what the model says. For each case: how often the corrected interval holds the truth,
its width (the median) beside that of the reviews alone, and how often the naive interval holds it. A ratio that is not
given, since the lower group may be none, counts in no coverage.

The goal: coverage not significantly below 94% where ten positives or more are expected among the reviews, and not below
93% elsewhere.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import geom, norm, poisson

from benchmarks.coverage_goal import FEW_EVENTS, is_below_goal
from narrative_runs.estimates.difference import difference_of, ratio_of
from narrative_runs.estimates.estimators import RANDOM, STRATIFIED_DESIGN
from narrative_runs.estimates.means import Stratum, mean_at_random, stratified_mean
from narrative_runs.estimates.prediction_powered import Sums, powered_mean
from narrative_runs.estimates.prevalence import is_large_sample, symmetric
from narrative_runs.estimates.stratified import Bounds, Cells, weighted_share
from narrative_runs.findings.intervals import ClusterSums, bounds

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]

PREVALENCES = (0.02, 0.12, 0.4)
LABELS = (200, 400, 1_000)
LABELS_OF_MEANS = (50, 200, 1_000)
NARRATIVES = (35_312, 2_000)
DESIGNS = (RANDOM, STRATIFIED_DESIGN)
# Sensitivity and specificity in the first half of the incidents, and in the other.
MODELS = {
    "good": ((0.9, 0.98), (0.9, 0.98)),
    "bad": ((0.7, 0.85), (0.7, 0.85)),
    "biased by group": ((0.95, 0.99), (0.6, 0.9)),
}
# How much more common positives are in the first half of the incidents than in all.
SKEW = 1.25
# How often a narrative is an error: of positives, and of negatives.
ERRORS = {"no errors": (0.0, 0.0), "errors": (0.05, 0.025)}
ALIKE = 0.7
YES, NO, ERROR = 1, 0, -1
GOAL_OF_FEW = 0.93


class Kinds(NamedTuple):
    """The kinds of incidents. chance: of each, of shape (kinds,); truth and answer of its narratives, of shape (kinds,
    narratives), the answer YES, NO or ERROR; is_first_group and stratum, of shape (kinds,)."""

    chance: Numbers
    truth: Counts
    answer: Counts
    is_first_group: Mask
    stratum: Counts


class Case(NamedTuple):
    """One case, and what became of its intervals. events: positives expected among the reviews; of_population: how
    often the interval holds the share of true units in the population that was drawn; powered: how often PPI++ was
    taken."""

    what: str
    model: str
    design: str
    errors: str
    narratives: int
    of_incident: int
    prevalence: float
    labels: int
    events: float
    coverage: float
    of_population: float
    width: float
    labelled_coverage: float
    labelled_width: float
    naive_coverage: float
    powered: float
    bias: float

    def misses(self, studies: int) -> bool:
        """Whether the coverage is significantly below its goal."""
        return is_below_goal(self.coverage, self.events, studies, GOAL_OF_FEW)


class Estimated(NamedTuple):
    """The estimates of all studies: naive, by the reviews alone, corrected, and whether by PPI++."""

    naive: Bounds
    labelled: Bounds
    corrected: Bounds
    is_powered: Mask


def show(studies: int, seed: int, is_each_shown: bool) -> int:
    """Draw the studies, and print the table: a line for all prevalences, labels, populations and errors together, or
    where `is_each_shown` a line for each case. Out: the exit code, 1 where the goal is missed."""
    studied = list(cases(studies, np.random.default_rng(seed)))
    keys = [(case.what, case.model, case.design, case.of_incident) for case in studied]
    groups = [[case for case, other in zip(studied, keys, strict=True) if other == key] for key in dict.fromkeys(keys)]
    if is_each_shown:
        groups = [[case] for case in studied]
    headings = ("estimate", "model", "reviews", "narratives", "cases", "coverage", "lowest", "lowest of few")
    table = Table(*headings, "width", "reviews alone", "naive covers", "PPI++ taken", min_width=120)
    for group in groups:
        table.add_row(*_line(group, is_each_shown))
    Console(width=160).print(table)
    missed = [case for case in studied if case.misses(studies)]
    for case in missed:
        print(f"MISSED: {case}")
    print(f"{len(studied)} cases of {studies:,} studies; {len(missed)} below the goal.")
    return 1 if missed else 0


def _line(group: list[Case], is_each_shown: bool) -> list[str]:
    first = group[0]
    at = f" {first.prevalence:.0%} of {first.labels:,} of {first.narratives:,}, {first.errors}" if is_each_shown else ""

    def lowest(is_few: bool) -> str:
        coverages = [case.coverage for case in group if (case.events < FEW_EVENTS) == is_few]
        return f"{min(coverages):.3f}" if coverages else ""

    def mean(name: str) -> float:
        return float(np.mean([getattr(case, name) for case in group]))

    return [
        first.what + at,
        first.model,
        first.design,
        str(first.of_incident),
        str(len(group)),
        f"{mean('coverage'):.3f}",
        lowest(is_few=False),
        lowest(is_few=True),
        f"{mean('width'):.3f}",
        f"{mean('labelled_width'):.3f}",
        f"{mean('naive_coverage'):.3f}",
        f"{mean('powered'):.2f}",
    ]


def cases(studies: int, random: np.random.Generator) -> Iterator[Case]:
    """All cases, each with this many studies."""
    for (model, of_groups), (errors, chances_of_error), of_incident, prevalence in product(
        MODELS.items(), ERRORS.items(), (1, 2), PREVALENCES
    ):
        kinds = _kinds(of_groups, chances_of_error, of_incident, prevalence)
        for narratives, labels, design in product(NARRATIVES, LABELS, DESIGNS):
            key = (model, design, errors, narratives, of_incident, prevalence, labels)
            population = random.multinomial(narratives // of_incident, kinds.chance, size=studies)
            reviewed = _drawn(population, kinds.stratum, labels // of_incident, design, random)
            yield from _of_study(key, kinds, population, reviewed)
    yield from _means(studies, random)


def _of_study(
    key: tuple[str, str, str, int, int, float, int], kinds: Kinds, population: Counts, reviewed: Counts
) -> Iterator[Case]:
    model, design = key[:2]
    groups = {"all": np.ones_like(kinds.is_first_group)}
    if model == "biased by group":
        groups |= {"first group": kinds.is_first_group, "other group": ~kinds.is_first_group}
    estimates, truths, of_populations, events = {}, {}, {}, {}
    for name, rows in groups.items():
        n_true = kinds.truth.sum(axis=1)
        truths[name] = float(kinds.chance[rows] @ n_true[rows] / kinds.chance[rows].sum() / kinds.truth.shape[1])
        units = population[:, rows].sum(axis=1) * kinds.truth.shape[1]
        of_populations[name] = population[:, rows] @ n_true[rows] / units
        events[name] = float((reviewed[:, rows] @ n_true[rows]).mean())
        estimates[name] = _estimated(kinds, population, reviewed, rows, design)
        yield _case(name, key, events[name], truths[name], of_populations[name], estimates[name])
    if model == "biased by group":
        first, other = (estimates[name] for name in ("first group", "other group"))
        least = min(events["first group"], events["other group"])
        for name, of_both, operation in (
            ("difference", difference_of, np.subtract),
            ("ratio", ratio_of, np.divide),
        ):
            compared = Estimated(
                of_both(first.naive, other.naive),
                of_both(first.labelled, other.labelled),
                of_both(first.corrected, other.corrected),
                first.is_powered & other.is_powered,
            )
            # An undefined ratio of a population without a positive is in no interval, nor is the study's own.
            with np.errstate(divide="ignore", invalid="ignore"):
                of_population = operation(of_populations["first group"], of_populations["other group"])
            yield _case(
                name,
                key,
                least,
                float(operation(truths["first group"], truths["other group"])),
                of_population,
                compared,
            )


def _case(
    what: str,
    key: tuple[str, str, str, int, int, float, int],
    events: float,
    truth: float,
    of_population: Numbers,
    estimated: Estimated,
) -> Case:
    corrected, labelled = estimated.corrected, estimated.labelled
    return Case(
        what,
        *key,
        events=events,
        coverage=_coverage(corrected, np.asarray(truth)),
        of_population=_coverage(corrected, of_population),
        width=float(np.nanmedian(corrected.high - corrected.low)),
        labelled_coverage=_coverage(labelled, np.asarray(truth)),
        labelled_width=float(np.nanmedian(labelled.high - labelled.low)),
        naive_coverage=_coverage(estimated.naive, np.asarray(truth)),
        powered=float(estimated.is_powered.mean()),
        bias=float(np.nanmean(corrected.value) - truth),
    )


def _coverage(interval: Bounds, truth: Numbers) -> float:
    is_held = (interval.low <= truth + 1e-12) & (truth - 1e-12 <= interval.high)
    return float(is_held[~np.isnan(interval.low)].mean())


def _kinds(
    of_groups: tuple[tuple[float, float], tuple[float, float]],
    chances_of_error: tuple[float, float],
    of_incident: int,
    prevalence: float,
) -> Kinds:
    """The second narrative has the truth of the first, and is answered or an error alike, with the chance ALIKE, beyond
    what chance gives."""
    rows: list[tuple[float, int, tuple[int, ...], tuple[int, ...]]] = []
    for group, (sensitivity, specificity) in enumerate(of_groups):
        share = prevalence * (SKEW if group == 0 else 2 - SKEW)
        of_truth = {1: share, 0: 1 - share}
        of_answer: dict[int, dict[int, float]] = {}
        for truth in (0, 1):
            error = chances_of_error[0] if truth else chances_of_error[1]
            yes = sensitivity if truth else 1 - specificity
            of_answer[truth] = {ERROR: error, YES: (1 - error) * yes, NO: (1 - error) * (1 - yes)}
        for truth, answer in product((0, 1), (YES, NO, ERROR)):
            one = 0.5 * of_truth[truth] * of_answer[truth][answer]
            if of_incident == 1:
                rows.append((one, group, (truth,), (answer,)))
                continue
            for second, other in product((0, 1), (YES, NO, ERROR)):
                chance = ALIKE * (second == truth) + (1 - ALIKE) * of_truth[second]
                of_other = of_answer[second][other]
                if second == truth:
                    of_other = ALIKE * (other == answer) + (1 - ALIKE) * of_other
                rows.append((one * chance * of_other, group, (truth, second), (answer, other)))
    rows = [row for row in rows if row[0] > 0]
    answers = np.array([row[3] for row in rows])
    stratum = np.where((answers == YES).any(axis=1), YES, np.where((answers == ERROR).any(axis=1), ERROR, NO))
    chances = np.array([row[0] for row in rows])
    truths, is_first = np.array([row[2] for row in rows]), np.array([row[1] == 0 for row in rows])
    return Kinds(chances / chances.sum(), truths, answers, is_first, stratum)


def _drawn(population: Counts, stratum: Counts, count: int, design: str, random: np.random.Generator) -> Counts:
    """How many incidents of each kind are reviewed, of shape (studies, kinds)."""
    reviewed = np.zeros_like(population)
    if design == RANDOM:
        return _without_replacement(population, np.full(len(population), count), random)
    names = np.unique(stratum)
    sizes = np.column_stack([population[:, stratum == name].sum(axis=1) for name in names])
    for name, drawn in zip(names, _allocated(sizes, count).T, strict=True):
        reviewed[:, stratum == name] = _without_replacement(population[:, stratum == name], drawn, random)
    return reviewed


def _allocated(sizes: Counts, count: int) -> Counts:
    """As `export --review` does it: equal shares, and what the small strata do not have is handed on."""
    drawn, left = np.zeros_like(sizes), np.full(len(sizes), count)
    order = np.argsort(sizes, axis=1)
    every = np.arange(len(sizes))
    for number in range(sizes.shape[1]):
        smallest = order[:, number]
        drawn[every, smallest] = np.minimum(sizes[every, smallest], left // (sizes.shape[1] - number))
        left = left - drawn[every, smallest]
    return drawn


def _without_replacement(population: Counts, count: Counts, random: np.random.Generator) -> Counts:
    reviewed = np.zeros_like(population)
    others, left = population.sum(axis=1), count.copy()
    for kind in range(population.shape[1]):
        others = others - population[:, kind]
        reviewed[:, kind] = random.hypergeometric(population[:, kind], others, left)
        left = left - reviewed[:, kind]
    return reviewed


def _estimated(kinds: Kinds, population: Counts, reviewed: Counts, rows: Mask, design: str) -> Estimated:
    """What `estimate` gives of each study, for the kinds of a group."""
    truth, answer = kinds.truth[rows], kinds.answer[rows]
    # All kinds as numbers, since millions of products are added up.
    all_of, known = population[:, rows].astype(np.float64), reviewed[:, rows].astype(np.float64)
    naive = _share(all_of, (answer == YES).sum(axis=1), (answer != ERROR).sum(axis=1))
    cell = answer if design == RANDOM else 3 * kinds.stratum[rows][:, None] + answer
    cells = _cells(all_of, known, cell, truth)
    small = weighted_share(cells)
    if design != RANDOM:
        by_stratum = np.broadcast_to(kinds.stratum[rows][:, None], answer.shape)
        labelled = weighted_share(_cells(all_of, known, by_stratum, truth))
        return Estimated(naive, labelled, small, np.zeros(len(known), dtype=np.bool_))
    labelled = _share(known, truth.sum(axis=1), np.full(len(truth), truth.shape[1]))
    large = symmetric(powered_mean(*_sums(all_of, known, answer, truth)))
    kinds_of_answers = [
        known @ ((answer == one) & (truth == other)).sum(axis=1) for one in (YES, NO) for other in (0, 1)
    ]
    is_powered = is_large_sample(cells, np.column_stack(kinds_of_answers).astype(np.float64))
    corrected = Bounds(*(np.where(is_powered, one, other) for one, other in zip(large, small, strict=True)))
    return Estimated(naive, labelled, corrected, is_powered)


def _share(counts: Numbers, part: Counts, whole: Counts) -> Bounds:
    each = (part, whole, part * part, part * whole, whole * whole, whole > 0)
    sums = ClusterSums(*(counts @ values.astype(np.float64) for values in each))
    return Bounds(sums.part / sums.whole, *bounds(sums))


def _cells(all_of: Numbers, known: Numbers, cell: Counts, truth: Counts) -> Cells:
    names = np.unique(cell)
    whole = np.stack([(cell == name).sum(axis=1) for name in names], axis=1).astype(np.float64)
    part = np.stack([((cell == name) & (truth == 1)).sum(axis=1) for name in names], axis=1).astype(np.float64)
    return Cells(
        size=all_of @ whole,
        whole=known @ whole,
        part=known @ part,
        part_part=_products(known, part, part),
        part_whole=_products(known, part, whole),
        whole_whole=_products(known, whole, whole),
        n_incidents=known.sum(axis=1),
    )


def _products(counts: Numbers, one: Numbers, other: Numbers) -> Numbers:
    flat = (one[:, :, None] * other[:, None, :]).reshape(len(one), -1)
    return np.asarray((counts @ flat).reshape(len(counts), one.shape[1], other.shape[1]))


def _sums(all_of: Numbers, known: Numbers, answer: Counts, truth: Counts) -> tuple[Sums, Sums]:
    """Sums of reviewed and unreviewed units, where an error has the mean prediction of its study."""
    yes, errors = (answer == YES).sum(axis=1), (answer == ERROR).sum(axis=1)
    values = np.column_stack([truth.sum(axis=1), yes, np.full(len(yes), answer.shape[1]), errors]).astype(np.float64)
    mean = (all_of @ values[:, 1]) / (all_of @ (values[:, 2] - values[:, 3]))
    to_three = np.zeros((len(mean), 3, 4))
    to_three[:, [0, 1, 2], [0, 1, 2]] = 1.0
    to_three[:, 1, 3] = mean
    both = []
    for counts in (known, all_of - known):
        products = _products(counts, values, values)
        both.append(
            Sums(
                (to_three @ (counts @ values)[:, :, None])[:, :, 0],
                to_three @ products @ np.swapaxes(to_three, -1, -2),
            )
        )
    return both[0], both[1]


def _means(studies: int, random: np.random.Generator) -> Iterator[Case]:
    """Numbers that the model takes for one more or for none in three narratives of ten: up to 6, as often as Poisson's
    law has them, and up to 30, with none in 85 of 100. The reviews by strata of what the model says: none, one or two,
    and more."""
    for model, of_numbers in {
        "numbers": poisson.pmf(np.arange(7), 1.2),
        "rare numbers": np.where(np.arange(31) == 0, 0.85, 0.15 * geom.pmf(np.arange(31), 0.15)),
    }.items():
        yield from _means_of(model, of_numbers / of_numbers.sum(), studies, random)


def _means_of(model: str, of_numbers: Numbers, studies: int, random: np.random.Generator) -> Iterator[Case]:
    numbers = np.arange(len(of_numbers) + 1)
    truth, answer = (column.reshape(-1) for column in np.meshgrid(numbers[:-1], numbers, indexing="ij"))
    chance = of_numbers[truth] * (0.7 * (answer == truth) + 0.2 * (answer == truth + 1) + 0.1 * (answer == 0))
    stratum = np.digitize(answer, (1, 3))
    values = np.column_stack([truth, answer, np.ones(len(truth))]).astype(np.float64)
    mean = float(chance @ truth)
    for labels, design in product(LABELS_OF_MEANS, DESIGNS):
        population = random.multinomial(NARRATIVES[0], chance, size=studies)
        reviewed = _drawn(population, stratum, labels, design, random)
        means = np.array(
            [
                [
                    bound
                    for is_powered in (True, False)
                    for bound in _mean_of(one, known, stratum, values, design, is_powered)
                ]
                for one, known in zip(population, reviewed, strict=True)
            ]
        )
        corrected, labelled = Bounds(*means[:, :3].T), Bounds(*means[:, 3:].T)
        predicted = population @ values[:, 1] / NARRATIVES[0]
        error = np.sqrt((population @ values[:, 1] ** 2 / NARRATIVES[0] - predicted**2) / NARRATIVES[0])
        naive = Bounds(predicted, predicted - norm.ppf(0.975) * error, predicted + norm.ppf(0.975) * error)
        estimated = Estimated(naive, labelled, corrected, np.zeros(studies, dtype=np.bool_))
        key = (model, design, "no errors", NARRATIVES[0], 1, mean, labels)
        yield _case("mean", key, labels * float(1 - of_numbers[0]), mean, population @ truth / NARRATIVES[0], estimated)


def _mean_of(
    population: Counts, known: Counts, stratum: Counts, values: Numbers, design: str, is_powered: bool
) -> tuple[float, float, float]:
    left = population - known
    parts = [np.ones_like(stratum, dtype=np.bool_)] if design == RANDOM else [stratum == name for name in range(3)]
    strata = [
        Stratum(
            int(population[rows].sum()),
            np.repeat(values[rows], known[rows], axis=0),
            Sums(left[rows] @ values[rows], (values[rows].T * left[rows]) @ values[rows]),
        )
        for rows in parts
    ]
    at_random = is_powered and design == RANDOM
    rate = mean_at_random(strata[0]).rate if at_random else stratified_mean(strata, is_powered)
    return (rate["value"], rate["low"], rate["high"]) if rate else (np.nan, np.nan, np.nan)
