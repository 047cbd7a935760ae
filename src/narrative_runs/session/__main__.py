"""`python -m narrative_runs.session`: the session's process, started by the main process."""

from narrative_runs.session.ear import Ear
from narrative_runs.signals import leave_to_the_main_process

leave_to_the_main_process()
ear = Ear()

# Only now what takes time: the main process may be killed meanwhile.
from narrative_runs.session.process import serve  # noqa: E402

serve(ear)
