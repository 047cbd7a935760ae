"""Choosing a prompt and a model before an experiment begins: `preflight --show` and `try`, used from outside."""

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fake_server import answer_to
from tests.project import Fake, Project, cases, wait_until

pytestmark = pytest.mark.end_to_end

INCIDENTS = 60
PROMPTS = ("Decide.", "Decide with care.", "Is it partner violence?")


@pytest.fixture
def tried(project: Project, fake: Fake) -> Project:
    """A project with a workbook and three params files, A, B and C, which differ in their prompts."""
    project.write_workbook(cases(INCIDENTS))
    for name, prompt in zip("ABC", PROMPTS, strict=True):
        prompts = {"system_prompt": prompt, "user_template": f"{name} <<TEXT>>"}
        project.write_params(fake.url, f"{name}.yaml", prompt=prompts)
    project.write_params(fake.url)
    return project


def seen(project: Project) -> Counter[str]:
    """How many narratives were shown, and how many tried, as it is recorded."""
    lines = (project.folder / "results/development/seen.jsonl").read_text(encoding="utf-8").splitlines()
    return Counter(json.loads(line)["how"] for line in lines)


def asked_more_than_once(fake: Fake) -> list[str]:
    """The narratives about which more than one request came."""
    return [text for text, count in fake.calls()["asked"].items() if count > 1]


def test_the_workshop_shows_text_answer_label_and_reasons(tried: Project, fake: Fake) -> None:
    """`preflight --show 20` shows 20 labelled narratives, as many positives as negatives, with what the model made of
    each; no experiment begins, and a second time nothing is asked."""
    shown = tried.run("narrative-runs", "preflight", "--configfile", "A.yaml", "--show", "20")
    assert shown.returncode == 0, shown.stdout
    texts = re.findall(r"(?:CME|LE) text of case \d+\.", shown.stdout)
    assert len(texts) == 20
    assert "10 labelled 1, 10 labelled 0" in shown.stdout
    for text in texts:
        assert str(answer_to(f"A {text}")["rationale"]) in shown.stdout
    assert fake.asked == 20
    assert seen(tried) == {"shown": 20}
    again = tried.run("narrative-runs", "preflight", "--configfile", "A.yaml", "--show", "20")
    assert again.returncode == 0
    assert fake.asked == 20
    # Another prompt is shown the same narratives.
    other = tried.run("narrative-runs", "preflight", "--configfile", "B.yaml", "--show", "20")
    assert re.findall(r"(?:CME|LE) text of case \d+\.", other.stdout) == texts
    assert fake.asked == 40
    assert seen(tried) == {"shown": 20}
    assert not (tried.folder / "results/cases").exists()
    assert not (tried.folder / "results/experiments.db").exists()


def test_the_workshop_as_a_page(tried: Project) -> None:
    """`--html FILE` writes a page for its owner alone, with all texts in it, and none on the terminal; git must ignore
    the file, and none is overwritten unasked."""
    words = ["narrative-runs", "preflight", "--configfile", "A.yaml", "--show", "8", "--html"]
    refused = tried.run(*words, "shown.html")
    assert refused.returncode == 1
    assert "git" in refused.stdout
    page = tried.folder / "results/development/shown.html"
    shown = tried.run(*words, "results/development/shown.html")
    assert shown.returncode == 0, shown.stdout
    assert "text of case" not in shown.stdout
    assert page.read_text(encoding="utf-8").count(" text of case ") >= 8
    assert page.stat().st_mode & 0o077 == 0
    again = tried.run(*words, "results/development/shown.html")
    assert again.returncode == 1
    assert "--force" in again.stdout


