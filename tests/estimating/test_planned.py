import io
from pathlib import Path

import pytest

from narrative_runs.estimates.review_plan import plan
from narrative_runs.estimating.planned import PlannedReviews, dealt_for, shown_plan
from narrative_runs.estimating.units import population, units_by_level
from narrative_runs.findings.estimates_file import INCIDENT
from narrative_runs.plain_console import PlainConsole
from narrative_runs.reviews.drawing import allocate
from tests.estimating.made_reviews import Made, counts
from tests.estimating.test_measured import DRAWN, grouped_by
from tests.reviewed_experiment import run, write_experiment

SIZES = {"true positive": 300, "true negative": 3_000, "error": 40}


def test_what_is_dealt_holds_the_plan() -> None:
    """The sample that `export --review` draws of the number that is named has as many incidents of each stratum as the
    plan, or more; one fewer has not."""
    made = Made(
        counts(true_positive=(300, 20, 17), true_negative=(3_000, 20, 1), error=(40, 10, 3)),
    )
    units = units_by_level(made.read, made.reviewed, DRAWN, grouped_by([]))[INCIDENT]
    planned = plan(population(units, None), 0.04)
    n = dealt_for(planned, SIZES)
    needed = {stratum.stratum: stratum.n_planned for stratum in planned.strata}
    assert all(allocate(SIZES, n)[name] >= count for name, count in needed.items())
    assert any(allocate(SIZES, n - 1)[name] < count for name, count in needed.items())


def test_the_smoothed_share_is_named_as_such() -> None:
    """A column of shares that are not those of the reviews, as 0.83 of two of two, is called smoothed, with how; where
    nothing is reviewed there is no share to explain."""
    for n_read, is_explained in ((2, True), (0, False)):
        made = Made(counts(true_positive=(300, n_read, n_read), true_negative=(3_000, 10 * n_read, 0)))
        units = units_by_level(made.read, made.reviewed, DRAWN, grouped_by([]))[INCIDENT]
        planned = PlannedReviews("cases", "detected", None, plan(population(units, None), 0.1), 100, 11 * n_read)
        screen = io.StringIO()
        console = PlainConsole(file=screen, width=160)
        for part in shown_plan(planned, 0.1):
            console.print(part)
        said = screen.getvalue()
        assert "smoothed share of positives" in said and "true ones" not in said
        assert ("0.83" in said) == ("(positives + 0.5) / (reviewed + 1)" in said) == is_explained


@pytest.mark.slow
def test_a_plan_is_shown_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan names each stratum, the number in all, that nothing is known yet, and the command that deals them; no file
    is written."""
    monkeypatch.chdir(tmp_path)
    write_experiment(90, asked=170)
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file() and ".db" not in path.name}
    run(monkeypatch, "estimate", "cases", "--plan", "--width", ".3")
    shown = capsys.readouterr().out
    for part in (
        "true positive",
        "unasked",
        "error",
        "Nothing is reviewed yet",
        "narrative-runs export cases --review",
    ):
        assert part in shown
    after = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file() and ".db" not in path.name}
    assert after == before
    run(monkeypatch, "estimate", "cases", "--plan", "--width", ".01")
    assert "even where all incidents are reviewed" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--plan"], ["--width", ".03"], ["--plan", "--width", ".03", "--by", "Sex"]])
def test_options_that_do_not_fit_are_refused(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan takes a width, and nothing that an estimate takes."""
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "estimate", "cases", *words)
    assert ended.value.code == 2
