"""Experiment files as the R system's users wrote them, some fifty in all: a varied few."""

from pathlib import Path
from typing import Any

import pytest

from narrative_runs.errors import ParamsError
from narrative_runs.params import check, read_file, warnings

FILES = Path(__file__).parents[1] / "r_files"

MEANT: dict[str, dict[str, Any]] = {
    "exp_001_mlx_basic": {
        "experiment.name": "Exp 001: MLX basic",
        "experiment.slug": "exp-001-mlx-basic",
        "model.provider": "mlx",
        "model.base_urls": ["http://localhost:1234/v1"],
        "model.temperature": 0.2,
        "prompt.version": "v0.1",
        "prompt.system_prompt": "You read narratives of deaths.\n\nRules:\n  - Only partners count.\n"
        '  - Answer with JSON: {"detected": true/false, "confidence": 0.0-1.0}\n',
        "prompt.user_template": "Narrative:\n<<TEXT>>\n\nAnswer:\n",
        "run.seed": 1024,
        "run.max_narratives": 1000,
        "run.save_csv_json": True,
    },
    "exp_012_ollama_base_url": {
        "experiment.notes": "Folded over two lines.\n",
        "model.name": "llama3.1:8b",
        "model.base_urls": ["http://localhost:11434/v1"],
        "model.temperature": 0.0,
        "prompt.version": "1.0",
        "prompt.system_prompt": "Decide whether a partner hurt V.",
        "prompt.user_template": "Text: <<TEXT>>\n",
        "run.max_narratives": None,
        "run.save_csv_json": False,
    },
    "exp_020_openai_chomped": {
        "experiment.name": "Exp 020: it's chomped",
        "experiment.notes": "",
        "model.base_urls": ["https://api.openai.com/v1"],
        "prompt.version": "2025-10-12",
        "prompt.system_prompt": "No line feed at the end.",
        "prompt.user_template": "<<TEXT>>\n\n",
        "run.max_narratives": None,
    },
    "exp_031_lmstudio_numbers": {
        "experiment.name": "31",
        "experiment.author": "2025",
        "experiment.notes": "1e3 narratives",
        "model.base_urls": ["http://127.0.0.1:1234/v1"],
        "model.temperature": 0.2,
        "prompt.version": "031",
        "prompt.user_template": "Narrative: <<TEXT>>\nAnswer:",
        "run.seed": 2025,
        "run.max_narratives": 1000,
        "run.save_csv_json": False,
    },
    "exp_045_no_limit_anchor": {
        "experiment.name": "Exp 045 – „Anker“ & Umlaute äöü",
        "experiment.slug": "exp-045-anker-umlaute",
        "model.base_urls": ["http://localhost:8080/v1"],
        "prompt.system_prompt": "  Indented by two more.\nBack.\n",
        "prompt.user_template": "<<TEXT>>\n# not a comment: part of the prompt\n"
        "Key: value, \"quotes\", 'single', \\n stays as it is\n",
        "run.max_narratives": None,
        "run.save_csv_json": True,
    },
    "exp_100_production_20k_indicators_t02_high": {
        "experiment.notes": 'First line.\nSecond line, with "quotes" and a colon: here.\n',
        "prompt.system_prompt": "ROLE: Expert reader of death investigations.\n\tA line that begins with a tab.\n",
        "prompt.user_template": "<< TEXT >> is not the mark; <<TEXT>> is.\n",
        "run.max_narratives": None,
    },
    "exp_101_production_smoke_test": {
        "experiment.notes": "2025-10-27T09:30:00",
        "prompt.version": "3",
        "run.seed": 42,
        "run.max_narratives": 500,
    },
}


def test_every_file_has_its_meaning() -> None:
    """No file lies here without a word on what it means."""
    assert {path.stem for path in FILES.glob("*.yaml")} == set(MEANT)


@pytest.mark.parametrize("name", MEANT)
def test_a_file_means_what_it_meant(name: str) -> None:
    """Each file is read unchanged, and its values are those that R read; prompts to the letter."""
    params = check(read_file(FILES / f"{name}.yaml"), name)
    for key, meant in MEANT[name].items():
        section, _, field = key.partition(".")
        value = getattr(getattr(params, section), field)
        assert (value, type(value)) == (meant, type(meant)), key
    assert not params.model.embedded


@pytest.mark.parametrize("name", MEANT)
def test_what_cannot_be_honoured_warns(name: str) -> None:
    """Only the file that does not want its answers kept at once is told that they are."""
    told = warnings(check(read_file(FILES / f"{name}.yaml"), name))
    assert len(told) == (name == "exp_020_openai_chomped")
    assert all("run.save_incremental" in line for line in told)


@pytest.mark.parametrize("name", MEANT)
@pytest.mark.parametrize(("section", "typo"), [("run", "max_naratives"), ("model", "temprature"), ("prompt", "user")])
def test_a_typo_is_still_named(name: str, section: str, typo: str) -> None:
    """However old the file, a key that nobody knows is an error by its name."""
    values = read_file(FILES / f"{name}.yaml")
    values[section][typo] = 1
    with pytest.raises(ParamsError, match=f"{section}.{typo}: unknown key"):
        check(values, name)
