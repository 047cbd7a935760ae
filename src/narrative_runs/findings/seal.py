"""Which release and code derived the findings, with their checksums: `results/<slug>/derived_by.json`.

So a later release knows that it may read the same answers differently, and can tell an altered file from one that was
derived differently. The first release wrote no such file.
"""

import json
from dataclasses import asdict, dataclass

from narrative_runs import __version__
from narrative_runs.atomic_files import written_whole
from narrative_runs.code import code_checksum
from narrative_runs.paths import ExperimentFolder
from narrative_runs.source.checksum import md5_of

# Not results.xlsx: reviewers write into it.
SEALED = ("data_quality.json", "results.parquet", "results.csv", "results.json", "metrics.json")


@dataclass(frozen=True)
class Seal:
    """Who derived the findings: the release, the checksum of its code, and the MD5 of each file by its name."""

    release: str
    code: str
    md5: dict[str, str]


def seal(folder: ExperimentFolder, release: str = __version__, code: str | None = None) -> None:
    """Write derived_by.json for the findings as they are now.

    release, code: what derived them; this release and code when left out, empty where nobody can say.
    """
    present = [path for name in SEALED if (path := folder.path / name).exists()]
    code = code_checksum() if code is None else code
    made = Seal(release, code, {path.name: md5_of(path) for path in present})
    with written_whole(folder.derived_by) as draft:
        draft.write_text(json.dumps(asdict(made), indent=2) + "\n", encoding="utf-8")


def seal_of(folder: ExperimentFolder) -> Seal | None:
    """Who derived the findings; None where nobody can say."""
    try:
        return Seal(**json.loads(folder.derived_by.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
