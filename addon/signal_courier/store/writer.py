"""The one thread that writes: jobs that wait together are committed together, and none is dropped while the disk is in trouble."""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from signal_courier.store.errors import StoreBusy, StoreFull
from signal_courier.store.lost_files import Files
from signal_courier.store.trouble import damaged, is_damaged, is_full, is_locked, is_passing

_LOG = logging.getLogger(__name__)

GROUP_LIMIT = 256
"""Jobs in one transaction."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds between attempts while nothing can be written."""

type Work[T] = Callable[[sqlite3.Connection], T]
"""What is done with a connection; runs on another thread and must not keep the connection."""


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work, and what becomes of it."""

    work: Work[object]
    future: asyncio.Future[object]
    expires: float
    """`time.monotonic()` of the deadline, infinity where there is none."""
    result: object = None
    error: Exception | None = None
    done: bool = False
    """Committed, or failed for good."""

    def deliver(self) -> None:
        """Tell the caller, on the event loop; one that was cancelled is past telling."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """Owns the writing connection and its thread. `submit` and `close` belong to the event loop."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, connect: Callable[[], sqlite3.Connection], delivered: Callable[[int], None]
    ) -> None:
        """`connect` makes another connection like this one; `delivered` is told on the event loop how many jobs have come to their end."""
        self._path = path
        self._connect = connect
        self._connection = connection
        self._files = Files(path)
        self.generation = 0
        """Grows when connections to the file are of no more use; may be read on any thread."""
        self._delivered = delivered
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._trouble_since: float | None = None
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def troubled(self, seconds: float = 0.0) -> str | None:
        """Why nothing can be written, where that has been so for so long; may be asked on any thread."""
        since = self._trouble_since
        return self._trouble if since is not None and time.monotonic() - since >= seconds else None

    def submit(self, work: Work[object], expires: float) -> asyncio.Future[object]:
        """Queue a job; the future ends once it is committed, or has failed. The caller bounds how many wait."""
        future: asyncio.Future[object] = self._loop.create_future()
        self._queue.put(Job(work, future, expires))
        return future

    async def close(self) -> None:
        """Do what waits and end the thread. What cannot be written even now ends with `StoreBusy`."""
        self._closing.set()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    # --- on the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while (job := self._queue.get()) is not None:
                self._serve([job])
            if (error := self._look_after_files(ending=True)) is not None:
                _LOG.error("%s was deleted while it was in use, and cannot be put back: %s", self._path, error)
        finally:
            self._connection.close()

    def _look_after_files(self, *, ending: bool = False) -> sqlite3.Error | None:
        """Put the files back where somebody has deleted them; gives what is in the way, as nothing must be written then."""
        if self._files.are_there:
            return None
        try:
            if not self._files.are_replaced:
                self._files.put_back(self._connection)
                self._connection.close()
                self._connection = self._connect()
                self._files = Files(self._path)
                self.generation += 1
                return None
            if ending:
                self._files.keep_beside(self._connection)
                return None
        except sqlite3.Error as error:
            return error
        except OSError as error:
            return sqlite3.OperationalError(error.strerror or str(error))
        return sqlite3.OperationalError("another file was put in its place: stop the service and start it again")

    def _serve(self, waiting: list[Job]) -> None:
        """Work off these jobs and those that come meanwhile."""
        pause = SHORTEST_PAUSE
        while waiting:
            self._take_more(waiting)
            troubled = self._trouble_since is not None
            error = self._look_after_files() or self._attempt(waiting, alone=troubled)
            if error is None:
                pause = SHORTEST_PAUSE
                continue
            self._meet_trouble(error)
            now = time.monotonic()
            last_try = troubled and self._closing.is_set()
            self._refuse(waiting, [job for job in waiting if last_try or job.expires <= now], error)
            if waiting and troubled:
                self._closing.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _take_more(self, waiting: list[Job]) -> None:
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return
            if job is None:  # the end comes after those that wait
                self._queue.put(None)
                return
            waiting.append(job)

    def _attempt(self, waiting: list[Job], *, alone: bool) -> sqlite3.Error | None:
        """Commit what can be committed and take it off the list; gives the trouble that kept the rest.

        After trouble each job goes `alone`, so that a small one, or one that frees room, gets through where a large one cannot.
        """
        trouble: sqlite3.Error | None = None
        size = 1 if alone else GROUP_LIMIT
        for start in range(0, len(waiting), size):
            jobs = waiting[start : start + size]
            error = self._commit(jobs)
            if error is None and trouble is None and start + size >= len(waiting):
                self._trouble_is_over()  # before anybody is told that it was written, and asks
            self._report([job for job in jobs if job.done])
            if error is not None:
                trouble = error
                if not alone or is_locked(error):
                    break
        waiting[:] = [job for job in waiting if not job.done]
        return trouble

    def _commit(self, jobs: Sequence[Job]) -> sqlite3.Error | None:
        """Do the jobs in one transaction; gives the passing trouble that undid it."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._do(job)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):  # the disk may be gone; the next BEGIN finds out
                    self._connection.execute("ROLLBACK")
            if is_passing(error):
                return error
            if len(jobs) > 1:  # one of them ended the transaction for all: find out which
                return next((trouble for trouble in [self._commit((job,)) for job in jobs] if trouble is not None), None)
            jobs[0].error = damaged(self._path) if is_damaged(error) else error
        for job in jobs:
            job.done = True
        return None

    def _do(self, job: Job) -> None:
        """Do one job inside the transaction; an error of its own undoes it alone, trouble goes on to the caller."""
        connection = self._connection
        connection.execute("SAVEPOINT job")
        job.error = None
        try:
            job.result = job.work(connection)
        except sqlite3.Error as error:
            if is_passing(error) or is_damaged(error) or not connection.in_transaction:
                raise
            job.error = error
        except Exception as error:  # noqa: BLE001 (it is the caller's, and is raised there)
            job.error = error
        if job.error is not None:
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def _report(self, jobs: Sequence[Job]) -> None:
        """Hand outcomes to the event loop, one call for all of them."""
        if not jobs:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, jobs)
        except RuntimeError:  # the loop is closed, and with it everybody who waited
            _LOG.debug("%d outcomes of the database found nobody", len(jobs))

    def _refuse(self, waiting: list[Job], jobs: Sequence[Job], error: sqlite3.Error) -> None:
        kind = StoreFull if is_full(error) else StoreBusy
        for job in jobs:
            job.error = kind(f"{self._path.name} could not be written in time: {error}")
            job.done = True
        self._report(jobs)
        waiting[:] = [job for job in waiting if not job.done]

    def _meet_trouble(self, error: sqlite3.Error) -> None:
        self._trouble = str(error)
        if self._trouble_since is None:
            self._trouble_since = time.monotonic()
            _LOG.warning("Cannot write to %s (%s): what is to be written is kept and tried again", self._path.name, error)

    def _trouble_is_over(self) -> None:
        if self._trouble_since is not None:
            _LOG.warning("Writing to %s works again after %.1f s", self._path.name, time.monotonic() - self._trouble_since)
            self._trouble_since = None

    def _deliver(self, jobs: Sequence[Job]) -> None:
        self._delivered(len(jobs))
        for job in jobs:
            job.deliver()
