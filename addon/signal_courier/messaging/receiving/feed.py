"""The shared log of what was committed: consumers hold nothing but a cursor.

The newest frames stay in memory; who falls further behind reads from the store, and those who lag together read each slice once. A slow
consumer therefore costs nothing: nothing is queued for it.
"""

import asyncio
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import cast

from signal_courier.store.inbox import InboxTable, NewEnvelope

TAIL_BYTES = 8 << 20
"""Bytes of frames kept in memory, over all accounts."""
TAIL_FRAMES = 50_000
BATCH_BYTES = 256 << 10
"""Bytes handed to a consumer at once (always at least one frame)."""
BATCH_FRAMES = 512
SLICES = 16
"""Slices read from the store that are kept for other consumers that lag as far."""

type Observer = Callable[[int, Sequence[NewEnvelope]], None]
"""Is told the first id and the envelopes of a commit; must not block."""


class FellBehind(Exception):
    """Retention took away what the consumer had not read yet."""


class Batch:
    """Consecutive committed frames of one account."""

    __slots__ = ("_derived", "account", "frames", "ids", "size")

    def __init__(self, account: str, ids: Sequence[int], frames: Sequence[bytes]) -> None:
        self.account = account
        self.ids = ids
        self.frames = frames
        self.size = sum(map(len, frames))
        self._derived: tuple[Callable[[Batch], object], object] | None = None

    @property
    def last(self) -> int:
        """Id of its last frame."""
        return self.ids[-1]

    def after(self, position: int) -> "Batch":
        """The part behind an id."""
        if position < self.ids[0]:
            return self
        start = bisect_right(self.ids, position)
        return Batch(self.account, self.ids[start:], self.frames[start:])

    def once[T](self, derive: Callable[["Batch"], T]) -> T:
        """What `derive` makes of the batch, made for the first consumer and shared by all others."""
        if self._derived is None or self._derived[0] is not derive:
            self._derived = (derive, derive(self))
        return cast("T", self._derived[1])


