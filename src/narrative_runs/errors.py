"""Everything that can go wrong, as one tree.

NarrativeRunsError           what a user reads: what is wrong, where, and what to do
├── ParamsError              params.yaml (or the file given instead of it) cannot be used
├── SourceError              the workbook is missing, unreadable, untracked or not of a known layout
│   └── SourceChanged        the workbook is not the one that was tracked, or that the experiment began with
├── ExperimentError          the experiment cannot be run as asked
│   ├── AlreadyRunning       another process is running it
│   └── AlreadyCompleted     it is completed, and was to be resumed by its id
├── JournalError             the answers cannot be kept or read (disk full, a journal of another experiment)
├── RecordError              results/experiments.db cannot be used
│   └── RecordLocked         another program keeps it locked
├── DevelopmentError         a development sample cannot be drawn, asked or shown
├── ReviewsError             reviews cannot be dealt, taken in or read
├── FindingsError            the findings of an experiment are missing, or cannot be given out as asked
└── ServerError              the model cannot be asked: the run ends, its narratives stay open
    ├── ServerAway           no server answers there, or not yet
    └── ModelFileError       the embedded model's file cannot be had
"""


class NarrativeRunsError(Exception):
    """Base of all errors that are told to the user as a message, without a traceback."""


class ParamsError(NarrativeRunsError):
    """The params file has an unknown key, a wrong type or a value out of range."""


class SourceError(NarrativeRunsError):
    """The source workbook cannot be used as it is."""


class SourceChanged(SourceError):
    """The source workbook differs from the tracked one, or from the one the experiment began with."""


class ExperimentError(NarrativeRunsError):
    """The experiment cannot be run as asked."""


class AlreadyRunning(ExperimentError):
    """Another process runs this experiment."""


class AlreadyCompleted(ExperimentError):
    """A completed experiment was to be resumed."""


class JournalError(NarrativeRunsError):
    """A journal cannot be written, or holds answers of another experiment."""


class RecordError(NarrativeRunsError):
    """The experiment record cannot be read or written."""


class FindingsError(NarrativeRunsError):
    """The findings of an experiment are missing, or cannot be compared or given out as asked."""


class DevelopmentError(NarrativeRunsError):
    """A development sample cannot be drawn, asked or shown as it was asked for."""


class ReviewsError(NarrativeRunsError):
    """Reviews cannot be dealt to coders, taken in from a filled-in sheet, or read."""


class RecordLocked(RecordError):
    """Another program keeps the record locked for longer than this one would wait."""


class ServerError(NarrativeRunsError):
    """The model server cannot be used; nothing is recorded against the narratives."""


class ServerAway(ServerError):
    """No model server answers at an address, or it has not loaded its model yet."""


class ModelFileError(ServerError):
    """The file of the embedded model cannot be fetched, or is not the one that was asked for."""


def reason_of(error: NarrativeRunsError | OSError) -> str:
    """The message for the user; of the system's own errors, such as a full disk, with what to do."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return (
            f"{where}{error.strerror or error}. What was answered is kept. Correct that (is the disk full?), "
            "then start the same command again."
        )
    return str(error)
