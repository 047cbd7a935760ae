"""The checksum of the code: where it differs, the same answers may be read differently."""

import hashlib
from functools import cache
from pathlib import Path

import narrative_runs

PACKAGE = Path(narrative_runs.__file__).parent


@cache
def code_checksum() -> str:
    """The MD5, in hex, of this package's code and templates, by names and contents; a touch does not change it."""
    digest = hashlib.md5(usedforsecurity=False)
    for path in sorted(path for kind in ("*.py", "*.j2", "*.css") for path in PACKAGE.rglob(kind)):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()
