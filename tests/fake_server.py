"""A fake OpenAI-compatible server, fast enough to be invisible beside what is measured; on loopback unless told else.

Started as a process of its own: `python -m tests.fake_server` prints its address and serves until its input ends.
The answer to a narrative is a function of its text alone, so that a test can tell whose answer a row holds. How it
answers can be changed while it runs: POST /control takes the fields of `Behaviour` as JSON. GET /calls gives what was
asked: for each user message the number of requests that came, of replies that were sent, and of requests that got no
chat completion; evidence requests are counted by themselves. GET /pace gives how busy it was, without the messages.
"""

import asyncio
import hashlib
import json
import math
import random
import ssl
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.faults import Planned, Scope

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Behaviour:
    """How the server answers.

    latency_s: seconds a reply takes; sigma: spread of log-normal latencies, 0 for none; padding: characters added to
    each reply; context_tokens: longer prompts are cut, without a word; fault_share: of all requests, so many fail, in
    all ways; odd_share: of all narratives, so many get a reply without an answer, in all ways; refuse_schema,
    refuse_logprobs: answer requests for them with this status, 0 for not at all; models: what it lists; answers_as: the
    model that it names in its answers; replies: (status, body) for each narrative that holds this text; faults: named
    faults, each with the fields of its `Scope`, of which the first that hits a request is the reply; schema: by which
    it answers where a request holds none, None for the usual question's.

    What follows holds for requests that contain `only_if`, and for the next `next_calls` of them: status and headers
    of the reply; body: instead of an answer; odd_values: in the place of those of the answer, by their keys; hang:
    accept and never answer; drop: break off.
    """

    latency_s: float = 0.0
    sigma: float = 0.0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    hang: bool = False
    drop: bool = False
    odd_values: dict[str, Any] = field(default_factory=dict)
    only_if: str = ""
    next_calls: int | None = None
    fault_share: float = 0.0
    odd_share: float = 0.0
    refuse_schema: int = 0
    refuse_logprobs: int = 0
    models: list[str] = field(default_factory=lambda: ["fake"])
    answers_as: str = "fake"
    padding: int = 0
    context_tokens: int = 1_000_000
    replies: dict[str, tuple[int, str]] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    schema: dict[str, Any] | None = None


USUAL_KEYS = ["detected", "confidence", "indicators", "rationale"]


def answer_to(text: str) -> dict[str, Any]:
    """What the server answers to a user message: decided by the message alone."""
    digest = hashlib.sha256(text.encode()).digest()
    return {
        "detected": digest[0] < 100,
        "confidence": round(0.5 + digest[1] / 512, 3),
        "indicators": ["threat"] if digest[0] < 100 else [],
        "rationale": f"read {digest.hex()[:12]}",
    }


def answer_by(schema: dict[str, Any], text: str) -> dict[str, Any]:
    """What the server answers by a schema other than that of the usual question: decided by the message alone."""
    return {name: _value_by(kind, name, text) for name, kind in schema["properties"].items()}


