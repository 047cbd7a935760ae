import asyncio
import json
import resource
import socket
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.fake_server import answer_to, completion
from tests.project import Fake

from narrative_runs.asking import client as clients
from narrative_runs.asking.client import Client
from narrative_runs.asking.failures import Kind, RequestFailed
from narrative_runs.asking.server import Server

TEXT = "V was found by a neighbor."
BODY = json.dumps({"model": "fake", "messages": [{"role": "user", "content": TEXT}]}).encode()


def with_client(
    url: str,
    work: Callable[[Client], Awaitable[Any]],
    api_key: str = "",
    timeout_s: float = 20,
    allow_remote: bool = False,
) -> Any:
    """What `work` gives with a client of its own."""

    async def run() -> Any:
        client = Client(Server(url, api_key, timeout_s, allow_remote), None)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def ask(url: str, body: bytes = BODY, api_key: str = "", timeout_s: float = 20) -> dict[str, Any]:
    """The reply to one request."""
    reply: dict[str, Any] = with_client(url, lambda client: client.ask(body), api_key, timeout_s)
    return reply


def test_the_reply_comes_back_as_the_server_wrote_it(fake: Fake) -> None:
    """A request brings the server's own answer to its narrative."""
    reply = ask(fake.url)
    assert json.loads(reply["choices"][0]["message"]["content"]) == answer_to(TEXT)
    assert reply["model"] == "fake"
    assert fake.calls()["bodies"] == [json.loads(BODY)]


def test_one_client_asks_many_times(fake: Fake) -> None:
    """A client serves for any number of requests, one after the other."""

    async def work(client: Client) -> list[Any]:
        return [await client.ask(BODY) for _ in range(5)]

    assert len(with_client(fake.url, work)) == 5
    assert fake.asked == 5


def test_the_key_is_sent_as_a_bearer_token(fake: Fake) -> None:
    """With a key the request carries it, and without one it carries no authorization at all."""
    ask(fake.url, api_key="secret")
    assert fake.calls()["keys"] == ["Bearer secret"]
    ask(fake.url)
    assert fake.calls()["keys"] == ["", "Bearer secret"]


@pytest.mark.parametrize("key", ["sec\nret", "secret\n", "sec\x00ret", "sec\rret"])
def test_no_failure_tells_the_key(fake: Fake, key: str) -> None:
    """A key that fits into no header may fail, but the message, which goes into logs, does not hold it."""
    try:
        ask(fake.url, api_key=key)
    except RequestFailed as failed:
        assert "sec" not in str(failed)
        assert failed.failure.kind is Kind.UNSENDABLE


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (500, {}, None, Kind.SERVER_FAULT),
        (503, {}, "busy", Kind.SERVER_FAULT),
        (429, {"Retry-After": "3"}, None, Kind.RATE_LIMITED),
        (401, {}, None, Kind.REFUSED),
        (307, {"location": "http://127.0.0.1:9/v1"}, "", Kind.REFUSED),
        (400, {}, '{"error": {"message": "the request exceeds the context size"}}', Kind.REFUSED),
        (200, {}, "<html>", Kind.NO_CHAT),
        (200, {}, "", Kind.SERVER_FAULT),
        (200, {}, '{"choices": [', Kind.SERVER_FAULT),
        (200, {}, '{"choices": []}', Kind.SERVER_FAULT),
        (200, {}, "[]", Kind.SERVER_FAULT),
        (200, {}, '{"error": {"message": "upstream", "code": 429}}', Kind.RATE_LIMITED),
        (200, {}, '{"error": {"message": "upstream", "code": 502}}', Kind.SERVER_FAULT),
        (200, {}, '{"error": "upstream"}', Kind.NO_CHAT),
        (202, {}, "", Kind.SERVER_FAULT),
    ],
)
def test_replies_without_an_answer_are_told_apart(
    fake: Fake, status: int, headers: dict[str, str], body: str | None, kind: Kind
) -> None:
    """Each status, and each body that is no chat completion, is the failure that it means."""
    fake.behave(status=status, headers=headers, body=body)
    with pytest.raises(RequestFailed) as caught:
        ask(fake.url)
    assert caught.value.failure.kind is kind


def ask_one_that_says(answer: bytes, api_key: str = "") -> RequestFailed:
    """The failure of a request to a server that says these bytes, and then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def run() -> RequestFailed:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        client = Client(Server(f"http://127.0.0.1:{port}/v1", api_key, 5), None)
        with pytest.raises(RequestFailed) as caught:
            await client.ask(BODY)
        await client.close()
        listening.close()
        return caught.value

    return asyncio.run(run())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n" + TEXT.encode(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n" + TEXT.encode(),
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 26\r\n\r\n" + TEXT.encode(),
        TEXT.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + TEXT.encode() + b" secret\r\n\r\n",
    ],
)
def test_a_broken_reply_is_no_word_on_the_narrative(answer: bytes) -> None:
    """A reply that is cut short, or no HTTP, says nothing about the narrative, and the failure quotes none of it."""
    failure = ask_one_that_says(answer, api_key="secret")
    assert failure.failure.kind is Kind.UNREACHABLE
    assert "found" not in str(failure)
    assert "secret" not in str(failure)


def compressed(letters: int) -> bytes:
    """A reply of that many letters, of which a thousandth goes over the line."""
    packing = zlib.compressobj(wbits=31)
    content = b"".join(packing.compress(b"a" * 2**20) for _ in range(letters // 2**20)) + packing.flush()
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


@pytest.mark.slow
def test_a_reply_has_a_largest_size_after_decompression() -> None:
    """A compressed reply that would fill the memory is read no further than 16 MB, and has failed as a reply."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    failure = ask_one_that_says(compressed(400 * 2**20)).failure
    assert (failure.kind, failure.message) == (Kind.SERVER_FAULT, "the reply is larger than 16 MB")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert ask_one_that_says(compressed(10 * 2**20)).failure.kind is Kind.SERVER_FAULT


