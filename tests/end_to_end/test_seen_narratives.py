"""No tuning on the test set: an experiment is measured with and without what was seen while its prompt was chosen."""

import json
from collections.abc import Sequence
from contextlib import chdir
from typing import Any

import pytest

from narrative_runs.seen_narratives import How, record_seen, text_digest
from narrative_runs.source.shards import Narrative
from tests.end_to_end.test_codebook import CODEBOOK, WEAPONS, write_book
from tests.project import LABELLED, Fake, Project, cases

pytestmark = pytest.mark.end_to_end

INCIDENTS = 20
FINDINGS = ("results.parquet", "results.csv", "results.json", "metrics.json", "data_quality.json")
# By number of the incident the texts that were seen: of two incidents one of two.
SEEN = {0: ["CME"], 3: ["LE"], 4: ["CME", "LE"], 11: ["CME", "LE"], 12: ["CME", "LE"]}
N_SEEN = 8


def texts_of(numbers: dict[int, list[str]]) -> list[str]:
    """The texts of these narratives, as `tests.project.cases` writes them."""
    return [f"{kind} text of case {number}." for number, kinds in numbers.items() for kind in kinds]


def see(project: Project, texts: Sequence[str], how: How = "tried") -> None:
    """Have these texts seen: of a workbook that is no more, with other ids."""
    with chdir(project.folder):
        record_seen([Narrative(n, f"old-{n}", "cme", text, None, None) for n, text in enumerate(texts, 1)], how)


def done(project: Project, *words: str) -> str:
    """Run a command that has to work; returns what it said."""
    ended = project.run(*words)
    assert ended.returncode == 0 and "Traceback" not in ended.stdout, ended.stdout
    return ended.stdout


def rows(but: Sequence[int] = ()) -> list[list[Any]]:
    """The rows of the workbook, with a column of labels, without some incidents."""
    every = [[*row, WEAPONS[number % len(WEAPONS)]] for number, row in enumerate(cases(INCIDENTS))]
    return [row for number, row in enumerate(every) if number not in but]


def metrics_of(project: Project, slug: str = "cases", name: str = "metrics.json") -> dict[str, Any]:
    """The content of an experiment's metrics."""
    metrics: dict[str, Any] = project.read_json(f"results/{slug}/{name}")
    return metrics


def findings(project: Project) -> dict[str, bytes]:
    """The bytes of all findings."""
    return {name: (project.folder / "results/cases" / name).read_bytes() for name in FINDINGS}


def heads(project: Project) -> list[dict[str, Any]]:
    """The heads of all journals, oldest session first."""
    paths = sorted((project.folder / "results/cases/journal").rglob("*.jsonl"))
    return [json.loads(path.open(encoding="utf-8").readline())["head"] for path in paths]


def test_without_what_was_seen_is_as_if_it_were_not_in_the_workbook(project: Project, fake: Fake) -> None:
    """The measures without what was seen, of the usual question and of each variable of a codebook, are those of a
    workbook that lacks these incidents; screen and report say how many there were, and the findings are proved."""
    project.write_workbook(rows(), [*LABELLED, "Weapon"])
    project.write_workbook(rows(but=list(SEEN)), [*LABELLED, "Weapon"], name="data/rest.xlsx")
    write_book(project, fake.url)
    of_rest = {"experiment": {"name": "Rest", "slug": "rest"}, "data": {"file": "data/rest.xlsx"}}
    write_book(project, fake.url, name="rest.yaml", **of_rest)
    see(project, [*texts_of(SEEN), "Of another workbook."])
    see(project, texts_of(SEEN)[:2], "shown")
    screen = done(project, "snakemake", "--cores", "4")
    assert f"{N_SEEN} narratives of {len(SEEN)} incidents were seen before" in " ".join(screen.split())
    done(project, "snakemake", "--cores", "4", "--configfile", "rest.yaml")
    unseen, rest = metrics_of(project)["unseen"], metrics_of(project, "rest")
    assert unseen.pop("n_seen_narratives") == N_SEEN and unseen.pop("n_seen_incidents") == len(SEEN)
    assert list(unseen["variables"]) == list(CODEBOOK["variables"])
    assert unseen == {name: rest[name] for name in ("n_labelled", "overall", "by_type", "incident", "variables")}
    assert metrics_of(project)["overall"]["n_answered"] > unseen["overall"]["n_answered"] > 0
    # Nothing of what was seen is in its workbook.
    assert "unseen" not in rest
    page = (project.folder / "results/cases/report.html").read_text(encoding="utf-8")
    assert f"{N_SEEN} narratives of {len(SEEN)} incidents had been seen" in page
    assert "had been seen" not in (project.folder / "results/rest/report.html").read_text(encoding="utf-8")
    expected = sorted(text_digest(text) for text in [*texts_of(SEEN), "Of another workbook."])
    assert all(head["seen_before"] == expected for head in heads(project))
    assert done(project, "narrative-runs", "prove").count("byte for byte") >= 4
    done(project, "narrative-runs", "compare", "cases", "rest")