def test_a_killed_try_continues_and_asks_nothing_twice(tried: Project, fake: Fake) -> None:
    """Three prompts on 60 narratives, killed by `kill -9` in the first and in the second of them: the same command
    ends with the table, each prompt was answered once for each narrative, and what was in flight is all that was
    asked again."""
    words = ["narrative-runs", "try", "A.yaml", "B.yaml", "C.yaml", "--sample", "60"]
    fake.behave(latency_s=0.1)
    for enough in (20, 85):
        with tried.started(*words) as process:
            wait_until(lambda: fake.asked >= enough)  # noqa: B023
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    fake.behave(latency_s=0.0)
    ended = tried.run(*words)
    assert ended.returncode == 0, ended.stdout
    assert len(asked_more_than_once(fake)) <= 2 * 4
    assert len(fake.calls()["asked"]) == 3 * 60
    assert seen(tried) == {"tried": 60}
    for name in "ABC":
        assert re.search(rf"\b{name}\b", ended.stdout)
    asked = fake.asked
    assert tried.run(*words).stdout.splitlines()[-5:] == ended.stdout.splitlines()[-5:]
    assert fake.asked == asked
    # A larger sample asks about what is new alone.
    assert tried.run(*words[:-1], "80").returncode == 0
    assert fake.asked == asked + 3 * 20
    assert not (tried.folder / "results/experiments.db").exists()


def test_incidents_are_tried_where_they_alone_have_labels(tried: Project, fake: Fake) -> None:
    """Of a workbook with one column of labels for each incident, the sample takes incidents whole, says how many have
    each label, and measures and tests are over them; of one with labels of narratives the sample is as large as asked
    for."""
    words = ["narrative-runs", "try", "A.yaml", "B.yaml", "--sample", "21"]
    assert "Development sample: 21 narratives" in tried.run(*words).stdout
    rows = [[f"{n:04d}", f"CME text of {n}.", f"LE text of {n}.", int(n % 4 == 0)] for n in range(INCIDENTS)]
    tried.write_workbook(rows, ["IncidentID", "NarrativeCME", "NarrativeLE", "Abuse"], "data/deaths.xlsx")
    data = {"file": "data/deaths.xlsx", "columns": {"label": "Abuse"}}
    for name, prompt in zip("AB", PROMPTS, strict=False):
        prompts = {"system_prompt": prompt, "user_template": f"{name} <<TEXT>>"}
        tried.write_params(fake.url, f"{name}.yaml", prompt=prompts, data=data)
    shown = tried.run(*words)
    assert shown.returncode == 0, shown.stdout
    found = re.search(
        r"sample: (\d+) narratives of (\d+) incidents \(of these incidents (\d+) labelled 1, (\d+) labelled 0\)",
        shown.stdout,
    )
    assert found is not None
    narratives, incidents, *labelled = map(int, found.groups())
    assert narratives == 2 * incidents == 22 and sum(labelled) == incidents and abs(labelled[0] - labelled[1]) == 1
    of_measures = shown.stdout.partition("detected, incidents")[2]
    assert re.search(rf"^labelled +{incidents} +{incidents}", of_measures, re.M)
    assert re.search(rf"^B detected, incidents +{incidents} ", of_measures, re.M)


def test_no_text_is_kept(tried: Project) -> None:
    """What `try` keeps below results/development holds no narrative, and only its owner can read it."""
    assert tried.run("narrative-runs", "try", "A.yaml", "B.yaml", "--sample", "20").returncode == 0
    folder = tried.folder / "results/development"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any("journal" in path.parts for path in files)
    for path in files:
        assert b"text of case" not in path.read_bytes(), path
        assert path.stat().st_mode & 0o077 == 0, path


def test_ctrl_c_keeps_what_is_in_flight(tried: Project, fake: Fake) -> None:
    """Ctrl-C ends a try gently: it says how far it is and how to continue, and no answer that came is asked again."""
    fake.behave(latency_s=0.3)
    with tried.started("narrative-runs", "try", "A.yaml", "--sample", "40") as process:
        wait_until(lambda: fake.asked >= 12)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait() == 1
    assert "Ctrl-C" in said
    assert "start the same command again" in said
    assert "Traceback" not in said
    fake.behave(latency_s=0.0)
    assert tried.run("narrative-runs", "try", "A.yaml", "--sample", "40").returncode == 0
    assert asked_more_than_once(fake) == []


