"""Experiments for the page to show: two of the usual question, one with a codebook, one that masks, one that failed.

All texts are those of the demo, which are invented; the answers follow the labels, but for some that a checksum picks.
"""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from narrative_runs import experiment, journal
from narrative_runs.asking.request import Question
from narrative_runs.checkpoints import by_hand
from narrative_runs.demo.workbook import incidents
from narrative_runs.estimating.command import estimate
from narrative_runs.findings.estimates_file import Wish
from narrative_runs.jobs.classify import write_results
from narrative_runs.jobs.record import merge
from narrative_runs.jobs.report import write_report
from narrative_runs.jobs.retry_errors import write_retries
from narrative_runs.jobs.source import read_source
from narrative_runs.journal import Journal
from narrative_runs.params import Params, check
from narrative_runs.paths import ExperimentFolder, shard_name
from narrative_runs.record import database
from narrative_runs.run_context import RunContext
from narrative_runs.source.checksum import md5_of
from narrative_runs.source.shards import Narrative, iterate_all
from tests.fake_server import completion
from tests.project import LABELLED, Project
from tests.run_contexts import context_of
from tests.small_experiment import Listener

WORKBOOK = Path("data/deaths.xlsx")
WEAPONS = ["firearm", "blade", "hanging", "poison"]
SEVERITIES = ["control", "threat", "injury"]
TELLERS = ["partner", "family", "friend"]
CODEBOOK: dict[str, Any] = {
    "variables": {
        "detected": {
            "type": "binary",
            "label": "manual_flag_ind",
            "confidence": True,
            "definition": "A current or former partner hurt, threatened or controlled V.",
        },
        "weapon": {"type": "category", "label": "Weapon", "values": WEAPONS, "definition": "What V died of."},
        "severity": {
            "type": "ordinal",
            "values": SEVERITIES,
            "label": "Severity",
            "only_if": {"detected": "yes"},
            "definition": "The worst that the partner did.",
        },
        "told_by": {"type": "multi", "values": TELLERS, "label": "ToldBy", "definition": "Who tells about V."},
        "age": {"type": "number", "minimum": 0, "maximum": 110, "tolerance": 1, "label": "Age"},
        "evidence": {"type": "quote", "definition": "The words that show it."},
        "summary": {"type": "text"},
    }
}
HEADER = [*LABELLED, "Sex", "IncidentYear", "Weapon", "Severity", "ToldBy", "Age"]
SYSTEM_PROMPT = """You read reports about deaths.
Decide whether a current or former partner hurt the person who died.
Answer with JSON."""
SECOND_PROMPT = """You read reports of coroners and of the police about deaths.
Decide whether a current or former partner hurt, threatened or controlled the person who died.
A stay at a refuge or a court order against a partner counts.
Answer with JSON."""
# What becomes of an answer: its values, or the category of an error.
Answering = Callable[[Narrative, random.Random], dict[str, Any] | str]


def write_world(repeats: int = 2, has_reports: bool = False) -> None:
    """Write all of it into the working folder, which becomes a project's.

    repeats: how many times 24 incidents; has_reports: whether reports with their figures are drawn, which takes a
    minute.
    """
    write_workbook(repeats)
    by_groups: Any = {"groups": ["Sex", "IncidentYear"]}
    contexts = [
        write("first-prompt", usual(0.16, 0.03), **by_groups),
        write("second-prompt", usual(0.07, 0.02), prompt=SECOND_PROMPT, **by_groups),
        write("circumstances", coded, codebook=CODEBOOK, prompt=f"{SYSTEM_PROMPT}\n<<CODEBOOK>>", groups=["Sex"]),
        write("for-publication", usual(0.12, 0.02), groups=["Sex"], below=11),
    ]
    by_hand.keep("first-prompt", "pilot", "as it was shown to the committee", lambda _: None)
    estimate("first-prompt", Wish(assume_random=True), lambda _: None)
    write_failed("broken-server")
    for context in contexts if has_reports else ():
        write_report(context, with_prints=False)


def write_workbook(repeats: int) -> str:
    """The demo's incidents, so many times over with other ids and ages, and columns of labels; returns its MD5."""
    rows = []
    for repeat in range(repeats):
        for row in incidents().astype(object).where(incidents().notna(), None).to_dict("records"):
            incident = f"{repeat + 1}{row['IncidentID']}"
            texts = [_older(row[name], repeat) for name in ("NarrativeCME", "NarrativeLE")]
            known = _by_hand(incident, bool(row["ipv_manual"]))
            known["ToldBy"] = ";".join(known["ToldBy"]) or "[]"
            rows.append(
                [incident, *texts, *(row[name] for name in LABELLED[3:]), *(known[name] for name in HEADER[6:])]
            )
    WORKBOOK.parent.mkdir(exist_ok=True)
    return md5_of(Project.at(Path(), {}).write_workbook(rows, HEADER, str(WORKBOOK)))


def write(
    slug: str,
    answering: Answering,
    prompt: str = SYSTEM_PROMPT,
    codebook: dict[str, Any] | None = None,
    groups: Sequence[str] = (),
    below: int = 0,
) -> RunContext:
    """A completed experiment without its report: its workbook read, its answers kept and merged."""
    params = _params(slug, prompt, codebook, groups, below)
    context = context_of(params, source_md5=md5_of(WORKBOOK), experiment_id=f"{_digest(slug)[:8]}-0000")
    folder = context.folder
    read_source(context, Listener(context))
    _keep(context, answering)
    for number in range(1, params.shards.count + 1):
        write_results(folder, params, number)
    write_retries(folder, params)
    merge(context)
    return context


