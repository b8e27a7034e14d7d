"""Stand by with a second handle of the service's connection to signal-cli: `python keeper.py FD JOURNAL_FD JOURNAL`.

The journal comes open and locked, so that the next service waits for us even where this one is killed before we have begun.

A byte on standard input means that the service has no more need of us. Its end without one means that the service was killed: then what
signal-cli has written, and still writes until it has ended too, is read from the connection and appended to the journal.
"""

import fcntl
import os
import select
import signal
import sys
import time

_PATIENCE = 5.0
"""Seconds after which signal-cli should have ended; the next service waits for us."""
_PIECE = 1 << 16
_NUMBER, _LAST_AT = 21, 21
"""Where the journal says at which offset its last piece begins: 20 digits and a newline."""
_MOST = 1 << 18
"""Bytes of a piece."""
_RESERVE_SUFFIX = ".reserve"


def main(arguments: list[str]) -> None:
    """Wait, and read on if need be."""
    connection, journal, path = int(arguments[0]), int(arguments[1]), arguments[2]
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    fcntl.flock(journal, fcntl.LOCK_EX)  # ours already, unless an even earlier keeper has not ended yet
    if os.read(0, 1):
        return
    _hang_up(connection)
    _pass_over(connection, journal)
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
        _append(journal, data, path)


def _pass_over(connection: int, journal: int) -> None:
    """The service notes what it finds in the socket before it takes it from there: what it had no time to take is not noted again.

    Leaves the journal at its end.
    """
    import contextlib  # noqa: PLC0415  # as below
    import socket  # noqa: PLC0415

    end = os.lseek(journal, 0, os.SEEK_END)
    begin = os.pread(journal, _NUMBER, _LAST_AT)
    if not begin[:-1].isdigit() or not 0 < end - int(begin) <= _MOST:
        return
    last = os.pread(journal, end - int(begin), int(begin))
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection)) as same:
        if same.recv(len(last), socket.MSG_PEEK | socket.MSG_DONTWAIT) == last:
            same.recv(len(last), socket.MSG_DONTWAIT)


def _append(journal: int, data: bytes, path: str) -> None:
    """Write all of it, on a full disk at the cost of what the journal keeps free for that."""
    while data:
        try:
            data = data[os.write(journal, data) :]
        except OSError:
            os.unlink(path + _RESERVE_SUFFIX)  # noqa: PTH108  # pathlib costs memory for as long as the service lives


def _hang_up(connection: int) -> None:
    """End our half of the connection: a signal-cli that outlives the service is to let go of it."""
    import contextlib  # noqa: PLC0415  # they cost memory for as long as the service lives, and time at every start
    import socket  # noqa: PLC0415

    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection)) as same:
        same.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1:])
