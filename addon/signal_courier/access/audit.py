"""The audit log: who asked what, of which account, with which result. No texts, no recipients, no tokens.

Lines are collected and written together, so the last seconds before a `kill -9` may be missing. A request is a line; where there are very
many in a moment, those that are alike in everything but their time become one line that counts them. What was refused is joined by address
and status. So neither a busy program nor somebody who is kept out can push the log's older lines out.
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
_APART = 200
"""Lines of one pause that are told apart even when they are alike."""
_REFUSED = 200
"""Addresses that are told apart in one pause."""

type _Kind = tuple[str, str, str | None, str, str, str, str | None, int]
"""The fields of a line without its time and its count."""


class AuditLog:
    """Takes lines at any time; writes them by and by."""

    def __init__(self, table: AuditTable) -> None:
        self.table = table
        self._waiting: list[AuditRow] = []
        self._alike: dict[_Kind, list[int]] = {}
        """Of more than those: time of the first, and how many there were, in the order of the first."""
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
        kind = (caller.name, caller.kind, caller.token_id, address or "", method, route, account, status)
        known = self._alike.get(kind)
        if known is not None:
            known[1] += 1
        elif len(self._waiting) < _APART:
            self._waiting.append(AuditRow(now_ms(), *kind, 1))
        elif len(self._waiting) + len(self._alike) < _WAITING:
            self._alike[kind] = [now_ms(), 1]
        else:
            self._lost += 1

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
        alike, self._alike = self._alike, {}
        refused, self._refused = self._refused, Counter()
        now = now_ms()
        rows += [AuditRow(at, *kind, times) for kind, (at, times) in alike.items()]
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
