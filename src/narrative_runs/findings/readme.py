"""README.txt in the folder of an experiment: which files it holds, and how other programs read them right."""

from narrative_runs.atomic_files import written_whole
from narrative_runs.paths import ExperimentFolder

# docs/reading.md tells more of the same; tests run both in the programs themselves.
_TEXT = """\
Results of narrative-runs: {slug}

report.html             one page for co-authors
results.xlsx            all rows, for Excel
results.csv             all rows, for R, pandas and Stata
results.json            all rows, for programs
results.parquet         all rows, with exact types
metrics.json            counts and rates, with their intervals
metrics_to_publish.json the same, without small counts where report.suppress_below masks them
data_quality.json       what was read, skipped and dropped
logs/performance.log    a line for each narrative, as CSV
journal/                every answer as it came: keep it, all else is made again from it
../experiments.db       the SQLite record of all experiments

results.csv and results.json are there only with run.save_csv_json: true; snapshots/ is there once a snapshot was
made, and `narrative-runs snapshot {slug} --list` shows what it holds.

Ids are texts: 000123 is not 123. Many programs take them for numbers unless they are told. In the project folder:

R

    results <- read.csv("results/{slug}/results.csv", na.strings = "", encoding = "UTF-8",
                        colClasses = c(incident_id = "character"))

Python, with the project's environment

    import narrative_runs
    results = narrative_runs.read("{slug}")

Python, with pandas alone

    import pandas
    results = pandas.read_csv("results/{slug}/results.csv", dtype={{"incident_id": "string"}},
                              keep_default_na=False, na_values=[""]).convert_dtypes()

Excel: open results.xlsx, not results.csv.

More files and programs (readr, readxl, DBI, polars, DuckDB, Stata): docs/reading.md in the project.
"""


def write_readme(folder: ExperimentFolder) -> None:
    """Write README.txt for the experiment in this folder; it holds no text and no count."""
    with written_whole(folder.readme) as draft:
        draft.write_text(_TEXT.format(slug=folder.slug), encoding="utf-8")
