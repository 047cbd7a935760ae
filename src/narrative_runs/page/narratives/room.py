"""Narratives: filtered, searched and read one by one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from narrative_runs import experiment, provenance
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import ExperimentError, JournalError, NarrativeRunsError
from narrative_runs.findings.rounding import shown
from narrative_runs.monitoring.experiments import RUNNING, ExperimentRow
from narrative_runs.page.addresses import address_of
from narrative_runs.page.experiment_asked import experiment_asked, named
from narrative_runs.page.masking import suppress_below
from narrative_runs.page.narratives.comparing import bring_compared
from narrative_runs.page.narratives.filters import Asked, Field, asked_in, fields_of, understood
from narrative_runs.page.narratives.highlighting import Piece, excerpt, pieces, readable, within
from narrative_runs.page.narratives.indexing import Indexing, state_of
from narrative_runs.page.narratives.one_narrative import (
    as_words,
    facts_of,
    listed,
    narrative_shown,
    passages_in,
    title_of,
)
from narrative_runs.page.rendering import render
from narrative_runs.provenance import Attempt
from narrative_runs.record import narrative_pages, result_rows
from narrative_runs.record.coded_values import has_values_of
from narrative_runs.record.narrative_pages import Count, Indexed, Page, Wanted
from narrative_runs.record.search_words import spans_of

ON_A_PAGE = 50
_EXCERPT = 320
# How long a page waits for the index: of an experiment that is new to it, and of one whose rows it has.
_NEW_S, _KNOWN_S = 1.5, 0.1
_INDEXING = web.AppKey("indexing", Indexing)


def routes() -> list[web.RouteDef]:
    """The addresses of this room."""
    address = "/experiments/{experiment}/narratives"
    one = f"{address}/{{incident}}/{{type}}"
    return [web.get(address, _list), web.get(one, _one), web.get(f"{one}/trace", _trace)]


def keep_indexed(application: web.Application, indexing: Indexing | None = None) -> None:
    """Have the application keep the search index up to date while it serves this room."""
    application[_INDEXING] = indexing or Indexing()
    application.on_cleanup.append(_close)


async def _close(application: web.Application) -> None:
    await asyncio.to_thread(application[_INDEXING].close)


async def _list(request: web.Request) -> web.Response:
    known = await experiment_asked(request)
    asked, edges = asked_in(request.query), [_edge(request, name) for name in ("after", "before")]
    listed_ = await asyncio.to_thread(narratives_listed, request.app[_INDEXING], known, asked, *edges)
    return render(
        request,
        "narratives.html.j2",
        room="narratives",
        experiment=named(known),
        known=known,
        asked=asked,
        view=listed_,
    )


async def _one(request: web.Request) -> web.Response:
    known, row = await _narrative_asked(request)
    asked = asked_in(request.query)
    steps = await asyncio.to_thread(_steps_from, request.app[_INDEXING], known, asked, row)
    codebook = _codebook_of(known)
    return render(
        request,
        "narrative.html.j2",
        room="narratives",
        experiment=named(known),
        known=known,
        asked=asked,
        narrative=narrative_shown(row, codebook, asked.terms),
        trace=_address(known, row, asked, "trace"),
        back=address_of("narratives", named(known), **asked.filters),
        steps=steps,
    )


async def _trace(request: web.Request) -> web.Response:
    known, row = await _narrative_asked(request)
    asked = asked_in(request.query)
    traced = await asyncio.to_thread(traced_back, known, row)
    return render(
        request,
        "trace.html.j2",
        room="narratives",
        experiment=named(known),
        known=known,
        title=title_of(row),
        back=_address(known, row, asked),
        view=traced,
    )


async def _narrative_asked(request: web.Request) -> tuple[ExperimentRow, dict[str, Any]]:
    """The experiment, and the record's row of the narrative, that an address names.

    Raises:
        web.HTTPNotFound: there is none.
    """
    known = await experiment_asked(request)
    incident, kind = request.match_info["incident"], request.match_info["type"]
    row = await asyncio.to_thread(result_rows.of_narrative, known.row["experiment_id"], incident, kind)
    if row is None:
        raise web.HTTPNotFound
    return known, row


def _edge(request: web.Request, name: str) -> int | None:
    """A position in the query of an address; an invalid one is ignored."""
    given = request.query.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 18 else None


@dataclass(frozen=True)
class Item:
    """One narrative in a list; facts: what is known of its answer; text: a part of it, around what was searched for;
    is_cut: whether there is more of it."""

    address: str
    title: str
    outcome: str
    facts: dict[str, str]
    text: list[Piece]
    is_cut: bool


@dataclass(frozen=True)
class NarrativesListed:
    """What the page of a list shows.

    counted: how many there are, in words; notes: what its reader should know; earlier, later: addresses, empty where
    there is nothing.
    """

    counted: str
    notes: list[str]
    fields: list[Field]
    has_probabilities: bool
    items: list[Item] = field(default_factory=list)
    earlier: str = ""
    later: str = ""


def narratives_listed(
    indexing: Indexing, known: ExperimentRow, asked: Asked, after: int | None = None, before: int | None = None
) -> NarrativesListed:
    """One page of an experiment's narratives.

    after, before: of those behind or before this position the nearest; the first ones where both are None.

    Raises:
        RecordError: the record or the search index cannot be read.
    """
    experiment_id, index = known.row["experiment_id"], indexing.index
    is_new = not narrative_pages.indexed(index, experiment_id).is_whole
    problem = indexing.look(known.row, _NEW_S if is_new else _KNOWN_S)
    indexed = narrative_pages.indexed(index, experiment_id)
    codebook, is_coded = _codebook_of(known), has_values_of(experiment_id)
    meant = understood(asked, codebook, is_coded)
    notes = [*filter(None, [problem]), *_of_index(indexed, known), *meant.problems]
    if meant.compared is not None and indexed.is_whole:
        try:
            bring_compared(index, known.row, meant.compared)
        except NarrativeRunsError as error:
            notes.append(str(error))
    if asked.is_of_incidents:
        notes.append("These are all narratives of the incidents: one with two narratives is here twice.")
    page, count = Page(), Count(0)
    if not meant.problems:
        page = narrative_pages.page_of(index, experiment_id, meant.wanted, ON_A_PAGE, after, before)
        count = narrative_pages.count_of(index, experiment_id, meant.wanted)
    below = suppress_below(known)
    there = narrative_pages.choices(index, experiment_id)
    rows = narrative_pages.rows_with_ids(page.result_ids, asked.variable)
    own = {"after": str(page.last)} if page.has_later else {}
    earlier = {"before": str(page.first)} if page.has_earlier and page.result_ids else {}
    which = named(known)
    return NarrativesListed(
        _in_words(Count(max(count.n, len(page.result_ids)), count.is_all), below),
        notes,
        fields_of(asked, codebook, is_coded, there, shows_counts=not below),
        narrative_pages.has_probabilities(index, experiment_id, meant.wanted.variable),
        [_item(known, row, asked, meant.wanted) for row in rows],
        address_of("narratives", which, **asked.filters, **earlier) if earlier else "",
        address_of("narratives", which, **asked.filters, **own) if own else "",
    )


def _of_index(indexed: Indexed, known: ExperimentRow) -> list[str]:
    if indexed.is_whole:
        return ["The run adds narratives: load the page again to see more."] if known.state == RUNNING else []
    of = known.row["n_narratives_processed"]
    so_far = f"{indexed.n_narratives:,}" + (f" of {of:,}" if of else "")
    return [f"The search index is being built: it has {so_far} narratives so far. Load the page again to see more."]


def _in_words(count: Count, below: int) -> str:
    if below:
        # Counts of one filter after the other would tell what the report masks.
        return "Counts are not shown, as report.suppress_below is set." if count.n else "No narrative."
    words = (
        f"{count.n or 'No'} narrative{'' if count.n in (0, 1) else 's'}"
        if count.n < 1000
        else f"{count.n:,} narratives"
    )
    return f"{words}." if count.is_all else f"At least {words}."


def _item(known: ExperimentRow, row: dict[str, Any], asked: Asked, wanted: Wanted) -> Item:
    text = readable(row["narrative_text"])
    words = spans_of(wanted.terms, text)
    part = excerpt(text, words, _EXCERPT)
    passages = passages_in(text, [] if row["of_variable"] is None else listed(row["of_variable"]["value"]))
    outcome = row["outcome"]
    facts = {name: value for name, value in facts_of(row).items() if name in ("Error", "Confidence")}
    if row["p_detected"] is not None:
        facts["Probability"] = shown(row["p_detected"], 3)
    if row["of_variable"] is not None:
        facts |= _of_variable(asked.variable, row["of_variable"])
    return Item(
        _address(known, row, asked),
        title_of(row),
        outcome,
        facts,
        pieces(text[part[0] : part[1]], within(words, part), within(passages, part)),
        part != (0, len(text)),
    )


def _of_variable(name: str, coded: Mapping[str, Any]) -> dict[str, str]:
    """The facts about one variable in a list, which shows no words of a narrative until somebody asks."""
    value = f"error: {coded['error_message']}" if coded["error_message"] else coded["value"]
    is_long = value is not None and (len(value) > 60 or coded["not_in_text"] is not None)
    facts = {name: "–" if value is None else "a text" if is_long else as_words(value)}
    return facts | ({} if coded["label"] is None else {f"Label of {name}": as_words(coded["label"])})


def _address(known: ExperimentRow, row: Mapping[str, Any], asked: Asked, *further: str) -> str:
    incident, kind = str(row["incident_id"]), str(row["narrative_type"])
    return address_of("narratives", named(known), incident, kind, *further, **asked.filters)


def _steps_from(indexing: Indexing, known: ExperimentRow, asked: Asked, row: dict[str, Any]) -> dict[str, str]:
    """The addresses of the narratives before and after this one in the filtered list."""
    experiment_id, index = known.row["experiment_id"], indexing.index
    meant = understood(asked, _codebook_of(known), has_values_of(experiment_id))
    position = narrative_pages.position_of(index, experiment_id, row)
    if position is None or meant.problems:
        return {}
    steps = {}
    for name, edges in {"Earlier": {"before": position}, "Later": {"after": position}}.items():
        page = narrative_pages.page_of(index, experiment_id, meant.wanted, 1, **edges)
        for neighbour in narrative_pages.rows_with_ids(page.result_ids):
            steps[name] = _address(known, neighbour, asked)
    return steps


@dataclass(frozen=True)
class Traced:
    """Where a result comes from, by the names of the facts; earlier: results of earlier passes; problem: why it cannot
    be traced, in words."""

    facts: dict[str, str] = field(default_factory=dict)
    earlier: list[Attempt] = field(default_factory=list)
    problem: str = ""


def traced_back(known: ExperimentRow, row: dict[str, Any]) -> Traced:
    """Where the result of a narrative comes from; row: as the record's `of_narrative` gives it."""
    try:
        traced = provenance.trace(row["incident_id"], row["narrative_type"], known.row["experiment_id"])
        earlier = provenance.earlier_attempts(row, known.folder)
    except (ExperimentError, JournalError) as error:
        return Traced(problem=str(error))
    facts = {name.replace("_", " "): readable(str(value)) for name, value in traced.items() if value is not None}
    return Traced(facts, earlier)


def _codebook_of(known: ExperimentRow) -> Codebook:
    state = state_of(known.row)
    return DEFAULT if state is None else experiment.codebook_of(state.params)
