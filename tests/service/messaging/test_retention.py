"""Old messages and attachments go; a wrong clock takes nothing with it."""

import os
import time
from pathlib import Path

from signal_courier.messaging.clock import SETTLE, GuardedClock
from signal_courier.messaging.receiving.events import EventLog
from signal_courier.messaging.receiving.feed import Feed
from signal_courier.messaging.receiving.retention import AttachmentRetention, MessageRetention
from signal_courier.store.events import EventTable
from signal_courier.store.inbox import InboxTable, NewEnvelope
from signal_courier.store.service import here_since
from tests.fakes.served import simulated

ANN = "+4915100000001"
DAY = 86_400
NOW = 1_800_000_000.0


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class Times:
    def __init__(self) -> None:
        self.wall, self.monotonic = NOW, 0.0
        self.clock = GuardedClock(lambda: self.wall, lambda: self.monotonic)

    def later(self, days: float) -> None:
        self.wall += days * DAY
        self.monotonic += days * DAY


async def aged(table: InboxTable, *days: float) -> None:
    await table.insert_many([NewEnvelope(ANN, int((NOW - day * DAY) * 1000), b"{}") for day in days])


async def retention(table: InboxTable, times: Times, *, days: int = 30, most: int = 1000) -> MessageRetention:
    feed = Feed(table)
    await feed.start()
    log = EventLog(EventTable(table._database), lambda _id, _frame: None, times.clock)
    return MessageRetention(table, feed, log, times.clock, days=days, most=most)


async def test_old_messages_go_and_young_ones_stay(table: InboxTable) -> None:
    await aged(table, 40, 31, 29, 0)
    assert await (await retention(table, Times())).sweep() == 2
    assert await table.count() == 2


async def test_too_many_messages_go_however_young(table: InboxTable) -> None:
    await aged(table, *([1] * 1300))
    assert await (await retention(table, Times(), most=100)).sweep() == 1200
    assert await table.count() == 100


async def test_what_came_during_this_run_is_not_older_than_the_run(table: InboxTable) -> None:
    times = Times()
    sweeper = await retention(table, times)
    await aged(table, 20_000)  # stamped while the clock was not set
    assert await sweeper.sweep() == 0
    times.later(31)
    assert await sweeper.sweep() == 1


async def test_a_clock_that_jumps_ahead_purges_nothing(table: InboxTable) -> None:
    await aged(table, 10, 1)
    times = Times()
    sweeper = await retention(table, times)
    times.wall += 400 * DAY
    assert await sweeper.sweep() == 0
    times.later(SETTLE / DAY / 2)
    assert await sweeper.sweep() == 0


async def test_old_attachments_go_and_young_ones_stay(tmp_path: Path) -> None:
    for name, days in {"old.jpg": 31, "young.jpg": 29, "unset.jpg": NOW / DAY - 1}.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (NOW - days * DAY,) * 2)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/nonexistent")
    times = Times()
    sweeper = AttachmentRetention(tmp_path, times.clock, days=30)
    assert await sweeper.sweep() == 1
    assert _names(tmp_path) == {"young.jpg", "unset.jpg", "folder", "link"}
    times.later(31)
    assert await sweeper.sweep() >= 2
    assert not (tmp_path / "unset.jpg").exists()


async def test_attachments_from_before_this_service_are_not_its_to_delete(tmp_path: Path) -> None:
    for name, days in {"of another container.jpg": 400, "ours.jpg": 31}.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (NOW - days * DAY,) * 2)
    times = Times()
    sweeper = AttachmentRetention(tmp_path, times.clock, days=30, since=NOW - 60 * DAY)
    assert await sweeper.sweep() == 1
    times.later(365)
    assert await sweeper.sweep() == 0
    assert _names(tmp_path) == {"of another container.jpg"}


async def test_a_service_knows_since_when_it_is_here(tmp_path: Path) -> None:
    begun = time.time() * 1000
    for _ in range(2):
        async with simulated(tmp_path) as service:
            since = await here_since(service.courier.database)
    assert begun - 2000 < since < time.time() * 1000
    assert since % 1000 == 0


async def test_a_folder_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    assert await AttachmentRetention(tmp_path / "none", Times().clock, days=30).sweep() == 0
