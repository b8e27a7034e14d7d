"""From the engine to the store: takes every frame at once, commits them in order, and only then lets anyone see them.

What a killed service has read from signal-cli but not committed yet is only in the engine's journal (if it has one), because signal-cli's
protocol knows no acknowledgement. So frames wait for nothing here but the commit of those before them, about a millisecond.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from signal_courier.engine.base import AlreadyStored, EngineStatus
from signal_courier.engine.reports.places import Place, ReadMessage, place_of
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.store.errors import StoreError
from signal_courier.store.inbox import InboxTable, NewEnvelope

_LOGGER = logging.getLogger(__name__)

UNKNOWN_ACCOUNT = ""
"""Frames that name no account, where more than one (or none) is known; kept, but delivered to nobody."""
_NOWHERE = Place(UNKNOWN_ACCOUNT)
_STUCK = 2.0
"""Seconds that a commit may take before the engine is asked to pause: what Signal still has is safest there."""
_RETRY_PAUSE = (0.1, 5.0)
"""First and longest pause, in seconds, after a commit that failed."""


class Source(Protocol):
    """What the inbox asks of the engine."""

    @property
    def status(self) -> EngineStatus:
        """Which accounts there are."""

    def pause(self) -> None:
        """Stop the flow for now."""

    def resume(self) -> None:
        """Let it flow again."""

    def stored(self, count: int) -> None:
        """So many more of its envelopes are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxLimits:
    """How much may wait to be committed."""

    high_frames: int = 50_000
    high_bytes: int = 32 << 20
    """Above either, the engine is asked to pause (its messages stay with Signal); below half of both it goes on."""
    job_frames: int = 2048
    job_bytes: int = 1 << 20
    """Bounds of one commit (always at least one frame)."""


class Inbox:
    """Owns what was received and is not committed yet. `accept` is the engine's sink; `run` is its task."""

    def __init__(self, table: InboxTable, feed: Feed, source: Source, clock: GuardedClock, limits: InboxLimits | None = None) -> None:
        self._table = table
        self._feed = feed
        self._source = source
        self._clock = clock
        self._limits = limits or InboxLimits()
        self.on_read: Callable[[str, Sequence[ReadMessage]], None] | None = None
        """Told, for an account, what was read on another of its devices; what those messages are may not be committed yet."""
        self._earlier: deque[bytes] = deque()
        """What an earlier run stored last, while the engine hands on what that run may not have noted as stored."""
        self._pending: deque[NewEnvelope] = deque()
        self._bytes = 0
        self._paused = False
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def pending(self) -> int:
        """Frames that were received and are not committed yet."""
        return len(self._pending)

    @property
    def paused(self) -> bool:
        """Whether the engine was asked to wait."""
        return self._paused

    async def recall(self) -> None:
        """Before the engine starts: what is stored of the last job is not to be stored again, should the engine's journal repeat it."""
        self._earlier.extend(await self._table.newest(rows=self._limits.job_frames, size=self._limits.job_bytes))

    def forget(self) -> None:
        """The engine has handed on all of its journal."""
        self._earlier.clear()

    def accept(self, frame: bytes) -> None:
        """Take one frame, `{"envelope": …, "account": …}`; never blocks, never refuses. Raises `AlreadyStored`."""
        place, frame = self._address(frame)
        if frame in self._earlier:  # the journal repeats in order, so all before it is behind us too
            while self._earlier.popleft() != frame:
                pass
            raise AlreadyStored
        account = place.account or UNKNOWN_ACCOUNT
        self._pending.append(NewEnvelope(account, self._clock.now_ms(), frame, place.conversation, place.target, place.own))
        if place.read and self.on_read is not None:
            self.on_read(account, place.read)
        self._bytes += len(frame)
        if not self._paused and (len(self._pending) > self._limits.high_frames or self._bytes > self._limits.high_bytes):
            self._pause()
        self._empty.clear()
        self._wake.set()

    async def run(self) -> None:
        """Commit and announce what comes, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while job := self._next_job():
                first = await self._commit(job)
                for envelope in job:
                    self._pending.popleft()
                    self._bytes -= len(envelope.frame)
                self._source.stored(len(job))
                self._feed.publish(first, job)
                self._resume_if_low()
            self._empty.set()

    async def committed(self) -> None:
        """Wait until everything that was received is committed and announced."""
        await self._empty.wait()

    async def drain(self, timeout: float) -> None:
        """Wait until everything is committed, at most that many seconds; what is left then waits in the engine's journal, if at all."""
        try:
            async with asyncio.timeout(timeout):
                await self._empty.wait()
        except TimeoutError:
            _LOGGER.error(  # noqa: TRY400
                "%d received messages could not be stored before the stop; the next start tries, as far as they could be noted",
                len(self._pending),
            )

    def _next_job(self) -> list[NewEnvelope]:
        job: list[NewEnvelope] = []
        size = 0
        for envelope in self._pending:
            size += len(envelope.frame)
            if job and (len(job) >= self._limits.job_frames or size > self._limits.job_bytes):
                break
            job.append(envelope)
        return job

    async def _commit(self, job: list[NewEnvelope]) -> int:
        """Commit, however long it takes; the frames stay pending meanwhile."""
        pause, longest = _RETRY_PAUSE
        stuck = asyncio.get_running_loop().call_later(_STUCK, self._pause)
        try:
            while True:
                try:
                    return await self._table.insert_many(job)
                except StoreError as error:
                    _LOGGER.error("%d received messages wait, as they cannot be stored: %s", len(self._pending), error)  # noqa: TRY400
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)
        finally:
            stuck.cancel()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            _LOGGER.warning("%d messages wait to be stored: asking signal-cli to wait", len(self._pending))
            self._source.pause()

    def _resume_if_low(self) -> None:
        if self._paused and len(self._pending) <= self._limits.high_frames // 2 and self._bytes <= self._limits.high_bytes // 2:
            self._paused = False
            _LOGGER.warning("Storing has caught up: signal-cli may go on")
            self._source.resume()

    def _address(self, frame: bytes) -> tuple[Place, bytes]:
        """Whose frame it is, and where it belongs.

        One that names no account belongs to the only one there is, and is told so, as clients rely on it.
        """
        try:
            place = place_of(frame)
        except msgspec.MsgspecError as error:
            _LOGGER.warning("signal-cli reported something that is not understood; it is kept, but delivered to nobody: %s", error)
            return _NOWHERE, frame
        if place.account:
            return place, frame
        only = _only(self._source.status.accounts)
        if only is None:
            _LOGGER.warning("signal-cli reported a message without saying for which account; it is kept, but delivered to nobody")
            return _NOWHERE, frame
        head = frame.rstrip()[:-1].rstrip()
        place = place._replace(account=only)
        return place, head + (b"" if head.endswith(b"{") else b",") + b'"account":' + msgspec.json.encode(only) + b"}"


def _only(accounts: Mapping[str, object]) -> str | None:
    return next(iter(accounts)) if len(accounts) == 1 else None
