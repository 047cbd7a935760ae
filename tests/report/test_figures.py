from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from tests.result_tables import labelled_by_incident, table_at_random

from narrative_runs.findings.metrics import measure
from narrative_runs.findings.tables import finish
from narrative_runs.jobs.report import drawn
from narrative_runs.report import canvas
from narrative_runs.report.canvas import Drawing, files_of, style
from narrative_runs.report.captions import CAPTIONS

ResultTable = Callable[..., pd.DataFrame]

PALETTE = {canvas.ORANGE, canvas.SKY_BLUE, canvas.BLUE, canvas.VERMILION, canvas.BLACK}
NEEDS_LABELS = {"confusion_matrices", "reliability", "roc_precision_recall"}


def drawings_of(results: pd.DataFrame, types: Sequence[str] = ("cme", "le")) -> dict[str, Drawing]:
    """All figures of a table of results."""
    finished = finish(results)
    with style():
        return drawn(measure(results, "id", 1, types), finished, finished["response_sec"])


@pytest.fixture(scope="module")
def drawings() -> dict[str, Drawing]:
    """All figures of labelled results with errors and both kinds of probability."""
    results = table_at_random(150, seed=7)
    return drawings_of(
        results.assign(
            prompt_tokens=(300 + results["row_num"]).astype("Int64"),
            completion_tokens=(results["row_num"] % 40).astype("Int64"),
        )
    )


def texts_of(figure: Figure) -> str:
    """All that is written in a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


@pytest.mark.parametrize("name", CAPTIONS)
def test_every_axis_is_named(drawings: dict[str, Drawing], name: str) -> None:
    """Each panel of each figure says what is on its x axis, and one of the figure's labels what is on its y axis."""
    figure = drawings[name].figure
    shared = {axes.get_xlabel() for axes in figure.axes}
    assert figure.axes and shared - {""}
    for axes in figure.axes:
        assert axes.get_xlabel() or not any(label.get_visible() for label in axes.get_xticklabels())
        labelled = axes.get_ylabel() or figure.get_supylabel() or axes.get_yticklabels()
        assert labelled


@pytest.mark.parametrize("name", CAPTIONS)
def test_colours_are_safe_for_the_colour_blind(drawings: dict[str, Drawing], name: str) -> None:
    """Every colour of lines and areas is one of the palette of Okabe and Ito, or a grey."""
    figure = drawings[name].figure

    def colours() -> Iterator[str]:
        for artist in figure.findobj(lambda artist: isinstance(artist, Line2D | Patch)):
            if isinstance(artist, Line2D):
                yield to_hex(artist.get_color())
            elif isinstance(artist, Patch):
                if artist.get_fill():
                    yield to_hex(artist.get_facecolor())
                yield to_hex(artist.get_edgecolor())

    palette = {to_hex(colour) for colour in PALETTE}
    for colour in colours():
        is_grey = colour[1:3] == colour[3:5] == colour[5:7]
        assert is_grey or colour in palette, colour


def test_two_curves_differ_in_more_than_colour(drawings: dict[str, Drawing]) -> None:
    """In black-and-white print, stated confidence and token probability are told apart by line style."""
    for name in ("reliability", "roc_precision_recall"):
        for axes in drawings[name].figure.axes:
            legend = axes.get_legend()
            if legend is not None:
                styles = [
                    line.get_linestyle()
                    for line in axes.get_lines()
                    if np.size(line.get_xdata()) > 2 and line.get_linestyle() != "None"
                ]
                assert len(set(styles)) == len(styles) == 2


def test_wrong_answers_are_hatched(drawings: dict[str, Drawing]) -> None:
    """In black-and-white print, the cells of wrong answers are told from those of right ones by a hatch."""
    for axes in drawings["confusion_matrices"].figure.axes:
        hatched = {(patch.get_x(), patch.get_y()) for patch in axes.patches if patch.get_hatch()}  # type: ignore[attr-defined]
        assert hatched == {(0.5, -0.5), (-0.5, 0.5)}


def test_words_tell_what_is_to_be_seen(result_table: ResultTable) -> None:
    """Who does not see a figure hears its numbers."""
    kinds = [(1, True)] * 42 + [(0, True)] * 14 + [(1, False)] * 6 + [(0, False)] * 338
    results = result_table(*({"manual_flag_ind": label, "detected": found} for label, found in kinds))
    words = {name: drawing.words for name, drawing in drawings_of(results).items()}
    assert words["confusion_matrices"].startswith("All narratives: 42 TP, 14 FP, 6 FN, 338 TN;")
    assert words["detection_rates"].startswith(
        "All narratives 14.0% (10.9 to 17.8) of 400, labelled positive 12.0% of 400;"
    )
    assert words["confidence_by_outcome"].startswith("42 true positives, median confidence 0.90;")


