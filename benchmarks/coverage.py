"""How often the 95% intervals hold the truth: `python -m benchmarks.coverage`, and for estimates that are corrected by
reviews `python -m benchmarks.coverage estimates`, of which `benchmarks.coverage_of_estimates` speaks.

Studies are drawn from known truths: incidents with one or two narratives, whose labels and errors agree more or less
often, at several prevalences and sizes. For each metric the share of studies whose interval holds the true value is
shown, with its mean width, beside those of the alternatives: Wilson's interval of independent rows, and the chosen rule
with the normal quantile instead of Student's t.

The goal: coverage not significantly below 94% where ten events or more are expected in the smaller cell, and not below
92% elsewhere. Exit code 1 where it is missed.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import norm

from benchmarks import coverage_of_estimates
from benchmarks.coverage_goal import is_below_goal
from narrative_runs.findings.confusion import (
    ConfusionMatrix,
    Proportion,
    accuracy,
    jaccard_index,
    precision,
    recall,
    specificity,
)
from narrative_runs.findings.intervals import LEVEL, ClusterSums, bounds, design_effect, wilson

SENSITIVITY, SPECIFICITY = 0.85, 0.97
PREVALENCES = (0.01, 0.05, 0.12, 0.5)
SIZES = (200, 2_000)
# Share of incidents with two narratives; how often these have one label, and one error, beyond chance.
CLUSTERINGS = {
    "one narrative": (0.0, 0.0, 0.0),
    "two, .3 alike": (1.0, 0.3, 0.3),
    "two, .7 alike": (1.0, 0.7, 0.7),
    "two, the same": (1.0, 1.0, 1.0),
    "one or two, .5": (0.5, 0.5, 0.5),
}
GOAL_OF_FEW = 0.92
Numbers = NDArray[np.float64]


def _detected(matrix: ConfusionMatrix) -> Proportion:
    tp, fp, fn, tn = matrix
    return Proportion(tp + fp, tp + fp + fn + tn)


METRICS = {
    "detection rate": _detected,
    "accuracy": accuracy,
    "sensitivity": recall,
    "specificity": specificity,
    "precision": precision,
    # F1 holds the truth exactly where Jaccard's index does.
    "F1": jaccard_index,
}


class Case(NamedTuple):
    """One metric in one clustering, at one prevalence and size, and what became of its intervals."""

    clustering: str
    prevalence: float
    size: int
    metric: str
    events: float
    coverage: float
    width: float
    naive_coverage: float
    naive_width: float
    normal_coverage: float
    normal_width: float

    def misses(self, studies: int) -> bool:
        """Whether the coverage is significantly below its goal."""
        return is_below_goal(self.coverage, self.events, studies, GOAL_OF_FEW)


def main() -> None:
    """Draw the studies, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("rates", "estimates"), default="rates", help="which intervals")
    parser.add_argument("--studies", type=int, default=10_000, help="studies a case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="every case, not only a line for each metric and clustering")
    arguments = parser.parse_args()
    if arguments.part == "estimates":
        sys.exit(coverage_of_estimates.show(arguments.studies, arguments.seed, arguments.all))
    cases = list(_cases(arguments.studies, np.random.default_rng(arguments.seed)))
    groups = [[case] for case in cases] if arguments.all else _by_metric(cases)
    headings = ("clustering", "metric", "cases", "coverage", "lowest", "width")
    table = Table(*headings, "independent rows", "width", "normal", "width", min_width=100)
    for group in groups:
        table.add_row(*_line(group))
    Console(width=130).print(table)
    missed = [case for case in cases if case.misses(arguments.studies)]
    for case in missed:
        print(f"MISSED: {case}")
    print(f"{len(cases)} cases of {arguments.studies:,} studies; {len(missed)} below the goal.")
    sys.exit(1 if missed else 0)


def _by_metric(cases: list[Case]) -> list[list[Case]]:
    keys = dict.fromkeys((case.clustering, case.metric) for case in cases)
    return [[case for case in cases if (case.clustering, case.metric) == key] for key in keys]


def _line(group: list[Case]) -> list[str]:
    first = group[0]
    at = f" {first.prevalence:.0%} of {first.size:,}" if len(group) == 1 else ""

    def mean(name: str) -> float:
        return float(np.mean([getattr(case, name) for case in group]))

    return [
        first.clustering + at,
        first.metric,
        str(len(group)),
        f"{mean('coverage'):.3f}",
        f"{min(case.coverage for case in group):.3f}",
        f"{mean('width'):.3f}",
        f"{mean('naive_coverage'):.3f}",
        f"{mean('naive_width'):.3f}",
        f"{mean('normal_coverage'):.3f}",
        f"{mean('normal_width'):.3f}",
    ]


def _cases(studies: int, random: np.random.Generator) -> Iterator[Case]:
    for clustering, (share_of_pairs, same_label, same_error) in CLUSTERINGS.items():
        for prevalence in PREVALENCES:
            for size in SIZES:
                chances, kinds = _incidents(prevalence, share_of_pairs, same_label, same_error)
                incidents = round(size / (1 + share_of_pairs))
                counts = random.multinomial(incidents, chances, size=studies).astype(np.float64)
                for metric, of_matrix in METRICS.items():
                    proportion = of_matrix(ConfusionMatrix(*kinds.T))
                    part, whole = np.asarray(proportion.part), np.asarray(proportion.whole)
                    yield _case((clustering, prevalence, size, metric), chances * incidents, counts, part, whole)


def _case(key: tuple[str, float, int, str], expected: Numbers, counts: Numbers, part: Numbers, whole: Numbers) -> Case:
    truth = float(expected @ part / (expected @ whole))
    events = min(truth, 1 - truth) * float(expected @ whole)
    # A study in which the metric is undefined has no interval.
    counts = counts[counts @ whole > 0]
    each = (part, whole, part * part, part * whole, whole * whole, (whole > 0).astype(np.float64))
    sums = ClusterSums(*(counts @ values for values in each))
    quantile = np.asarray(norm.ppf((1 + LEVEL) / 2))
    share = sums.part / sums.whole
    rules = [
        bounds(sums),
        wilson(share, sums.whole, quantile),
        wilson(share, sums.whole / design_effect(sums), quantile),
    ]
    told: list[float] = []
    for low, high in rules:
        told += [float(((low <= truth + 1e-12) & (truth - 1e-12 <= high)).mean()), float((high - low).mean())]
    return Case(*key, events, *told)


def _incidents(
    prevalence: float, share_of_pairs: float, same_label: float, same_error: float
) -> tuple[Numbers, Numbers]:
    """The kinds of incidents: the chance of each, and its tp, fp, fn and tn, as an array of shape (kinds, 4)."""
    found: dict[tuple[int, ...], float] = {}

    def add(chance: float, *narratives: tuple[int, int]) -> None:
        cells = [0, 0, 0, 0]
        for label, detected in narratives:
            cells[{(1, 1): 0, (0, 1): 1, (1, 0): 2, (0, 0): 3}[label, detected]] += 1
        if chance > 0:
            found[tuple(cells)] = found.get(tuple(cells), 0.0) + chance

    def of_label(label: int) -> float:
        return prevalence if label else 1 - prevalence

    def of_detection(detected: int, label: int) -> float:
        positive = SENSITIVITY if label else 1 - SPECIFICITY
        return positive if detected else 1 - positive

    for first in (0, 1):
        for detected in (0, 1):
            one = of_label(first) * of_detection(detected, first)
            add((1 - share_of_pairs) * one, (first, detected))
            for second in (0, 1):
                alike = same_label * (first == second) + (1 - same_label) * of_label(second)
                for other in (0, 1):
                    chance = of_detection(other, second)
                    if first == second:
                        chance = same_error * (detected == other) + (1 - same_error) * chance
                    add(share_of_pairs * one * alike * chance, (first, detected), (second, other))
    return np.array(list(found.values())), np.array(list(found), dtype=np.float64)


if __name__ == "__main__":
    main()
