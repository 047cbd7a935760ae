"""Tables and colours on a terminal, with plain text in them."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from narrative_runs.plain_text import plain


class PlainConsole(Console):
    """A console that steers the terminal itself, and lets no text do so."""

    def render_str(self, text: str, **how: Any) -> Text:
        """A text as it is shown, made plain before its width is measured."""
        return super().render_str(plain(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The parts of what is shown, each text made plain, however it came there."""
        for part in super().render(renderable, options):
            yield part if part.control else Segment(plain(part.text), part.style)
