"""An experiment's row in the R system's record as params: they ask what the R system asked."""

from collections.abc import Mapping
from typing import Any

from narrative_runs.params import Params, check
from narrative_runs.source.cells import text_of

# What the R system's call to the model did not have: no schema, no limit, no token probabilities.
AS_R_ASKED: dict[str, Any] = {"max_tokens": None, "structured_output": "plain", "logprobs": False, "extra_body": {}}
# Where the R system looked for its model server when nothing else was said.
LOCAL_SERVER = "http://localhost:1234/v1/chat/completions"


def params_of(row: Mapping[str, Any], data_file: str, slug: str, max_narratives: int | None) -> Params:
    """The params of an experiment.

    row: of the table `experiments`; data_file: where the workbook is here; slug: made from the name if it is empty.

    Raises:
        ParamsError: the row holds no prompt, or another value with which nothing can be asked.
    """
    values: dict[str, Any] = {
        "experiment": {
            "name": text_of(row["experiment_name"]),
            "author": text_of(row.get("prompt_author")),
            "notes": text_of(row.get("notes")),
            "slug": slug,
        },
        "model": {
            "name": text_of(row.get("model_name")),
            "provider": text_of(row.get("model_provider")) or "openai",
            "api_url": text_of(row.get("api_url")) or LOCAL_SERVER,
            "temperature": float(row.get("temperature") or 0),
            **AS_R_ASKED,
        },
        "prompt": {
            "version": text_of(row.get("prompt_version")),
            "system_prompt": text_of(row.get("system_prompt")),
            "user_template": text_of(row.get("user_template")),
        },
        "data": {"file": data_file},
        "run": {"max_narratives": max_narratives},
    }
    if row.get("run_seed") is not None:
        values["run"]["seed"] = int(float(row["run_seed"]))
    return check(values, f"experiment {row['experiment_id']} of the R system")
