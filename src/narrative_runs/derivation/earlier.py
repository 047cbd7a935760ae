"""Earlier findings, kept beside those that replace them."""

import shutil
from pathlib import Path

from narrative_runs.findings.seal import SEALED
from narrative_runs.paths import ExperimentFolder
from narrative_runs.source.checksum import md5_of


def keep_findings(folder: ExperimentFolder) -> Path:
    """Copy the findings as they are, whole, to a separate folder, which it returns. Files that are there already are
    not copied again."""
    findings = {name: md5_of(folder.path / name) for name in SEALED if (folder.path / name).exists()}
    earlier = sorted(folder.earlier_findings.glob("[0-9]" * 4))
    for kept in earlier:
        if all((kept / name).exists() and md5_of(kept / name) == md5 for name, md5 in findings.items()):
            return kept
    target = folder.earlier_findings / f"{len(earlier) + 1:04d}"
    # Always the same name, so that what a killed command left behind does not pile up.
    draft = folder.earlier_findings / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    others = (folder.path / "results.xlsx", folder.report, folder.derived_by, folder.changes)
    for path in [*(folder.path / name for name in findings), *(path for path in others if path.exists())]:
        shutil.copy2(path, draft)
    if folder.figures.is_dir():
        shutil.copytree(folder.figures, draft / folder.figures.name)
    draft.rename(target)
    return target