def test_two_tries_of_one_prompt_do_not_ask_twice(tried: Project, fake: Fake) -> None:
    """While one terminal tries a prompt, another one that tries the same prompt is refused by the first one's PID."""
    fake.behave(latency_s=3.0)
    with tried.started("narrative-runs", "try", "A.yaml", "--sample", "60") as process:
        wait_until(lambda: fake.asked >= 4)
        second = tried.run("narrative-runs", "try", "A.yaml", "--sample", "60")
        assert second.returncode == 1
        assert f"already running: PID {process.pid}" in second.stdout
        fake.behave(latency_s=0.0)
        process.communicate()
        assert process.returncode == 0
    assert asked_more_than_once(fake) == []


def test_the_limits_of_a_run_hold(tried: Project, fake: Fake) -> None:
    """Retries, budget and privacy are those of a run: a request that fails is repeated, the budget of tokens ends the
    try and a larger one continues it, and no text goes to a public address."""
    fake.behave(status=503, next_calls=5)
    tried_once = tried.run("narrative-runs", "try", "A.yaml", "--sample", "20")
    assert tried_once.returncode == 0, tried_once.stdout
    params: dict[str, Any] = yaml.safe_load((tried.folder / "B.yaml").read_text())
    params["run"]["budget_tokens"] = 50
    (tried.folder / "B.yaml").write_text(yaml.safe_dump(params))
    stopped = tried.run("narrative-runs", "try", "B.yaml", "--sample", "20")
    assert stopped.returncode == 1
    assert "budget_tokens" in stopped.stdout
    assert "start the same command again" in stopped.stdout
    params["run"]["budget_tokens"] = None
    (tried.folder / "B.yaml").write_text(yaml.safe_dump(params))
    assert tried.run("narrative-runs", "try", "B.yaml", "--sample", "20").returncode == 0
    params["model"]["api_url"] = "http://8.8.8.8/v1"
    (tried.folder / "B.yaml").write_text(yaml.safe_dump(params))
    public = tried.run("narrative-runs", "try", "B.yaml", "--sample", "40")
    assert public.returncode == 1
    assert "model.allow_remote" in public.stdout


def test_a_hold_out_stays_unseen(tried: Project) -> None:
    """After `try --holdout` neither command shows more than the sample, and the metrics of the experiment that follows
    stand with and without it."""
    first = tried.run("narrative-runs", "try", "A.yaml", "B.yaml", "--sample", "20", "--holdout")
    assert first.returncode == 0, first.stdout
    assert "kept unseen" in first.stdout
    for words in (["try", "A.yaml", "--sample", "30"], ["preflight", "--configfile", "A.yaml", "--show", "30"]):
        refused = tried.run("narrative-runs", *words)
        assert refused.returncode == 1
        assert "at most 20" in refused.stdout
    assert tried.run("narrative-runs", "preflight", "--configfile", "A.yaml", "--show", "20").returncode == 0
    run = tried.snakemake("--configfile", "A.yaml")
    assert run.returncode == 0, run.stdout
    metrics = tried.read_json("results/cases/metrics.json")
    unseen = metrics["unseen"]
    assert unseen["n_seen_narratives"] == 20
    assert metrics["overall"]["tp"] > unseen["overall"]["tp"] > 0
    assert "20" in next(line for line in run.stdout.splitlines() if "seen" in line)


MISTAKES = {
    "another workbook": ({"data": {"file": "data/other.xlsx"}}, "data.file"),
    "another layout": ({"data": {"placeholders": "skip"}}, "data.placeholders"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_before_anything_is_asked(tried: Project, fake: Fake, mistake: str) -> None:
    """Configurations on other narratives are refused by the key, without a traceback."""
    changes, named = MISTAKES[mistake]
    tried.write_params(fake.url, "B.yaml", **changes)
    refused = tried.run("narrative-runs", "try", "A.yaml", "B.yaml")
    assert refused.returncode == 1
    assert named in refused.stdout
    assert "Traceback" not in refused.stdout
    assert fake.asked == 0
    assert not Path(tried.folder / "results/development/seen.jsonl").exists()