def _value_by(kind: dict[str, Any], name: str, text: str) -> Any:
    digest = hashlib.sha256(f"{name}|{text}".encode()).digest()
    types = kind["type"] if isinstance(kind["type"], list) else [kind["type"]]
    if "null" in types and digest[1] < 32:
        return None
    match types[0]:
        case "boolean":
            return digest[0] < 128
        case "number" | "integer":
            low, high = kind.get("minimum", 0), kind.get("maximum", 100)
            return low + (high - low) * (digest[0] / 256 if high - low <= 1 else digest[0] // 3 / 100)
        case "array":
            values = kind["items"].get("enum")
            words = text.removeprefix("Narrative: ").split()
            return [value for value in values if digest[len(value) % 32] < 128] if values else [" ".join(words[:3])]
        case _:
            values = [value for value in kind.get("enum", []) if value is not None]
            return values[digest[0] % len(values)] if values else f"read {digest.hex()[:12]}"


ODDITIES = {
    "too long": "data_error",
    "refusal": "data_error",
    "filtered": "data_error",
    "all thinking": "parse_error",
    "cut off": "parse_error",
    "empty": "parse_error",
    "prose": "parse_error",
}


def oddity_of(text: str, share: float) -> str | None:
    """What is odd in the reply to a user message, if it is among the odd ones: decided by the message alone."""
    digest = hashlib.sha256(text.encode()).digest()
    return list(ODDITIES)[digest[3] % len(ODDITIES)] if digest[2] < 256 * share else None


class FakeServer:
    """All state of the server."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.tls_port: int | None = None
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.unanswered: Counter[str] = Counter()
        self.evidence: Counter[str] = Counter()
        self.keys_sent: Counter[str] = Counter()
        self.targets: set[str] = set()
        self.in_flight = 0
        self.busiest = 0
        self.busy_seconds = 0.0
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.longest_gap = 0.0
        self._moved_at = time.monotonic()
        self._random = random.Random(1)
        self._behave(behaviour)

    def _behave(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._faults = [Planned(Scope(**scope)) for scope in behaviour.faults]

    def _move(self, change: int) -> None:
        now = time.monotonic()
        self.busy_seconds += self.in_flight * (now - self._moved_at)
        self._moved_at = now
        self.in_flight += change
        self.busiest = max(self.busiest, self.in_flight)
        if change:
            self.first_at = self.first_at or now
            if change > 0 and self.last_at is not None:
                self.longest_gap = max(self.longest_gap, now - self.last_at)
            self.last_at = now

    async def reply(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """(status, headers, body) of the reply to one request; a hanging one never returns."""
        if target == "/control":
            self._behave(Behaviour(**json.loads(body)))
            return 200, {}, b"{}"
        if target == "/calls":
            return 200, {}, json.dumps(self.told()).encode()
        if target == "/pace":
            return 200, {}, json.dumps(self.pace()).encode()
        self.targets.add(target)
        path = target.partition("?")[0]
        if path.endswith("/models"):
            listed = {"object": "list", "data": [{"id": name} for name in self.behaviour.models]}
            return await self._with_faults("models", "", {}, (200, {}, json.dumps(listed).encode()))
        if method != "POST" or not path.endswith("/chat/completions"):
            return 404, {}, b'{"error": {"message": "no such address"}}'
        request = json.loads(body)
        text = request["messages"][-1]["content"]
        is_evidence = headers.get("x-narrative-runs") == "evidence"
        (self.evidence if is_evidence else self.asked)[text] += 1
        if not is_evidence:
            self.keys_sent.update(request.keys())
        self.keys.add(headers.get("authorization", ""))
        if len(self.bodies) < 50:
            self.bodies.append(request)
        self._move(+1)
        try:
            return await self._counted(request, text, is_evidence)
        finally:
            self._move(-1)

    async def _counted(self, request: dict[str, Any], text: str, is_evidence: bool) -> Reply:
        """The reply to a chat-completions request; whoever hangs up, or gets none, counts as unanswered."""
        answered, before = (Counter[str](), 0) if is_evidence else (self.answered, self.answered[text])
        try:
            return await self._completion(request, text, answered)
        finally:
            self.unanswered[text] += not is_evidence and self.answered[text] == before

    async def _with_faults(self, at: str, text: str, request: dict[str, Any], sound: Reply) -> Reply:
        """The reply of the first fault that hits this request, or the sound one."""
        now = time.monotonic()
        planned = next((planned for planned in self._faults if planned.hits(at, text, request, now)), None)
        if planned is None:
            return sound
        await asyncio.sleep(planned.fault.delay_s)
        return planned.fault.status, dict(planned.fault.headers), planned.fault.content(text, json.loads(sound[2]))

    async def _completion(self, request: dict[str, Any], text: str, answered: Counter[str]) -> Reply:
        behaviour = self.behaviour
        special = behaviour.only_if in text
        if special and behaviour.next_calls is not None:
            special = behaviour.next_calls > 0
            behaviour.next_calls -= 1
        if behaviour.latency_s:
            spread = behaviour.sigma
            factor = math.exp(self._random.gauss(0, spread) - spread**2 / 2) if spread else 1.0
            await asyncio.sleep(behaviour.latency_s * factor)
        if behaviour.refuse_schema and "response_format" in request:
            message = b'{"error": {"message": "response_format json_schema is not supported"}}'
            return behaviour.refuse_schema, {}, message
        if behaviour.refuse_logprobs and "logprobs" in request:
            return behaviour.refuse_logprobs, {}, b'{"error": {"message": "logprobs are not supported"}}'
        for mark, (status, content) in behaviour.replies.items():
            if mark in text:
                answered[text] += status == 200
                return status, {}, content.encode()
        if special and behaviour.hang:
            await asyncio.sleep(3600)
        if special and behaviour.drop:
            raise ConnectionResetError
        if special and behaviour.status != 200:
            return behaviour.status, behaviour.headers, (behaviour.body or '{"error": {"message": "no"}}').encode()
        if special and behaviour.body is not None:
            answered[text] += 1
            return 200, behaviour.headers, behaviour.body.encode()
        if behaviour.fault_share and self._random.random() < behaviour.fault_share:
            return await self._fault(text)
        oddity = oddity_of(text, behaviour.odd_share)
        if oddity is not None:
            odd = _odd_reply(oddity, text)
            if odd[0] == 200:
                answered[text] += 1
            return odd
        read = min(len(text), 4 * behaviour.context_tokens)
        answer = self._answer(request, text) | (behaviour.odd_values if special else {})
        body = completion(json.dumps(answer), behaviour.answers_as, read, behaviour.padding)
        sound: Reply = (200, {}, body)
        reply = await self._with_faults("chat", text, request, sound)
        answered[text] += reply is sound or is_completion(reply)
        return reply

    def _answer(self, request: dict[str, Any], text: str) -> dict[str, Any]:
        asked_for = request.get("response_format")
        schema = self.behaviour.schema
        if isinstance(asked_for, dict) and "json_schema" in asked_for:
            schema = asked_for["json_schema"]["schema"]
        is_usual = schema is None or list(schema["properties"]) == USUAL_KEYS
        return answer_to(text) if schema is None or is_usual else answer_by(schema, text)

    async def _fault(self, text: str) -> Reply:
        match self._random.randrange(6):
            case 0:
                return 500, {}, b'{"error": {"message": "out of memory"}}'
            case 1:
                return 429, {"retry-after": "0.2"}, b'{"error": {"message": "slow down"}}'
            case 2:
                raise ConnectionResetError
            case 3:
                return 200, {}, b'{"choices": ['
            case 4:
                await asyncio.sleep(3600)
                return 503, {}, b""
            case _:
                await asyncio.sleep(3)
                return 503, {}, b"busy"

    def told(self) -> dict[str, Any]:
        """What was asked so far."""
        return {
            **self.pace(),
            "asked": dict(self.asked),
            "answered": dict(self.answered),
            "unanswered": dict(+self.unanswered),
            "keys_sent": dict(self.keys_sent),
            "targets": sorted(self.targets),
            "tls_port": self.tls_port,
            "evidence": dict(self.evidence),
            "bodies": self.bodies,
            "keys": sorted(self.keys),
            "in_flight": self.in_flight,
            "longest_gap": self.longest_gap,
        }

    def pace(self) -> dict[str, Any]:
        """How busy it was so far, without texts; `first_at` and `last_at` are times of the monotonic clock."""
        self._move(0)
        return {
            "requests": self.asked.total(),
            "busiest": self.busiest,
            "busy_seconds": self.busy_seconds,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "cpu_seconds": time.process_time(),
        }


def is_completion(reply: Reply) -> bool:
    """Whether a reply is a chat completion, whatever it says."""
    status, _, body = reply
    try:
        return status == 200 and isinstance(json.loads(body)["choices"][0]["message"], dict)
    except (ValueError, KeyError, IndexError, TypeError):
        return False


def _odd_reply(oddity: str, text: str) -> Reply:
    """A reply that holds no answer, in the form in which servers give it."""
    if oddity == "too long":
        return 400, {}, b'{"error": {"code": "context_length_exceeded", "message": "maximum context length is 4096"}}'
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    match oddity:
        case "refusal":
            message |= {"content": None, "refusal": "I cannot help with that."}
        case "all thinking":
            message["reasoning_content"] = "Let me think about that once more. " * 20
        case "cut off":
            message["content"] = json.dumps(answer_to(text))[:14]
        case "prose":
            message["content"] = "The narrative speaks of a difficult life."
    reason = {"filtered": "content_filter", "all thinking": "length", "cut off": "length"}.get(oddity, "stop")
    reply = {"model": "fake", "choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    return 200, {}, json.dumps(reply).encode()


def completion(content: str, model: str, prompt_characters: int, padding: int = 0) -> bytes:
    """A chat completion around `content`."""
    prompt_tokens, completion_tokens = prompt_characters // 4 + 20, len(content) // 4
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            },
            "system_fingerprint": "x" * padding,
        }
    ).encode()


class Connection(asyncio.Protocol):
    """One client's connection: HTTP/1.1 with Content-Length, kept alive."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._data = rest[length:]
        method, path, _ = first.split(" ")
        self._task = asyncio.create_task(self._serve(method, path, headers, rest[:length]))

    async def _serve(self, method: str, path: str, asked: dict[str, str], body: bytes) -> None:
        assert self._transport is not None
        try:
            status, more, content = await self._server.reply(method, path, asked, body)
        except ConnectionResetError:
            self._transport.abort()
            return
        headers = {"content-type": "application/json", **more, "content-length": str(len(content))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\n{lines}\r\n"
        self._transport.write(head.encode() + content)


async def serve(behaviour: Behaviour, address: str, port: int, certificate: str, socket: str, stays: bool) -> None:
    """Serve until standard input ends; stays: also after that.

    certificate: a PEM file with certificate and key, for TLS on a further port; socket: the path of a Unix socket on
    which it answers too, for whom no network leads to it.
    """
    loop = asyncio.get_running_loop()
    server = FakeServer(behaviour)
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        secure = await loop.create_server(lambda: Connection(server), address, ssl=tls)
        server.tls_port = secure.sockets[0].getsockname()[1]
    if socket:
        await loop.create_unix_server(lambda: Connection(server), socket)
    listening = await loop.create_server(lambda: Connection(server), address, port, backlog=1024)
    print(json.dumps({"port": listening.sockets[0].getsockname()[1]}), flush=True)
    await (asyncio.Event().wait() if stays else loop.run_in_executor(None, sys.stdin.read))


if __name__ == "__main__":
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    listens: dict[str, Any] = {"address": "127.0.0.1", "port": 0, "certificate": "", "socket": "", "stays": False}
    listens = {name: given.pop(name, default) for name, default in listens.items()}
    asyncio.run(serve(Behaviour(**given), **listens))
