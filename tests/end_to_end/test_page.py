import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.chromium import started_browser
from tests.project import Fake, Project, cases, fake_server, wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.browser]

NARRATIVES = 2000
# What is to be seen of the experiment, each time that something on the page changes; nothing of it outlives a reload.
OBSERVE = """
window.seen = [];
new MutationObserver(() => {
  const card = document.querySelector(".card");
  if (!card) return;
  const pairs = [...card.querySelectorAll("dt")].map(e => [e.textContent, e.nextSibling.textContent]);
  const facts = Object.fromEntries(pairs);
  window.seen.push({
    state: card.querySelector(".state").textContent,
    done: Number((facts.done || "0").split(" ")[0].replaceAll(",", "")),
    rate: facts.rate || "",
    at_work: card.querySelectorAll(".shards .at-work").length,
    connection: document.getElementById("connection").textContent,
  });
}).observe(document.body, {subtree: true, childList: true, characterData: true});
"""


@dataclass(frozen=True)
class Watched:
    """A run, watched by one page that was never loaded again: what it showed, what the commands said at the same
    states, and what the browser complained of."""

    seen: list[dict[str, Any]]
    cards: dict[str, dict[str, str]]
    status: dict[str, subprocess.CompletedProcess[str]]
    console: list[str]
    journal_entries: int
    retried: str
    n_asked_by_retry: int
    n_errors: int


@contextmanager
def served(project: Project, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The page's server, and its link."""
    with project.started("narrative-runs", "serve", "--port", str(port)) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()


def card(page: Page) -> dict[str, str]:
    """The facts of the card, and its errors."""
    facts: dict[str, str] = page.eval_on_selector_all(
        ".card dt", "found => Object.fromEntries(found.map(e => [e.textContent, e.nextSibling.textContent]))"
    )
    rows = page.eval_on_selector_all(
        ".card .errors tbody tr", "found => found.map(e => [e.children[0].textContent, e.children[1].textContent])"
    )
    return {**facts, "errors": ", ".join(f"{count} {category}" for category, count in rows)}


def facts(status: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What `narrative-runs status` says, by the names of its lines."""
    lines = (re.split(r"\s{2,}", line, maxsplit=1) for line in status.stdout.splitlines()[1:])
    return {line[0]: line[1] for line in lines if len(line) == 2}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """2,000 narratives: killed with -9, resumed, the page's server killed and restarted meanwhile, errors retried."""
    project = Project(tmp_path_factory.mktemp("page"))
    project.environment["XDG_CACHE_HOME"] = str(project.folder / "cache")
    project.write_workbook(cases(NARRATIVES // 2))
    cards, status, console = {}, {}, []
    with fake_server(latency_s=0.05, odd_share=0.02) as fake, started_browser() as browser:
        project.write_params(fake.url, run={"max_in_flight": 16}, shards={"count": 8})
        page = browser.new_page()
        page.on("console", lambda message: console.append(message.text))
        page.on("pageerror", lambda error: console.append(str(error)))
        with served(project) as (server, link):
            page.goto(link)
            page.evaluate(OBSERVE)
            assert "There is no experiment yet" in page.inner_text("#live")
            with project.started("snakemake", "--cores", "4") as run:
                wait_until(
                    lambda: page.evaluate("window.seen.some(each => each.state === 'running' && each.done > 600)")
                )
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
            page.wait_for_selector(".card.died")
            # The requests in flight may end after the kill, and are counted when the next session reads them.
            cards["died"], status["died"] = card(page), project.run("narrative-runs", "status")
            with project.started("snakemake", "--cores", "4") as run:
                page.wait_for_selector(".card.running")
                server.kill()
                server.wait()
                wait_until(lambda: page.inner_text("#connection").startswith("Reconnecting"))
                port = int(re.findall(r":(\d+)/", link)[0])
                with served(project, port):
                    wait_until(lambda: page.inner_text("#connection") == "")
                    page.wait_for_selector(".card.completed", timeout=120_000)
                    assert run.wait(timeout=60) == 0
                    cards["completed"], status["completed"] = card(page), project.run("narrative-runs", "status")
                    seen = page.evaluate("window.seen")
                    journal_entries = len(project.journal_entries())
                    retried, n_asked_by_retry, n_errors = retry(page, fake, project)
    yield Watched(seen, cards, status, console, journal_entries, retried, n_asked_by_retry, n_errors)


def retry(page: Page, fake: Fake, project: Project) -> tuple[str, int, int]:
    """Press the buttons that ask again for all errors, when the server answers well; returns what the page says in the
    end, how much was asked, and how many errors there were."""
    before = fake.asked
    ((n_errors,),) = project.query("SELECT count(*) FROM narrative_results WHERE error_occurred = 1")
    fake.behave(odd_share=0.0)
    page.click("text=Retry errors")
    page.click("button[name=confirm]")
    said = page.inner_text("main")
    page.click("text=Back to the experiment")
    wait_until(lambda: project.query("SELECT count(*) FROM narrative_results WHERE error_occurred = 1") == [(0,)])
    page.wait_for_selector(".card.completed", timeout=60_000)
    page.wait_for_selector("text=None.")
    return said, fake.asked - before, n_errors


def test_a_run_is_watched_without_a_reload(watched: Watched) -> None:
    """A run appears on a page that is open, is seen to be killed, to be resumed and to end, and its count never goes
    backwards; the rate and the shards at work are shown while it runs."""
    states = [each["state"] for each in watched.seen]
    changes = [state for before, state in zip(["", *states], states, strict=False) if state != before]
    assert changes == ["running", "died", "running", "completed"]
    counts = [each["done"] for each in watched.seen]
    assert counts == sorted(counts) and counts[-1] == NARRATIVES and len(set(counts)) > 5
    running = [each for each in watched.seen if each["state"] == "running"]
    assert any("/sec" in each["rate"] for each in running) and any(each["at_work"] for each in running)


@pytest.mark.parametrize("state", ["died", "completed"])
def test_the_figures_are_those_of_status(watched: Watched, state: str) -> None:
    """What the page shows, when the run was killed and when it was complete, is what `narrative-runs status` says."""
    expected = facts(watched.status[state])
    shown = watched.cards[state]
    names = ["id", "done", "errors", "tokens", "started", *(["completed"] if state == "completed" else [])]
    assert [shown[name] for name in names] == [expected[name] for name in names]
    assert shown["done"] == "2,000 of 2,000 (100.0%)" or state == "died"


def test_the_page_comes_back_after_its_server(watched: Watched) -> None:
    """While the server of the page is away the page says that it reconnects; when it is back, so is the page."""
    connections = [each["connection"] for each in watched.seen]
    assert any(text.startswith("Reconnecting") for text in connections) and connections[-1] == ""
    # What the browser itself says of a server that is away.
    assert [text for text in watched.console if "ERR_CONNECTION_REFUSED" not in text and "ERR_" not in text] == []


def test_errors_are_asked_again_from_the_page(watched: Watched) -> None:
    """The button asks again for the errors, and for nothing else; the run that it starts is seen to its end."""
    assert f"cases: {watched.n_errors} errors are asked again." in watched.retried
    assert watched.n_errors > 0 and watched.n_asked_by_retry == watched.n_errors
