import html
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.migration import r_system
from tests.page_server import PageServer, page_served
from tests.page_world import write_world
from tests.releases.kept import ARCHIVES

from narrative_runs.paths import RECORD, SEARCH_INDEX
from narrative_runs.record import database, result_rows

pytestmark = pytest.mark.slow

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LINK = re.compile(r'<a href="(/experiments/[^"]*/narratives\?[^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
ITEM = re.compile(r'<h2><a href="([^"]*)">(.*?)</a></h2>')
LISTS = "/experiments/first-prompt/narratives"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """The page of a project with several experiments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        Path("Snakefile").touch()
        write_world()
        with page_served() as server:
            yield server


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without any experiment."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").touch()
    return tmp_path


def put(*rows: Mapping[str, object], slug: str = "cases") -> None:
    """An experiment with these results, in the record alone."""
    with database.transaction() as connection:
        row = {"experiment_name": "Cases", "slug": slug, "status": "completed", "start_time": "2026-01-02 03:04:05"}
        database.put_experiment(connection, "id", row)
        for number, given in enumerate(rows, start=1):
            values = {"experiment_id": "id", "narrative_type": "cme", "row_num": number, "detected": 1, **given}
            connection.execute(
                f"INSERT INTO narrative_results ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                tuple(values.values()),
            )


def counted(shown: str) -> int:
    """How many narratives a page says that there are."""
    (words,) = re.findall(r'<p role="status">(.*?)</p>', shown)
    named = {"No narrative.": 0, "One narrative.": 1}
    return named[words] if words in named else int(re.sub(r"\D", "", words))


def items(shown: str) -> list[tuple[str, str]]:
    """The addresses and titles of the narratives of a list."""
    return [(html.unescape(address), html.unescape(title)) for address, title in ITEM.findall(shown)]


@pytest.mark.parametrize("slug", ["first-prompt", "circumstances"])
def test_each_count_of_the_findings_leads_to_its_narratives(page: PageServer, slug: str) -> None:
    """Behind each number of the findings are as many narratives: of matrices, groups, variables and errors; of an
    incident all its narratives."""
    links = LINK.findall(page.ask(f"/experiments/{slug}/findings").text)
    assert len(links) > 40
    for address, words in links:
        shown = page.ask(html.unescape(address))
        assert shown.status == 200
        n, there = int(re.sub(r"<[^>]*>|\D", "", words)), counted(shown.text)
        if "level=incident" in address:
            incidents = {title.split()[0] for _, title in items(shown.text)}
            assert len(incidents) == n <= there <= 2 * n, address
        else:
            assert there == n, address
        assert 'class="warning"' not in shown.text or "level=incident" in address, address


def test_pages_of_a_list_hold_each_narrative_once(page: PageServer) -> None:
    """Later and later leads through the whole list, and earlier back to its first page."""
    shown, titles, n_pages = page.ask(LISTS).text, [], 0
    first = items(shown)
    while True:
        titles += [title for _, title in items(shown)]
        n_pages += 1
        later = re.findall(r'href="([^"]*)" rel="next"', shown)
        if not later:
            break
        shown = page.ask(html.unescape(later[0])).text
    assert n_pages == 2 and len(set(titles)) == len(titles) == counted(shown)
    (earlier,) = re.findall(r'href="([^"]*)" rel="prev"', shown)
    assert items(page.ask(html.unescape(earlier)).text) == first


def test_texts_are_hidden_until_asked_for(page: PageServer) -> None:
    """Lists and narratives come with their texts folded away, and unfolded where the person switched them on; so do the
    words of the model, which may quote them."""
    address = items(page.ask(f"{LISTS}?outcome=fp").text)[0][0]
    for target in (LISTS, address):
        assert "<details open" not in page.ask(target).text and "<details" in page.ask(target).text
    switched = page.post("/texts", texts="shown", back=address)
    cookie = f"{page.cookie}; {switched.header('Set-Cookie').partition(';')[0]}"
    shown = page.ask(address, cookie=cookie).text
    assert re.findall(r"<details(?: open)?>", shown) == ["<details open>"] * shown.count("<details")
    folded = re.sub(r"<details>.*?</details>", "", page.ask(address).text, flags=re.DOTALL)
    row = result_rows.of_narrative(_id("first-prompt"), *address.split("?")[0].split("/")[-2:])
    assert row is not None
    for words in (row["narrative_text"][:40], row["rationale"]):
        assert words in html.unescape(page.ask(address).text) and words not in html.unescape(folded)


def _id(slug: str) -> str:
    return str(database.query("SELECT experiment_id FROM experiments WHERE slug = ?", (slug,))[0]["experiment_id"])


def test_one_narrative_is_shown_whole(page: PageServer) -> None:
    """Its answer, label and outcome, each variable with value and label, the reply as it came, the passages that it
    quotes marked in the text, and its steps in the list that it was opened from."""
    listed = "/experiments/circumstances/narratives?outcome=tp&variable=detected"
    (first, _), (second, title), *_ = items(page.ask(listed).text)
    shown = page.ask(second).text
    assert f"<h1>{title}</h1>" in shown
    for words in ("<dt>Label</dt>\n<dd>positive</dd>", "<dt>Outcome</dt>\n<dd>true positive</dd>", "weapon", "told_by"):
        assert words in shown
    assert '<mark class="passage">' in shown or "not in the narrative 1 of 1" in shown
    assert html.escape('{"detected": true', quote=True).replace("&quot;", "&#34;") in shown
    addresses = [html.unescape(each) for each in re.findall(r'<li><a href="([^"]*)">', shown)]
    assert first in addresses and listed in addresses


def test_a_result_is_traced_back(page: PageServer) -> None:
    """A narrative leads to its journal entry and its cell."""
    address = items(page.ask(LISTS).text)[0][0]
    shown = page.ask(f"{address}/trace").text
    facts = dict(re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", shown))
    assert facts["source column"] == "NarrativeCME" and facts["source row"] == "2"
    assert facts["journal"].startswith("results/first-prompt/journal/session-0001/")
    assert facts["model asked"] == "a-model" and int(facts["journal byte"]) > 0


def test_what_cannot_be_traced_says_why(page: PageServer) -> None:
    """Where the journals are not here, the page says so, and what to do."""
    address = items(page.ask("/experiments/second-prompt/narratives").text)[0][0]
    journals, aside = Path("results/second-prompt/journal"), Path("results/second-prompt/aside")
    journals.rename(aside)
    try:
        shown = page.ask(f"{address}/trace")
        assert shown.status == 200 and "Restore the journals" in shown.text
    finally:
        aside.rename(journals)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ('q="', "There is no word in"),
        ("q=%22%22%20*%20-", "There is no word in"),
        ("q=%00%ff%fe", "There is no word in"),
        ("min_probability=often", "is no probability"),
        ("max_probability=7", "is no probability"),
        ("variable=nothing&outcome=fp", "There is no variable nothing. There are: detected"),
        ("after=999999999999999999999", ""),
        ("after=-1&before=x&page=9", ""),
        ("outcome=<script>&type='&error=%2e%2e&group.=x&group.Sex=%00", ""),
        ("level=everything", ""),
        (f"q={'knife+' * 500}", ""),
        ("q=knife+AND+OR+NOT+(+NEAR+text:", ""),
    ],
)
def test_a_broken_query_is_no_error(page: PageServer, query: str, problem: str) -> None:
    """Whatever stands in an address, the page opens, and says what it cannot understand."""
    shown = page.ask(f"{LISTS}?{query}")
    assert shown.status == 200 and "<script>" not in shown.text.replace('<script src="/static/page.js" defer>', "")
    assert problem in html.unescape(shown.text)


def test_masked_counts_are_not_told(page: PageServer) -> None:
    """Where the report masks small counts, the room shows none: neither of a list, nor of what can be chosen."""
    shown = page.ask("/experiments/for-publication/narratives?outcome=fp").text
    assert "Counts are not shown" in shown and not re.search(r"<option[^>]*>[^<]*\(\d", shown)
    assert items(shown)


def test_a_narrative_that_is_not_there_is_not_found(page: PageServer) -> None:
    """An unknown incident, type or experiment is a page that says so."""
    for target in (f"{LISTS}/nobody/cme", f"{LISTS}/nobody/cme/trace", "/experiments/nothing/narratives"):
        assert page.ask(target).status == 404


def test_what_others_wrote_is_shown_as_text(project: Path) -> None:
    """Scripts in a text, an id, a column or an answer are words on the page, marked where they are searched for; an id
    with a slash has an address of its own."""
    written = dict.fromkeys(("narrative_text", "indicators", "rationale", "reasoning_steps", "raw_response"), SCRIPT)
    ids = ["7/a b", "?#%2F", SCRIPT, "“7”"]
    put(*({**written, "incident_id": each, "model_answered": SCRIPT} for each in ids))
    with page_served() as page:
        shown = page.ask("/experiments/cases/narratives?q=alert")
        assert [title for _, title in items(shown.text)] == [f"{each} CME" for each in ids]
        assert SCRIPT not in shown.text and '&lt;script&gt;<mark class="word ">alert</mark>' in shown.text
        for address, title in items(shown.text):
            one = page.ask(address)
            assert one.status == 200 and SCRIPT not in one.text
            assert f"<h1>{html.escape(title, quote=False)}</h1>" in one.text
            assert page.ask(address.replace("?", "/trace?")).status == 200


def test_a_run_that_writes_is_followed(project: Path) -> None:
    """What a run adds is in the list at the next look."""
    put({"incident_id": "1", "narrative_text": "A knife."})
    with page_served() as page:
        assert counted(page.ask("/experiments/cases/narratives?q=knife").text) == 1
        with database.transaction() as connection:
            database.update_experiment(connection, "id", {"status": "running", "last_progress_update": "now"})
            connection.execute(
                "INSERT INTO narrative_results (experiment_id, incident_id, narrative_type, row_num, narrative_text, "
                "detected) VALUES ('id', '2', 'le', 2, 'Another knife.', 0)"
            )
        shown = page.ask("/experiments/cases/narratives?q=knife").text
        assert counted(shown) == 2 and [title for _, title in items(shown)] == ["1 CME", "2 LE"]


@pytest.mark.parametrize("age", list(r_system.AGES))
def test_records_of_the_r_system_are_shown(project: Path, age: str) -> None:
    """Experiments that R made, of any age, are listed, searched and read without a change to their record."""
    RECORD.parent.mkdir()
    r_system.make(RECORD, age)
    r_system.fill(RECORD, "experiments", [r_system.experiment(status="completed")])
    rows = [r_system.result("0012", "le", "A knife."), r_system.error("12", "cme", "A rope.", "timed out")]
    r_system.fill(RECORD, "narrative_results", rows)
    before = RECORD.read_bytes()
    with page_served() as page:
        lists = f"/experiments/{r_system.EXPERIMENT_ID}/narratives"
        shown = page.ask(f"{lists}?q=knife")
        ((address, title),) = items(shown.text)
        assert title == "0012 LE" and counted(page.ask(lists).text) == 2
        one = page.ask(address).text
        assert "of the R system" in one and "threat – by café owner" in one
        assert "adopt it first" in page.ask(address.replace("?", "/trace?")).text
    assert RECORD.read_bytes() == before


def test_what_the_first_release_left_is_shown(project: Path) -> None:
    """Each experiment of 0.1.0 is listed, read and traced as it lies there, and its files stay as they are."""
    shutil.unpack_archive(ARCHIVES / "0.1.0.tar.xz", project)
    before = files()
    rows = database.query(
        "SELECT slug, experiment_id, count(*) AS n FROM experiments JOIN narrative_results USING "
        "(experiment_id) GROUP BY experiment_id"
    )
    assert len(rows) > 2
    with page_served() as page:
        for row in rows:
            shown = page.ask(f"/experiments/{quote(row['slug'] or row['experiment_id'])}/narratives")
            assert shown.status == 200 and counted(shown.text) == row["n"]
            address = items(shown.text)[0][0]
            assert page.ask(address).status == page.ask(f"{address}/trace").status == 200
    assert files() == before


def files() -> dict[Path, bytes]:
    """All files of the project's results but the search index."""
    there = [path for path in Path("results").rglob("*") if path.is_file() and path != SEARCH_INDEX]
    return {path: path.read_bytes() for path in there}
