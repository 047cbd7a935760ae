"""Prints the score of the challenge: `python examples/youth-mental-health/scores.py`, in the project folder.

From `metrics.json`, or from another such file that is named behind, the F1 of each variable over the records: of yes
and no the F1 of yes, which is 0 where it is undefined, and of a category the micro F1. The score is the mean over all.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

METRICS = Path("results/youth-mental-health/metrics.json")
MEASURES = {"binary": "f1", "category": "micro_f1"}


class Score(NamedTuple):
    """The F1 of one variable over `n` records: those with a label, without an error and without a difference.

    n_errors: records in which a narrative has no answer that can be read; n_differing: those whose two narratives give
    different values of a category.
    """

    type: str
    f1: float
    n: int
    n_errors: int
    n_differing: int


def scores(metrics: Mapping[str, Any]) -> dict[str, Score]:
    """The score of each variable, by its name; metrics: what `metrics.json` holds."""
    by_variable = {}
    for name, variable in metrics["variables"].items():
        records = variable["incident"]
        f1 = records[MEASURES[variable["type"]]]
        value = f1["value"] if f1 else 0.0
        by_variable[name] = Score(
            variable["type"], value, records["n"], records["n_errors"], records.get("n_differing", 0)
        )
    return by_variable


def averages(by_variable: Mapping[str, Score]) -> dict[str, float]:
    """The mean F1 of the binary variables, the F1 of each category, and the mean over all variables, by what it is."""
    binary = [score.f1 for score in by_variable.values() if score.type == "binary"]
    categories = {f"micro F1 of {name}": score.f1 for name, score in by_variable.items() if score.type == "category"}
    return {
        f"mean F1 of {len(binary)} binary variables": fmean(binary),
        **categories,
        f"average over {len(by_variable)} variables": fmean(score.f1 for score in by_variable.values()),
    }


def main() -> None:
    """Print a line for each variable, and the averages behind them."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else METRICS
    if not path.exists():
        sys.exit(f"There is no {path} here. Run the example first, and call this in the project folder.")
    by_variable = scores(json.loads(path.read_text(encoding="utf-8")))
    print(f"{'variable':<34} {'F1':>5} {'n':>6} {'errors':>7} {'differing':>10}")
    for name, score in by_variable.items():
        differing = f"{score.n_differing:,}" if score.type == "category" else "-"
        print(f"{name:<34} {score.f1:>5.3f} {score.n:>6,} {score.n_errors:>7,} {differing:>10}")
    for name, value in averages(by_variable).items():
        print(f"{name:<34} {value:>5.3f}")


if __name__ == "__main__":
    main()
