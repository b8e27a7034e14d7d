"""Tells in the event log what becomes of signal-cli and of the accounts."""

import asyncio
from collections.abc import Callable

from signal_courier.engine.base import AccountState, Engine, EngineState, EngineStatus
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.receiving.events import EventLog
from signal_courier.model.events import AccountChange, EngineChange, Event, EventType

INTERVAL = 0.5
"""Seconds between two looks; a look costs a microsecond."""
_GONE = "gone"


class EngineWatch:
    """Publishes `engine` and `account` events. `run` is its task."""

    def __init__(self, engine: Engine, log: EventLog, clock: GuardedClock, on_ready: Callable[[str], None] | None = None) -> None:
        """`on_ready` is told of each account that can be asked, when it can for the first time, and again after it was gone."""
        self._engine = engine
        self._log = log
        self._clock = clock
        self._last = EngineStatus(state=EngineState.STOPPED)
        self._on_ready = on_ready
        self._up: set[str] = set()
        self._settled = False
        """Whether it was ready once: accounts that appear before were there all along."""

    async def run(self) -> None:
        """Look for ever."""
        while not self._log.closed:
            self.look()
            await asyncio.sleep(INTERVAL)

    def look(self) -> None:
        """Publish what has changed since the last look."""
        status, last = self._engine.status, self._last
        self._last = status
        if (status.state, status.version) != (last.state, last.version):
            change = EngineChange(state=status.state, version=status.version, reason=status.reason)
            self._log.publish(Event(id=0, type=EventType.ENGINE, account=None, time=self._clock.now_ms(), engine=change))
        for account in sorted({*status.accounts, *last.accounts}):
            now, before = status.accounts.get(account), last.accounts.get(account)
            if now is before or (now is AccountState.READY and before is None and not self._settled):
                continue
            told = AccountChange(change="state", state=now.value if now is not None else _GONE)
            self._log.publish(Event(id=0, type=EventType.ACCOUNT, account=account, time=self._clock.now_ms(), account_change=told))
        if status.state is EngineState.READY:
            up = {account for account, state in status.accounts.items() if state is AccountState.READY}
            new, self._up = up - self._up, up
            if self._on_ready is not None:
                for account in sorted(new):
                    self._on_ready(account)
        self._settled = self._settled or (status.state is EngineState.READY and bool(status.accounts))
