import html
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from tests import page_world
from tests.chromium import started_browser
from tests.page.test_safety import markup_in
from tests.page_server import PageServer, page_served
from tests.project import LABELLED, Project

from narrative_runs import snapshots
from narrative_runs.checkpoints import by_hand
from narrative_runs.paths import RECORD, ExperimentFolder
from narrative_runs.source.shards import Narrative

pytestmark = pytest.mark.slow

FOLDER = ExperimentFolder("cases")
# What a workbook, a model server or a params file fills, and what stands in the record.
FIELDS = [
    *("incident id", "text of the coroner", "text of the police", "other column", "value of a column"),
    *("rationale", "indicator", "raw reply", "key of a reply", "model that answers"),
    *("error message", "first error message", "pattern", "message in the log"),
    *("experiment name", "author", "notes", "model name", "server", "system prompt", "user template", "data file"),
    *("note of a snapshot", "state", "host"),
]
# Those that are shown as they are, wherever they come from.
SEEN = {*FIELDS} - {
    "author",
    "notes",
    "first error message",
    "key of a reply",
    "model that answers",
    "host",
    "data file",
    "user template",
}


def hostile(field: str) -> str:
    """A text that does harm wherever it is taken for markup; which one, says its field."""
    name = field.replace(" ", "_")
    return (
        f"<script>alert('{name}')</script>\"'><img src=http://127.0.0.1:9/{name} onerror=alert('{name}')>"
        f"<a href=\"javascript:alert('{name}')\">{{{{ 7*7 }}}}</a>--></title></textarea></style>"
    )


def _answer(narrative: Narrative, _: Any) -> dict[str, Any] | str:
    if narrative.narrative_type == "le":
        return "timeout"
    return {
        "detected": True,
        "confidence": 0.9,
        "indicators": [hostile("indicator")],
        "rationale": hostile("rationale"),
        hostile("key of a reply"): hostile("raw reply"),
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A page of an experiment in which every field that others fill holds a script."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        Path("Snakefile").touch()
        page_world.WORKBOOK.parent.mkdir()
        rows: list[list[Any]] = [
            [str(number), f"Coroner {number}.", f"Police {number}.", number % 2, 1, 1, hostile("value of a column")]
            for number in range(6)
        ]
        rows[1][:3] = [hostile("incident id"), hostile("text of the coroner"), hostile("text of the police")]
        column = hostile("other column")
        Project.at(Path(), {}).write_workbook(rows, [*LABELLED, column], str(page_world.WORKBOOK))
        page_world.write("cases", _answer, hostile("system prompt"), groups=[column])
        page_world.write("others", _answer)
        by_hand.keep("cases", "pilot", hostile("note of a snapshot"), lambda _: None)
        assert snapshots.all_of(FOLDER)
        FOLDER.logs.mkdir(exist_ok=True)
        line = f"2026-01-02 03:04:05 ERROR 1 le timeout: {hostile('message in the log')}\n"
        (FOLDER.logs / "errors.log").write_text(line)
        _fill_record()
        with page_served() as server:
            yield server


def _fill_record() -> None:
    record = sqlite3.connect(RECORD)
    for table, columns in {
        "experiments": {
            "experiment_name": "experiment name",
            "prompt_author": "author",
            "notes": "notes",
            "model_name": "model name",
            "api_url": "server",
            "user_template": "user template",
            "data_file": "data file",
            "hostname": "host",
        },
        "narrative_results": {"error_message": "error message", "first_error_message": "first error message"},
    }.items():
        for name, field in columns.items():
            record.execute(f"UPDATE {table} SET {name} = ? WHERE {name} IS NOT NULL OR ?", (hostile(field), True))
    record.execute("UPDATE experiments SET status = ? WHERE slug = 'others'", (hostile("state"),))
    record.execute("DELETE FROM error_patterns")
    record.execute(
        "INSERT INTO error_patterns SELECT experiment_id, 'x', 'x', 1, 1, 1, 'timeout', 'x', ?, 'x' FROM experiments",
        (hostile("pattern"),),
    )
    record.commit()
    record.close()


def addresses(page: PageServer) -> list[str]:
    """The pages that are reached from Now by links, some of each kind."""
    of_a_kind: Counter[tuple[str, ...]] = Counter()
    seen: list[str] = []
    ahead = ["/", "/history?with=cases&with=others", "/history?with=cases&with=cases%40pilot"]
    while ahead:
        address = ahead.pop(0)
        path, _, query = address.partition("?")
        room = path.split("/")[3:4] + path.split("/")[4:][-1:]
        kind = (*room, str(path.count("/")), *sorted({key for key, _ in parse_qsl(query)}))
        if address in seen or of_a_kind[kind] == 3:
            continue
        of_a_kind[kind] += 1
        seen.append(address)
        links = [html.unescape(part.partition('"')[0]) for part in page.ask(address).text.split('href="')[1:]]
        ahead += [each.partition("#")[0] for each in links if each.startswith("/") and not each.startswith("/static")]
    return sorted(seen)


@pytest.fixture(scope="module")
def pages(page: PageServer) -> dict[str, str]:
    """The HTML of all pages, texts shown, by their addresses."""
    shown = page.post("/texts", texts="shown", back="/").header("Set-Cookie").partition(";")[0]
    cookie = f"{page.cookie}; {shown}"
    found = {address: page.ask(address, cookie=cookie) for address in addresses(page)}
    assert {answer.status for answer in found.values()} <= {200, 303, 404}, {
        address: answer.status for address, answer in found.items() if answer.status not in (200, 303, 404)
    }
    return {address: answer.text for address, answer in found.items()}


def test_every_room_is_reached(pages: dict[str, str]) -> None:
    """The pages that are looked at are those of all rooms, so that what is said of them is said of the whole page."""
    rooms = ("/findings", "/history", "/narratives", "/cme", "/le", "/trace", "/acts/snapshot", "/acts/export")
    for room in rooms:
        assert any(room in address for address in pages), room
    assert len(pages) > 20


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_becomes_markup(pages: dict[str, str], field: str) -> None:
    """A script in any field that a workbook, a server or a params file fills stays text, on every page."""
    name = field.replace(" ", "_")
    for address, text in pages.items():
        assert f"<script>alert('{name}')" not in text, address
        assert f"<img src=http://127.0.0.1:9/{name}" not in text, address
    if field in SEEN:
        assert any(f"&lt;script&gt;alert(&#39;{name}&#39;)" in text for text in pages.values()), "is shown nowhere"


def test_pages_hold_nothing_but_their_own_markup(pages: dict[str, str]) -> None:
    """No page has a script, a handler or an address that is not its own."""
    assert {address: markup_in(text) for address, text in pages.items() if markup_in(text)} == {}
    assert not any("49</a>" in text for text in pages.values())


@pytest.mark.browser
def test_in_a_browser_nothing_of_it_runs(page: PageServer, pages: dict[str, str]) -> None:
    """In Chromium no page runs, asks for or complains of anything that is not its own."""
    complaints: list[str] = []
    with started_browser() as browser:
        context = browser.new_context()
        name, _, value = page.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": page.origin}])
        context.add_cookies([{"name": "narrative_runs_texts", "value": "shown", "url": page.origin}])
        opened = context.new_page()
        opened.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on(
            "request",
            lambda request: None if request.url.startswith((page.origin, "data:,")) else complaints.append(request.url),
        )
        for address, text in pages.items():
            if "<!DOCTYPE html>" in text:
                opened.goto(page.origin + address, wait_until="load")
                opened.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert [each for each in complaints if "404 (Not Found)" not in each] == []
