import pytest
from tests.monitoring.conftest import Add

from narrative_runs.errors import ExperimentError
from narrative_runs.experiment import ExperimentState, describe
from narrative_runs.monitoring.experiments import ExperimentRow, experiments
from narrative_runs.page.history.room import choices, sides_of, why_not_compared
from narrative_runs.page.history.side_by_side import params_of
from narrative_runs.paths import ExperimentFolder


def written(slug: str, prompt: str, below: int = 0) -> None:
    """An experiment whose folder says with which params it began."""
    params = {
        "experiment": {"slug": slug, "name": slug},
        "model": {"name": "fake"},
        "prompt": {"system_prompt": prompt},
        "report": {"suppress_below": below},
    }
    folder = ExperimentFolder(slug)
    folder.path.mkdir(parents=True, exist_ok=True)
    describe(folder, ExperimentState(f"id-{slug}", "md5", params, True, "2026-01-01 00:00:00"))


@pytest.fixture
def known(add: Add) -> list[ExperimentRow]:
    """Three experiments: two with a folder, and one of the R system, of which the record alone tells."""
    add("one", "completed", accuracy=0.9)
    written("one", "Decide.\nNow.")
    add("two", "completed", accuracy=0.8)
    written("two", "Decide.\nSoon.", below=5)
    add("", "completed", has_folder=False, model_name="older", system_prompt="Decide.", accuracy=0.7)
    return experiments()


def label_of_r(known: list[ExperimentRow]) -> str:
    return next(str(each.row["experiment_id"]) for each in known if not each.row["slug"])


def test_chosen_experiments_are_called_by_letters(known: list[ExperimentRow]) -> None:
    """Experiments are found by slug or id, each once, and called A, B and so on in the order in which they are
    named."""
    sides = sides_of(["two", "one", "two", label_of_r(known)], known)
    assert [(side.letter, side.label) for side in sides] == [("A", "two"), ("B", "one"), ("C", label_of_r(known))]
    assert [side.below for side in sides] == [5, 0, 0]
    assert sides[2].state.params["model"]["name"] == "older"


@pytest.mark.parametrize("label", ["../one", "nobody", "one@nothing", "one@../../secret", "@", ""])
def test_what_is_not_there_is_refused_in_words(known: list[ExperimentRow], label: str) -> None:
    """An experiment or a snapshot that there is not is a user's error, whatever its name looks like."""
    with pytest.raises(ExperimentError, match=r"no (experiment|snapshot)"):
        sides_of(["one", label], known)


def test_params_and_prompts_that_differ(known: list[ExperimentRow]) -> None:
    """Params that differ stand in a table; of a prompt the lines that differ are shown."""
    table, texts = params_of(sides_of(["one", "two"], known))
    assert table is not None
    assert {row[0].words for row in table.rows} == {"prompt.system_prompt", "experiment.name", "report.suppress_below"}
    (text,) = texts
    assert (text.key, text.other.label) == ("prompt.system_prompt", "two")
    assert [line.kind for line in text.lines] == ["same", "removed", "added"]
    alike, nothing = params_of(sides_of(["one"], known) * 2)
    assert alike is None and nothing == []


def test_why_nothing_is_tested(known: list[ExperimentRow]) -> None:
    """Where an experiment masks, or fewer than two have findings, the page says why there is no test."""
    assert "report.suppress_below" in why_not_compared(sides_of(["one", "two"], known))
    assert "findings" in why_not_compared(sides_of(["one", label_of_r(known)], known))
    assert why_not_compared(sides_of(["one"], known)) == ""


def test_the_list_masks_measures_as_the_report_does(known: list[ExperimentRow]) -> None:
    """The list of all has the measures of the record, and `masked` in their place where the report masks."""
    cells = {choice.which: choice.cells for choice in choices(known, ["one"])}
    assert "0.900" in cells["one"] and "masked" in cells["two"] and "0.800" not in cells["two"]
    assert [choice.which for choice in choices(known, ["one"]) if choice.is_chosen] == ["one"]
