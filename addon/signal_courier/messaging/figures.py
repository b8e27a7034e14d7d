"""Who this service is, and how much it has done for each account today."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.sending.outbox import Outbox
from signal_courier.store.database import Database
from signal_courier.store.history import HistoryTable
from signal_courier.store.service import instance_id

_FRESH: Final = 2.0
"""Seconds for which what was counted is believed."""


class AccountFigures(msgspec.Struct, frozen=True, kw_only=True):
    """An account in figures. Today begins at midnight of the service's time zone."""

    queued: int = 0
    """For how many recipients something is queued, as the next two."""
    sending: int = 0
    parked: int = 0
    sent_today: int = 0
    """Messages that reached somebody."""
    failed_today: int = 0
    """Messages that did not reach everybody."""
    last_received_at: int | None = None
    """When the newest message came; ms since the epoch."""


@dataclass(frozen=True, slots=True)
class _Counted:
    until: float
    sent: Mapping[str, tuple[int, int]]
    received: Mapping[str, int]


class Figures:
    """Counts. `start` it once the database is open."""

    def __init__(self, database: Database, outbox: Outbox, clock: GuardedClock | None = None) -> None:
        self._database = database
        self._table = HistoryTable(database)
        self._outbox = outbox
        self._clock = clock or GuardedClock()
        self._counted = _Counted(0.0, {}, {})
        self.instance = ""
        """An id that stays; 32 hexadecimal digits."""

    async def start(self) -> None:
        """Learn who this is."""
        self.instance = await instance_id(self._database)

    async def of(self, account: str) -> AccountFigures:
        """The figures of an account. Raises a `StoreError`."""
        counted = await self._count()
        sent, failed = counted.sent.get(account, (0, 0))
        waiting = self._outbox.counts().get(account, {})
        return AccountFigures(
            queued=waiting.get("queued", 0),
            sending=waiting.get("sending", 0),
            parked=waiting.get("parked", 0),
            sent_today=sent,
            failed_today=failed,
            last_received_at=counted.received.get(account),
        )

    async def _count(self) -> _Counted:
        if self._counted.until <= time.monotonic():
            await self._outbox.noted()
            now = datetime.fromtimestamp(self._clock.now_ms() / 1000).astimezone()
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
            sent = await self._table.sent_since(int(midnight.timestamp() * 1000))
            self._counted = _Counted(time.monotonic() + _FRESH, sent, await self._table.last_received())
        return self._counted
