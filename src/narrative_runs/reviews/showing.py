"""`narrative-runs review show`: how many reviews of an experiment are done, and how far coders agree."""

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text as Line

from narrative_runs import review_file
from narrative_runs.codebook.values import UNCLEAR
from narrative_runs.codebook.variables import missing_column
from narrative_runs.experiment import last_params
from narrative_runs.findings.intervals import Rate
from narrative_runs.params import bootstrap_seed
from narrative_runs.reviews import experiment_read
from narrative_runs.reviews.agreement import Agreement, agreement
from narrative_runs.reviews.bringing_in import passed_over
from narrative_runs.reviews.experiment_read import ToReview
from narrative_runs.reviews.population import strata_in_order
from narrative_runs.reviews.reviewed import Reviewed, reviewed_of
from narrative_runs.reviews.stand_in import MARGIN, StandIn, stand_in
from narrative_runs.reviews.truth import disagreements, values_by_coder


def show(which: str, variable: str, tell: Callable[[RenderableType], None]) -> None:
    """Show the reviews of a variable (of all that were dealt, where it is empty) in an experiment.

    tell: shows something to the user.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there is no such experiment or variable.
        ReviewsError: the reviews are not as they were written.
    """
    read = experiment_read.read(which, variable)
    lines = review_file.read(read.experiment.folder)
    names = list(dict.fromkeys(deal["variable"] for deal in review_file.deals(lines).values()))
    names = [variable] if variable else names
    if not lines:
        tell(
            f"{read.experiment.folder.slug}: no sheet was dealt to coders. "
            f"`narrative-runs export {read.experiment.folder.slug} --review N` does."
        )
    for name in names if lines else ():
        one = read if name == read.name else experiment_read.read(which, name)
        tell(_shown(one, lines))
    for line in passed_over(lines):
        tell(line)


def _shown(read: ToReview, lines: list[review_file.Line]) -> Group:
    reviews = reviewed_of(read.name, read.variable, read.population, lines)
    verdicts = reviews.verdicts
    params = last_params(read.experiment.folder, read.experiment.state)
    seed = bootstrap_seed(params.get("run", {}).get("seed"))
    values = values_by_coder(read.variable, verdicts)
    agreed = agreement(read.variable, values, seed)
    test = stand_in(read.variable, values, _predicted(read)) if agreed else None
    parts: list[RenderableType] = [Line(f"{read.name} in {read.experiment.folder.slug}", style="bold")]
    parts.append(_strata(reviews, read))
    n_open, n_all = len(reviews.open_disagreements), len(disagreements(read.variable, verdicts, is_open=False))
    parts.append(f"Disagreements of coders: {n_all}, of which {n_open} {'is' if n_open == 1 else 'are'} undecided.")
    if n_open:
        parts.append(
            "Estimates wait until somebody has decided: "
            f"`narrative-runs review disagreements {read.experiment.folder.slug} --variable {read.name}`"
        )
    if reviews.n_older:
        parts.append(f"Verdicts on older answers, which are not counted: {reviews.n_older}.")
    if agreed and agreed.n:
        parts.append(_agreement(agreed))
    if test is not None:
        parts.append(_words(test))
    return Group(*parts)


def _predicted(read: ToReview) -> dict[tuple[str, str], object]:
    """The model's value of each narrative that it was asked about, `unclear` among the values; None for none."""
    results, name = read.experiment.results, read.name
    by_row = read.population.narratives["predicted"]
    reasons = results[missing_column(name)] if missing_column(name) in results else [None] * len(results)
    keys = zip(results["incident_id"], results["narrative_type"], strict=True)
    return {
        key: UNCLEAR if isinstance(reason, str) and reason == UNCLEAR else by_row[row_num]
        for key, row_num, reason in zip(keys, results["row_num"], reasons, strict=True)
    }


def _strata(reviews: Reviewed, read: ToReview) -> Table:
    incidents = reviews.incidents
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("stratum")
    for name in ("incidents", "reviewed", "weight"):
        table.add_column(name, justify="right")
    for name in strata_in_order(read.variable, incidents["stratum"].unique().tolist()):
        size, n = incidents.loc[incidents["stratum"] == name, ["stratum_size", "n_reviewed"]].iloc[0]
        table.add_row(name, str(size), str(n), f"{size / n:,.1f}" if n else "")
    return table


def _agreement(agreed: Agreement) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("coders")
    for name in ("narratives", "same verdict", "kappa"):
        table.add_column(name, justify="right")
    for pair in agreed.pairs:
        table.add_row(", ".join(pair.coders), str(pair.n), _rate(pair.same), _rate(pair.kappa))
    table.add_row("all: Krippendorff's alpha", str(agreed.n), "", _rate(agreed.alpha))
    return table


def _words(test: StandIn) -> str:
    if test.why_not:
        return f"May the model stand in for a coder? No verdict: {test.why_not}."
    answer = "Yes" if test.passes else "No"
    return (
        f"May the model stand in for a coder? {answer}, by the alternative annotator test: for "
        f"{test.winning_rate:.0%} of {test.n_coders} coders it agrees with the others at least as well, less a margin "
        f"of {MARGIN} (it takes 50%); it does at least as well in {test.advantage:.0%} of the incidents."
    )


def _rate(known: Rate) -> str:
    return "" if known is None else f"{known['value']:.2f} [{known['low']:.2f}, {known['high']:.2f}]"
