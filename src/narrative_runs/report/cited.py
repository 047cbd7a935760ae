"""What to cite: which software, model and settings classified the narratives, in one sentence.

The page shows its parts, and the paragraph of estimates for a methods section has the sentence.
"""

from typing import NamedTuple

from narrative_runs.report.header import ReportHeader


class Cited(NamedTuple):
    """software: by version, `narrative-runs 0.2.0`, with the commit, empty where no journal says it; model: as it named
    itself; settings: temperature, seed, prompt and days."""

    software: list[tuple[str, str]]
    model: str
    settings: str

    @property
    def sentence(self) -> str:
        """All of it."""
        named = [f"{name} (commit {commit})" if commit else name for name, commit in self.software]
        return f"Narratives were classified with {' and '.join(named)} and the model {self.model}, {self.settings}."


def cited(header: ReportHeader, models: list[tuple[str, int]]) -> Cited:
    """What classified the narratives.

    In: the experiment; the models as the server named them, most frequent first.
    """
    params = header.params
    software = [
        (f"narrative-runs {version or 'of an unknown version'}", commit[:12]) for version, commit in header.versions
    ]
    asked_for = params["model"]["name"]
    model = models[0][0] if models else asked_for
    settings = f"temperature {params['model']['temperature']}, seed {params['run']['seed']}"
    if version := params["prompt"]["version"]:
        settings += f", prompt {version}"
    if author := params["experiment"]["author"]:
        settings += f" by {author}"
    if header.asked_from:
        is_one_day = header.asked_from == header.asked_until
        settings += f", on {header.asked_from}" if is_one_day else f", from {header.asked_from} to {header.asked_until}"
    return Cited(
        software or [("narrative-runs", "")],
        model if model == asked_for else f"{model} (asked for as {asked_for})",
        settings,
    )
