"""Waiting for a time of the clock."""

import asyncio
from typing import Final, Protocol

from signal_courier.messaging.clock import GuardedClock

_LOOK: Final = 60.0
"""Seconds after which the clock is looked at again, as it may have been set meanwhile."""


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now_ms(self) -> int:
        """The time, in ms since the epoch."""

    async def until(self, due_ms: int) -> None:
        """Wait until it is that late."""


class WallClock:
    """The guarded clock of the house."""

    def __init__(self, clock: GuardedClock | None = None) -> None:
        self._clock = clock or GuardedClock()

    def now_ms(self) -> int:
        """The time, in ms since the epoch."""
        return self._clock.now_ms()

    async def until(self, due_ms: int) -> None:
        """Wait until it is that late."""
        while (left := (due_ms - self.now_ms()) / 1000) > 0:  # noqa: ASYNC110  # time itself is waited for
            await asyncio.sleep(min(left, _LOOK))
