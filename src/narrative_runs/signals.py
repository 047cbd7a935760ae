"""The signals that end a run from outside: Ctrl-C, `kill`, and a terminal that is closed."""

import signal

STOPPED_BY = "stopped by "
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CALLED = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM, as `kill` and a shutdown send it",
    signal.SIGHUP: "SIGHUP: its terminal was closed",
}


def name_of(number: int) -> str:
    """What a person calls this signal."""
    return _CALLED.get(signal.Signals(number), signal.Signals(number).name)


def stopped_by(number: int) -> str:
    """Why a run ends that this signal ends, as the record keeps it."""
    return f"{STOPPED_BY}{name_of(number)}"


def heard() -> list[signal.Signals]:
    """The signals that end this process as things stand: what was ignored from the start, as `nohup` does with SIGHUP,
    stays ignored."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def leave_to_the_main_process(*numbers: signal.Signals) -> None:
    """Ignore these signals, or all: they reach the whole group, and the main process decides what follows."""
    for number in numbers or ENDING:
        signal.signal(number, signal.SIG_IGN)
