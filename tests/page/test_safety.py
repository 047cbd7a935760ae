import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.page_server import FORM, TOKEN, Answer, PageServer, answer_of, page_served

from narrative_runs.monitoring.experiments import chosen
from narrative_runs.page import safety
from narrative_runs.paths import RECORD, ExperimentFolder
from narrative_runs.record import database

SECRET = "Confidential experiment"
CANCEL = "/experiments/cases/acts/cancel"
EVIL = "http://evil.example"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A page with one experiment that failed, and a file beside results/ that nobody is to read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        Path("Snakefile").touch()
        Path("secret.txt").write_text(SECRET)
        values = {
            "experiment_name": SECRET,
            "slug": "cases",
            "status": "failed",
            "hostname": socket.gethostname(),
            "start_time": "2026-01-02 03:04:05",
            "notes": "",
        }
        with database.transaction() as connection:
            database.put_experiment(connection, "id-of-cases", values)
        ExperimentFolder("cases").path.mkdir(parents=True)
        with page_served() as server:
            yield server


def test_the_page_opens_for_who_has_the_link(page: PageServer) -> None:
    """The link becomes a cookie that no script reads and no other site can have sent, and leaves no token behind."""
    opened = page.ask(f"/history?with=a&token={TOKEN}&with=b", cookie="")
    assert (opened.status, opened.header("Location")) == (303, "/history?with=a&with=b")
    cookie, *attributes = opened.header("Set-Cookie").split("; ")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict"} and TOKEN not in cookie
    shown = page.ask("/", cookie=cookie)
    assert shown.status == 200 and SECRET in shown.text and TOKEN not in shown.text