@pytest.mark.parametrize("levels", [101, 900, 5_000, 100_000])
def test_a_reply_nested_without_end_is_no_answer(levels: int) -> None:
    """A reply whose parts lie within each other deeper than any answer's is none, and breaks nothing."""
    content = json.loads(completion("{}", "fake", 40))
    body = json.dumps(content)[:-1] + ', "extra": ' + "[" * levels + "]" * levels + "}"
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
    assert ask_one_that_says((head + body).encode()).failure.kind is Kind.SERVER_FAULT


def test_a_success_without_a_reply_is_the_servers_fault() -> None:
    """A server that answers 204, with nothing at all, has failed."""
    assert ask_one_that_says(b"HTTP/1.1 204 No Content\r\n\r\n").failure.kind is Kind.SERVER_FAULT


def test_the_time_to_wait_comes_along(fake: Fake) -> None:
    """The server's Retry-After reaches the caller."""
    fake.behave(status=429, headers={"Retry-After": "3.5"})
    with pytest.raises(RequestFailed) as caught:
        ask(fake.url)
    assert caught.value.failure.retry_after == 3.5


def test_evidence_requests_say_so(fake: Fake) -> None:
    """A request that is to find out what is wrong carries a header of its own, and no other does."""
    ask(fake.url)
    with_client(fake.url, lambda client: client.ask(BODY, is_evidence=True))
    assert (fake.calls()["asked"], fake.calls()["evidence"]) == ({TEXT: 1}, {TEXT: 1})


def test_a_key_that_the_server_repeats_is_not_told(fake: Fake) -> None:
    """Where a server quotes the key in its error, the words that are told do not hold it."""
    fake.behave(status=401, body='{"error": {"message": "the key sk-123 is not known"}}')
    with pytest.raises(RequestFailed) as caught:
        with_client(fake.url, lambda client: client.ask(BODY, has_narrative=False), api_key="sk-123")
    assert "not known" in caught.value.failure.words
    assert "sk-123" not in caught.value.failure.words


def test_a_dead_server_is_unreachable() -> None:
    """Where nobody listens, the failure says nothing about the narrative."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(RequestFailed) as caught:
            ask(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
    assert caught.value.failure.kind is Kind.UNREACHABLE


@pytest.mark.parametrize(
    "proxy",
    ["http://user:password@127.0.0.1:{port}", "ftp://user:password@127.0.0.1:{port}", "http://user:password@:port"],
)
def test_no_failure_tells_the_password_of_a_proxy(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A proxy that is dead or badly named is a failure, and its message does not hold what its URL holds."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(clients, "proxy_for", lambda *_: proxy.format(port=nobody.getsockname()[1]))
        with pytest.raises(RequestFailed) as caught:
            with_client("http://192.0.2.1/v1", lambda client: client.ask(BODY), allow_remote=True)
    assert "password" not in str(caught.value)


@pytest.mark.slow
def test_a_server_that_hangs_times_out(fake: Fake) -> None:
    """No reply within the time given is a failure of its own, and says how long was waited."""
    fake.behave(hang=True)
    with pytest.raises(RequestFailed, match=r"0\.2 s") as caught:
        ask(fake.url, timeout_s=0.2)
    assert caught.value.failure.kind is Kind.TIMED_OUT


@pytest.mark.parametrize("trouble", [{"drop": True}, {"hang": True}, {"status": 500}, {"body": "x"}])
@pytest.mark.slow
def test_a_client_goes_on_after_a_failure(fake: Fake, trouble: dict[str, Any]) -> None:
    """After a lost connection, a timeout or an error the same client gets its next answer."""
    fake.behave(**trouble, next_calls=1)

    async def work(client: Client) -> dict[str, Any]:
        with pytest.raises(RequestFailed):
            await client.ask(BODY)
        return await client.ask(BODY)

    reply = with_client(fake.url, work, timeout_s=1)
    assert json.loads(reply["choices"][0]["message"]["content"]) == answer_to(TEXT)


def test_a_proxy_of_the_environment_is_not_used_for_a_near_server(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxy the environment names, narratives for this machine do not go through it."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask(fake.url)["choices"]


def test_only_https_needs_certificates() -> None:
    """Plain http has no TLS; https checks the server's name and certificate."""
    assert clients.tls_for(Server("http://localhost/v1", "", 1)) is None
    tls = clients.tls_for(Server("https://localhost/v1", "", 1))
    assert tls is not None
    assert tls.check_hostname
