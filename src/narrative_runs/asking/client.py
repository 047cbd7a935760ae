"""The connections to the model server, kept alive: as many as there are requests at once."""

import json
import ssl
from typing import Any

import aiohttp

from narrative_runs.asking import failures, reply
from narrative_runs.asking.address import proxy_for
from narrative_runs.asking.server import BAD_KEY, Server, can_be_sent


class Client:
    """Asks one server, any number of requests at once; for use within one event loop."""

    def __init__(self, server: Server, tls: ssl.SSLContext | None) -> None:
        """tls: what `tls_for` gives for the server."""
        self._url = server.completions_url
        self.timeout_s = server.timeout_s
        self._proxy = proxy_for(server.base_url)
        self._key_can_be_sent = can_be_sent(server.api_key)
        headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
        if server.api_key:
            headers["authorization"] = f"Bearer {server.api_key}"
        self._session = aiohttp.ClientSession(
            # The session's gate counts the requests; a second limit here could only be wrong.
            connector=aiohttp.TCPConnector(limit=0, ssl=tls or True),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=server.timeout_s),
            trust_env=False,
        )

    async def ask(self, body: bytes) -> dict[str, Any]:
        """The decoded reply to one request.

        Raises:
            RequestFailed: there is none; the class says why.
        """
        if not self._key_can_be_sent:
            raise failures.Hopeless(BAD_KEY)
        try:
            async with self._session.post(self._url, data=body, proxy=self._proxy, allow_redirects=False) as response:
                content = await response.read()
        except TimeoutError:
            raise failures.TimedOut(f"no answer within {self.timeout_s:g} s") from None
        except ValueError:
            raise failures.Hopeless("model.api_url, or the proxy that the environment names, is no address") from None
        except (aiohttp.ClientError, OSError) as error:
            raise failures.Unreachable(_reason(error)) from None
        if response.status != 200:
            raise failures.of_status(response.status, list(response.raw_headers), content, json.loads(body))
        return _decoded(content, body)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


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
    """Why there was no reply, in words of our own: the library's may hold a URL with its password, or a reply."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the server's name cannot be found"
        case aiohttp.ClientConnectorCertificateError():
            words = getattr(error.certificate_error, "verify_message", "")
            return f"the server's certificate is not trusted: {words}"
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
