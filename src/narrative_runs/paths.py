"""Where things are: the one table of paths below `results/`."""

from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results")
RECORD = RESULTS / "experiments.db"
BACKUPS = RESULTS / "backups"
# What is asked and shown before an experiment, while its prompt is chosen; and which narratives were, for good.
DEVELOPMENT = RESULTS / "development"
SEEN = DEVELOPMENT / "seen.jsonl"
# By what the page finds narratives; made from the record.
SEARCH_INDEX = RESULTS / "search_index.db"
# What `adopt` writes, until it is whole: one level deeper than experiments lie, so that what a killed one leaves behind
# is taken for none.
ADOPTING = ".adopting"
# What is being removed, until all of it is.
FORGETTING = RESULTS / ".forgetting"


def shard_name(shard: int, count: int) -> str:
    """Name of a shard's files without ending, such as `03-of-16`; `shard` counts from 1."""
    return f"{shard:0{len(str(count))}d}-of-{count}"


@dataclass(frozen=True)
class ExperimentFolder:
    """The folder of one experiment, `results/<slug>/`, and all that lies in it; `results` is where such folders are."""

    slug: str
    results: Path = RESULTS

    @property
    def path(self) -> Path:
        """The folder itself."""
        return self.results / self.slug

    @property
    def readme(self) -> Path:
        """What lies in the folder, and how other programs read it."""
        return self.path / "README.txt"

    @property
    def description(self) -> Path:
        """The id and the frozen params, for people."""
        return self.path / "experiment.yaml"

    @property
    def journals(self) -> Path:
        """Every model answer as it came, one folder a session."""
        return self.path / "journal"

    @property
    def watched_journal(self) -> Path:
        """The journals by the name under which `dvc repro` sees that they changed."""
        return self.path / ".watched_journal"

    @property
    def narratives(self) -> Path:
        """The workbook's narratives, dealt into shards."""
        return self.path / "narratives"

    @property
    def shards(self) -> Path:
        """One results file a shard."""
        return self.path / "shards"

    @property
    def retries(self) -> Path:
        """What `retry_errors` found."""
        return self.path / "retries.parquet"

    @property
    def data_quality(self) -> Path:
        """What was read, skipped and dropped."""
        return self.path / "data_quality.json"

    @property
    def metrics(self) -> Path:
        """The findings in numbers."""
        return self.path / "metrics.json"

    @property
    def metrics_to_publish(self) -> Path:
        """What of the metrics may be published: all of them, where no small counts are masked."""
        return self.path / "metrics_to_publish.json"

    @property
    def r_metrics(self) -> Path:
        """What the R system measured of an experiment that was adopted when complete, beside our measures."""
        return self.path / "r_metrics.json"

    @property
    def figures(self) -> Path:
        """The report's figures, as PNG and PDF."""
        return self.path / "figures"

    @property
    def report(self) -> Path:
        """The report, one page."""
        return self.path / "report.html"

    @property
    def derived_by(self) -> Path:
        """Which release and code derived the findings, with their checksums."""
        return self.path / "derived_by.json"

    @property
    def changes(self) -> Path:
        """What this release would derive differently from the same answers."""
        return self.path / "changes.csv"

    @property
    def earlier_findings(self) -> Path:
        """Findings as they were before `rederive`, one folder a time."""
        return self.path / "earlier_findings"

    @property
    def snapshots(self) -> Path:
        """Named states, one small file each."""
        return self.path / "snapshots"

    @property
    def logs(self) -> Path:
        """What happened, without narrative text."""
        return self.path / "logs"

    @property
    def review(self) -> Path:
        """A sample for manual review, as `export --review` writes it."""
        return self.path / "review.xlsx"

    @property
    def reviews(self) -> Path:
        """Every verdict of a reviewer as it came, and what was dealt to whom."""
        return self.path / "reviews.jsonl"

    @property
    def reviews_seal(self) -> Path:
        """How many lines the reviews have, and the checksum of the last."""
        return self.path / "reviews.sealed.json"

    @property
    def estimates(self) -> Path:
        """Prevalences and means, corrected by the reviews."""
        return self.path / "estimates.json"

    @property
    def estimates_table(self) -> Path:
        """The same, a row a number."""
        return self.path / "estimates.csv"

    @property
    def no_text(self) -> Path:
        """What may leave your network, as `export --no-text` writes it."""
        return self.path / "no_text.csv"

    @property
    def result_table(self) -> Path:
        """All rows, as programs read them."""
        return self.path / "results.parquet"

    @property
    def other_columns(self) -> Path:
        """The workbook's other columns, by narrative: they ride along into the results."""
        return self.narratives / "other_columns.parquet"

    @property
    def incidents(self) -> Path:
        """What the workbook says of incidents: labels of their own, and which are inconsistent."""
        return self.narratives / "incidents.parquet"

    def narratives_of(self, shard: int, count: int) -> Path:
        """The narratives of one shard."""
        return self.narratives / f"{shard_name(shard, count)}.parquet"

    def results_of(self, shard: int, count: int) -> Path:
        """The results of one shard."""
        return self.shards / f"{shard_name(shard, count)}.parquet"

    def figure(self, name: str, kind: str) -> Path:
        """One figure of the report; kind: png or pdf."""
        return self.figures / f"{name}.{kind}"
