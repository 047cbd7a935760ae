"""narrative-runs: resumable classification of death-investigation narratives with a language model."""

import os

__version__ = "0.2.0.dev0"

# numpy's algebra would start a thread for every core in each of the many short jobs: 0.1 s of CPU for nothing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
