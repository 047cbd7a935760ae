from pathlib import Path
from typing import Any

import pytest

from narrative_runs import lock_watch
from narrative_runs.lock_watch import Host, Meaning, Watch, names_another, this_host

HERE = Host("node1", "boot-1")
SILENT_S = 60.0


def words(counter: int = 1, **changed: Any) -> dict[str, Any]:
    """What a holder on another host writes; changed: other words of it."""
    return {"pid": 7, "host": "node2", "boot": "boot-1", "token": "a", "counter": counter, **changed}


def meanings(*looks: tuple[dict[str, Any], float]) -> list[Meaning]:
    """What a lock means at each of these looks: what its file says, and when."""
    watch = Watch(HERE)
    return [watch.see(said, now, SILENT_S) for said, now in looks]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"pid": 7, "host": "node2", "since": "2026-01-01 00:00:00", "address": "", "ended": ""},
        words(host="node1"),
        words(released=True),
        words(token=5),
    ],
)
def test_the_kernel_decides(said: dict[str, Any]) -> None:
    """Of a lock of this host, one that was given back, one of release 0.1.0, and one that says nothing of use, the
    kernel's own is asked, however often it is looked at."""
    assert meanings((said, 0), (said, 100), (said, 200)) == [Meaning.BY_KERNEL] * 3


@pytest.mark.parametrize("other", [{"host": "node2"}, {"boot": "boot-2", "host": "node1"}, {"boot": None}])
def test_a_host_is_known_by_its_name_and_its_start(other: dict[str, Any]) -> None:
    """Another name, or another start, is another host; only what has both is this one."""
    assert names_another(words(**other), HERE)
    assert not names_another(words(host="node1"), HERE)


def test_a_counter_that_moves_is_a_sign_of_life() -> None:
    """As soon as the counter of another host has moved, its run is alive, also after a short silence."""
    assert meanings((words(1), 0), (words(1), 4), (words(2), 5), (words(2), 64)) == [
        Meaning.UNKNOWN,
        Meaning.UNKNOWN,
        Meaning.ALIVE,
        Meaning.ALIVE,
    ]


def test_another_holder_is_a_sign_of_life() -> None:
    """Another run that took the lock meanwhile is alive, whatever its counter says."""
    assert meanings((words(1), 0), (words(1, token="b"), 50))[-1] is Meaning.ALIVE


def test_silence_is_measured_by_who_looks() -> None:
    """A lock is silent when its counter stood still for a minute since it was first seen so, and no sooner."""
    assert meanings((words(5), 1000), (words(5), 1059.9), (words(5), 1060))[1:] == [Meaning.UNKNOWN, Meaning.SILENT]
    assert meanings((words(5), 0), (words(6), 30), (words(6), 89), (words(6), 90))[2:] == [
        Meaning.ALIVE,
        Meaning.SILENT,
    ]


def test_who_was_silent_may_come_back() -> None:
    """A holder that was asleep is alive again with its next sign."""
    assert meanings((words(5), 0), (words(5), 100), (words(6), 101))[1:] == [Meaning.SILENT, Meaning.ALIVE]


def test_words_that_are_being_written_are_a_sign_of_life() -> None:
    """What cannot be read right after a holder on another host was seen, somebody is writing; if it stays so, the
    kernel decides."""
    assert meanings((words(), 0), ({}, 1), ({}, 2))[1:] == [Meaning.ALIVE, Meaning.BY_KERNEL]


def test_a_lock_that_is_given_back_while_it_is_looked_at_is_free() -> None:
    """Who waits for a sign of another host need not wait on when its run has ended."""
    assert meanings((words(), 0), (words(released=True), 1))[-1] is Meaning.BY_KERNEL


def test_this_host_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host has one name and one start as long as a process lives; where the system tells no start, the name alone."""
    assert this_host() == this_host() and this_host().name
    monkeypatch.setattr(lock_watch, "_BOOT_ID", Path("/nowhere"))
    assert this_host.__wrapped__() == Host(this_host().name, "")
