"""The file of a workbook's development sample, below results/development/: drawn once, and the same for every prompt
and model that is tried."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import DevelopmentError
from narrative_runs.paths import DEVELOPMENT
from narrative_runs.permissions import folder_mode

_NAME = "sample.json"


@dataclass(frozen=True)
class KeptSample:
    """The largest sample that was drawn of a workbook.

    data_file: its path as the params name it; source_md5: of the workbook when the sample was last drawn; seed: of the
    order; is_hold_out: whether all other narratives are to stay unseen; narratives: the key (incident id, narrative
    type) of each, in their order.
    """

    data_file: str
    source_md5: str
    drawn_at: str
    seed: int = 1
    is_hold_out: bool = False
    narratives: list[tuple[str, str]] = field(default_factory=list)


def sample_file(data_file: Path) -> Path:
    """Where the sample of a workbook is kept: in a folder that has the workbook's name and a few digits of its path."""
    digits = hashlib.sha256(str(data_file.absolute()).encode()).hexdigest()[:8]
    return DEVELOPMENT / f"{data_file.name}-{digits}" / _NAME


def read_sample(data_file: Path) -> KeptSample | None:
    """The sample that was drawn of a workbook; None before.

    Raises:
        DevelopmentError: its file cannot be read.
    """
    path = sample_file(data_file)
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        values["narratives"] = [(str(incident_id), str(kind)) for incident_id, kind in values["narratives"]]
        return KeptSample(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DevelopmentError(
            f"{path} cannot be read ({error}), so it is not known which narratives the development sample has. "
            "Restore the file from a backup, or delete it: the same sample is drawn again, unless the workbook has "
            "changed."
        ) from None


def keep_sample(
    data_file: Path, source_md5: str, narratives: Sequence[tuple[str, str]], is_hold_out: bool, seed: int
) -> None:
    """Keep the drawn sample, for whoever tries the next prompt."""
    path = sample_file(data_file)
    path.parent.mkdir(mode=folder_mode(), parents=True, exist_ok=True)
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    kept = KeptSample(str(data_file), source_md5, now, seed, is_hold_out, list(narratives))
    with written_whole(path) as draft:
        draft.write_text(json.dumps(asdict(kept), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
