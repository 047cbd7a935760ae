"""A session: one sitting of a run, from its start to its end, however it ends.

One small process holds what all jobs share: the slots, the rate, the budget, the state of the server, the embedded
server, the record while it fills, the logs and the terminal.
"""
