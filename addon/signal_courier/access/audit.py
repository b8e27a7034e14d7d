"""The audit log: who asked what, of which account, with which result. No texts, no recipients, no tokens.

Lines are collected and written together, so the last seconds before a `kill -9` may be missing. What was refused is joined by address and
status, so that nobody who is kept out can push the log's older lines out.
"""

import asyncio
import contextlib
import logging
from collections import Counter

from signal_courier.access.caller import Caller
from signal_courier.access.tokens import now_ms
from signal_courier.store.audit import AuditRow, AuditTable
from signal_courier.store.errors import StoreError

_LOGGER = logging.getLogger(__name__)

_PAUSE = 2.0
"""Seconds for which lines are collected."""
_WAITING = 20_000
"""Lines that may wait while nothing can be written; what comes then is counted and lost."""
_REFUSED = 200
"""Addresses that are told apart in one pause."""


class AuditLog:
    """Takes lines at any time; writes them by and by."""

    def __init__(self, table: AuditTable) -> None:
        self.table = table
        self._waiting: list[AuditRow] = []
        self._refused: Counter[tuple[str, int]] = Counter()
        self._lost = 0
        self._stuck = False
        """Whether the last attempt to write failed."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await self.flush()

    def record(self, caller: Caller, address: str | None, method: str, route: str, account: str | None, status: int) -> None:
        """One request of somebody who was let in."""
        if len(self._waiting) >= _WAITING:
            self._lost += 1
            return
        self._waiting.append(
            AuditRow(now_ms(), caller.name, caller.kind, caller.token_id, address or "", method, route, account, status, 1)
        )

    def refuse(self, address: str | None, status: int) -> None:
        """One request of somebody who was not."""
        key = address or "", status
        if key not in self._refused and len(self._refused) >= _REFUSED:
            key = "(others)", status
        self._refused[key] += 1

    async def flush(self) -> None:
        """Write what waits; while that cannot be, it is kept."""
        if not (self._waiting or self._refused):
            return
        rows, self._waiting = self._waiting, []
        refused, self._refused = self._refused, Counter()
        now = now_ms()
        rows += [AuditRow(now, "", "refused", None, address, "", "", None, status, times) for (address, status), times in refused.items()]
        try:
            await self.table.add(rows)
        except StoreError as error:
            if not self._stuck:
                _LOGGER.warning("The audit log cannot be written: its lines wait (%s)", error)
            self._stuck = True
            self._waiting = (rows + self._waiting)[:_WAITING]
            return
        self._stuck = False
        if self._lost:
            _LOGGER.warning("%d lines of the audit log were lost: they could not be written in time", self._lost)
            self._lost = 0

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            with contextlib.suppress(StoreError):
                await self.flush()
