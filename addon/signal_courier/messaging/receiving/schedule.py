"""`AUTO_RECEIVE_SCHEDULE`: where signal-cli runs on demand, wake it now and then to fetch what waits at Signal.

Upstream throws away what it fetches this way; here it goes to the inbox like everything else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from signal_courier.engine.errors import EngineError

_LOGGER = logging.getLogger(__name__)

_LONGEST_SLEEP = 30.0
"""Seconds after which the clock is looked at again, as it may have been set meanwhile."""


def _local_time() -> datetime:
    return datetime.now().astimezone()


class ReceiveSchedule:
    """Wakes the engine by a cron expression of five fields, in local time. `run` is its task."""

    def __init__(self, expression: str, fetch: Callable[[], Awaitable[None]], now: Callable[[], datetime] = _local_time) -> None:
        """`fetch` wakes the engine and ends when it has received for long enough."""
        self._expression = expression
        self._fetch = fetch
        self._now = now

    async def run(self) -> None:
        """Fetch at every due time, for ever; a due time that passes during a fetch is not made up for."""
        from cronsim import CronSim  # noqa: PLC0415  # almost a MiB, and few have a schedule

        while True:
            await self._sleep_until(next(CronSim(self._expression, self._now())))
            try:
                await self._fetch()
            except EngineError as error:
                _LOGGER.warning("Scheduled receiving failed: %s", error)

    async def _sleep_until(self, due: datetime) -> None:
        while (left := (due - self._now()).total_seconds()) > 0:  # noqa: ASYNC110  # the clock is asked, as it may be set meanwhile
            await asyncio.sleep(min(left, _LONGEST_SLEEP))
