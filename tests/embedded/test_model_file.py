import fcntl
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from platformdirs import PlatformDirsABC
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from narrative_runs.embedded import model_file
from narrative_runs.embedded.model_file import DEFAULT_MODEL, ModelFile, Source, cached, obtain, progress
from narrative_runs.embedded.model_sources import Chunks
from narrative_runs.errors import ModelFileError

CONTENT = bytes(range(256)) * 40
MODEL = ModelFile(
    name="Tiny",
    quantization="Q4_K_M",
    file_name="tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="Apache-2.0",
)


def source(*chunks: bytes, then: Exception | None = None) -> Source:
    """A source that gives `chunks`, then fails with `then`."""

    def give(scratch: Path) -> Chunks:
        (scratch / "left.whl").write_bytes(b"on the way")
        yield from chunks
        if then:
            raise then

    return give


def never(scratch: Path) -> Chunks:
    """A source that must not be asked."""
    raise AssertionError(f"nothing was to be fetched into {scratch}")


def silent(line: str) -> None:
    """Say nothing."""
    del line


def leftovers(folder: Path) -> set[str]:
    """What is in `folder` besides the model and its lock."""
    return {path.name for path in folder.iterdir()} - {"tiny.gguf", "tiny.gguf.lock"}


@pytest.fixture
def small_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the default model is kept, for a default model of a few bytes that the hub has."""
    monkeypatch.setattr(model_file, "from_hub", source(CONTENT))
    monkeypatch.setattr(model_file, "cache_directory", lambda: tmp_path / "cache")
    small = {"size": MODEL.size, "sha256": MODEL.sha256}
    monkeypatch.setattr(model_file, "DEFAULT_MODEL", ModelFile(**{**vars(DEFAULT_MODEL), **small}))
    return tmp_path / "cache" / DEFAULT_MODEL.file_name


@pytest.mark.parametrize(
    "name",
    [
        "Qwen2.5-Coder-0.5B-Instruct",
        "qwen2.5-coder-0.5b-instruct",
        "Qwen2.5-Coder-0.5B-Instruct-Q4_K_M",
        "QWEN2.5-CODER-0.5B-INSTRUCT-q4_k_m",
    ],
)
def test_the_default_model_goes_by_its_name(name: str, small_default: Path) -> None:
    """The default model is obtained by its name in any case, with and without its quantization."""
    assert obtain(name, silent) == small_default
    assert small_default.read_bytes() == CONTENT


def test_a_path_stands_for_itself(tmp_path: Path) -> None:
    """The path of an existing .gguf file gives that file."""
    own = tmp_path / "own.GGUF"
    own.write_bytes(b"GGUF")
    assert obtain(str(own), silent) == own


@pytest.mark.parametrize("name", ["mistral", "missing.gguf", "", "/"])
def test_an_unknown_model_is_refused_with_advice(name: str) -> None:
    """Any other name is an error that names the key, the value and the default model."""
    with pytest.raises(ModelFileError, match=r"model\.name is .*Qwen2\.5-Coder-0\.5B-Instruct"):
        obtain(name, silent)


def test_a_directory_is_no_model(tmp_path: Path) -> None:
    """A folder whose name ends in .gguf is not taken for a model file."""
    (tmp_path / "folder.gguf").mkdir()
    with pytest.raises(ModelFileError):
        obtain(str(tmp_path / "folder.gguf"), silent)


def test_a_fetched_file_is_kept(tmp_path: Path) -> None:
    """What was fetched once is used from then on, and nothing else is left beside it."""
    fetched = cached(MODEL, tmp_path / "new" / "folder", [source(CONTENT[:100], CONTENT[100:])], silent)
    assert fetched.read_bytes() == CONTENT
    assert cached(MODEL, fetched.parent, [never], silent) == fetched
    assert leftovers(fetched.parent) == set()


@pytest.mark.parametrize(
    "broken",
    [
        source(CONTENT[:-1]),
        source(CONTENT, b"more"),
        source(CONTENT[::-1]),
        source(),
        source(CONTENT[:500], then=ModelFileError("The line broke.")),
    ],
    ids=["too short", "too long", "other bytes", "nothing", "broken off"],
)
def test_a_bad_source_gives_way_to_the_next(broken: Source, tmp_path: Path) -> None:
    """A source whose bytes are not the model's, or that breaks off, is passed over for the next one."""
    assert cached(MODEL, tmp_path, [broken, source(CONTENT)], silent).read_bytes() == CONTENT
    assert leftovers(tmp_path) == set()


def test_no_source_leaves_no_file(tmp_path: Path) -> None:
    """When no source gives the model, the error tells every reason and no byte stays on disk."""
    sources = [source(then=ModelFileError("The hub is away.")), source(b"something else")]
    with pytest.raises(ModelFileError, match=r"The hub is away\..*SHA-256 differs"):
        cached(MODEL, tmp_path, sources, silent)
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.gguf.lock"}


