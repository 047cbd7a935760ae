"""The run in the pictures of the documentation: 2,000 synthetic narratives, some of whose answers cannot be read."""

import json

import httpx
from tests.project import Fake, Project

from benchmarks import workbook

NARRATIVES = 2000
LATENCY_S = 0.2
_NONSENSE = {"choices": [{"message": {"content": "I would rather not say."}, "finish_reason": "stop"}], "usage": {}}


def write_run(project: Project, fake: Fake) -> None:
    """Write workbook and params, and tell the server what not to answer."""
    project.write_workbook(workbook.rows(NARRATIVES))
    project.write_params(
        fake.url,
        experiment={"name": "Synthetic narratives", "slug": "synthetic"},
        model={"name": workbook.MODEL},
        prompt={"system_prompt": workbook.SYSTEM_PROMPT, "user_template": workbook.USER_TEMPLATE},
        run={
            "max_in_flight": 16,
            "price_per_million_prompt_tokens": 0.5,
            "price_per_million_completion_tokens": 1.5,
        },
        shards={"count": 16},
    )
    fake.behave(latency_s=LATENCY_S, only_if="report 7", body=json.dumps(_NONSENSE))


def requests(fake: Fake) -> int:
    """How many narratives the model was asked about so far."""
    return int(httpx.get(f"{fake.origin}/pace", trust_env=False).json()["requests"])
