"""What all figures share: colours, sizes, and how they become files.

Colours: Okabe and Ito, "Color Universal Design", 2008. No meaning hangs on colour alone: there are markers, hatches,
line styles or words as well, for black-and-white print.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LEFT_OUT = "Not drawn: it would show counts that report.suppress_below masks."
BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREY = "#6B6B6B"

WIDTH_IN = 6.3
_STYLE: Any = {
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    # Ids inside an SVG are random otherwise: the same figure would not give the same bytes.
    "svg.hashsalt": "narrative-runs",
}
# Neither when nor with what a file was made: the same figure gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
_PNG_DPI = 150


class Drawing(NamedTuple):
    """A figure, and a description in words for readers who cannot see it."""

    figure: Figure
    words: str


@contextmanager
def style() -> Iterator[None]:
    """A context in which figures are drawn in the report's style."""
    with mpl.rc_context(_STYLE):
        yield


def blank(height_in: float) -> Figure:
    """An empty figure of the report's width, to be drawn within `style`."""
    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained")


def nothing(reason: str) -> Drawing:
    """A figure that says that there is no data."""
    figure = Figure(figsize=(WIDTH_IN, 1.2))
    figure.text(0.5, 0.5, reason, ha="center", va="center", color=GREY)
    return Drawing(figure, reason)


def files_of(figure: Figure, kinds: tuple[str, ...]) -> dict[str, bytes]:
    """The figure as files, by kind: svg, png or pdf."""
    with style():
        engine = figure.get_layout_engine()
        if engine is not None:
            # Once is enough for all kinds: it takes longer than drawing. With any engine, even that of "none", a figure
            # is drawn twice for each kind.
            engine.execute(figure)
            figure.set_layout_engine(None)
        return {kind: _file(figure, kind) for kind in kinds}


def _file(figure: Figure, kind: str) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=_PNG_DPI, metadata=_METADATA[kind])
    return content.getvalue()


def percent_axis(axes: Axes, label: str) -> None:
    """Let the x axis show shares from 0 to 1 as percent."""
    axes.set_xlabel(label)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}")
