"""Debian's Chromium, in which pages are seen as their readers see them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

# It asks nobody but the page's own server.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def program() -> str:
    """Where it is; without it the test is skipped."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium on this machine (Debian: apt-get install chromium)")
    return found


def options() -> dict[str, Any]:
    """How playwright starts it."""
    return {"executable_path": program(), "headless": True, "args": FLAGS, "chromium_sandbox": False}


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Start it, and end it at the end."""
    started = options()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**started)
        yield browser
        browser.close()
