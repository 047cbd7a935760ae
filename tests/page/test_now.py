import asyncio
import json
import socket
import threading
from collections.abc import Collection, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.migration import r_system
from tests.monitoring.conftest import Add, add_result
from tests.page_server import PageServer, page_served

from narrative_runs import run_lock
from narrative_runs.monitoring.experiments import ExperimentRow, chosen
from narrative_runs.monitoring.shard_states import shard_states
from narrative_runs.monitoring.status import Status, status_of
from narrative_runs.page import events, now
from narrative_runs.page.events import Events, Fragments, Listener
from narrative_runs.page.now import ALL, Look, card_of
from narrative_runs.paths import RECORD, ExperimentFolder
from narrative_runs.run_lock import RunLock

pytestmark = pytest.mark.slow


class Words(HTMLParser):
    """The text of a page, in words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        self.words += data.split()

    def __str__(self) -> str:
        return " ".join(self.words)


def words(html: str) -> str:
    """What a person reads of HTML."""
    return str(Words(html))


@pytest.fixture
def running(add: Add) -> Iterator[RunLock]:
    """An experiment that runs, started after one that is completed."""
    add("before", "completed", start_time="2026-01-01 00:00:00", accuracy=0.91, end_time="2026-01-01 01:00:00")
    add("cases", "running", model_name="a-model", api_url="http://localhost:1/v1", last_progress_update="2026-01-02")
    lock = RunLock(Path("results/cases"))
    lock.acquire()
    yield lock
    lock.release()


def test_a_card_says_what_status_says(running: RunLock) -> None:
    """The facts of a card are the lines of `narrative-runs status`, which is the same function, and the rest stands in
    places of its own."""
    status = status_of(chosen("cases"))
    card = card_of(status)
    lines = {line.split(None, 1)[0] for line in status.lines()}
    assert {name.split()[0] for name, _ in card.facts} == (lines | {"model"}) - {"Cases", "state", "errors", "pattern"}
    assert ("done", "4 of 10 (40.0%)") in card.facts and ("model", "a-model, http://localhost:1/v1") in card.facts
    assert (card.state, card.n_processed, card.n_total, card.shards) == ("running", 4, 10, [])
    assert set(card.acts) == {"cancel", "snapshot"}


def test_errors_with_their_latest_messages(add: Add) -> None:
    """Each category has its number and what its latest error says; one that the log no longer holds has its number."""
    add("cases", "failed")
    for incident, category in (("1", "timeout"), ("2", "parse_error"), ("3", "parse_error"), ("4", "unknown")):
        add_result("cases", incident, category)
    log = ExperimentFolder("cases").logs / "errors.log"
    log.parent.mkdir()
    log.write_text(
        "2026-01-02 03:04:05 ERROR 2 cme parse_error: it was cut off\n"
        "2026-01-02 03:04:06 ERROR 1 cme timeout: no answer: within 60 s\n"
        "2026-01-02 03:04:07 ERROR the server is away: timeout: nobody answers there\n"
        "2026-01-02 03:04:08 ERROR 3 cme parse_error: `detected` is missing\n"
    )
    errors = card_of(status_of(chosen("cases"))).errors
    said = {each.category: (each.count, each.latest and (each.latest.when, each.latest.message)) for each in errors}
    assert said == {
        "parse_error": (2, ("2026-01-02 03:04:08", "`detected` is missing")),
        "timeout": (1, ("2026-01-02 03:04:06", "no answer: within 60 s")),
        "unknown": (1, None),
    }
    assert errors[0].category == "parse_error"


def test_the_strip_of_shards(running: RunLock) -> None:
    """A shard with its file is done, one that has answers or a job is at work, others wait; of a run that died none is
    at work."""
    folder = ExperimentFolder("cases")
    for path in (
        *(folder.narratives / f"{number}-of-5.parquet" for number in range(1, 6)),
        folder.shards / "1-of-5.parquet",
        folder.shards / "2-of-5.parquet",
        folder.journals / "session-0001" / "4-of-5.jsonl",
        folder.journals / "session-0002.open" / "2-of-5.jsonl",
        folder.journals / "session-0002.open" / "3-of-5.jsonl",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def states(jobs: Collection[str], runs: bool = True) -> list[str]:
        return [shard.state for shard in shard_states(folder, runs, jobs)]

    assert states(["5-of-5"]) == ["done", "done", "at work", "waiting", "at work"]
    assert states(["2-of-5", "record"]) == ["done", "at work", "at work", "waiting", "waiting"]
    assert states([], runs=False) == ["done", "done", "waiting", "waiting", "waiting"]
    assert card_of(status_of(chosen("cases"))).n_shards_by_state == {"done": 2, "at work": 1, "waiting": 2}


def test_what_runs_has_a_card_and_others_a_row(running: RunLock) -> None:
    """All that runs is shown as a card, and all others as `narrative-runs list` has them; where nothing runs, the one
    that was started last is the card, so that who watches a run sees how it ended."""
    seen = Look().fragments([ALL])[ALL]
    assert "Cases running" in words(seen["live"]) and "Before" not in words(seen["live"])
    assert "before Before completed 4 of 10 (40.0%) 0.910" in words(seen["others"])
    running.release()
    seen = Look().fragments([ALL])[ALL]
    assert "Cases died" in words(seen["live"]) and "killed or crashed. To continue:" in words(seen["live"])
    assert "before Before completed" in words(seen["others"])


def test_what_does_not_run_is_counted_once(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results of an experiment that does not run are read again when its row changed, and not each second."""
    add("cases", "failed")
    asked: list[str] = []

    def counted(known: ExperimentRow) -> Status:
        asked.append(known.state)
        return status_of(known)

    monkeypatch.setattr(now, "status_of", counted)
    look = Look()
    first = look.fragments([ALL, "id-of-cases"])
    assert look.fragments([ALL, "id-of-cases"]) == first and asked == ["failed"]
    add("cases", "failed", n_narratives_processed=7)
    assert "7 of 10" in words(look.fragments([ALL])[ALL]["live"]) and asked == ["failed"] * 2


