"""The project folder that an earlier release left behind, unpacked and gone on with."""

import tarfile
from pathlib import Path

import yaml

from tests.project import Fake, Project
from tests.releases.make import ADOPTED

ARCHIVES = Path(__file__).parent
FINDINGS = ("data_quality.json", "results.parquet", "results.csv", "results.json", "metrics.json")


def unpacked(folder: Path, fake: Fake, release: str = "0.1.0") -> Project:
    """A fresh project with all that a release left in its own, and a server where its params files look for it."""
    project = Project(folder)
    with tarfile.open(ARCHIVES / f"{release}.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    for path in folder.glob("*.yaml"):
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(params.get("model"), dict) and "api_url" in params["model"]:
            params["model"]["api_url"] = fake.url
            path.write_text(yaml.safe_dump(params, allow_unicode=True), encoding="utf-8")
    return project


def words_for(slug: str, fake: Fake) -> list[str]:
    """What to type after `snakemake` for an experiment: those that were adopted have no params file."""
    if slug in ADOPTED:
        return ["--config", f"experiment_id={ADOPTED[slug]}", f"model={{api_url: '{fake.url}'}}"]
    return ["--configfile", f"{slug}.yaml"]


def kept_answers(project: Project, slug: str) -> dict[str, tuple[str, str]]:
    """Incident and type of each answer in the journals, by its fingerprint."""
    entries = project.journal_entries(slug)
    return {entry["fingerprint"]: (entry["incident_id"], entry["narrative_type"]) for entry in entries}
