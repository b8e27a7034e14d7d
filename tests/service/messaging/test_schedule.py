"""Scheduled receiving wakes the engine when it is due, and survives an engine that does not come up."""

import asyncio
from datetime import UTC, datetime, timedelta

from signal_courier.engine.errors import EngineUnavailable
from signal_courier.messaging.receiving.schedule import ReceiveSchedule


async def test_fetches_when_due_and_again_after_a_failure() -> None:
    now = [datetime(2026, 11, 21, 11, 59, 59, 990_000, tzinfo=UTC)]
    fetched: asyncio.Queue[datetime] = asyncio.Queue()

    def clock() -> datetime:
        now[0] += timedelta(milliseconds=5)  # time passes when somebody looks
        return now[0]

    first = asyncio.Event()

    async def fetch() -> None:
        fetched.put_nowait(now[0])
        if first.is_set():
            await asyncio.Event().wait()
        first.set()
        now[0] = now[0].replace(minute=59, second=59, microsecond=990_000)
        raise EngineUnavailable("not up")

    task = asyncio.create_task(ReceiveSchedule("0 * * * *", fetch, clock).run())
    times = [await asyncio.wait_for(fetched.get(), 30) for _ in range(2)]
    task.cancel()
    assert [(time.hour, time.minute) for time in times] == [(12, 0), (13, 0)]
