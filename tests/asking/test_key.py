"""Where the API key comes from."""

from pathlib import Path

import pytest

from narrative_runs.asking.server import key_from_environment
from narrative_runs.errors import ServerError


@pytest.fixture(autouse=True)
def _without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLM_API_KEY", "LLM_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("written", ["secret\n", " secret ", "secret\r\n"])
def test_blanks_around_the_key_are_not_part_of_it(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """A key that was read from a file into the environment, newline and all, is the key."""
    monkeypatch.setenv("LLM_API_KEY", written)
    assert key_from_environment() == "secret"


@pytest.mark.parametrize("written", ["sec\nret", "sec\tret", "s\u00e9cret"])
def test_a_key_that_cannot_be_sent_is_refused(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """A key with a line break in it is a user's mistake, and the message does not hold it."""
    monkeypatch.setenv("LLM_API_KEY", written)
    with pytest.raises(ServerError, match="LLM_API_KEY") as caught:
        key_from_environment()
    assert "ret" not in str(caught.value)


def test_no_key_is_an_empty_one() -> None:
    """Without a variable there is no key."""
    assert key_from_environment() == ""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the environment names, which only its owner can read."""
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text("from-the-file\n")
    monkeypatch.setenv("LLM_API_KEY_FILE", str(path))
    return path


@pytest.mark.usefixtures("file")
def test_a_key_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is what the named file holds, unless the environment holds one itself."""
    assert key_from_environment() == "from-the-file"
    monkeypatch.setenv("LLM_API_KEY", "own")
    assert key_from_environment() == "own"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_use_is_refused(file: Path, mode: int) -> None:
    """A key that others can read, or replace, is not used, and the way to close its file is told."""
    file.chmod(mode)
    with pytest.raises(ServerError, match=r"other users can read .*chmod 600") as caught:
        key_from_environment()
    assert "from-the-file" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot be read"), (b" \n", "is empty"), (b"\xff\xfe", "not a text file")]
)
def test_a_file_without_a_key_is_named(file: Path, content: bytes | None, message: str) -> None:
    """A file that is missing, empty or no text is named with what is wrong with it."""
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(ServerError, match=rf"LLM_API_KEY_FILE: .*{message}"):
        key_from_environment()
