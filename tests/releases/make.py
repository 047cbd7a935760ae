"""Experiments as this release makes them, kept for the tests of all later ones: `python -m tests.releases.make`.

Each experiment is made as a user makes it, by the real workflow against the fake server, in one project folder; what
lies there afterwards goes into `tests/releases/<version>.tar.xz`. A release's archive is made once, by its own code,
and never again.
"""

import json
import os
import shutil
import signal
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from narrative_runs import __version__
from narrative_runs.source.checksum import md5_of
from tests.fake_server import completion
from tests.migration import r_system
from tests.project import BIN, LABELLED, ROOT, Fake, Project, cases, fake_server, wait_until

ARCHIVES = Path(__file__).parent
ADOPTED = {
    "adopted-half": "6f1d3b1e-0000-4000-8000-00000000000a",
    "adopted-whole": "6f1d3b1e-0000-4000-8000-00000000000b",
}
KEPT = ("data", "results", "params.yaml", "dvc.lock", ".dvc/cache", ".snakemake/metadata", "r.db")
TOO_LONG = 400, '{"error": {"code": "context_length_exceeded", "message": "maximum context length is 4096"}}'
PROSE = 200, completion("The narrative speaks of a difficult life.", "fake", 40).decode()


def reply(content: str, **changes: Any) -> tuple[int, str]:
    """A reply with this text; `changes` are other keys of its only choice, or `usage`."""
    body = json.loads(completion(content, "fake", 40))
    body["usage"] = changes.pop("usage", body["usage"])
    body["choices"][0] |= changes
    return 200, json.dumps(body)


def answer(**values: Any) -> str:
    """The text of an answer; `values` are keys of it."""
    return json.dumps({"detected": True, "confidence": 0.9, "indicators": [], "rationale": "as told", **values})


# What the first release took for something else than it is.
MISREAD = {
    "CME text of case 1.": reply(answer(confidence="85%")),
    "CME text of case 2.": reply(answer(confidence="0,85")),
    "CME text of case 3.": reply(
        "<|channel|>analysis<|message|>Perhaps "
        '{"detected": true, "confidence": 0.9} but the one who hit her was her father, so',
        finish_reason="length",
    ),
    "CME text of case 4.": reply(f"```json\n{answer(rationale='toxicology, detected: fentanyl')}\n```"),
}
# What the first release kept, and could not read afterwards.
UNREADABLE = {
    "CME text of case 1.": reply(answer(), usage={"prompt_tokens": 40.5, "completion_tokens": 12}),
    "LE text of case 1.": reply(answer(), usage={"prompt_tokens": "40", "completion_tokens": 12}),
    "CME text of case 2.": reply(
        answer(), logprobs={"content": [{"token": answer(), "logprob": -0.1, "top_logprobs": {"true": -0.1}}]}
    ),
}


