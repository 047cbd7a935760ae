"""`python -m narrative_runs.session`: the session's process, started by the main process."""

import signal

from narrative_runs.session.ear import Ear

# Ctrl-C reaches the whole group; the main process decides what follows from it.
signal.signal(signal.SIGINT, signal.SIG_IGN)
ear = Ear()

# Only now what takes time: the main process may be killed meanwhile.
from narrative_runs.session.process import serve  # noqa: E402

serve(ear)
