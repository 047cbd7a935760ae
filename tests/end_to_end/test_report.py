import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from narrative_runs.report.captions import CAPTIONS
from tests.chromium import options
from tests.fake_server import answer_to
from tests.project import Fake, Project, cases, fake_server

pytestmark = pytest.mark.end_to_end

ELSEWHERE = "http://127.0.0.1:9/picture.svg"
HOSTILE = f"<img src={ELSEWHERE} onerror=alert(1)><script>alert(1)</script>" + "unbroken" * 40
FOLDER = "results/cases"


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with fake_server() as server:
        yield server


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, fake: Fake) -> Project:
    """A completed experiment with hostile words in its name, prompt and narratives, some of them errors."""
    project = Project(tmp_path_factory.mktemp("project"))
    rows = cases(30)
    rows[1][1] = f"CME text of case 1. {HOSTILE}"
    project.write_workbook(rows)
    write_params(project, fake)
    nonsense = {"choices": [{"message": {"content": "I would rather not say."}, "finish_reason": "stop"}], "usage": {}}
    fake.behave(only_if="LE text of case 2.", body=json.dumps(nonsense))
    result = project.snakemake()
    fake.behave()
    assert result.returncode == 0, result.stdout
    assert f"{FOLDER}/ (report.html," in result.stdout
    return project


def write_params(project: Project, fake: Fake, **report: Any) -> None:
    """The params of the experiment; `report`: what of its report section differs from the defaults."""
    project.write_params(
        fake.url,
        experiment={"name": f"Cases {HOSTILE}", "notes": HOSTILE},
        model={"logprobs": True},
        prompt={"system_prompt": HOSTILE},
        report=report,
    )


def page_of(project: Project) -> str:
    """The report's HTML."""
    return (project.folder / FOLDER / "report.html").read_text(encoding="utf-8")


def state(project: Project) -> list[tuple[Any, ...]]:
    """What the record says of the experiment, and of its rows."""
    return [
        *project.query("SELECT * FROM experiments"),
        *project.query("SELECT * FROM narrative_results ORDER BY result_id"),
    ]


def test_report_and_figures_are_there_for_their_owner_alone(finished: Project) -> None:
    """A finished run has report.html and each figure as PNG and PDF, which nobody else can read."""
    folder = finished.folder / FOLDER
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {f"{name}.{kind}" for name in CAPTIONS for kind in ("png", "pdf")}
    for path in [*(folder / "figures").iterdir(), folder / "report.html"]:
        assert path.stat().st_size > 1000 and path.stat().st_mode & 0o077 == 0, path
        assert path.suffix != ".png" or path.read_bytes().startswith(b"\x89PNG")
        assert path.suffix != ".pdf" or path.read_bytes().startswith(b"%PDF")


def test_report_tells_the_experiment_without_its_narratives(finished: Project) -> None:
    """The id, the source's checksum, all counts and the number of errors stand in the report; texts and reasons do
    not."""
    text = page_of(finished)
    metrics = finished.read_json(f"{FOLDER}/metrics.json")
    md5 = finished.read_json(f"{FOLDER}/data_quality.json")["md5"]
    for word in (metrics["experiment_id"], md5, "errors, without an answer: 1.", "model.logprobs"):
        assert word in text
    assert "text of case" not in text and not re.search(r"read [0-9a-f]{12}", text)


def test_deleted_report_is_made_again(finished: Project, fake: Fake) -> None:
    """The plain command makes a missing report again, the same to the byte, asks nothing and leaves the record as it
    is."""
    before, record, asked = page_of(finished), state(finished), fake.asked
    (finished.folder / FOLDER / "report.html").unlink()
    result = finished.snakemake()
    assert result.returncode == 0, result.stdout
    assert (page_of(finished), state(finished), fake.asked) == (before, record, asked)


