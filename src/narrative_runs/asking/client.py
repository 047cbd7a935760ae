"""The connections to the model server, kept alive: the only module for TLS, proxies, headers and time limits."""

import json
import ssl
import time
from typing import Any

import aiohttp

from narrative_runs.asking import failures, reply
from narrative_runs.asking.address import near_socket, proxy_for
from narrative_runs.asking.failures import Kind
from narrative_runs.asking.server import BAD_KEY, Server, can_be_sent

LARGEST_REPLY = 16 * 2**20
_PART = 2**16
EVIDENCE_HEADER = {"X-Narrative-Runs": "evidence"}


class Client:
    """Asks one server, any number of requests at once; for use within one event loop."""

    def __init__(self, server: Server, tls: ssl.SSLContext | None) -> None:
        """tls: what `tls_for` gives for the server; its address and time limit can be read."""
        self._server = server
        self.address = server.base_url
        self.timeout_s = server.timeout_s
        self.has_key = bool(server.api_key)
        self._proxy = proxy_for(server.base_url, server.allow_remote)
        self._key_can_be_sent = can_be_sent(server.api_key)
        headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
        if server.api_key:
            headers["authorization"] = f"Bearer {server.api_key}"
        self._session = aiohttp.ClientSession(
            # The session's gate counts the requests; a second limit here could only be wrong.
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=tls or True,
                # Each connection looks its name up, and checks the address; connections are kept, so that they are few.
                use_dns_cache=False,
                socket_factory=None if server.allow_remote else near_socket,
            ),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=server.timeout_s),
            trust_env=False,
        )

    async def ask(self, body: bytes, has_narrative: bool = True, is_evidence: bool = False) -> dict[str, Any]:
        """The decoded reply to one request.

        has_narrative: whether the body holds one, so that the server's words may not be repeated; is_evidence: whether
        it is asked to find out what is wrong.

        Raises:
            RequestFailed: there is none; its failure says why.
        """
        if has_narrative and self._server.before_asking is not None:
            self._server.before_asking(json.loads(body)["messages"][-1]["content"])
        began = time.perf_counter()
        headers = EVIDENCE_HEADER if is_evidence else None
        status, headers_back, content = await self._reply("POST", self._server.completions_url, body, headers)
        decoded = _decoded(content) if status == 200 else None
        if decoded is not None:
            return decoded
        raise failures.of_reply(
            status,
            headers_back,
            self._without_key(content),
            json.loads(body),
            has_narrative,
            time.perf_counter() - began,
        )

    async def models(self, timeout_s: float) -> tuple[int, Any]:
        """The status and the content of the list of models; None for content that is not JSON.

        Raises:
            RequestFailed: there is no reply within timeout_s seconds.
        """
        status, _, content = await self._reply("GET", self._server.models_url, None, None, timeout_s)
        try:
            return status, json.loads(content)
        except (ValueError, RecursionError):
            return status, None

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _reply(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str] | None, timeout_s: float | None = None
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        if not self._key_can_be_sent:
            raise failures.failed(Kind.UNSENDABLE, BAD_KEY)
        limit = aiohttp.ClientTimeout(total=timeout_s or self.timeout_s)
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, proxy=self._proxy, allow_redirects=False, timeout=limit
            ) as response:
                return response.status, list(response.raw_headers), await _content(response)
        except TimeoutError:
            raise failures.failed(Kind.TIMED_OUT, f"no answer within {timeout_s or self.timeout_s:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            # Of the library's errors this one is a ValueError too.
            raise failures.failed(Kind.UNTRUSTED, _reason(error)) from None
        except ValueError:
            raise failures.failed(
                Kind.UNSENDABLE, "model.api_url, or the proxy that the environment names, is no address"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise failures.failed(Kind.UNREACHABLE, _reason(error)) from None

    def _without_key(self, content: bytes) -> bytes:
        """The reply without the key, which some servers repeat in their errors."""
        key = self._server.api_key.encode()
        return content.replace(key, b"...") if key else content


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """The whole reply, decompressed.

    Raises:
        RequestFailed: it is larger than any answer, as a compressed text of one letter would be.
    """
    parts, size = [], 0
    async for part in response.content.iter_chunked(_PART):
        size += len(part)
        if size > LARGEST_REPLY:
            response.close()
            raise failures.failed(Kind.SERVER_FAULT, f"the reply is larger than {LARGEST_REPLY // 2**20} MB")
        parts.append(part)
    return b"".join(parts)


def tls_for(server: Server) -> ssl.SSLContext | None:
    """A TLS context for https, with the certificates that the environment names; None for plain http."""
    return ssl.create_default_context() if server.base_url.startswith("https:") else None


def _decoded(content: bytes) -> dict[str, Any] | None:
    """The chat completion in a reply; None if it is not one."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return dict(body) if reply.is_reply(body) else None


def _reason(error: Exception) -> str:
    """Why there was no reply, in words of our own: the library's may hold a URL with its password, or a reply."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the server's name cannot be found"
        case aiohttp.ClientConnectorCertificateError():
            words = getattr(error.certificate_error, "verify_message", "")
            return (
                f"the server's certificate is not trusted: {words}. Have the environment variable SSL_CERT_FILE name a "
                "file with the certificate of the authority that signed it"
            )
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answers HTTP {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy cannot be reached ({error.os_error.strerror})"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "the server broke off"
        case aiohttp.ClientResponseError():
            return "the reply is no HTTP"
        case OSError(strerror=str(words)) if words:
            return f"the server cannot be reached ({words})"
        case _:
            return f"the server cannot be reached ({type(error).__name__})"
