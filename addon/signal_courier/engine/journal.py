"""What signal-cli has reported and nobody has stored yet, in a file: a killed service loses none of it.

Signal-cli's protocol knows no acknowledgement: what it has written counts as delivered. So the bytes of every report go to this file
before they are taken from the socket, and leave it when the inbox has committed them. A `keeper.py` beside us holds a second handle of the
connection; when we are killed it reads on, to the same file, until signal-cli has ended or hung up. The next start takes from there what
was not stored.

The file: 20 digits and a newline, the offset up to which everything is stored; the same again, the offset at which the last piece begins,
which may not have been taken from the socket yet; then the stream as it came.

A full disk is when this is needed most, as then nothing can be stored: so a second file keeps some space for it, and goes when there is no
other.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

_NUMBER: Final = 21
HEADER: Final = 2 * _NUMBER
LIMIT: Final = 128 * 1024 * 1024
"""Bytes; the inbox pauses signal-cli long before so much waits to be stored."""
RESERVE: Final = 4 * 1024 * 1024
"""Bytes that are kept free for the file on a full disk: thousands of reports, until signal-cli is asked to pause."""
RESERVE_SUFFIX: Final = ".reserve"
_REMAKE: Final = 60.0
"""Seconds between attempts to have the reserve again."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_PATIENCE: Final = 6.0
"""Seconds that an earlier keeper may take to end."""
_KEEPER: Final = Path(__file__).with_name("keeper.py")
"""Run, never imported."""


class Journal:
    """One file; used by one service at a time. All methods but `open` are quick (a few microseconds)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1
        self._end = HEADER
        """Where the next byte goes."""
        self._line = HEADER
        """Where the last complete line ends."""
        self._reports: deque[int] = deque()
        """Where each report ends that was handed on and is not stored."""
        self._broken = False
        """What comes now is not kept; what came before still is."""
        self._finished = False
        self._reserve = path.with_name(path.name + RESERVE_SUFFIX)
        self._remake_at = 0.0
        """When the reserve may be made again (monotonic); 0 = it is there, as far as it could be had."""

    def open(self) -> list[bytes]:
        """Begin; gives the lines of an earlier run that may hold reports nobody has stored. Each is to be told to `took`, in order.

        Blocks until an earlier keeper has ended, at most some seconds. Raises `OSError`.
        """
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._finished = False
        _wait_for_keeper(self._file)
        self._broken = False
        self._make_reserve()
        content = os.pread(self._file, LIMIT + HEADER, 0)
        stored = int(content[:_NUMBER]) if content[: _NUMBER - 1].isdigit() else HEADER
        *lines, cut = content[max(stored, HEADER) :].split(b"\n")
        self._line = max(stored, HEADER)
        self._end = self._line + sum(len(line) + 1 for line in lines)
        if cut.endswith(b"}"):  # signal-cli writes the newline by itself, and did not come to it any more
            self._write(b"\n", self._end + len(cut))
            self._end += len(cut) + 1
            lines.append(cut)
        elif cut:
            _log.warning("The last report of an earlier run was cut off after %d bytes", len(cut))
        if not lines:
            self._reset()
        return lines

    def begin(self) -> None:
        """A new connection: a line that an earlier one left unfinished is dropped."""
        self._end = self._line
        if self._file >= 0 and not self._broken:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)

    def append(self, data: bytes) -> None:
        """Keep a piece of the stream; trouble with the disk is logged, and costs the safety, not the messages."""
        start, self._end = self._end, self._end + len(data)
        if self._file < 0 or self._broken:
            return
        if self._end > LIMIT:
            self._give_up(f"{LIMIT} bytes wait to be stored")
            return
        try:
            os.pwrite(self._file, b"%020d\n" % start, _NUMBER)
            self._write(data, start)
        except OSError as error:
            self._give_up(error.strerror or str(error))

    def forget(self, size: int) -> None:
        """The last `size` bytes that were kept will come again."""
        self._end -= size

    def took(self, size: int, *, report: bool) -> None:
        """A line of `size` bytes, newline included, was read to its end; `report`: it was handed on to be stored."""
        self._line += size
        if report:
            self._reports.append(self._line)
        elif not self._reports and self._line == self._end:
            self._reset()

    def stored(self, count: int) -> None:
        """The next `count` of the reports that were handed on are stored."""
        for _ in range(min(count, len(self._reports))):
            confirmed = self._reports.popleft()
        if self._file < 0 or count <= 0:
            return
        if self._reports:
            self._note(confirmed)
        elif self._line == self._end or self._finished:
            self._reset()
            if self._finished:
                self._close()
        else:
            self._note(self._line)

    def finish(self) -> None:
        """Nothing more will come. The file goes as soon as all is stored."""
        self._finished = True
        if self._file >= 0 and not self._reports:
            self._close()

    def _write(self, data: bytes, at: int) -> None:
        """Write all of it, on a full disk at the cost of the reserve. Raises `OSError`."""
        while data:
            try:
                written = os.pwrite(self._file, data, at)  # a disk that becomes full takes a part
            except OSError as error:
                if error.errno not in _FULL or not self._spend_reserve():
                    raise
            else:
                data, at = data[written:], at + written

    def _give_up(self, reason: str) -> None:
        """Until everything is stored, and the file can begin anew. The whole lines that it holds stay in it."""
        _log.warning("What signal-cli reports from now on is not kept in %s for now: %s", self.path.name, reason)
        self._broken = True
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._line)

    def _note(self, stored: int) -> None:
        with contextlib.suppress(OSError):
            os.pwrite(self._file, b"%020d\n" % stored, 0)

    def _reset(self) -> None:
        self._line = self._end = HEADER
        self._broken = False
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, b"%020d\n" % HEADER * 2, 0)
            if self._remake_at and time.monotonic() >= self._remake_at:
                self._make_reserve()

    def _close(self) -> None:
        os.close(self._file)
        self._file = -1
        self.path.unlink(missing_ok=True)

    def _make_reserve(self) -> None:
        """Have space of our own, if there is any."""
        self._remake_at = 0.0
        try:
            file = os.open(self._reserve, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(file).st_size < RESERVE:
                    os.posix_fallocate(file, 0, RESERVE)
            finally:
                os.close(file)
        except OSError as error:
            self._spend_reserve()
            _log.debug("No space is kept free for %s: %s", self.path.name, error)

    def _spend_reserve(self) -> bool:
        """Give its space back; whether there was any."""
        self._remake_at = time.monotonic() + _REMAKE
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True


@contextlib.asynccontextmanager
async def kept(connection: int, journal: Journal) -> AsyncIterator[None]:
    """While this lasts, a process of its own stands by to read on from the file descriptor `connection` should we be killed."""
    try:
        lock = os.open(journal.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            with contextlib.suppress(BlockingIOError):  # an earlier one has not ended yet
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            keeper = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_KEEPER), str(connection), str(lock), str(journal.path)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(connection, lock),
                start_new_session=True,  # what ends us must not end it
            )
        finally:
            os.close(lock)  # the keeper's copy keeps the lock
    except OSError as error:
        _log.warning("Nobody stands by to keep what signal-cli reports while we are killed: %s", error)
        yield
        return
    try:
        yield
    finally:
        assert keeper.stdin is not None
        with contextlib.suppress(ConnectionError):
            keeper.stdin.write(b"!")
        keeper.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await keeper.wait()
        finally:
            if keeper.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    keeper.kill()
                await keeper.wait()


def _wait_for_keeper(file: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                _log.warning("The keeper of an earlier run does not end")
                return
            time.sleep(0.02)
        else:
            fcntl.flock(file, fcntl.LOCK_UN)
            return
