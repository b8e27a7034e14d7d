"""Run a program that ends when its parent does: `python leash.py PARENT-PID PROGRAM ARGUMENT…`.

Only the kernel can still act after `kill -9` of the service; without this, signal-cli would live on and keep the accounts locked.
A script of its own, because code between fork and exec in a process with threads is not safe.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    """Replace this process by the program."""
    parent, program = int(arguments[0]), arguments[1]
    if sys.platform == "linux":
        # Not SIGTERM: a signal-cli that shuts down drops the message it is at, one that is killed reports it again at its next start.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            sys.exit(1)
    try:
        os.execv(program, arguments[1:])  # noqa: S606 - running it is the purpose
    except OSError as error:
        sys.exit(f"ERROR {program} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
