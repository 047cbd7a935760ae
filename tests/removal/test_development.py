from pathlib import Path

import pytest
from tests.small_experiment import narratives_of

from narrative_runs.errors import AlreadyRunning, ExperimentError
from narrative_runs.paths import DEVELOPMENT, FORGETTING, SEEN
from narrative_runs.removal import development
from narrative_runs.removal.forget import forget
from narrative_runs.run_lock import RunLock
from narrative_runs.seen_narratives import record_seen, seen_digests

QUESTION = DEVELOPMENT / "answers/0123456789abcdef"


@pytest.fixture(autouse=True)
def _tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project folder in which a sample was tried, whose page somebody had written beside it."""
    monkeypatch.chdir(tmp_path)
    record_seen(narratives_of(2), "tried")
    for path in ("cases.xlsx-01234567/sample.json", "answers/0123456789abcdef/journal/session-0001/1-of-1.jsonl"):
        (DEVELOPMENT / path).parent.mkdir(parents=True)
        (DEVELOPMENT / path).write_text("Quetzalcoatlus")
    (DEVELOPMENT / "page.html").write_text("Quetzalcoatlus")


def forgotten() -> list[str]:
    """The lines that are shown when all of it is removed."""
    lines: list[str] = []
    forget("development", is_sure=True, tell=lines.append)
    return lines


def test_what_was_tried_is_removed_and_what_was_seen_stays_known() -> None:
    """Samples, answers and pages are removed; the list of what was seen stays, and that is said; then there is
    nothing to remove."""
    kept = SEEN.read_bytes()
    lines = forgotten()
    assert "  results/development/: 3 files, 0.0 kB" in lines
    assert any(line.strip().startswith(f"{SEEN}: ") for line in lines)
    assert [path for path in Path("results").rglob("*") if path.is_file()] == [SEEN]
    assert SEEN.read_bytes() == kept and len(seen_digests()) == 2 and not FORGETTING.exists()
    with pytest.raises(ExperimentError, match="nothing to remove under results/development/"):
        forgotten()


def test_nothing_of_it_is_removed_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the typed word removes it."""
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    with pytest.raises(ExperimentError, match=r"Nothing was removed\."):
        forget("development", is_sure=False, tell=lambda _: None)
    assert len(development.files()) == 3
    monkeypatch.setattr("builtins.input", lambda _: "development")
    forget("development", is_sure=False, tell=lambda _: None)
    assert development.files() == []


def test_what_is_asked_at_this_moment_is_not_removed() -> None:
    """While a question is asked, nothing is removed, and who asks is named."""
    lock = RunLock(QUESTION)
    lock.acquire()
    with pytest.raises(AlreadyRunning, match=r"is asking now: PID \d+"):
        forgotten()
    assert len([path for path in development.files() if not path.name.startswith(".")]) == 3
    lock.release()
    forgotten()
    assert not QUESTION.exists()


def test_a_removal_that_was_cut_short_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a removal was killed between its steps, the same command removes what is left."""
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", _killed)
        with pytest.raises(KeyboardInterrupt):
            forgotten()
    assert not (DEVELOPMENT / "page.html").exists() and len(development.files()) == 3
    assert any("3 files" in line for line in forgotten())
    assert [path for path in Path("results").rglob("*") if path.is_file()] == [SEEN]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_live_reading_is_left_alone() -> None:
    """The folder in which a process reads a workbook at this moment is removed by that process, not under it."""
    from narrative_runs.atomic_files import temporary_folder

    with temporary_folder(".reading-", DEVELOPMENT) as reading:
        (reading / "texts").write_text("Quetzalcoatlus")
        forgotten()
        assert (reading / "texts").exists()
    (DEVELOPMENT / ".reading-killed").mkdir()
    (DEVELOPMENT / ".reading-killed/.lock").touch()
    (DEVELOPMENT / "page.html").touch()
    forgotten()
    assert [path for path in Path("results").rglob("*") if path.is_file()] == [SEEN]
