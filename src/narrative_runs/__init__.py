"""narrative-runs: resumable classification of death-investigation narratives with a language model.

In a notebook, `narrative_runs.read("my-slug")` gives the results of a finished experiment.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__version__ = "0.2.0.dev0"

# numpy's algebra would start a thread for every core in each of the many short jobs: 0.1 s of CPU for nothing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def read(slug: str, results: "str | Path" = "results") -> "pd.DataFrame":
    """The results of a finished experiment as a table, one row a narrative, each column with its right type.

    In: the name of the experiment's folder below `results`; `results`, where such folders are, from another folder than
    the project's. Out: the columns of results.parquet, with the types of `narrative_runs.findings.columns`; ids are
    texts, missing values are missing, and `indicators` is a JSON list. Behind them stand the workbook's other columns.

    Raises:
        FindingsError: there is no such experiment, or it is not finished.
    """
    # Imported here: they take time that no job has to spare.
    from pathlib import Path

    from narrative_runs.notebook import results_of

    return results_of(slug, Path(results))
