"""The experiment that an address names."""

import asyncio

from aiohttp import web

from narrative_runs.errors import ExperimentError
from narrative_runs.monitoring.experiments import ExperimentRow, chosen


async def experiment_asked(request: web.Request) -> ExperimentRow:
    """The experiment whose slug or id the address gives as `experiment`.

    Raises:
        web.HTTPNotFound: there is none.
        RecordError: the record cannot be read.
    """
    which = request.match_info["experiment"]
    if not which:
        raise web.HTTPNotFound
    try:
        return await asyncio.to_thread(chosen, which)
    except ExperimentError:
        raise web.HTTPNotFound from None


async def latest() -> str:
    """The name, for addresses, of the experiment that runs, or else of the one started last.

    Raises:
        ExperimentError: there is none yet.
        RecordError: the record cannot be read.
    """
    return named(await asyncio.to_thread(chosen, ""))


def named(known: ExperimentRow) -> str:
    """The name of an experiment in addresses: its slug, or its id if it has no slug."""
    return str(known.row.get("slug") or known.row["experiment_id"])
