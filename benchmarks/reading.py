"""Time to read an answer, by its length: `python -m benchmarks.reading`.

The texts are those at which a reader that looks twice would lose its way: openings without an end, alone and behind the
beginning of an answer. Twice the length is to take twice the time.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress

from rich.console import Console
from rich.table import Table

from narrative_runs.asking import answer
from narrative_runs.asking.thinking import apart_from_thinking
from narrative_runs.codebook.default import DEFAULT

LENGTH = 32_000
REPEATS = 3
GOAL_RATIO = 2.8
# Below this, the ratio is that of the clock.
SHORTEST_S = 0.005
OPENINGS = ("<think>", "{", "[", '"', "`", "<think></think>", "analysis", "[THINK]")
BEFORE = ("", '"detected": true,', '{"detected": true,')


def main() -> None:
    """Print seconds at both lengths and their ratio for each text; fail where one is far above 2."""
    table = Table("text", f"{LENGTH:,}", f"{2 * LENGTH:,}", "ratio", title="seconds to read", title_justify="left")
    is_linear = True
    for text, shorter, longer in _measured():
        is_linear = is_linear and (longer < GOAL_RATIO * shorter or longer < SHORTEST_S)
        table.add_row(text, f"{shorter:.4f}", f"{longer:.4f}", f"{longer / shorter:.1f}")
    Console(highlight=False, markup=False).print(table)
    sys.exit(not is_linear)


def _measured() -> Iterator[tuple[str, float, float]]:
    for before in BEFORE:
        for opening in OPENINGS:
            shorter, longer = (_seconds(before + _repeated(opening, length)) for length in (LENGTH, 2 * LENGTH))
            yield f"{before} {opening} …".strip(), shorter, longer


def _repeated(opening: str, length: int) -> str:
    return opening * (length // len(opening))


def _seconds(content: str) -> float:
    """The shortest of several times that it took to read a model's text."""
    return min(_once(content) for _ in range(REPEATS))


def _once(content: str) -> float:
    began = time.perf_counter()
    with suppress(answer.Unreadable):
        answer.located(apart_from_thinking(content).written, DEFAULT)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
