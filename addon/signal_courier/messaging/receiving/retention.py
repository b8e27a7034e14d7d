"""Throws away what is old or too much: stored messages, and the attachments that signal-cli downloaded."""

import asyncio
import logging
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.files.uploads import Uploads
from signal_courier.messaging.receiving.events import EventLog
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.store.errors import StoreError
from signal_courier.store.inbox import InboxTable, Purged

_LOGGER = logging.getLogger(__name__)

INTERVAL = 3600.0
"""Seconds between two sweeps."""
FIRST_SWEEP = 60.0
"""Seconds after the start; the first minute belongs to the clients."""
_DAY = 24 * 3600
_PLAUSIBLE = 1_577_836_800
"""2020-01-01: a file that claims to be older was written while the clock was not set."""


class MessageRetention:
    """Keeps the inbox within its age and number, in small steps. Delivered or not makes no difference: the limit is the limit."""

    def __init__(self, table: InboxTable, feed: Feed, log: EventLog, clock: GuardedClock, *, days: int, most: int) -> None:
        self._table = table
        self._log = log
        self._feed = feed
        self._clock = clock
        self._days = days
        self._most = most
        self._first_of_this_run = feed.head() + 1

    async def sweep(self) -> int:
        """Delete what may go; gives the number of messages. What came in during this run is never older than the run."""
        self._feed.forget({})  # slices that were read for somebody who lagged
        age = self._days * _DAY
        below = self._first_of_this_run if self._clock.uptime < age else None
        cutoff = self._clock.now_ms() - age * 1000
        rows = await self._repeat(lambda: self._table.purge_older(cutoff, below))
        rows += await self._repeat(lambda: self._table.purge_beyond(self._most))
        await self._log.purge(cutoff, below, self._most)
        return rows

    async def _repeat(self, purge: Callable[[], Awaitable[Purged]]) -> int:
        rows = 0
        while (purged := await purge()).rows:
            rows += purged.rows
            self._feed.forget(purged.newest)
        return rows


class AttachmentRetention:
    """Deletes received attachments by age. Uploads and temporary files lie elsewhere and are not touched.

    What was there before this service (of another container, or a signal-cli of one's own) is left to whom it belongs: `since`, in seconds.
    """

    def __init__(self, folder: Path, clock: GuardedClock, *, days: int, since: float = 0) -> None:
        self._since = since
        self._folder = folder
        self._clock = clock
        self._age = days * _DAY

    async def sweep(self) -> int:
        """Delete files not written to for that many days; gives their number."""
        return await asyncio.to_thread(self._delete_before, self._clock.now_ms() / 1000 - self._age)

    def _delete_before(self, cutoff: float) -> int:
        deleted = 0
        try:
            for path in self._folder.iterdir():
                deleted += self._delete_if_old(path, cutoff)
        except FileNotFoundError:  # nothing was received yet
            return deleted
        return deleted

    def _delete_if_old(self, path: Path, cutoff: float) -> bool:
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_mtime >= cutoff:
                return False
            if status.st_mtime < _PLAUSIBLE:
                if self._clock.uptime < self._age:
                    return False
            elif status.st_mtime < self._since:
                return False
            path.unlink()
        except FileNotFoundError:  # somebody else deleted it
            return False
        except OSError as error:
            _LOGGER.warning("An old attachment could not be deleted: %s", error.strerror)
            return False
        return True


class UploadRetention:
    """Deletes what was uploaded to be sent, by age."""

    def __init__(self, uploads: Uploads, clock: GuardedClock, *, days: int) -> None:
        self._uploads = uploads
        self._clock = clock
        self._age = days * _DAY

    async def sweep(self) -> int:
        """Delete uploads that are older than that many days; gives their number."""
        return await self._uploads.remove_older(self._clock.now_ms() / 1000 - self._age)


class Retention:
    """Sweeps every hour. `run` is its task."""

    def __init__(self, messages: MessageRetention, attachments: AttachmentRetention, uploads: UploadRetention) -> None:
        self._messages = messages
        self._attachments = attachments
        self._uploads = uploads

    async def run(self) -> None:
        """Sweep for ever."""
        pause = FIRST_SWEEP
        while True:
            await asyncio.sleep(pause)
            pause = INTERVAL
            try:
                if messages := await self._messages.sweep():
                    _LOGGER.info("%d old messages were removed", messages)
            except StoreError as error:
                _LOGGER.warning("Old messages could not be removed, trying again in an hour: %s", error)
            if attachments := await self._attachments.sweep():
                _LOGGER.info("%d old attachments were removed", attachments)
            if uploads := await self._uploads.sweep():
                _LOGGER.info("%d old uploads were removed", uploads)
