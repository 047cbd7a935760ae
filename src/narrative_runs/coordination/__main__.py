"""`python -m narrative_runs.coordination`: the coordinator, started by the main process."""

import shutil

from narrative_runs.coordination.jobs_process import JobsProcess, folder_of_sockets
from narrative_runs.coordination.parent_channel import ParentChannel
from narrative_runs.signals import leave_to_the_main_process

leave_to_the_main_process()
channel = ParentChannel()
with folder_of_sockets() as folder:
    channel.at_once = lambda: shutil.rmtree(folder, ignore_errors=True)
    address = folder / "coordinator"
    jobs = JobsProcess(address)

    # Only now what takes time: the main process may be killed meanwhile, and the jobs' imports are made beside.
    from narrative_runs.coordination.coordinator import serve

    serve(channel, address, jobs)
