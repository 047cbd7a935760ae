"""The least that a script can do: `python -m benchmarks.bare_loop WORKBOOK URL WORKERS ANSWERS`.

One loop of aiohttp without a limit on connections, WORKERS requests at once, a JSON line an answer. It knows no
retry, no resume, no check and no record: what it costs is what asking costs.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import aiohttp
from python_calamine import CalamineWorkbook

from benchmarks.workbook import HEADER, MODEL, SYSTEM_PROMPT, USER_TEMPLATE

Narrative = tuple[str, str, str]


def narratives(workbook: str) -> Iterator[Narrative]:
    """(incident, type, text) of every narrative in a workbook of the labelled layout."""
    header, *rows = CalamineWorkbook.from_path(workbook).get_sheet_by_index(0).to_python()
    assert header == HEADER
    for row in rows:
        yield str(row[0]), "cme", str(row[1])
        yield str(row[0]), "le", str(row[2])


async def ask_all(open_narratives: Iterator[Narrative], url: str, workers: int, file: TextIO) -> None:
    """Ask for all narratives, and write each answer as it comes."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(300)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:

        async def work() -> None:
            for incident, kind, text in open_narratives:
                async with client.post(f"{url}/chat/completions", json=_body(text)) as response:
                    response.raise_for_status()
                    answer = json.loads((await response.json())["choices"][0]["message"]["content"])
                file.write(json.dumps({"incident_id": incident, "narrative_type": kind, **answer}) + "\n")

        await asyncio.gather(*(work() for _ in range(workers)))


def _body(text: str) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": USER_TEMPLATE.replace("<<TEXT>>", text)},
    ]
    return {"model": MODEL, "messages": messages, "temperature": 0}


if __name__ == "__main__":
    with Path(sys.argv[4]).open("w", encoding="utf-8") as answers:
        asyncio.run(ask_all(narratives(sys.argv[1]), sys.argv[2], int(sys.argv[3]), answers))