def test_snakemakes_own_report_shows_figures_and_captions(finished: Project) -> None:
    """`snakemake --report` makes a file with all figures, the whole report and the metrics, with captions, offline."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    finished.environment |= nowhere
    result = finished.run("snakemake", "--report", "out.html")
    for name in nowhere:
        del finished.environment[name]
    assert result.returncode == 0, result.stdout
    text = (finished.folder / "out.html").read_text(encoding="utf-8")
    for name, caption in CAPTIONS.items():
        assert re.search(rf"data:image/png[^,]*filename={name}\.png;base64,", text) and caption.title in text
        # Quotation marks are escaped, each in its own way.
        assert caption.text.partition("'")[0] in text
    for kind, name in (("text/html", "report.html"), ("application/json", "metrics_to_publish.json")):
        assert re.search(rf"data:{kind}[^,]*filename={name};base64,", text)
    assert not re.search(r"""(src|href)=["']https?:""", text)


@pytest.fixture(scope="module")
def with_narratives(finished: Project, fake: Fake) -> Iterator[Project]:
    """The same experiment, after `report.show_narratives: true` was set and the plain command given."""
    asked, record = fake.asked, state(finished)
    write_params(finished, fake, show_narratives=True)
    result = finished.snakemake()
    assert result.returncode == 0, result.stdout
    assert (fake.asked, state(finished)) == (asked, record)
    yield finished


def test_wrong_answers_are_shown_once_asked_for(with_narratives: Project) -> None:
    """With `report.show_narratives: true` the plain command makes the report anew, with exactly the narratives and
    rationales of wrong answers, and asks nothing."""
    text = page_of(with_narratives)
    rows = with_narratives.query(
        "SELECT narrative_text, is_false_positive OR is_false_negative FROM narrative_results WHERE NOT error_occurred"
    )
    for narrative, is_wrong in rows:
        assert (answer_to(f"Narrative: {narrative}")["rationale"] in text) == bool(is_wrong)
        assert (narrative.removesuffix(f" {HOSTILE}") in text) == bool(is_wrong)
    assert "This report shows narratives" in text


@pytest.fixture
def opened(with_narratives: Project, tmp_path: Path) -> Iterator[tuple[Page, list[str], list[str]]]:
    """The report in Chromium; what its console says, and what it asks for."""
    started = options()
    report = (with_narratives.folder / FOLDER / "report.html").as_uri()
    told: list[str] = []
    asked_for: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(tmp_path / "profile", **started)
        page = browser.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: asked_for.append(request.url))
        page.goto(report)
        yield page, told, asked_for
        browser.close()


@pytest.mark.browser
def test_report_in_a_browser(opened: tuple[Page, list[str], list[str]]) -> None:
    """In Chromium the report shows all figures, loads nothing from elsewhere and says nothing on the console; it can be
    used by keyboard, and on a telephone nothing hangs over the edge."""
    page, told, asked_for = opened
    sizes = page.eval_on_selector_all("figure img", "found => found.map(each => [each.naturalWidth, each.width])")
    assert len(sizes) == len(CAPTIONS) and all(natural > 100 and width > 100 for natural, width in sizes)
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"

    page.keyboard.press("Tab")
    focused = page.evaluate("[document.activeElement.textContent, document.activeElement.getBoundingClientRect().x]")
    assert focused[0] == "Skip to the summary" and focused[1] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "summary"
    page.keyboard.press("Tab")
    # The next stop is the wide table, which arrow keys can then scroll; one sees where one is.
    assert page.evaluate("document.activeElement.className") == "wide"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    for width in (360, 400, 1200):
        page.set_viewport_size({"width": width, "height": 740})
        page.eval_on_selector_all("details", "found => found.forEach(each => each.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        over = page.eval_on_selector_all(
            "main *:not(.wide *)",
            f"found => found.filter(each => each.getBoundingClientRect().right > {width}).map(each => each.outerHTML)",
        )
        assert over == []

    assert told == []
    assert [url for url in asked_for if not url.startswith("data:")] == [page.url.partition("#")[0]]
