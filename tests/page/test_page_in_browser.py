"""The page of a whole project: every count and the narratives that it leads to, and every room in Chromium."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page
from tests import page_world
from tests.chromium import started_browser
from tests.page_server import TOKEN, PageServer, page_served
from tests.project import wait_until

from narrative_runs.page.narratives.room import ON_A_PAGE
from narrative_runs.paths import ExperimentFolder
from narrative_runs.report.captions import CAPTIONS

pytestmark = pytest.mark.slow

COMPARED = "/history?with=first-prompt&with=circumstances&with=first-prompt@pilot&wait=yes"
ROOMS = {
    "now": "/",
    "one experiment": "/experiments/first-prompt",
    "a failed one": "/experiments/broken-server",
    "findings": "/experiments/first-prompt/findings",
    "findings by variable": "/experiments/circumstances/findings",
    "masked findings": "/experiments/for-publication/findings",
    "no findings": "/experiments/broken-server/findings",
    "history": "/history",
    "comparison": COMPARED,
    "narratives": "/experiments/circumstances/narratives?variable=weapon&q=husband",
    "one narrative": "/experiments/circumstances/narratives/10001/cme",
    "trace": "/experiments/circumstances/narratives/10001/cme/trace",
    "export": "/experiments/first-prompt/acts/export",
    "retry": "/experiments/first-prompt/acts/retry-errors",
    "not found": "/nothing",
}
# A comparison takes seconds, and on a busy machine longer.
MADE_WITHIN_S = 180.0
SERIOUS = ("serious", "critical")
LINK = re.compile(r'<a href="([^"]+)"[^>]*>([^<]*)</a>')
# What Tab stops at, as far as it is to be seen; of a group of radio buttons that is one.
STOPS = """
[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")]
  .filter(each => each.checkVisibility() && !each.disabled)
  .filter(each => each.type !== "radio" || each === document.querySelector(`input[name="${each.name}"]`)).length
"""
FOCUSED = """
(() => {
  const focused = document.activeElement, style = getComputedStyle(focused);
  const shown = focused.getBoundingClientRect();
  return {name: focused.tagName, text: focused.textContent.trim(), outline: style.outlineStyle,
          isInView: shown.right > 0 && shown.bottom > 0};
})()
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """The page of a folder with experiments of each kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        page_world.write_world(repeats=1)
        with page_served() as server:
            yield server


def links(html: str) -> list[tuple[str, str]]:
    """(address, words) of each link to narratives under a count."""
    found = [(unescape(address), unescape(words)) for address, words in LINK.findall(html)]
    return [(address, words) for address, words in found if "/narratives?" in address]


def listed(server: PageServer, address: str) -> list[tuple[str, str]]:
    """(incident, type) of each narrative that an address lists, over all its pages."""
    found: list[tuple[str, str]] = []
    while address:
        answer = server.ask(address)
        assert answer.status == 200, address
        items = re.findall(r'<h2><a href="[^"]*/narratives/([^/"]+)/([^?"/]+)[^"]*">', answer.text)
        assert len(items) <= ON_A_PAGE
        found += items
        (address,) = [unescape(each) for each in re.findall(r'href="([^"]+)" rel="next"', answer.text)] or [""]
    return found


@pytest.mark.parametrize("slug", ["first-prompt", "circumstances", "broken-server"])
def test_each_count_leads_to_so_many_narratives(world: PageServer, slug: str) -> None:
    """Behind each count of a matrix, a group or an error stand so many narratives, or those of so many incidents."""
    answer = world.ask(f"/experiments/{slug}/findings")
    assert answer.status == 200
    all_narratives = f"/experiments/{slug}/narratives"
    wait_until(lambda: "The search index is being made" not in world.ask(all_narratives).text)
    counts = links(answer.text)
    assert len(counts) > 30 or slug == "broken-server"
    for address, words in counts:
        narratives = listed(world, address)
        assert len(set(narratives)) == len(narratives)
        units = {incident for incident, _ in narratives} if "level=incident" in address else set(narratives)
        assert len(units) == int(words.split()[-1].replace(",", "")), address


def test_masked_counts_lead_nowhere(world: PageServer) -> None:
    """Of an experiment whose report masks small counts, no masked cell is a link, and History leaves tests out."""
    answer = world.ask("/experiments/for-publication/findings")
    assert "masked" in answer.text
    assert not [address for address, words in links(answer.text) if "masked" in words or "outcome=fp" in address]
    compared = world.ask("/history?with=first-prompt&with=for-publication&wait=yes").text
    assert "report.suppress_below" in compared and "McNemar" not in compared


def test_a_comparison_is_made_beside_the_page(world: PageServer) -> None:
    """Experiments and a snapshot are compared by a program of their own: params, prompts, measures of all, tests of
    each with the first; asked for again, it is there at once; what is wrong is said in words."""
    text = wait_until(lambda: compared_at(world, COMPARED.removesuffix("&wait=yes")), timeout=MADE_WITHIN_S, every=0.5)
    for words in ("A and B", "A and C", "McNemar", "prompt.system_prompt", "C: first-prompt@pilot", "weapon"):
        assert words in text, words
    # Of the snapshot, whose measures were derived for it.
    assert text.count("undefined") < 40 and not re.search(r"<td class=\"n\">–</td></tr>", text)
    assert "McNemar" in world.ask(COMPARED).text
    unknown = world.ask("/history?with=first-prompt&with=nobody")
    assert unknown.status == 409 and "There is no experiment nobody" in unknown.text


def compared_at(server: PageServer, address: str) -> str:
    """The page at this address, once it has the tests; else an empty text."""
    answer = server.ask(address)
    return answer.text if "McNemar" in answer.text else ""


@pytest.mark.usefixtures("world")
def test_a_comparison_ends_with_the_page() -> None:
    """What compares ends at once when the page that started it is gone."""
    words = [sys.executable, "-m", "narrative_runs.page.history.compared_tables", "A=first-prompt", "B=circumstances"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None and program.stdout is not None
        program.stdin.close()
        assert program.stdout.read() == b"" and program.wait() == 1


def test_figures_are_those_of_the_report_and_no_other_files(world: PageServer) -> None:
    """A figure that was drawn from the metrics that are shown is shown; one of older metrics is not, and no other file
    of the experiment is given out."""
    folder = ExperimentFolder("second-prompt")
    assert "<img" not in world.ask("/experiments/second-prompt/findings").text
    folder.figures.mkdir(exist_ok=True)
    folder.figure("detection_rates", "png").write_bytes(b"\x89PNG")
    folder.metrics_to_publish.write_bytes(folder.metrics.read_bytes())
    (address,) = re.findall(r'<img src="([^"]+)"', world.ask("/experiments/second-prompt/findings").text)
    answer = world.ask(address)
    assert answer.header("Content-Type") == "image/png" and answer.status == 200
    folder.metrics_to_publish.write_text("{}")
    assert "<img" not in world.ask("/experiments/second-prompt/findings").text
    for name in ("reliability", "..%2f..%2fexperiments", "metrics"):
        assert name in CAPTIONS or name != "reliability"
        assert world.ask(f"/experiments/second-prompt/figures/{name}.png").status == 404


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def context(browser: Browser, world: PageServer) -> Iterator[BrowserContext]:
    """A browser in which the link was opened."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    context.set_default_timeout(1000 * MADE_WITHIN_S)
    page = context.new_page()
    page.goto(f"{world.origin}/?token={TOKEN}")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    yield page
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("room", ROOMS)
def test_every_room_can_be_used_by_everybody(page: Page, world: PageServer, room: str) -> None:
    """axe-core has no serious finding, by day or by night; at 400 px nothing hangs over the edge; nothing comes from
    elsewhere, and the console is silent."""
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(world.origin + ROOMS[room], wait_until="load")
    axe = Axe()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
        found = axe.run(page, options=options).response["violations"]
        assert not [
            (each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"])
            for each in found
            if each["impact"] in SERIOUS
        ], scheme
    for width in (320, 400):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        over = page.eval_on_selector_all(
            "body *:not(.wide *)",
            """(found, width) => found
            .filter(each => each.checkVisibility() && each.getBoundingClientRect().right > width + 1)
            .map(each => each.outerHTML.slice(0, 200))""",
            width,
        )
        assert over == []
    assert [text for text in said if "404" not in text or room != "not found"] == []
    assert [url for url in asked if not url.startswith((world.origin, "data:"))] == []


@pytest.mark.browser
@pytest.mark.parametrize("room", ["now", "findings", "history", "comparison", "narratives", "one narrative", "export"])
def test_every_room_can_be_used_by_keyboard_alone(page: Page, world: PageServer, room: str) -> None:
    """The first stop skips to the content; each link, field and button is a stop, in view and with an outline."""
    page.goto(world.origin + ROOMS[room], wait_until="load")
    stops = page.evaluate(STOPS)
    page.keyboard.press("Tab")
    first = page.evaluate(FOCUSED)
    assert (first["text"], first["isInView"]) == ("Skip to the content", True)
    for _ in range(stops - 1):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused["name"] != "BODY" and focused["outline"] != "none" and focused["isInView"], focused
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


@pytest.mark.browser
def test_experiments_are_chosen_and_compared_by_keyboard(page: Page, world: PageServer) -> None:
    """Two experiments are ticked and compared without a mouse; their tests appear by themselves."""
    page.goto(f"{world.origin}/history", wait_until="load")
    for slug in ("first-prompt", "second-prompt"):
        page.locator(f"input[value={slug}]").focus()
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/history?with=*")
    page.get_by_text("p (McNemar, exact)").wait_for(timeout=1000 * MADE_WITHIN_S)
    assert page.get_by_role("heading", name="A and B").first.is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("room", ["findings", "comparison", "one narrative"])
def test_rooms_can_be_printed(page: Page, world: PageServer, room: str, tmp_path: Path) -> None:
    """On paper there is no navigation and no form, the ground is white even by night, and no table is cut."""
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(world.origin + ROOMS[room], wait_until="load")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    hidden = page.eval_on_selector_all(
        "header, nav, form", "found => found.every(each => !each.checkVisibility() || each.offsetHeight === 0)"
    )
    assert hidden
    assert page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True).startswith(b"%PDF")
    # A4 less its margins, at 96 px an inch.
    page.set_viewport_size({"width": 680, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 680


@pytest.mark.browser
def test_texts_are_hidden_until_asked_for(page: Page, world: PageServer) -> None:
    """No narrative is to be seen before it is opened, or `Show texts` is pressed, which holds for all rooms."""
    page.goto(world.origin + ROOMS["one narrative"], wait_until="load")
    text = page.locator("blockquote").first
    assert not text.is_visible()
    page.get_by_role("button", name="Show texts").click()
    assert page.locator("blockquote").first.is_visible()
    found = Axe().run(page).response["violations"]
    assert not [each["id"] for each in found if each["impact"] in SERIOUS]
    page.get_by_role("button", name="Hide texts").click()
    assert not page.locator("blockquote").first.is_visible()
