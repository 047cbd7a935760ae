"""narrative-runs: resumable classification of death-investigation narratives with a language model."""

import os

# numpy's algebra would start a thread for every core in each of the many short jobs: 0.1 s of CPU for nothing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def __getattr__(name: str) -> str:
    """`__version__`, looked up when somebody wants to know: most jobs do not, and it takes 40 ms."""
    if name == "__version__":
        from importlib.metadata import version

        return version("narrative-runs")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
