"""Waiting: for a time of the clock, or for whichever of several things comes first."""

import asyncio
from collections.abc import Coroutine
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


async def first_of(*waits: Coroutine[object, object, object]) -> None:
    """Wait until one of them ends; the others are cancelled. Raises what that one raised."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