def write_failed(slug: str) -> None:
    """An experiment whose server never answered: a row in the record, and a folder without findings."""
    folder = ExperimentFolder(slug)
    folder.path.mkdir(parents=True)
    params = _params(slug).model_dump(mode="json")
    experiment_id, md5 = f"{_digest(slug)[:8]}-0000", md5_of(WORKBOOK)
    begun = experiment.ExperimentState(experiment_id, md5, params, False, "2025-12-31 09:00:00")
    experiment.describe(folder, begun)
    row = {
        "experiment_name": "Broken server",
        "slug": slug,
        "status": "failed",
        "hostname": "elsewhere",
        "model_name": "a-model",
        "n_narratives_total": 225,
        "n_narratives_processed": 0,
        "start_time": "2025-12-31 09:00:00",
    }
    with database.transaction() as connection:
        database.put_experiment(connection, experiment_id, row)


def usual(wrong: float, failing: float) -> Answering:
    """Answers to the usual question, of which such shares are wrong, and errors."""

    def answer(narrative: Narrative, chance: random.Random) -> dict[str, Any] | str:
        if chance.random() < failing:
            return chance.choice(["timeout", "parse_error", "data_error"])
        is_right = chance.random() >= wrong
        label = bool(narrative.manual_flag_ind)
        return {
            "detected": label is is_right,
            "confidence": round(chance.uniform(0.6, 0.99) if is_right else chance.uniform(0.3, 0.9), 2),
            "indicators": chance.sample(["threat", "strangulation", "court order", "argument"], 2),
            "rationale": "The report names a partner." if label is is_right else "No partner is named.",
        }

    return answer


def coded(narrative: Narrative, chance: random.Random) -> dict[str, Any] | str:
    """Answers by the codebook, a fifth of whose values are drawn anew."""
    if chance.random() < 0.02:
        return "timeout"
    known = _by_hand(narrative.incident_id, bool(narrative.manual_flag_ind))
    words = narrative.narrative_text.split()
    return {
        "detected": bool(narrative.manual_flag_ind) is (chance.random() < 0.9),
        "confidence": round(chance.uniform(0.5, 0.99), 2),
        "weapon": None if chance.random() < 0.05 else _mostly(known["Weapon"], WEAPONS, chance),
        "severity": _mostly(known["Severity"] or SEVERITIES[0], SEVERITIES, chance),
        "told_by": known["ToldBy"] if chance.random() < 0.8 else [chance.choice(TELLERS)],
        "age": known["Age"] + chance.choice([0, 0, 0, 1, 10]),
        "evidence": [" ".join(words[3:8])] if chance.random() < 0.9 else ["Words that nobody wrote."],
        "summary": "A short account.",
    }


def _params(
    slug: str,
    prompt: str = SYSTEM_PROMPT,
    codebook: dict[str, Any] | None = None,
    groups: Sequence[str] = (),
    below: int = 0,
) -> Params:
    return check(
        {
            "experiment": {"name": slug.replace("-", " ").capitalize(), "slug": slug, "author": "A. Reader"},
            "model": {"name": "a-model", "api_url": "http://localhost:1/v1", "temperature": 0},
            "prompt": {"system_prompt": prompt, "user_template": "Narrative: <<TEXT>>"},
            "data": {"file": str(WORKBOOK)},
            "report": {"groups": list(groups), "suppress_below": below},
            "shards": {"count": 2},
            **({"codebook": codebook} if codebook else {}),
        },
        "params.yaml",
    )


def _by_hand(incident_id: str, is_positive: bool) -> dict[str, Any]:
    """What people coded of an incident, by the columns of the workbook."""
    chance = _chance("workbook", incident_id)
    return {
        "Sex": chance.choice(["female", "male"]),
        "IncidentYear": 2016 + chance.randrange(3),
        "Weapon": chance.choice(WEAPONS),
        "ToldBy": [name for name in TELLERS if chance.random() < 0.5],
        "Age": chance.randrange(18, 90),
        "Severity": chance.choice(SEVERITIES) if is_positive else None,
    }


def _mostly(value: str, values: Sequence[str], chance: random.Random) -> str:
    return value if chance.random() < 0.8 else chance.choice(values)


def _keep(context: RunContext, answering: Answering) -> None:
    folder, params, count = context.folder, context.params, context.params.shards.count
    question = Question(params)
    growing = journal.growing(folder.journals, context.session)
    journals = [Journal(growing / f"{shard_name(number, count)}.jsonl", context.head) for number in range(1, count + 1)]
    for narrative in iterate_all(folder, count):
        given = answering(narrative, _chance(context.slug, narrative.incident_id, narrative.narrative_type))
        entry = {
            "fingerprint": question.fingerprint(narrative),
            "incident_id": narrative.incident_id,
            "narrative_type": narrative.narrative_type,
            "asked_at": "2026-01-02T03:04:05+00:00",
            "requests": 1,
            "attempt": 1,
            "first_error_message": None,
        }
        if isinstance(given, str):
            entry["error"] = {"category": given, "message": f"The server's answer was a {given.replace('_', ' ')}."}
        else:
            tokens = len(narrative.narrative_text)
            entry |= {"response_sec": 0.5, "response": json.loads(completion(json.dumps(given), "a-model", tokens))}
        journals[(narrative.row_num - 1) % count].append(entry)
    for each in journals:
        each.close()
    journal.seal(folder.journals)


def _older(text: str | None, years: int) -> str | None:
    return None if text is None else text.replace("year old", f"year old ({years} years on)", 1)


def _chance(*seed: Any) -> random.Random:
    return random.Random(_digest(*seed))


def _digest(*seed: Any) -> str:
    return hashlib.sha256("|".join(map(str, seed)).encode()).hexdigest()
