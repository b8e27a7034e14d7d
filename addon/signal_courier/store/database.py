"""One SQLite file: a single writer thread with group commit, and a few readers.

WAL keeps readers and the writer out of each other's way. `synchronous=NORMAL` means that a commit is in the operating system's hands, which
survives the death of the service (`kill -9` included); only a power cut may take the last moments back, and it never damages the file.
`FULL` would add one fsync a commit, tens of milliseconds on the SD card of a small home server, to protect against that alone.
"""

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from signal_courier.store.errors import StoreBusy, StoreError, StoreInUse
from signal_courier.store.migrations import migrate
from signal_courier.store.trouble import damaged, is_damaged, is_passing
from signal_courier.store.writer import Work, Writer

QUEUE_LIMIT = 4096
"""Write jobs that may wait; the next caller waits for a place."""
WRITE_DEADLINE = 30.0
"""Seconds after which a write that cannot be done is given up, unless the caller says otherwise."""
LASTING_TROUBLE = 5.0
"""Seconds after which trouble is not likely to pass within a request."""
SHORT_DEADLINE = 2.0
"""The deadline of a write (but of one that has none) while trouble lasts, or when the service stops."""
OPEN_DEADLINE, READ_DEADLINE = 10.0, 10.0
"""Seconds for which a lock of another program is waited out."""
BUSY_TIMEOUT_MS = 250
"""How long SQLite itself waits for a lock; short, because the thread does nothing else meanwhile."""
RETRY_PAUSE = 0.05
"""Seconds between attempts to open or to read."""
READERS = 2
_ROOM = 256 * 1024
"""Bytes of free space below which a disk counts as full."""


class Database:
    """The database of one event loop: `open` it before anything else, `close` it at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._places = asyncio.Semaphore(QUEUE_LIMIT)
        self._writer: Writer | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._reader_connections: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._closing = threading.Event()
        self._hurried = False

    async def open(self) -> Self:
        """Open or make the file, and bring its schema up to date.

        Raises a `StoreError` whose text says what is wrong and with which file.
        """
        self._lock, connection = await asyncio.to_thread(_open, self.path)
        self._writer = Writer(self.path, connection, lambda: _writing(self.path), self._free_places)
        return self

    async def write[T](self, work: Work[T], *, deadline: float | None = WRITE_DEADLINE) -> T:
        """Do `work` in a transaction and give its result once that is committed.

        A piece of work that raises is undone alone, and raises here (SQLite's errors as `StoreError`). While the database cannot be
        written (locked, disk full) the work waits; after `deadline` seconds (fewer, where that has been so for a while) it ends with
        `StoreBusy`, with `None` it waits as long as the database is open. Cancelling the caller does not undo the work. It may be tried
        several times: it must change nothing else.
        """
        await self._places.acquire()
        try:
            writer = self._open_writer()
            if deadline is not None and deadline > SHORT_DEADLINE and (self._hurried or writer.troubled(LASTING_TROUBLE) is not None):
                deadline = SHORT_DEADLINE
            future = writer.submit(work, float("inf") if deadline is None else time.monotonic() + deadline)
        except BaseException:
            self._places.release()
            raise
        try:
            return await future  # type: ignore[return-value]  # the future holds what `work` returned
        except sqlite3.Error as error:
            raise StoreError(f"{self.path.name}: {error}") from error

    async def read[T](self, work: Work[T]) -> T:
        """Do `work`, which must only read, beside the writer; it sees every commit that was reported before."""
        self._open_writer()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written now; `None` where nothing is known to be in the way."""
        if (trouble := self._writer.troubled() if self._writer is not None else None) is not None:
            return trouble
        try:
            disk = os.statvfs(self.path.parent)
        except OSError as error:
            return error.strerror or str(error)
        return "the disk is full" if disk.f_bavail * disk.f_frsize < _ROOM else None

    def hurry(self) -> None:
        """The service stops: from now on what cannot be written is not waited for."""
        self._hurried = True

    async def close(self) -> None:
        """Write what waits, then let go of the file; what cannot be written even now ends with `StoreBusy`."""
        if self._writer is None or self._lock is None:
            return
        writer, self._writer = self._writer, None
        self._closing.set()
        await writer.close()
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reader_connections:
            connection.close()
        os.close(self._lock)

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise StoreBusy("the database is closed")
        return self._writer

    def _free_places(self, count: int) -> None:
        for _ in range(count):
            self._places.release()

    def _read[T](self, work: Work[T]) -> T:
        expires = time.monotonic() + READ_DEADLINE
        while True:
            try:
                return work(self._reader())
            except sqlite3.Error as error:
                if is_damaged(error):
                    raise damaged(self.path) from error
                if not is_passing(error):
                    raise StoreError(f"{self.path.name}: {error}") from error
                if time.monotonic() >= expires or self._closing.wait(RETRY_PAUSE):
                    raise StoreBusy(f"{self.path.name} cannot be read: {error}") from error

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        generation = self._writer.generation if self._writer is not None else 0
        if connection is not None and self._local.generation == generation:
            return connection
        if connection is not None:  # to files that were deleted, and are put back
            self._reader_connections.remove(connection)
            self._local.connection = None
            connection.close()
        connection = _connect(self.path)
        self._reader_connections.append(connection)
        _tune(connection)
        connection.execute("PRAGMA query_only = ON")
        self._local.connection, self._local.generation = connection, generation
        return connection


def prepare(path: Path) -> None:
    """Make the file, or bring its schema up to date, where no service has it open. Raises a `StoreError`, `StoreInUse` where one has."""
    lock, connection = _open(path)
    connection.close()
    os.close(lock)


def _open(path: Path) -> tuple[int, sqlite3.Connection]:
    """The lock that keeps a second service out (its file descriptor), and the writing connection."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror or error}") from error
    try:
        return lock, _prepared(path)
    except BaseException:
        os.close(lock)
        raise


def _lock(path: Path) -> int:
    """Keep the folder for us; the kernel lets go of it when the process ends, however that happens."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # messages are nobody else's business
    except BlockingIOError:
        os.close(lock)
        raise StoreInUse(f"{path} is in use by another running Signal Courier: stop that one, or choose another COURIER_DATA_DIR") from None
    except OSError:
        os.close(lock)
        raise
    return lock


def _prepared(path: Path) -> sqlite3.Connection:
    expires = time.monotonic() + OPEN_DEADLINE
    while True:
        connection = _connect(path)
        try:
            _make_ready(connection)
            migrate(connection)
            _keep_temporaries(connection)
        except sqlite3.Error as error:
            connection.close()
            if is_damaged(error):
                raise damaged(path) from error
            if not is_passing(error) or time.monotonic() >= expires:
                raise StoreBusy(f"{path} cannot be opened: {error}") from error
            time.sleep(RETRY_PAUSE)
        except BaseException:
            connection.close()
            raise
        else:
            return connection


def _writing(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    _make_ready(connection)
    _keep_temporaries(connection)
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    """A connection to a file that is there: none is made where one was deleted."""
    where = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(where, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False)


def _make_ready(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    _tune(connection)


def _keep_temporaries(connection: sqlite3.Connection) -> None:
    """What undoes a job alone goes to memory: SQLite would make a file where there are many rows. Migrations may sort millions first."""
    connection.execute("PRAGMA temp_store = MEMORY")


def _tune(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