def test_an_interruption_leaves_no_file(tmp_path: Path) -> None:
    """Ctrl-C while the model is fetched leaves nothing unfinished behind."""

    def interrupted(scratch: Path) -> Chunks:
        yield from source(CONTENT[:500])(scratch)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(MODEL, tmp_path, [interrupted], silent)
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.gguf.lock"}


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    """The unfinished file of a killed process does not stop the next one, and goes away."""
    (tmp_path / "tiny.gguf.unfinished").mkdir()
    (tmp_path / "tiny.gguf.unfinished" / "tiny.gguf").write_bytes(CONTENT[:77])
    assert cached(MODEL, tmp_path, [source(CONTENT)], silent).read_bytes() == CONTENT
    assert leftovers(tmp_path) == set()


def test_a_cached_file_of_the_wrong_size_is_fetched_again(tmp_path: Path) -> None:
    """A cached file that lost bytes is not trusted, even though it was verified once."""
    file = cached(MODEL, tmp_path, [source(CONTENT)], silent)
    file.write_bytes(CONTENT[:-1])
    assert cached(MODEL, tmp_path, [source(CONTENT)], silent).read_bytes() == CONTENT


def test_a_cached_file_is_believed_after_its_hash_only(tmp_path: Path) -> None:
    """A file of other bytes is not taken for the model that was fetched, whatever lies beside it to vouch for it."""
    file = cached(MODEL, tmp_path, [source(CONTENT)], silent)
    file.write_bytes(CONTENT[::-1])
    (tmp_path / "tiny.gguf.sha256").write_text(MODEL.sha256)
    assert cached(MODEL, tmp_path, [source(CONTENT)], silent).read_bytes() == CONTENT


def test_a_file_put_there_by_hand_is_accepted(tmp_path: Path) -> None:
    """The right file, copied into the cache without the network, is the model."""
    (tmp_path / "tiny.gguf").write_bytes(CONTENT)
    assert cached(MODEL, tmp_path, [never], silent) == tmp_path / "tiny.gguf"


def test_a_wrong_file_put_there_by_hand_is_replaced(tmp_path: Path) -> None:
    """A file of the right size with other bytes is not taken for the model."""
    (tmp_path / "tiny.gguf").write_bytes(CONTENT[::-1])
    assert cached(MODEL, tmp_path, [source(CONTENT)], silent).read_bytes() == CONTENT


def test_two_at_once_fetch_once(tmp_path: Path) -> None:
    """Of two that ask at once, one fetches; the other says that it waits, and uses what the first fetched."""
    waiting = threading.Event()
    with (tmp_path / "tiny.gguf.lock").open("ab") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = threading.Thread(target=cached, args=(MODEL, tmp_path, [never], lambda _: waiting.set()))
        second.start()
        assert waiting.wait(timeout=30)
        (tmp_path / "tiny.gguf").write_bytes(CONTENT)
    second.join(timeout=30)
    assert not second.is_alive() and (tmp_path / "tiny.gguf").read_bytes() == CONTENT


def test_a_full_disk_is_told_before_fetching(tmp_path: Path) -> None:
    """Without room for the model nothing is fetched, and the message says how much is needed and where."""
    huge = ModelFile(**{**vars(MODEL), "size": 10**18})
    with pytest.raises(ModelFileError, match=rf"needs \d+ MB of free disk space, and {tmp_path} has"):
        cached(huge, tmp_path, [never], silent)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A cache folder that cannot be written is an error that names it."""
    (tmp_path / "file").touch()
    with pytest.raises(ModelFileError, match=f"cannot be kept in {tmp_path / 'file' / 'models'}"):
        cached(MODEL, tmp_path / "file" / "models", [never], silent)


@pytest.mark.parametrize(
    ("system", "variable", "folder"),
    [
        (Unix, "/elsewhere", "/elsewhere/narrative-runs/models"),
        (Unix, "", "/home/user/.cache/narrative-runs/models"),
        (Unix, "not/absolute", "/home/user/.cache/narrative-runs/models"),
        (MacOS, "", "/home/user/Library/Caches/narrative-runs/models"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    system: type[PlatformDirsABC], variable: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is kept where the user's system keeps caches; a relative XDG_CACHE_HOME counts as unset."""
    monkeypatch.setattr("platformdirs.PlatformDirs", system)
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert model_file.cache_directory() == Path(folder)


@pytest.mark.parametrize("chunk", [1, 7, 100, 1000])
def test_progress_is_a_line_every_tenth(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal the progress is at most ten lines, the last of them at 100 %."""
    lines: list[str] = []
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    with progress(1000, lines.append) as advance:
        count(advance, chunk)
    assert len(lines) == len(set(lines)) == min(10, -(-1000 // chunk))
    assert lines[-1].startswith("100 %")


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the progress is a bar, and no lines are said."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    lines: list[str] = []
    with progress(1000, lines.append) as advance:
        count(advance, 100)
    assert lines == []


def count(advance: Callable[[int], None], chunk: int) -> None:
    """Tell a progress of 1000 bytes in steps of `chunk`."""
    for begin in range(0, 1000, chunk):
        advance(min(chunk, 1000 - begin))


@pytest.mark.embedded
def test_the_real_model_is_had() -> None:
    """The default model is to be had from here, and its file is one that llama.cpp can read."""
    file = obtain(DEFAULT_MODEL.name, silent)
    assert file.stat().st_size == DEFAULT_MODEL.size
    with file.open("rb") as opened:
        assert opened.read(4) == b"GGUF"
