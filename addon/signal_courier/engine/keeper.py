"""Stand by with a second handle of the service's connection to signal-cli: `python keeper.py FD JOURNAL`.

A byte on standard input means that the service has no more need of us. Its end without one means that the service was killed: then what
signal-cli has written, and still writes until it has ended too, is read from the connection and appended to the journal.
"""

import contextlib
import fcntl
import os
import select
import signal
import sys
import time

_PATIENCE = 5.0
"""Seconds after which signal-cli should have ended; the next service waits for us."""
_PIECE = 1 << 16


def main(arguments: list[str]) -> None:
    """Wait, and read on if need be."""
    connection, path = int(arguments[0]), arguments[1]
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    journal = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    fcntl.flock(journal, fcntl.LOCK_EX)
    if os.read(0, 1):
        return
    os.lseek(journal, 0, os.SEEK_END)
    _hang_up(connection)
    deadline = time.monotonic() + _PATIENCE
    while (left := deadline - time.monotonic()) > 0 and select.select([connection], [], [], left)[0]:
        try:
            data = os.read(connection, _PIECE)
        except BlockingIOError:
            continue
        except OSError:
            return
        if not data:
            return
        os.write(journal, data)


def _hang_up(connection: int) -> None:
    """End our half of the connection: a signal-cli that outlives the service is to let go of it."""
    import socket  # noqa: PLC0415  # costs memory for as long as the service lives

    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection)) as same:
        same.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1:])
