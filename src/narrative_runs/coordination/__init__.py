"""One run of an experiment: the process that asks for all shards of this host, and those who wait for it.

The coordinator is started by the main process and ends with it. It holds the limiter, the state of the model server and
the journals of its session; the jobs of the workflow connect to it.
"""
