"""One connection to the model server.

Each worker holds a client of its own: one kept-alive connection costs half the CPU of a shared pool.
"""

import asyncio
import json
import os
import ssl
from dataclasses import dataclass
from typing import Any

import httpcore

from narrative_runs.asking import failures, reply
from narrative_runs.asking.address import proxy_for

API_KEY_VARIABLE = "LLM_API_KEY"


@dataclass(frozen=True)
class Server:
    """Where to ask.

    base_url: the /v1 base; api_key: sent as bearer token unless empty; timeout_s: seconds for a whole reply.
    """

    base_url: str
    api_key: str
    timeout_s: float

    @property
    def completions_url(self) -> str:
        """The URL that takes the requests."""
        return f"{self.base_url}/chat/completions"


def key_from_environment() -> str:
    """The API key; it is read from the environment alone, and written nowhere."""
    return os.environ.get(API_KEY_VARIABLE, "")


class Client:
    """One connection, which is opened again whenever it was lost."""

    def __init__(self, server: Server, tls: ssl.SSLContext | None) -> None:
        """tls: the one TLS context that all clients of the process share; None for plain http."""
        self._url = server.completions_url
        self.timeout_s = server.timeout_s
        self._headers = [(b"content-type", b"application/json"), (b"accept", b"application/json")]
        if server.api_key:
            self._headers.append((b"authorization", b"Bearer " + server.api_key.encode()))
        proxy = proxy_for(server.base_url)
        self._connection: httpcore.AsyncConnectionPool = (
            httpcore.AsyncHTTPProxy(proxy, ssl_context=tls, max_connections=1)
            if proxy
            else httpcore.AsyncConnectionPool(ssl_context=tls, max_connections=1)
        )

    async def ask(self, body: bytes) -> dict[str, Any]:
        """The decoded reply to one request.

        Raises:
            RequestFailed: there is none; the class says why.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await self._connection.request("POST", self._url, headers=self._headers, content=body)
        except TimeoutError:
            raise failures.TimedOut(f"no answer within {self.timeout_s:g} s") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            raise failures.Unreachable(_reason(error)) from None
        if response.status != 200:
            raise failures.of_status(response.status, response.headers, response.content, json.loads(body))
        return _decoded(response.content, body)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.aclose()


def tls_for(server: Server) -> ssl.SSLContext | None:
    """A TLS context for https, with the certificates that the environment names; None for plain http."""
    return ssl.create_default_context() if server.base_url.startswith("https:") else None


def _decoded(content: bytes, asked: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        raise failures.ServerFault("the reply is not JSON") from None
    if not reply.is_reply(body):
        # Some gateways answer 200 and put the error's status into the body.
        told = body.get("error") if isinstance(body, dict) else None
        status = told.get("code") if isinstance(told, dict) else None
        if isinstance(status, int) and 400 <= status < 600:
            raise failures.of_status(status, [], content, json.loads(asked))
        raise failures.ServerFault("the reply is no chat completion")
    return dict(body)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