def test_before_there_is_any_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in which nothing was run has a page, and the first run appears on it."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").touch()
    with page_served() as page:
        answer = page.ask("/")
        assert answer.status == 200 and "There is no experiment yet" in words(answer.text)
        assert page.ask("/findings").status == 409
        assert page.ask("/experiments/cases").status == 404


@pytest.mark.parametrize("age", r_system.AGES)
def test_records_of_the_r_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: str) -> None:
    """A record that R made, of any age, is shown as it is, and no byte of it changes."""
    monkeypatch.chdir(tmp_path)
    RECORD.parent.mkdir()
    r_system.make(RECORD, age)
    row = r_system.experiment(n_narratives_total=4, n_narratives_processed=2)
    results = [r_system.result("1", "cme", "A text."), r_system.error("2", "le", "B", "x")]
    r_system.fill(RECORD, "experiments", [row])
    r_system.fill(RECORD, "narrative_results", results)
    before = RECORD.read_bytes()
    with page_served() as page:
        for address in ("/", f"/experiments/{r_system.EXPERIMENT_ID}"):
            answer = page.ask(address)
            assert answer.status == 200 and "R run: thresholds ≥ 0.5" in words(answer.text)
            assert "elsewhere" in words(answer.text) and "2 of 4 (50.0%)" in words(answer.text)
    assert RECORD.read_bytes() == before


class EventStream:
    """What a page hears of its events, one after another."""

    def __init__(self, page: PageServer, which: str) -> None:
        self._connection = socket.create_connection(("127.0.0.1", page.port), timeout=20)
        request = f"GET /events?which={which} HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\n"
        request += "Connection: close\r\n\r\n"
        self._connection.sendall(request.encode())
        self._file = self._connection.makefile("rb")
        self.head = "".join(line.decode() for line in iter(self._file.readline, b"\r\n"))

    def next(self) -> Fragments:
        """The next event that holds anything."""
        while True:
            line = self._file.readline()
            assert line, "the stream has ended"
            if line.startswith(b"data: ") and (fragments := json.loads(line[6:])):
                return dict(fragments)

    def close(self) -> None:
        """The page is closed."""
        self._file.close()
        self._connection.close()


