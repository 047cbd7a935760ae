"""Now: the state of each experiment, running ones first; it updates automatically."""

import asyncio
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from narrative_runs.errors import NarrativeRunsError
from narrative_runs.monitoring.experiments import RUNNING, ExperimentRow, experiments
from narrative_runs.monitoring.latest_errors import LatestError, latest_errors
from narrative_runs.monitoring.listing import COLUMNS
from narrative_runs.monitoring.shard_states import STATES, ShardState, shard_states
from narrative_runs.monitoring.status import RETRY, Status, status_of
from narrative_runs.page.acts import offered
from narrative_runs.page.events import Events, Fragments
from narrative_runs.page.experiment_asked import experiment_asked, named
from narrative_runs.page.masking import cells_shown
from narrative_runs.page.rendering import fragment, render

# The page of all experiments, as its listeners name it; that of one is named by its id.
ALL = ""
# Shown elsewhere on the card, or in another form.
_NOT_AS_FACTS = ("state", "errors", "pattern", RETRY)


@dataclass(frozen=True)
class ErrorsOfCategory:
    """How many rows are errors of a category, and what the latest of them says, where the log still holds it."""

    category: str
    count: int
    latest: LatestError | None


@dataclass(frozen=True)
class Card:
    """The state of one experiment.

    name: by which addresses name it; facts: the lines of `narrative-runs status` that are shown as such; shards: each
    with its state, and how many have it; acts: what may be done with it, titles by name.
    """

    name: str
    title: str
    experiment_id: str
    state: str
    explanation: str
    facts: list[tuple[str, str]]
    n_processed: int
    n_total: int | None
    errors: list[ErrorsOfCategory]
    patterns: list[str]
    shards: list[ShardState]
    n_shards_by_state: dict[str, int]
    acts: dict[str, str]


def card_of(status: Status) -> Card:
    """The card of an experiment."""
    known, run = status.known, status.status
    row = known.row
    latest = latest_errors(known.folder) if row["slug"] and run.errors else {}
    shards = shard_states(known.folder, known.state == RUNNING, run.jobs) if row["slug"] else []
    n_by_state = Counter(shard.state for shard in shards)
    errors = sorted(((count, category) for category, count in run.errors.items() if count), reverse=True)
    return Card(
        name=named(known),
        title=row["experiment_name"] or named(known),
        experiment_id=row["experiment_id"],
        state=known.state,
        explanation=known.explanation,
        facts=_facts(status),
        n_processed=run.n_narratives_processed,
        n_total=run.n_narratives_total,
        errors=[ErrorsOfCategory(category, count, latest.get(category)) for count, category in errors],
        patterns=run.error_patterns,
        shards=shards,
        n_shards_by_state={state: n_by_state[state] for state in STATES if n_by_state[state]},
        acts=offered(known.state),
    )


def _facts(status: Status) -> list[tuple[str, str]]:
    row = status.known.row
    facts = [(name, text or "-") for name, text in status.facts() if name not in _NOT_AS_FACTS]
    if status.known.state != RUNNING:
        # How long ago that was would move the page each second.
        facts = [(name, row["last_progress_update"] if name == "last update" else text) for name, text in facts]
    asked = ", ".join(filter(None, (row["model_name"], row["api_url"])))
    return [*facts, ("model", asked)] if asked else facts


class Look:
    """Looks at the experiments; of those that do not run it remembers what it saw while their rows stay the same, as a
    million results are not to be counted each second."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[dict[str, Any], str, Card]] = {}
        self._looking = threading.Lock()

    def fragments(self, wanted: Collection[str]) -> dict[str, Fragments]:
        """What the pages should show now, as HTML by the element that holds it, for each page wanted: ALL, or an
        experiment's id."""
        with self._looking:
            try:
                known = experiments()
            except NarrativeRunsError as error:
                message = fragment("now_message.html.j2", message=str(error))
                return {which: {"live" if which == ALL else "card": message} for which in wanted}
            return {which: self._fragments_of(which, known) for which in wanted}

    def _fragments_of(self, which: str, known: list[ExperimentRow]) -> Fragments:
        if which != ALL:
            cards = [self._card(each) for each in known if each.row["experiment_id"] == which]
            return {"card": "".join(fragment("now_card.html.j2", card=card, is_alone=True) for card in cards)}
        running = [each for each in known if each.state == RUNNING]
        shown = running or known[:1]
        others = [(named(each), cells_shown(each)) for each in known if each not in shown]
        return {
            "live": "".join(fragment("now_card.html.j2", card=self._card(each), is_alone=False) for each in shown),
            "others": fragment("now_others.html.j2", columns=COLUMNS, others=others),
        }

    def _card(self, known: ExperimentRow) -> Card:
        if known.state == RUNNING:
            return card_of(status_of(known))
        key = known.row["experiment_id"]
        row, state, card = self._seen.get(key, (None, None, None))
        if card is None or row != known.row or state != known.state:
            card = card_of(status_of(known))
            self._seen[key] = known.row, known.state, card
        return card


def routes() -> list[web.RouteDef]:
    """All experiments, one experiment, and the events of both."""
    look = Look()

    async def show_all(request: web.Request) -> web.Response:
        seen = await asyncio.to_thread(look.fragments, [ALL])
        return render(request, "now.html.j2", room="now", fragments=seen[ALL])

    async def show_one(request: web.Request) -> web.Response:
        known = await experiment_asked(request)
        which = known.row["experiment_id"]
        seen = await asyncio.to_thread(look.fragments, [which])
        return render(
            request,
            "now_one.html.j2",
            room="now",
            experiment=named(known),
            which=which,
            title=known.row["experiment_name"] or named(known),
            fragments=seen[which],
        )

    return [
        web.get("/", show_all),
        web.get("/experiments/{experiment}", show_one),
        web.get("/events", Events(look.fragments).serve, allow_head=False),
    ]
