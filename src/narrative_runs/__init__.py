"""narrative-runs: resumable classification of death-investigation narratives with a language model."""

from importlib.metadata import version

__version__ = version("narrative-runs")