def test_what_is_seen_after_the_first_answer_changes_nothing(project: Project, fake: Fake) -> None:
    """Only what was seen before the first answer counts, whatever is seen later, lost or derived again; small counts
    are published without it; forgetting the experiment says what stays of it."""
    project.write_workbook(cases(INCIDENTS))
    project.write_params(fake.url)
    see(project, texts_of(SEEN))
    done(project, "snakemake", "--cores", "4", "--config", "run={max_narratives: 30}")
    done(project, "narrative-runs", "snapshot", "cases", "--name", "pilot")
    pilot = findings(project)
    assert json.loads(pilot["metrics.json"])["unseen"]["n_seen_incidents"] == len(SEEN)
    see(project, texts_of({number: ["CME", "LE"] for number in range(INCIDENTS)}), "shown")
    done(project, "snakemake", "--cores", "4")
    whole, asked = findings(project), fake.asked
    unseen = metrics_of(project)["unseen"]
    assert (unseen["n_seen_narratives"], unseen["n_seen_incidents"]) == (N_SEEN, len(SEEN))
    assert unseen["overall"]["n_answered"] == 2 * (INCIDENTS - len(SEEN))
    (project.folder / "results/development/seen.jsonl").unlink()
    for name in ("metrics.json", "results.parquet"):
        (project.folder / "results/cases" / name).unlink()
    done(project, "snakemake", "--cores", "4")
    assert findings(project) == whole
    assert done(project, "narrative-runs", "prove").count("byte for byte") >= 4
    done(project, "narrative-runs", "rollback", "cases", "pilot", "--yes")
    assert findings(project) == pilot
    done(project, "narrative-runs", "rollback", "cases", "--undo", "--yes")
    assert findings(project) == whole
    project.write_params(fake.url, report={"suppress_below": 5})
    done(project, "snakemake", "--cores", "4")
    assert findings(project) == whole and metrics_of(project, name="metrics_to_publish.json")["unseen"] == "masked"
    page = (project.folder / "results/cases/report.html").read_text(encoding="utf-8")
    assert "they would reveal small counts" in page and f"{N_SEEN} narratives" not in page
    assert fake.asked == asked

    see(project, texts_of(SEEN))
    answers = project.folder / "results/development/answers/0123456789abcdef/journal/session-0001/1-of-1.jsonl"
    answers.parent.mkdir(parents=True)
    answers.write_text("{}\n")
    said = done(project, "narrative-runs", "forget", "cases", "--yes")
    assert "results/development/seen.jsonl: the list of seen narratives" in said
    command = said.partition("perhaps of the same workbook. `")[2].partition("`")[0]
    done(project, *command.split(), "--yes")
    assert [path.name for path in (project.folder / "results/development").rglob("*")] == ["seen.jsonl"]