class Maker:
    """One project folder in which all experiments are made, each under its name as slug."""

    def __init__(self, project: Project, fake: Fake) -> None:
        self.project = project
        self.fake = fake

    def params(self, name: str, **changes: Any) -> None:
        """Write `<name>.yaml`."""
        changes.setdefault("run", {})
        changes["run"].setdefault("max_in_flight", 2)
        self.project.write_params(self.fake.url, f"{name}.yaml", experiment={"name": name, "slug": name}, **changes)

    def snakemake(self, name: str, *words: str) -> str:
        """Run an experiment to its end; returns what was told."""
        return self.project.snakemake("--configfile", f"{name}.yaml", *words).stdout

    @contextmanager
    def half_done(self, name: str) -> Iterator[int]:
        """A run that has answered a part; its PID."""
        self.fake.behave(latency_s=0.3)
        before = self.fake.asked
        with self.project.started("snakemake", "--cores", "4", "--configfile", f"{name}.yaml") as main:
            wait_until(lambda: self.fake.asked >= before + 10)
            yield main.pid
            main.wait(timeout=60)
        wait_until(lambda: self.fake.calls()["in_flight"] == 0)
        self.fake.behave()

    def halfway(self) -> None:
        """Killed half-way."""
        self.params("halfway")
        with self.half_done("halfway") as pid:
            os.kill(pid, signal.SIGKILL)

    def cancelled(self) -> None:
        """Cancelled half-way."""
        self.params("cancelled")
        with self.half_done("cancelled"):
            told = self.project.run("narrative-runs", "cancel", "cancelled").stdout
            assert "cancelled" in told, told

    def completed(self) -> None:
        """Completed, and proved by `dvc repro`."""
        self.params("completed")
        shutil.copy(self.project.folder / "completed.yaml", self.project.folder / "params.yaml")
        assert self.project.snakemake().returncode == 0
        shutil.copytree(ROOT / "src", self.project.folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        self.project.environment["PATH"] = f"{BIN}{os.pathsep}{self.project.environment['PATH']}"
        proved = self.project.run("dvc", "repro")
        assert proved.returncode == 0, proved.stdout

    def errors(self) -> None:
        """Completed, with error rows of two kinds."""
        self.params("errors")
        self.fake.behave(replies={"CME text of case 3.": TOO_LONG, "LE text of case 4.": PROSE})
        self.snakemake("errors")
        self.fake.behave()

    def retried(self) -> None:
        """Completed, with two error rows, of which a retry has healed one."""
        self.params("retried")
        self.fake.behave(replies={"CME text of case 3.": TOO_LONG, "LE text of case 4.": PROSE})
        self.snakemake("retried")
        self.fake.behave(replies={"CME text of case 3.": TOO_LONG})
        self.snakemake("retried", "--forcerun", "retry_errors")
        self.fake.behave()

    def no_answers(self) -> None:
        """Called completed, although each row is an error."""
        self.params("no-answers", run={"max_attempts": 1})
        self.fake.behave(refuse_schema=500)
        self.snakemake("no-answers")
        self.fake.behave()

    def misread(self) -> None:
        """Completed, with answers that were taken for something else than they are."""
        self.params("misread")
        self.fake.behave(replies=MISREAD)
        self.snakemake("misread")
        self.fake.behave()

    def unreadable(self) -> None:
        """Its journal holds replies that this release cannot read, so that no run of it can end."""
        self.params("unreadable", model={"logprobs": True})
        self.fake.behave(replies=UNREADABLE)
        for _ in range(2):
            self.snakemake("unreadable")
        self.fake.behave()

    def wide(self) -> None:
        """A pilot on a workbook with columns of its own."""
        rows = [
            [f"{number:04d}", 2019 + number % 3, number % 2, f"CME wide {number}.", f"LE wide {number}."]
            for number in range(8)
        ]
        # One incident in two years.
        rows.append(["0003", 2020, 1, "CME wide 3, told again a year later.", "LE wide 3."])
        rows.append(["0009", 2021, 0, "CME wide 9.", None])
        header = ["IncidentID", "IncidentYear", "SiteID", "NarrativeCME", "NarrativeLE"]
        self.project.write_workbook(rows, header, "data/wide.xlsx")
        self.pilot("wide", "data/wide.xlsx", 10)

    def long(self) -> None:
        """A pilot on a CSV file in the long layout, with ids as programs write them."""
        lines = ["incident_id,narrative_type,narrative_text,manual_flag_ind"]
        ids = ["2999.0", "1e+05", "NA", "000123", "123", "123.0", "12345678901234567890"]
        lines += [f'{name},{kind},"Long {kind} of {name}.",{kind == "cme":d}' for name in ids for kind in ("cme", "le")]
        lines += ["0999,cme,NA,0", "0999,le,Long le of 0999.,NA", '000123,cme,"Another text.",0']
        path = self.project.folder / "data/long.csv"
        path.write_text("\n".join(lines) + "\n")
        self.project.track(path)
        self.pilot("long", "data/long.csv", 8)

    def odd(self) -> None:
        """A pilot on a workbook whose ids, blanks and repeats are of odd kinds."""
        rows: list[list[Any]] = [
            [123.0, "Odd one.", "Odd two.", 1, "no", 1],
            ["0012", "Odd three.", "N/A", "yes?", 0, None],
            [12, "Odd four.", ".", 1, "", 1],
            [1234567890123456789, "Odd five.", "No report on file", 0, 0, 0],
            [1234567890123456790, "Odd six.", "NULL", 0, 0, 0],
            [datetime(2020, 3, 4), "Odd seven.", "see CME", 1, 0, 1],
            [True, "Odd eight.", " \n\t", 1, 0, 1],
            ["0012", "Odd three.", "N/A", "yes?", 0, None],
            ["0012", "Odd three, edited.", "Another LE.", 1, 1, 1],
            ["A-1", "=1+1", "#N/A", 0, 0, 0],
            ["A-2", "\u200b", "\u00a0", 0, 0, 0],
            ["A-3", "NA", "nan", 0, 0, 0],
            [None, "Odd without id.", None, 1, None, 1],
            [" A-4 ", "Odd nine.\r\nSecond line.", "x" * 32_767, 1, 2, 1],
            ["a-4", "Odd ten.", "NA", 1, 1, 1],
        ]
        self.project.write_workbook(rows, LABELLED, "data/odd.xlsx")
        self.pilot("odd", "data/odd.xlsx", 9)

    def sheets(self) -> None:
        """A pilot on a workbook with a hidden old sheet first, and two further ones of the same layout."""
        book = Workbook()
        book.remove(book.active)
        for year in (2019, 2020, 2021):
            sheet = book.create_sheet(str(year))
            sheet.append(["IncidentID", "NarrativeCME", "NarrativeLE"])
            for number in range(3):
                sheet.append([f"{year}-{number}", f"CME of {year}, {number}.", f"LE of {year}, {number}."])
        book["2019"].sheet_state = "hidden"
        path = self.project.folder / "data/sheets.xlsx"
        book.save(path)
        self.project.track(path)
        self.pilot("sheets", "data/sheets.xlsx", 4)

    def pilot(self, name: str, file: str, count: int) -> None:
        """The first narratives of a workbook, completed."""
        self.params(name, data={"file": file}, run={"max_narratives": count})
        self.snakemake(name)

    def adopted(self) -> None:
        """Two experiments of the R system, brought over: one half done, one complete."""
        record = self.project.folder / "r.db"
        r_system.make(record)
        source = {"data_source": "data/cases.xlsx", "data_checksum": md5_of(self.project.folder / "data/cases.xlsx")}
        keys = [(row[0], kind, row[place]) for row in cases(12) for kind, place in (("cme", 1), ("le", 2))]
        r_system.fill(
            record,
            "source_narratives",
            [
                {"incident_id": name, "narrative_type": kind, "narrative_text": text, **source}
                for name, kind, text in keys
            ],
        )
        for name, (slug, experiment_id) in zip((None, "completed"), ADOPTED.items(), strict=True):
            row = r_system.experiment(
                experiment_id=experiment_id,
                experiment_name=slug,
                api_url=f"{self.fake.url}/chat/completions",
                status=name or "failed",
                n_narratives_total=len(keys),
            )
            r_system.fill(record, "experiments", [row])
            answered = keys if name else keys[:10]
            r_system.fill(
                record,
                "narrative_results",
                [
                    r_system.error(*key, "Timeout was reached", experiment_id=experiment_id)
                    if number == 4
                    else r_system.result(*key, experiment_id=experiment_id, detected=number % 2)
                    for number, key in enumerate(answered)
                ],
            )
            told = self.project.run("narrative-runs", "adopt", "r.db", experiment_id, "--slug", slug)
            assert told.returncode == 0, told.stdout

    @property
    def experiments(self) -> list[Callable[[], None]]:
        """All of them, in the order in which they are made."""
        return [
            self.completed,
            self.halfway,
            self.cancelled,
            self.errors,
            self.retried,
            self.no_answers,
            self.misread,
            self.unreadable,
            self.wide,
            self.long,
            self.odd,
            self.sheets,
            self.adopted,
        ]


def make(archive: Path) -> None:
    """Make all experiments, and pack them."""
    with tempfile.TemporaryDirectory() as folder, fake_server() as fake:
        project = Project(Path(folder))
        project.write_workbook(cases(12))
        maker = Maker(project, fake)
        for experiment in maker.experiments:
            experiment()
            print(f"{experiment.__name__:12}", project.query("SELECT slug, status FROM experiments ORDER BY rowid")[-1])
        kept = [*KEPT, *(path.name for path in sorted(project.folder.glob("*.yaml")) if path.name.count(".") == 1)]
        with tarfile.open(archive, "w:xz") as packed:
            for name in dict.fromkeys(kept):
                if name != "dvc.yaml" and name != "params.production.yaml":
                    packed.add(project.folder / name, name, filter=_without_owner)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """A file as anybody's, but for locks and what every clone has."""
    if (member.name.endswith(".lock") and member.name != "dvc.lock") or member.name.startswith("data/remote"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    target = ARCHIVES / f"{__version__}.tar.xz"
    if target.exists():
        sys.exit(f"{target} is there already: it stays as it is.")
    make(target)
    print(target, target.stat().st_size)