def test_events_tell_what_changed(add: Add) -> None:
    """A page that listens hears all at first, and then what changed alone; what did not is not sent."""
    add("before", "failed", start_time="2026-01-01 00:00:00")
    add("cases", "failed")
    with page_served() as page:
        stream, one = EventStream(page, ALL), EventStream(page, "id-of-before")
        assert "text/event-stream" in stream.head and "no-store" in stream.head
        assert set(stream.next()) == {"live", "others"}
        assert "Before" not in words(one.next()["card"])
        add("cases", "failed", n_narratives_processed=5)
        changed = stream.next()
        assert set(changed) == {"live"} and "5 of 10 (50.0%)" in words(changed["live"])
        add("before", "failed", start_time="2026-01-01 00:00:00", n_narratives_processed=6)
        assert set(stream.next()) == {"others"} and "6 of 10" in words(one.next()["card"])
        stream.close()
        one.close()


def test_a_stream_ends_where_looking_fails(
    add: Add, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error that nothing expected ends the streams, so that pages say that they reconnect; what they hear after
    it is right again. The terminal hears where it was."""
    add("cases", "failed")
    with page_served() as page:
        stream = EventStream(page, ALL)
        stream.next()
        with monkeypatch.context() as failing:
            failing.setattr(run_lock, "running", lambda _: [][0])
            with pytest.raises(AssertionError, match="the stream has ended"):
                stream.next()
        stream.close()
        again = EventStream(page, ALL)
        assert "Cases failed" in words(again.next()["live"])
        again.close()
    assert "narrative-runs: IndexError at test_now.py:" in capfd.readouterr().err


def test_one_look_for_all_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pages are open, there is one look at a time, at what they show; with none there is none."""
    monkeypatch.setattr(events, "EVERY_S", 0.01)
    looks: list[tuple[int, set[str]]] = []
    busy = threading.Lock()

    def look(wanted: Collection[str]) -> dict[str, Fragments]:
        assert busy.acquire(blocking=False), "two looks at once"
        looks.append((len(looks), set(wanted)))
        busy.release()
        return {which: {"card": f"{which} {len(looks)}"} for which in wanted}

    async def listen() -> None:
        looking = Events(look)
        listeners = [Listener("a"), Listener("a"), Listener("b")]
        looking._listeners |= set(listeners)
        task = asyncio.create_task(looking._look_each_second())
        while len(looks) < 5:
            await asyncio.sleep(0.01)
        assert listeners[0].shown == listeners[1].shown != listeners[2].shown
        assert all(wanted == {"a", "b"} for _, wanted in looks)
        looking._listeners.clear()
        await asyncio.wait_for(task, 20)
        n_looks = len(looks)
        await asyncio.sleep(0.05)
        assert len(looks) == n_looks

    asyncio.run(listen())


def test_a_slow_page_gets_the_latest() -> None:
    """What a page could not be sent in time does not pile up: the latest of each element counts."""
    listener = Listener(ALL)
    for number in range(100):
        listener.see({"live": f"{number}", "others": "same"})
    assert listener.taken() == {"live": "99", "others": "same"}
    listener.see({"live": "99", "others": "same"})
    assert not listener.has_news.is_set() and listener.taken() == {}


def test_pages_of_experiments(add: Add) -> None:
    """An experiment has a page by its slug and by its id; the rooms in the navigation lead to it from there, and to the
    one that was started last from elsewhere."""
    add("cases", "failed")
    with page_served() as page:
        for which in ("cases", "id-of-cases"):
            answer = page.ask(f"/experiments/{which}")
            assert answer.status == 200 and 'href="/experiments/cases/findings"' in answer.text
        assert page.ask("/experiments/nowhere").status == 404
        assert page.ask("/findings").header("Location") == "/experiments/cases/findings"
        assert page.ask("/narratives").header("Location") == "/experiments/cases/narratives"
