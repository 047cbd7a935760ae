"""`narrative-runs preflight --show 20`: the prompt workshop, with text, answer, label and reasons beside each other."""

from pathlib import Path

from narrative_runs import params as params_module
from narrative_runs.development.asking import ask_sample
from narrative_runs.development.configuration import Configuration
from narrative_runs.development.page import write_page
from narrative_runs.development.printed import print_agreement, print_shown
from narrative_runs.development.sampling import draw_kept
from narrative_runs.development.workbook_sample import read_workbook
from narrative_runs.paths import DEVELOPMENT
from narrative_runs.seen_narratives import record_seen
from narrative_runs.source.summary import summary_lines
from narrative_runs.user_files import check_free, check_git_ignores


def show(file: Path, n: int, html: Path | None = None, force: bool = False) -> None:
    """Ask about `n` narratives of the development sample by the params in `file`, and show the result of each.

    html: the page to write instead of showing them on the terminal; force: whether it may be overwritten. No
    experiment begins; which narratives were shown is recorded.

    Raises:
        NarrativeRunsError: the params, the workbook, the server or the page cannot be used.
    """
    if html is not None:
        check_free([html], force)
        check_git_ignores(html, DEVELOPMENT / html.name, "--html")
    configuration = Configuration(file.stem, file, params_module.of_file(file))
    params = configuration.params
    with read_workbook(params) as workbook:
        for line in summary_lines(workbook.source.quality):
            print(line)
        candidates = workbook.candidates(configuration)
        drawn, lines = draw_kept(candidates, n, params.data.file, workbook.source_md5)
        print("\n".join(lines), flush=True)
        sample = workbook.sample(candidates, drawn)
        entries = ask_sample(configuration.name, params, sample.narratives)
        answered = workbook.answered(configuration, sample.narratives, entries)
    record_seen(sample.narratives, "shown")
    if html is None:
        print_shown(sample, answered)
    else:
        write_page(html, sample, answered)
        print_agreement(sample, answered)
        print(f"{html} contains narratives: protect it as you protect the workbook.")
