"""The consumer behind `/v1/receive`: one stored cursor an account, for all clients of the drop-in API together.

What arrives while nobody is connected goes to whoever comes first. Live sockets each get a copy, and each begins at the cursor, so the
furthest of them has delivered everything before it: the cursor is simply the furthest delivery. Plain GETs take turns, so that no two of
them get the same message.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signal_courier.messaging.receiving.feed import Batch, Feed
from signal_courier.store.consumers import ConsumerTable, Cursor
from signal_courier.store.errors import StoreError

_LOGGER = logging.getLogger(__name__)

NAME = "drop-in"
ANSWER_BYTES = 16 << 20
"""Bytes of frames in one answer; what is more goes into the next."""


class DropIn:
    """Knows how far the clients of the drop-in API have been served. `run` is its task: it stores the cursors."""

    def __init__(self, feed: Feed, consumers: ConsumerTable) -> None:
        self.feed = feed
        self._consumers = consumers
        self._positions: dict[str, int] = {}
        self._unsaved: set[str] = set()
        self._changed = asyncio.Event()
        self._saved = asyncio.Event()
        self._saved.set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Load the cursors."""
        self._positions = await self._consumers.positions(NAME)

    def position(self, account: str) -> int:
        """Id of the last frame that was delivered to anyone."""
        return self._positions.get(account, 0)

    def delivered(self, account: str, position: int) -> None:
        """Everything up to this id was written to a client."""
        if position > self.position(account):
            self._positions[account] = position
            self._unsaved.add(account)
            self._saved.clear()
            self._changed.set()

    def follow(self, account: str) -> AsyncIterator[Batch]:
        """What nobody got yet, then everything that comes; report each batch with `delivered` once it is written."""
        return self.feed.follow(account, after=self.position(account))

    @asynccontextmanager
    async def pickup(self, account: str, *, timeout: float, most: int | None) -> AsyncIterator[list[bytes]]:
        """Undelivered frames, at most `most`; waits up to `timeout` seconds for the first, `[]` when none came.

        They count as delivered when the block ends without an error. Callers of the same account take turns within their timeouts.
        """
        deadline = time.monotonic() + timeout
        turn = self._turns[account]
        try:
            async with asyncio.timeout(max(timeout, 0.001)):
                await turn.acquire()
        except TimeoutError:
            yield []
            return
        try:
            frames, last = await self._collect(account, deadline, most)
            yield frames
            self.delivered(account, last)
        finally:
            turn.release()

    async def run(self) -> None:
        """Store cursors as they move; while one commit is under way, further moves gather for the next."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            accounts, self._unsaved = self._unsaved, set()
            try:
                await self._consumers.advance([Cursor(NAME, account, self._positions[account]) for account in accounts])
            except StoreError as error:
                _LOGGER.error("It could not be stored what was delivered, it may be delivered once more: %s", error)  # noqa: TRY400
            if not self._unsaved:
                self._saved.set()

    async def drain(self, timeout: float) -> None:
        """Wait until the cursors are stored, at most that many seconds (what is not stored then is delivered once more later)."""
        try:
            async with asyncio.timeout(timeout):
                await self._saved.wait()
        except TimeoutError:
            return

    async def _collect(self, account: str, deadline: float, most: int | None) -> tuple[list[bytes], int]:
        position = self.position(account)
        if self.feed.head(account) <= position:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self.feed.wait_beyond(account, position)
            except TimeoutError:
                return [], position
            position = max(position, self.position(account))  # a live socket may have been served meanwhile
        frames: list[bytes] = []
        size = 0
        head = self.feed.head(account)
        while position < head and (most is None or len(frames) < most) and size < ANSWER_BYTES:
            batch = await self.feed.read(account, position)
            if batch is None:
                return frames, head
            room = len(batch.frames) if most is None else most - len(frames)
            frames += batch.frames[:room]
            size += batch.size
            position = batch.ids[min(room, len(batch.ids)) - 1]
        return frames, position
