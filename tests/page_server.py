"""The page, served in a thread of the test at a port of its own, and asked byte by byte."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

from narrative_runs.page.serve import port_of, started

TOKEN = "the-token-of-these-tests"
FORM = "application/x-www-form-urlencoded"
ANSWERS_WITHIN_S = 20.0
Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What the server sent: the status (0 where it sent none), the headers, and the body."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        """The values of a header, one after another."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())


@dataclass(frozen=True)
class PageServer:
    """A page that is served; cookie: as a browser has it that opened the link."""

    port: int
    cookie: str

    @property
    def host(self) -> str:
        """What a browser calls it."""
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        """Where its forms come from."""
        return f"http://{self.host}"

    def raw(self, request: bytes, patience_s: float = ANSWERS_WITHIN_S) -> bytes:
        """What it answers to these bytes, until it closes the connection; what has come by then where it does not."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience_s) as connection:
            received = b""
            try:
                connection.sendall(request)
                while piece := connection.recv(65536):
                    received += piece
            except (TimeoutError, ConnectionError):
                pass
            return received

    def ask(
        self,
        target: str,
        method: str = "GET",
        host: str | None = None,
        cookie: str | None = None,
        headers: Headers = (),
        body: str | bytes = "",
    ) -> Answer:
        """Ask as a browser does, with its cookie and the right name, but for what is given; `headers` come on top."""
        content = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host if host is None else host}", "Connection: close"]
        if cookie := self.cookie if cookie is None else cookie:
            lines.append(f"Cookie: {cookie}")
        lines += [f"{name}: {value}" for name, value in headers]
        if content or method == "POST":
            lines.append(f"Content-Length: {len(content)}")
        return answer_of(self.raw("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + content))

    def post(self, target: str, headers: Headers | None = None, **form: str) -> Answer:
        """Send a form, as a page of ours does; headers: in the place of those that a browser adds then."""
        own = [("Origin", self.origin), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", FORM)]
        return self.ask(target, "POST", headers=own if headers is None else headers, body=urlencode(form))


def answer_of(received: bytes) -> Answer:
    """What these bytes say."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    match = re.match(r"HTTP/1\.[01] (\d{3})", first)
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Answer(int(match[1]) if match else 0, headers, body.decode("utf-8", "replace"))


@contextmanager
def page_served(host: str = "127.0.0.1") -> Iterator[PageServer]:
    """The page of the working folder, until the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(started(TOKEN, host, 0), loop).result(ANSWERS_WITHIN_S)
    try:
        server = PageServer(port_of(runner), "")
        opened = server.ask(f"/?token={TOKEN}")
        yield PageServer(server.port, opened.header("Set-Cookie").partition(";")[0])
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(ANSWERS_WITHIN_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
