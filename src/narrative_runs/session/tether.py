"""Ties a job to its session from its first moment on, before it has imported what it needs.

When the session is gone, so is the run, however it went; a job that went on would ask, and pay, for nobody.
"""

import os
import socket
import threading

SOCKET_VARIABLE = "NARRATIVE_RUNS_SESSION"
# For how long requests in flight may go on once a run is stopped.
REQUESTS_MAY_TAKE_S = 30.0


def tie() -> None:
    """End this process when the session ends; at once, if there is none any more.

    Without a session in the environment nothing happens: the job itself says what is wrong then.
    """
    path = os.environ.get(SOCKET_VARIABLE)
    if not path:
        return
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        os._exit(1)

    def watch() -> None:
        try:
            while connection.recv(4096):
                pass
        finally:
            # Nothing is half done by this: files appear whole, lines are written at once, transactions roll back.
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
