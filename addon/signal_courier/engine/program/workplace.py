"""The folder in which a supervised signal-cli works: its socket, its temporary files, and a note of who it is.

Everything here can be thrown away at start; what a killed service or signal-cli left behind is.
"""

import contextlib
import fcntl
import json
import logging
import os
import select
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Self

from signal_courier.engine.address import UNIX_PATH_LIMIT
from signal_courier.engine.errors import EngineUnavailable

_log = logging.getLogger(__name__)

_SOCKET_NAME = "signal-cli.sock"
_ELSEWHERE = "signal-courier-"


class Workplace:
    """Private to one service: claimed while it runs. `folder` is created if need be, mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None
        self._elsewhere: Path | None = None
        self.socket = folder / _SOCKET_NAME
        self.temporary = folder / "tmp"
        """Where signal-cli unpacks its native library (121 MB, left behind when it is killed)."""
        self._pid_file = folder / "signal-cli.pid"
        self._elsewhere_file = folder / "socket-folder"

    def claim(self) -> Self:
        """Make it ours, without a trace of those who were here before; raises `EngineUnavailable`, `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise EngineUnavailable(f"Another Signal Courier is running with {self._folder}") from None
        self._lock = lock
        self._end_orphan()
        with contextlib.suppress(OSError):
            _remove_our_folder(Path(self._elsewhere_file.read_text(encoding="utf-8")))
        self.clean()
        self._choose_socket()
        return self

    def release(self) -> None:
        """Leave nothing but an empty folder."""
        self.clean()
        if self._elsewhere is not None:
            shutil.rmtree(self._elsewhere, ignore_errors=True)
            self._elsewhere = None
        for leftover in (self._pid_file, self._elsewhere_file):
            leftover.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def clean(self) -> None:
        """Remove the stale socket, on which a start would fail, and stale temporary files."""
        self.socket.unlink(missing_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(mode=0o700, exist_ok=True)

    def remember(self, pid: int) -> None:
        """Note which process is ours, for the next start."""
        with contextlib.suppress(OSError):
            self._pid_file.write_text(json.dumps({"pid": pid, "started": _start_time(pid)}), encoding="utf-8")

    def _choose_socket(self) -> None:
        """Here if the path fits and the file system can hold a socket (shared folders often cannot), else in a folder of its own."""
        if len(os.fsencode(self.socket)) <= UNIX_PATH_LIMIT and _can_hold_socket(self.socket):
            return
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        fits = len(os.fsencode(runtime)) < UNIX_PATH_LIMIT - len(f"/{_ELSEWHERE}12345678/{_SOCKET_NAME}")
        self._elsewhere = Path(tempfile.mkdtemp(prefix=_ELSEWHERE, dir=runtime if runtime and fits else None))
        self._elsewhere_file.write_text(str(self._elsewhere), encoding="utf-8")
        self.socket = self._elsewhere / _SOCKET_NAME

    def _end_orphan(self) -> None:
        """End the signal-cli of a service that was killed, if it is still there: it would keep the accounts locked."""
        try:
            noted = json.loads(self._pid_file.read_text(encoding="utf-8"))
            pid, started = int(noted["pid"]), noted["started"]
        except (OSError, ValueError, KeyError, TypeError):
            return
        if started is None or _start_time(pid) != started:
            return
        _log.warning("Ending the signal-cli that an earlier run has left behind (process %d)", pid)
        _end(pid)


def _can_hold_socket(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.bind(os.fspath(path))
        except OSError:
            return False
    path.unlink(missing_ok=True)
    return True


def _remove_our_folder(folder: Path) -> None:
    """Only if it really is ours: the name of a folder below /tmp may be anybody's by now."""
    facts = folder.lstat()
    if folder.name.startswith(_ELSEWHERE) and facts.st_uid == os.getuid() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)


def _start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot, which together with the pid names it for ever; `None` if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *numbers = stat.rpartition(")")[2].split()
        return None if state == "Z" else int(numbers[18])
    except (OSError, ValueError, IndexError):
        return None


def _end(pid: int) -> None:
    """SIGTERM, 2 s later SIGKILL; it is no child of ours, so a pidfd tells when it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except (OSError, AttributeError):
        return
    try:
        for kind, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, kind)
            if select.select([handle], [], [], seconds)[0]:
                return
        _log.error("Process %d did not end", pid)
    finally:
        os.close(handle)
