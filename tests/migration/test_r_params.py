import pytest

from narrative_runs.errors import ParamsError
from narrative_runs.migration.r_params import LOCAL_SERVER, params_of
from tests.migration import r_system


def test_params_ask_what_the_r_system_asked() -> None:
    """Model, prompts, temperature and seed are the row's; no schema, no limit and no probabilities are asked for."""
    params = params_of(r_system.experiment(), "data/cases.xlsx", "slug", 500)
    assert (params.model.name, params.model.provider, params.model.temperature) == ("fake", "mlx", 0.2)
    assert params.model.base_urls == ["http://localhost:1234/v1"]
    assert (params.prompt.system_prompt, params.prompt.user_template) == ("Decide.", "Narrative: <<TEXT>>")
    assert (params.run.seed, params.run.max_narratives) == (1024, 500)
    assert (params.experiment.author, params.experiment.notes) == ("A. Researcher", "first try, naïve prompt")
    assert (params.model.max_tokens, params.model.structured_output, params.model.logprobs) == (None, "plain", False)


def test_what_the_row_leaves_open_has_a_default() -> None:
    """An old row without seed, address or temperature still gives params."""
    row = r_system.experiment(run_seed=None, api_url=None, temperature=None, notes=None)
    params = params_of(row, "data/cases.xlsx", "slug", None)
    assert (params.run.seed, params.model.api_url, params.model.temperature) == (42, LOCAL_SERVER, 0.0)


def test_a_row_without_a_question_is_named() -> None:
    """Without a template that holds the text there is nothing to go on with, and the message names the experiment."""
    with pytest.raises(ParamsError, match=rf"(?s){r_system.EXPERIMENT_ID}.*user_template"):
        params_of(r_system.experiment(user_template=None), "data/cases.xlsx", "slug", None)
