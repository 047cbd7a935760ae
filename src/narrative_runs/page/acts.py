"""Acts: what a user may do with an experiment. Each calls the function of its command, after a page that asks first."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from narrative_runs import steering
from narrative_runs.checkpoints import by_hand
from narrative_runs.errors import FindingsError, NarrativeRunsError
from narrative_runs.monitoring.experiments import CANCELLED, COMPLETED, RUNNING, ExperimentRow
from narrative_runs.monitoring.retries import retries_of
from narrative_runs.page.experiment_asked import experiment_asked, named
from narrative_runs.page.rendering import render
from narrative_runs.record.error_rows import error_counts

Form = Mapping[str, list[str]]


@dataclass(frozen=True)
class Act:
    """An act: its title, the question that the page asks first, what a person should know, and the function.

    suits: in which states of an experiment it is offered; known_before: lines to show first, for one experiment;
    fields: the template of its own fields, empty for none; do: takes the experiment and the form, and returns lines
    that say what was done.
    """

    title: str
    question: str
    about: str
    suits: Callable[[str], bool]
    do: Callable[[ExperimentRow, Form], list[str]]
    fields: str = ""
    known_before: Callable[[ExperimentRow], dict[str, object]] = lambda _: {}


def _cancel(known: ExperimentRow, _: Form) -> list[str]:
    return [steering.cancel(known.row["experiment_id"])]


def _retry(known: ExperimentRow, form: Form) -> list[str]:
    return [steering.start_retry(known.row["experiment_id"], form.get("category", []))]


def _errors(known: ExperimentRow) -> dict[str, object]:
    experiment_id = known.row["experiment_id"]
    retries = retries_of(experiment_id, ())
    return {"lines": [*retries.lines, retries.not_worth_it], "categories": error_counts(experiment_id)}


def _snapshot(known: ExperimentRow, form: Form) -> list[str]:
    lines: list[str] = []
    by_hand.keep(named(known), _one(form, "name"), _one(form, "note"), lines.append)
    return lines


def _export(known: ExperimentRow, form: Form) -> list[str]:
    return _typed(export_words(named(known), form))


def export_words(which: str, form: Form) -> list[str]:
    """The words of the command that exports what a form asks for.

    Raises:
        FindingsError: a number in it is none.
    """
    words = ["export", which]
    if _one(form, "what") != "review":
        words.append("--no-text")
    else:
        words.append(f"--review={_whole(form, 'count', 'How many incidents')}")
        for field, name in (("seed", "The seed"), ("overlap", "How many incidents all coders read")):
            if _one(form, field):
                words.append(f"--{field}={_whole(form, field, name)}")
        if _one(form, "coders"):
            words.append(f"--coders={_one(form, 'coders')}")
        if _one(form, "blind"):
            words.append("--blind")
    if _one(form, "variable"):
        words.append(f"--variable={_one(form, 'variable')}")
    return [*words, "--force"] if _one(form, "force") else words


def _typed(words: list[str]) -> list[str]:
    """The output of a command that runs in its own process: it reads all results, and its memory is freed afterwards.

    Raises:
        NarrativeRunsError: it refuses.
    """
    done = subprocess.run(
        [sys.executable, "-m", "narrative_runs", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise NarrativeRunsError(done.stdout.strip().rpartition("narrative-runs: ")[2])
    return done.stdout.splitlines()


def _one(form: Form, field: str) -> str:
    return next(iter(form.get(field, [])), "").strip()


def _whole(form: Form, field: str, name: str) -> int:
    typed = _one(form, field)
    if not (typed.isascii() and typed.isdigit() and 0 < len(typed) < 10):
        raise FindingsError(f"{name}: {typed or 'nothing'!r} is not a whole number.")
    return int(typed)


ACTS = {
    "cancel": Act(
        "Cancel",
        "Cancel this experiment?",
        "The run ends: no new request is sent; those in flight have up to 30 s to finish, and their answers are "
        "kept. The experiment is marked as cancelled. Nothing is lost: it can be continued at any time.",
        lambda state: state not in (COMPLETED, CANCELLED),
        _cancel,
    ),
    "retry-errors": Act(
        "Retry errors",
        "Ask the model again for the errors?",
        "A run begins that asks the model again for exactly the narratives whose result is an error, then merges "
        "again. It goes on when this page is closed. Where the model server takes a key, `narrative-runs serve` has "
        "to be started with it.",
        lambda state: state != RUNNING,
        _retry,
        "act_retry_errors.html.j2",
        _errors,
    ),
    "snapshot": Act(
        "Snapshot",
        "Keep a snapshot of this moment?",
        "The current state is kept under a name, whether or not the experiment is running. `compare` can use it, and "
        "`rollback` can return to it.",
        lambda _: True,
        _snapshot,
        "act_snapshot.html.j2",
    ),
    "export": Act(
        "Export",
        "Export the results?",
        "A file is written into the experiment's folder: all results without text, or a sample with texts for manual "
        "review.",
        lambda state: state != RUNNING,
        _export,
        "act_export.html.j2",
    ),
}


def offered(state: str) -> dict[str, str]:
    """The acts that suit an experiment in this state, by title."""
    return {name: act.title for name, act in ACTS.items() if act.suits(state)}


def routes() -> list[web.RouteDef]:
    """Each act by its name: GET asks the question, POST does it."""
    address = "/experiments/{experiment}/acts/{act}"
    return [web.get(address, _ask), web.post(address, _do)]


def _asked(request: web.Request) -> Act:
    try:
        return ACTS[request.match_info["act"]]
    except KeyError:
        raise web.HTTPNotFound from None


async def _ask(request: web.Request) -> web.Response:
    return await _form(request, _asked(request), await experiment_asked(request))


async def _do(request: web.Request) -> web.Response:
    act, known = _asked(request), await experiment_asked(request)
    form = await _values(request)
    if _one(form, "confirm") != "yes":
        return await _form(request, act, known)
    try:
        # Whoever closes the page meanwhile does not stop half of it.
        lines = await asyncio.shield(asyncio.to_thread(act.do, known, form))
    except NarrativeRunsError as error:
        return await _form(request, act, known, str(error), form)
    return render(
        request, "act_done.html.j2", room="now", experiment=named(known), act=act, name=named(known), lines=lines
    )


async def _form(
    request: web.Request, act: Act, known: ExperimentRow, refused: str = "", form: Form | None = None
) -> web.Response:
    before = await asyncio.to_thread(act.known_before, known)
    return render(
        request,
        "act.html.j2",
        room="now",
        experiment=named(known),
        status=409 if refused else 200,
        act=act,
        name=named(known),
        title=known.row["experiment_name"] or named(known),
        state=known.state,
        refused=refused,
        form={field: values[0] for field, values in (form or {}).items()},
        before=before,
    )


async def _values(request: web.Request) -> dict[str, list[str]]:
    posted = await request.post()
    return {field: [value for value in posted.getall(field) if isinstance(value, str)] for field in posted}
