"""What was read: by whoever uses this service, who says so, and on other devices of the account, which tell it."""

import asyncio
import logging
from collections.abc import Sequence

from signal_courier.engine.reports.places import ReadMessage
from signal_courier.messaging.receiving.inbox import Inbox
from signal_courier.store.database import Database
from signal_courier.store.errors import StoreError
from signal_courier.store.history import HistoryTable

_LOGGER = logging.getLogger(__name__)

_MOST = 1000
"""Reports of other devices that may wait; more are forgotten, as reports of later messages cover them."""


class ReadElsewhere:
    """Notes what other devices have read. `run` is its task."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._table = HistoryTable(database)
        self._inbox = inbox
        self._reports: asyncio.Queue[tuple[str, Sequence[ReadMessage]]] = asyncio.Queue(_MOST)
        inbox.on_read = self._take

    def _take(self, account: str, read: Sequence[ReadMessage]) -> None:
        if not self._reports.full():
            self._reports.put_nowait((account, read))

    async def run(self) -> None:
        """Note for ever."""
        while True:
            account, read = await self._reports.get()
            await self._inbox.committed()
            try:
                await self._table.mark_read_elsewhere(account, read)
            except StoreError as error:
                _LOGGER.warning("What was read on another device is not noted: %s", error)
