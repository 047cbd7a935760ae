import json
from dataclasses import replace

from narrative_runs.run_context import RunContext
from tests.run_contexts import context_of
from tests.small_experiment import params_of


def test_a_context_comes_back_as_it_went() -> None:
    """What jobs get through a socket, as JSON, is the whole context, with what was seen before."""
    context = replace(context_of(params_of()), retry_categories=("timeout",), seen_before=("aa", "bb"))
    assert RunContext.of_dict(json.loads(json.dumps(context.as_dict()))) == context


def test_the_head_has_what_was_seen_only_where_something_was() -> None:
    """Journals of experiments without a seen narrative begin as they always did."""
    context = context_of(params_of())
    assert "seen_before" not in context.head
    assert replace(context, seen_before=("aa",)).head == {**context.head, "seen_before": ["aa"]}