class Feed:
    """Hands committed frames to any number of consumers, to each in order and at its own pace."""

    def __init__(self, table: InboxTable, *, tail_bytes: int = TAIL_BYTES, tail_frames: int = TAIL_FRAMES) -> None:
        self._table = table
        self._tail_bytes = tail_bytes
        self._tail_frames = tail_frames
        self._order: deque[Batch] = deque()
        self._tails: dict[str, deque[Batch]] = {}
        self._bytes = 0
        self._frames = 0
        self._heads: dict[str, int] = {}
        self._floors: dict[str, int] = {}
        """What is behind this id is in the tail."""
        self._head = 0
        self._purged: dict[str, int] = {}
        self._waiting: dict[str | None, set[asyncio.Future[None]]] = {}
        self._slices: OrderedDict[tuple[str, int], asyncio.Task[Batch | None]] = OrderedDict()
        self._watchers = asyncio.Event()
        """Set, and replaced, when a consumer begins to wait while somebody waits for that."""
        self._watched = 0
        self._closed = False
        self._observers: list[Observer] = []

    def observe(self, observer: Observer) -> None:
        """Tell somebody of every commit, before any consumer is woken."""
        self._observers.append(observer)

    async def start(self) -> None:
        """Learn what the store holds. Call before anything is published."""
        self._heads = await self._table.last_ids()
        self._floors = dict(self._heads)
        self._head = await self._table.last_id()

    def close(self) -> None:
        """End every `follow`; waiting ends too."""
        self._closed = True
        for account in list(self._waiting):
            self._wake(account)
        self._slices.clear()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def tail_bytes(self) -> int:
        """Bytes of frames in memory."""
        return self._bytes

    def head(self, account: str | None = None) -> int:
        """Id of the newest committed frame of an account (or of all); 0 before the first."""
        return self._head if account is None else self._heads.get(account, 0)

    def publish(self, first: int, envelopes: Sequence[NewEnvelope]) -> None:
        """Announce frames that were committed under consecutive ids. In order, on the event loop; never blocks."""
        by_account: dict[str, tuple[list[int], list[bytes]]] = {}
        for number, envelope in enumerate(envelopes, start=first):
            ids, frames = by_account.setdefault(envelope.account, ([], []))
            ids.append(number)
            frames.append(envelope.frame)
        self._head = first + len(envelopes) - 1
        for observe in self._observers:
            observe(first, envelopes)
        for account, (ids, frames) in by_account.items():
            for start, stop in _cuts(frames):
                self._append(Batch(account, ids[start:stop], frames[start:stop]))
            self._wake(account)
        self._wake(None)

    def forget(self, purged: Mapping[str, int]) -> None:
        """Retention deleted rows: the newest id that went, by account."""
        for account, last in purged.items():
            self._purged[account] = max(last, self._purged.get(account, 0))
        self._slices.clear()

    def let_go(self) -> None:
        """Give the frames in memory back, and what was made of them; who lags reads them from the store."""
        self._order.clear()
        self._tails.clear()
        self._slices.clear()
        self._floors = dict(self._heads)
        self._bytes = self._frames = 0

    async def read(self, account: str, after: int) -> Batch | None:
        """The next frames of an account behind an id, `None` when there are none now."""
        if self.head(account) <= after:
            return None
        if after >= self._floors.get(account, 0) and (tail := self._tails.get(account)):
            return tail[bisect_right(tail, after, key=lambda batch: batch.last)].after(after)
        return await self._slice(account, after)

    async def follow(self, account: str, *, after: int) -> AsyncIterator[Batch]:
        """Every frame of an account behind an id, for ever; ends when the feed is closed.

        Raises `FellBehind` when retention overtakes the consumer. What had been purged before the first step is no reason.
        """
        tolerated = self._purged.get(account, 0)
        while not self._closed:
            head = self.head(account)
            if tolerated < self._purged.get(account, 0) > after:
                raise FellBehind(f"retention has removed messages of {account} that were not delivered yet")
            if head <= after:
                await self.wait_beyond(account, after)
            elif (batch := await self.read(account, after)) is not None:
                yield batch
                after = batch.last
            else:  # everything up to there was purged
                after = head

    async def wait_beyond(self, account: str | None, after: int) -> None:
        """Wait until something is committed behind an id, for one account or any, or the feed is closed."""
        while self.head(account) <= after and not self._closed:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiting = self._waiting.setdefault(account, set())
            waiting.add(future)
            if self._watched:
                self._watchers.set()
                self._watchers = asyncio.Event()
            try:
                await future
            finally:
                waiting.discard(future)

    def followers(self, account: str) -> int:
        """How many consumers wait for the account's next frame; those that are busy with earlier ones are not counted."""
        return len(self._waiting.get(account, ()))

    async def watched(self, account: str | None) -> None:
        """Wait until a consumer waits for the account's next frame (`None`: for a frame of any account)."""
        self._watched += 1
        try:
            while not self._waiting.get(account):
                await self._watchers.wait()
        finally:
            self._watched -= 1

    def _append(self, batch: Batch) -> None:
        self._heads[batch.account] = batch.last
        self._order.append(batch)
        self._tails.setdefault(batch.account, deque()).append(batch)
        self._bytes += batch.size
        self._frames += len(batch.frames)
        while self._order and (self._bytes > self._tail_bytes or self._frames > self._tail_frames):
            oldest = self._order.popleft()
            self._tails[oldest.account].popleft()
            self._floors[oldest.account] = oldest.last
            self._bytes -= oldest.size
            self._frames -= len(oldest.frames)

    def _wake(self, account: str | None) -> None:
        for future in self._waiting.get(account, ()):
            if not future.done():
                future.set_result(None)

    async def _slice(self, account: str, after: int) -> Batch | None:
        """Frames from the store; consumers that lag at the same place share the reading and what they make of it."""
        key = (account, after)
        task = self._slices.get(key)
        if task is None:
            task = asyncio.create_task(self._read_slice(account, after))
            self._slices[key] = task
            task.add_done_callback(lambda done: self._keep_only_good(key, done))
            while len(self._slices) > SLICES:
                self._slices.popitem(last=False)
        else:
            self._slices.move_to_end(key)
        return await asyncio.shield(task)

    async def _read_slice(self, account: str, after: int) -> Batch | None:
        rows = await self._table.read_after(account, after, rows=BATCH_FRAMES, size=BATCH_BYTES)
        return Batch(account, [row.id for row in rows], [row.frame for row in rows]) if rows else None

    def _keep_only_good(self, key: tuple[str, int], task: asyncio.Task[Batch | None]) -> None:
        if (task.cancelled() or task.exception() is not None or task.result() is None) and self._slices.get(key) is task:
            del self._slices[key]


def _cuts(frames: Sequence[bytes]) -> list[tuple[int, int]]:
    """Where to cut, so that no part exceeds the limits of a batch."""
    cuts: list[tuple[int, int]] = []
    start = size = 0
    for at, frame in enumerate(frames):
        if at > start and (at - start >= BATCH_FRAMES or size + len(frame) > BATCH_BYTES):
            cuts.append((start, at))
            start, size = at, 0
        size += len(frame)
    cuts.append((start, len(frames)))
    return cuts
