"""The command line: `narrative-runs` for people, `python -m narrative_runs` for the workflow's jobs."""

import sys

from narrative_runs.jobs.preloaded import hand_over


def main() -> None:
    """Run one command, or have it run."""
    words = sys.argv[1:]
    code = hand_over(words)
    if code is None:
        run(words)
    else:
        sys.exit(code)


def run(words: list[str]) -> None:
    """Run one command in this process; a user's mistake ends with a message and exit code 1."""
    # Imported here: a job that is handed over needs nothing of it.
    import argparse
    import os

    from narrative_runs.commands.jobs import add_jobs
    from narrative_runs.commands.people import add_commands_of_people
    from narrative_runs.errors import NarrativeRunsError
    from narrative_runs.permissions import as_results_are
    from narrative_runs.plain_text import plain_stream
    from narrative_runs.signals import leave_to_the_main_process

    sys.stdout, sys.stderr = plain_stream(sys.stdout), plain_stream(sys.stderr)
    parser = argparse.ArgumentParser(prog="narrative-runs", description="Run, inspect and compare experiments.")
    parser.set_defaults(is_job=False)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_commands_of_people(commands)
    add_jobs(commands)
    arguments = parser.parse_args(words)
    if arguments.is_job:
        # A job is short, or waits: the main process decides what follows, and the coordinator tells it.
        leave_to_the_main_process()
    as_results_are()
    try:
        arguments.run(arguments)
    except NarrativeRunsError as error:
        sys.exit(f"narrative-runs: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader has seen enough, as `head` has. What is still to be flushed goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