@pytest.mark.parametrize(("types", "panels"), [(("examiner",), 3), (("cme", "le", "toxicology"), 5)])
@pytest.mark.slow
def test_any_number_of_narrative_types_has_its_figures(types: tuple[str, ...], panels: int) -> None:
    """Each type has its rate and its matrix; the figure of agreement says why there is none."""
    found = drawings_of(table_at_random(60, 2, types), types)
    assert list(found) == list(CAPTIONS)
    titles = [axes.get_title(loc="left") for axes in found["confusion_matrices"].figure.axes]
    assert len(titles) == panels and all(titles)
    rates = texts_of(found["detection_rates"].figure)
    assert [title in rates for title in ("All narratives", types[-1], "Incidents")] == [True] * 3
    assert found["agreement"].words == (f"Agreement is between two narrative types; this experiment has {len(types)}.")


def test_incidents_that_alone_have_labels_have_their_matrix() -> None:
    """Where no narrative has a label, the matrix is that of incidents alone, with the numbers of metrics.json."""
    results = labelled_by_incident(table_at_random(80, 3))
    incident = measure(results, "id", 1)["incident"]
    found = drawings_of(results)["confusion_matrices"]
    counts = ", ".join(f"{incident[cell]} {cell.upper()}" for cell in ("tp", "fp", "fn", "tn"))
    assert found.words == f"Incidents: {counts}." and incident["tp"] > 0
    (axes,) = found.figure.axes
    assert axes.get_title(loc="left") == f"Incidents, n = {incident['n']}"


@pytest.mark.slow
def test_agreement_names_the_two_types() -> None:
    """The figure of agreement is of the types that the experiment has, in their order."""
    found = drawings_of(table_at_random(60, 2, ("examiner", "police")), ("examiner", "police"))["agreement"]
    assert "examiner only" in found.words and "police only" in found.words
    assert "Detected in the police narrative" in texts_of(found.figure)


def test_intervals_are_drawn_where_metrics_have_them(drawings: dict[str, Drawing]) -> None:
    """The bars of the detection rates end at the bounds of metrics.json."""
    overall = measure(table_at_random(150, seed=7), "id", seed=1)["overall"]["detection_rate"]
    (segment,) = drawings["detection_rates"].figure.axes[0].collections[0].get_segments()  # type: ignore[attr-defined]
    assert [point[0] for point in segment] == pytest.approx([overall["low"], overall["high"]])


def test_without_labels_figures_say_so(result_table: ResultTable) -> None:
    """Where nothing is labelled, the figures that need labels are made all the same, and say what is missing."""
    found = drawings_of(result_table({"detected": True}, {"incident_id": "1", "narrative_type": "le"}))
    without_axes = {name for name, drawing in found.items() if not drawing.figure.axes}
    assert without_axes == NEEDS_LABELS | {"errors_by_category"}
    for name in without_axes:
        assert found[name].words == texts_of(found[name].figure) != ""


@pytest.mark.parametrize("rows", [(), ({"detected": None, "response_sec": None},)])
def test_without_any_answer_every_figure_is_made(result_table: ResultTable, rows: tuple[dict[str, Any], ...]) -> None:
    """An experiment without a row, or with errors alone, has all its figures as files."""
    found = drawings_of(result_table(*rows))
    assert list(found) == list(CAPTIONS)
    for name, drawing in found.items():
        assert files_of(drawing.figure, ("svg",))["svg"].startswith(b"<?xml"), name
    assert bool(found["errors_by_category"].figure.axes) == bool(rows)


@pytest.mark.slow
def test_files_are_the_same_bytes_each_time(random_results: ResultTable) -> None:
    """The same results give the same SVG, PNG and PDF files, without a date in them."""
    results = random_results(40, seed=8)
    first, second = (
        {name: files_of(drawing.figure, ("svg", "png", "pdf")) for name, drawing in drawings_of(results).items()}
        for _ in range(2)
    )
    assert first == second
    for files in first.values():
        assert files["png"].startswith(b"\x89PNG") and files["pdf"].startswith(b"%PDF")
        assert b"Date" not in files["pdf"] and b"dc:date" not in files["svg"]


@pytest.mark.slow
def test_files_stay_small_whatever_the_rows(random_results: ResultTable) -> None:
    """Rows are counted into bins: a large experiment has figures of the size of a small one's."""
    results = pd.concat([random_results(800, seed=9)] * 8, ignore_index=True)
    results["row_num"] = range(1, len(results) + 1)
    results["incident_id"] += "-" + results["row_num"].astype(str)
    for name, drawing in drawings_of(results).items():
        assert len(files_of(drawing.figure, ("svg",))["svg"]) < 150_000, name