def test_every_answer_has_the_headers_of_safety(page: PageServer) -> None:
    """Whatever is asked, the browser is to run, frame and keep nothing: pages, files, refusals and redirections."""
    asked = [
        page.ask("/"),
        page.ask("/static/page.js"),
        page.ask("/nowhere"),
        page.ask("/", cookie=""),
        page.ask(f"/?token={TOKEN}"),
        page.ask("/", "DELETE"),
        page.post("/texts"),
    ]
    assert [answer.status for answer in asked] == [200, 200, 404, 403, 303, 403, 303]
    for answer in asked:
        assert safety.HEADERS.items() <= dict(answer.headers).items()
    policy = dict(rule.split(" ", 1) for rule in safety.HEADERS["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"


def test_the_own_form_is_heard(page: PageServer) -> None:
    """What attacks are refused, the page's own form does: else nothing would be shown by their failing."""
    database_of_before = RECORD.read_bytes()
    try:
        done = page.post(CANCEL, confirm="yes")
        assert done.status == 200 and chosen("cases").state == "cancelled"
    finally:
        RECORD.write_bytes(database_of_before)
    assert chosen("cases").state == "failed"


OWN = [("Sec-Fetch-Site", "same-origin"), ("Content-Type", FORM)]
Attack = Callable[[PageServer], Answer]


def _posted(*headers: tuple[str, str], body: str = "confirm=yes") -> Attack:
    """A form sent to cancel the experiment, with the victim's cookie."""
    return lambda page: page.ask(CANCEL, "POST", headers=headers, body=body)


def _from(origin: str) -> Attack:
    return lambda page: page.ask(CANCEL, "POST", headers=[("Origin", origin), *OWN], body="confirm=yes")


WITHOUT_THE_LINK: dict[str, Attack] = {
    "no token": lambda page: page.ask("/", cookie=""),
    "no token, an act": lambda page: page.ask(
        CANCEL, "POST", cookie="", headers=[("Origin", page.origin), *OWN], body="confirm=yes"
    ),
    "no token, events": lambda page: page.ask("/events?which=", cookie=""),
    "no token, a file of the page": lambda page: page.ask("/static/page.js", cookie=""),
    "a wrong token": lambda page: page.ask("/?token=wrong", cookie=""),
    "a wrong token, with the cookie": lambda page: page.ask("/?token=wrong"),
    "an empty token": lambda page: page.ask("/?token=", cookie=""),
    "the beginning of the token": lambda page: page.ask(f"/?token={TOKEN[:-1]}", cookie=""),
    "the token in capitals": lambda page: page.ask(f"/?token={TOKEN.upper()}", cookie=""),
    "two tokens, one of them right": lambda page: page.ask(f"/?token=wrong&token={TOKEN}", cookie=""),
    "a token of odd characters": lambda page: page.ask("/?token=%ff%00%ed%a0%80\u00e9", cookie=""),
    "the token with a form": lambda page: page.ask(
        f"{CANCEL}?token={TOKEN}", "POST", cookie="", headers=[("Origin", page.origin), *OWN], body="confirm=yes"
    ),
    "the token as the cookie": lambda page: page.ask("/", cookie=f"narrative_runs_{page.port}={TOKEN}"),
    "the token as a password": lambda page: page.ask("/", cookie="", headers=[("Authorization", f"Bearer {TOKEN}")]),
    "the cookie of another page": lambda page: page.ask("/", cookie=page.cookie.replace(str(page.port), "1")),
    "a cookie that is made up": lambda page: page.ask("/", cookie=f"narrative_runs_{page.port}={'0' * 64}"),
    "an empty cookie": lambda page: page.ask("/", cookie=f"narrative_runs_{page.port}="),
}
BY_ANOTHER_NAME: dict[str, Attack] = {
    "rebinding": lambda page: page.ask("/", host="evil.example"),
    "rebinding, with the port": lambda page: page.ask("/", host=f"evil.example:{page.port}"),
    "rebinding, with the token": lambda page: page.ask(f"/?token={TOKEN}", host=f"evil.example:{page.port}"),
    "rebinding, an act": lambda page: page.ask(
        CANCEL,
        "POST",
        host=f"evil.example:{page.port}",
        headers=[("Origin", f"{EVIL}:{page.port}"), *OWN],
        body="confirm=yes",
    ),
    "our address as the beginning of a name": lambda page: page.ask("/", host=f"127.0.0.1.evil.example:{page.port}"),
    "our name as the beginning of a name": lambda page: page.ask("/", host="localhost.evil.example"),
    "our name as the end of a name": lambda page: page.ask("/", host="evil-localhost"),
    "our address as a user": lambda page: page.ask("/", host="127.0.0.1@evil.example"),
    "our name with a dot": lambda page: page.ask("/", host="localhost."),
    "the address of any": lambda page: page.ask("/", host=f"0.0.0.0:{page.port}"),
    "an address of the network": lambda page: page.ask("/", host=f"192.168.0.5:{page.port}"),
    "an address in brackets that is none": lambda page: page.ask("/", host="[evil]"),
    "an empty name": lambda page: page.ask("/", host=""),
    "two names": lambda page: page.ask("/", headers=[("Host", "evil.example")]),
    "no name": lambda page: answer_of(page.raw(f"GET / HTTP/1.0\r\nCookie: {page.cookie}\r\n\r\n".encode())),
}
FROM_OTHER_SITES: dict[str, Attack] = {
    "a form of another site": _from(EVIL),
    "a form of a file": _from("null"),
    "a form of another port": _from("http://127.0.0.1:1"),
    "a form of our name alone": _from("http://127.0.0.1"),
    "a form by https": lambda page: _from(f"https://{page.host}")(page),
    "a form of a longer name": lambda page: _from(f"{page.origin}.evil.example")(page),
    "a form that says no origin": _posted(*OWN),
    "a form with two origins": lambda page: _posted(("Origin", page.origin), ("Origin", EVIL), *OWN)(page),
    "a form that the browser calls foreign": lambda page: _posted(
        ("Origin", page.origin), ("Sec-Fetch-Site", "cross-site"), ("Content-Type", FORM)
    )(page),
    "a form of the same machine's other page": lambda page: _posted(
        ("Origin", page.origin), ("Sec-Fetch-Site", "same-site"), ("Content-Type", FORM)
    )(page),
    "a form as text": lambda page: _posted(("Origin", page.origin), ("Content-Type", "text/plain"))(page),
    "a form as JSON": lambda page: _posted(
        ("Origin", page.origin), ("Content-Type", "application/json"), body='{"confirm": "yes"}'
    )(page),
    "a form in parts": lambda page: _posted(
        ("Origin", page.origin),
        ("Content-Type", "multipart/form-data; boundary=x"),
        body='--x\r\nContent-Disposition: form-data; name="confirm"\r\n\r\nyes\r\n--x--\r\n',
    )(page),
    "another method": lambda page: page.ask(CANCEL, "PUT", headers=[("Origin", page.origin), *OWN], body="confirm=yes"),
    "a method that is none": lambda page: page.ask(CANCEL, "CANCEL", headers=[("Origin", page.origin)]),
    "a question before a foreign form": lambda page: page.ask(
        CANCEL, "OPTIONS", headers=[("Origin", EVIL), ("Access-Control-Request-Method", "POST")]
    ),
    "a script of another site": lambda page: page.ask(
        "/", headers=[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")]
    ),
    "a picture of the same machine's other page": lambda page: page.ask(
        "/", headers=[("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "no-cors")]
    ),
    "a script of another site that says its origin": lambda page: page.ask("/", headers=[("Origin", EVIL)]),
    "events for another site": lambda page: page.ask("/events?which=", headers=[("Origin", EVIL)]),
}
BROKEN: dict[str, Attack] = {
    "a long address": lambda page: page.ask("/" + "a" * 200_000),
    "a long query": lambda page: page.ask("/narratives?q=" + "a" * 200_000),
    "a long header": lambda page: page.ask("/nowhere", headers=[("X-Long", "a" * 200_000)]),
    "a long form": lambda page: page.ask(
        CANCEL, "POST", headers=[("Origin", page.origin), *OWN], body="a=" + "b" * 1_000_000
    ),
    "a long form in pieces": lambda page: page.ask(
        CANCEL,
        "POST",
        headers=[("Origin", page.origin), *OWN, ("Transfer-Encoding", "chunked")],
        body=("10000\r\n" + "b" * 0x10000 + "\r\n") * 20 + "0\r\n\r\n",
    ),
    "pieces that are none": lambda page: answer_of(
        page.raw(
            f"POST {CANCEL} HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\nOrigin: {page.origin}\r\n"
            f"Content-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nconfirm=yes\r\n".encode()
        )
    ),
    "two lengths": lambda page: page.ask("/nowhere", headers=[("Content-Length", "1"), ("Content-Length", "2")]),
    "a length and pieces": lambda page: page.ask(
        CANCEL,
        "POST",
        headers=[("Origin", page.origin), *OWN, ("Transfer-Encoding", "chunked")],
        body="0\r\n\r\n",
    ),
    "a length below nothing": lambda page: page.ask("/nowhere", headers=[("Content-Length", "-1")]),
    "a length that is none": lambda page: page.ask("/nowhere", headers=[("Content-Length", "\u0661")]),
    "a header without a name": lambda page: page.ask("/nowhere", headers=[("", "x")]),
    "a header with a NUL": lambda page: page.ask("/nowhere", headers=[("X-Nul", "a\x00b")]),
    "a header over two lines": lambda page: page.ask("/nowhere", headers=[("X-Two", "a\r\n b")]),
    "an HTTP of the future": lambda page: answer_of(page.raw(b"GET / HTTP/9.9\r\n\r\n")),
    "no HTTP": lambda page: answer_of(page.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200))),
    "random bytes": lambda page: answer_of(page.raw(bytes(range(256)) * 40 + b"\r\n\r\n")),
    "HTML where a method is to be": lambda page: answer_of(
        page.raw(b"<script>alert(1)</script> / HTTP/1.1\r\nAccept: text/html\r\n\r\n")
    ),
    "a tunnel": lambda page: page.ask("evil.example:443", "CONNECT"),
}
PATHS = [
    "/static/../safety.py",
    "/static/%2e%2e/safety.py",
    "/static/..%2fsafety.py",
    "/static/..%5csafety.py",
    "/static/%2fetc%2fpasswd",
    "/static//etc/passwd",
    "/static/page.css%00.js",
    "/static/%252e%252e%252fsafety.py",
    "//etc/passwd",
    "/../../etc/passwd",
    "/secret.txt",
    "/results/experiments.db",
    "/experiments/../secret.txt/findings",
    "/experiments/..%2f..%2fsecret.txt/findings",
    "/experiments/%2e%2e/findings",
    "/experiments/%00/findings",
    "/experiments/%2fetc/narratives",
    "/experiments/cases/narratives/..%2f..%2fsecret.txt/cme",
    "/experiments/cases/acts/..%2fcancel",
    "/experiments/cases/acts/__class__",
]


@pytest.mark.parametrize("name", [*WITHOUT_THE_LINK, *BY_ANOTHER_NAME, *FROM_OTHER_SITES, *BROKEN])
def test_attacks(page: PageServer, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody gets in without the link, by another name, from another site or by a broken request: nothing is shown,
    nothing is done, no cookie is given, no trace is printed, and the page stays there for its user."""
    attack = (WITHOUT_THE_LINK | BY_ANOTHER_NAME | FROM_OTHER_SITES | BROKEN)[name]
    answer = attack(page)
    assert answer.status == 0 or 400 <= answer.status < 500, answer
    assert SECRET not in answer.text and "Traceback" not in answer.text and "Set-Cookie" not in dict(answer.headers)
    assert "<script>alert" not in answer.text or "text/html" not in answer.header("Content-Type")
    assert chosen("cases").state == "failed"
    assert page.ask("/").status == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", PATHS)
def test_paths_that_lead_out(page: PageServer, path: str) -> None:
    """No address leads to a file, whatever it is made of: with the cookie too there is no such page."""
    answer = page.ask(path)
    assert answer.status in (400, 404), answer
    assert SECRET not in answer.text and "def " not in answer.text and "root:" not in answer.text


@pytest.mark.parametrize(
    "back", ["//evil.example", "/\\evil.example", EVIL, "javascript:alert(1)", "/\tevil", "", "/a\r\nX: y"]
)
def test_a_form_leads_nowhere_else(page: PageServer, back: str) -> None:
    """Where the switch of texts leads back to is a page of ours, whatever the form says."""
    answer = page.post("/texts", texts="shown", back=back)
    assert (answer.status, answer.header("Location"), answer.header("X")) == (303, "/", "")


@pytest.mark.parametrize(
    "target", ["//evil.example/", "/\\evil.example/", "///evil.example", "http://evil.example/", "/%0d%0aX:y/"]
)
def test_the_link_leads_nowhere_else(page: PageServer, target: str) -> None:
    """The redirection that takes the token out of the link stays on the page, whatever stands before the token."""
    answer = page.ask(f"{target}?token={TOKEN}", cookie="")
    location = answer.header("Location")
    assert answer.status in (303, 400) and not answer.header("X")
    assert not urlsplit(location).netloc and not location.startswith(("//", "/\\"))


def test_confirming_takes_a_form(page: PageServer) -> None:
    """An address alone does nothing: neither a link that says yes, nor a form that does not."""
    assert page.ask(f"{CANCEL}?confirm=yes").status == 200
    assert page.post(CANCEL).status == 200
    assert page.post(f"{CANCEL}?confirm=yes").status == 200
    assert chosen("cases").state == "failed"


def test_connections_that_say_nothing(page: PageServer) -> None:
    """Two hundred connections that never end their request hold up nobody else."""
    with ExitStack() as connections:
        for _ in range(200):
            connection = socket.create_connection(("127.0.0.1", page.port))
            connections.enter_context(connection)
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {page.host}\r\nX-Slow: ".encode())
        began = time.monotonic()
        assert page.ask("/").status == 200
        assert time.monotonic() - began < 10


def test_a_request_within_another(page: PageServer) -> None:
    """A second request behind the first is judged by itself: the cookie of the first does not open it."""
    requests = (
        f"GET /static/page.js HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\n\r\n"
        f"GET / HTTP/1.1\r\nHost: {page.host}\r\nConnection: close\r\n\r\n"
    )
    received = page.raw(requests.encode())
    assert received.count(b"HTTP/1.1 200") == received.count(b"HTTP/1.1 403") == 1
    assert SECRET.encode() not in received


def test_an_error_that_nothing_expected(
    page: PageServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The browser gets a plain page, the terminal the kind and the place of the error, and neither its message, which
    may hold a text."""

    def fail(_: str) -> Any:
        raise ValueError("V was found by a neighbour.")

    monkeypatch.setattr("narrative_runs.page.experiment_asked.chosen", fail)
    answer = page.ask(CANCEL)
    printed = capfd.readouterr()
    assert answer.status == 500 and "neighbour" not in answer.text + printed.out + printed.err
    assert printed.err.startswith("narrative-runs: ValueError at test_safety.py:") and "Traceback" not in printed.err


@pytest.mark.parametrize("path", ["/{}", "/experiments/{}/findings", "/narratives?q={}", "/history?with={}"])
def test_what_an_address_says_is_no_markup(page: PageServer, path: str) -> None:
    """What stands in an address comes back as text, or not at all."""
    markup = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    answer = page.ask(path.format(quote(markup, safe="")))
    assert markup_in(answer.text) == []


class _Markup(HTMLParser):
    """Gathers what a page of ours does not have: scripts that are not its own, handlers, and addresses elsewhere."""

    ADDRESSES = ("href", "src", "action", "formaction", "data", "srcdoc", "poster", "xlink:href")

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        own_script = tag == "script" and values == {"src": "/static/page.js", "defer": None}
        if tag in ("iframe", "object", "embed", "base", "style") or (tag == "script" and not own_script):
            self.foreign.append(tag)
        for name, value in attrs:
            leads_out = name in self.ADDRESSES and not (value or "").startswith(("/", "#", "?", "data:"))
            if name.startswith("on") or name == "style" or leads_out or (value or "").startswith("//"):
                self.foreign.append(f"{tag} {name}={value}")


def markup_in(html: str) -> list[str]:
    """What of a page is neither text nor ours."""
    parser = _Markup()
    parser.feed(html)
    return parser.foreign
