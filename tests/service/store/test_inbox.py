"""The inbox keeps every envelope byte for byte, in the order of arrival."""

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from signal_courier.store.consumers import ConsumerTable, Cursor
from signal_courier.store.database import Database
from signal_courier.store.inbox import InboxTable, NewEnvelope

ANN, BEN = "+4915100000001", "+4915100000002"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database(tmp_path / "courier.db").open()
    yield opened
    await opened.close()


@pytest.fixture
def inbox(database: Database) -> InboxTable:
    return InboxTable(database)


def some(count: int, account: str = ANN, at: int = 1_000) -> list[NewEnvelope]:
    return [
        NewEnvelope(account, at + number, b'{"envelope":{"timestamp":%d},"account":"%s"}' % (number, account.encode()))
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 600, 1337])
async def test_rows_come_back_in_the_order_in_which_they_came(inbox: InboxTable, count: int) -> None:
    envelopes = some(count)
    first = await inbox.insert_many(envelopes)
    read = await inbox.read_after(ANN, 0, rows=10_000, size=1 << 30)
    assert [row.id for row in read] == list(range(first, first + count))
    assert [row.frame for row in read] == [envelope.frame for envelope in envelopes]


async def test_bytes_are_kept_as_they_are(inbox: InboxTable) -> None:
    frames = [b'{\n "envelope": {"m": "\xc3\xa4 \\u0000 \xf0\x9f\x98\x80"}\n}', b'{"broken":"\xff\xfe"}', b"{}", b"x" * 3_000_000]
    await inbox.insert_many([NewEnvelope(ANN, 0, frame) for frame in frames])
    assert [row.frame for row in await inbox.read_after(ANN, 0, rows=10, size=1 << 30)] == frames


async def test_a_slice_is_bounded_by_rows_and_by_bytes_and_never_empty(inbox: InboxTable) -> None:
    await inbox.insert_many([NewEnvelope(ANN, 0, b"x" * 100) for _ in range(10)])
    assert len(await inbox.read_after(ANN, 0, rows=3, size=1 << 30)) == 3
    assert len(await inbox.read_after(ANN, 0, rows=100, size=250)) == 3
    assert len(await inbox.read_after(ANN, 0, rows=100, size=1)) == 1


async def test_accounts_are_read_apart_or_together(inbox: InboxTable) -> None:
    await inbox.insert_many([*some(2), *some(2, BEN), *some(1)])
    assert [row.id for row in await inbox.read_after(ANN, 0, rows=10, size=1 << 30)] == [1, 2, 5]
    assert [row.id for row in await inbox.read_after(BEN, 3, rows=10, size=1 << 30)] == [4]
    assert [(row.id, row.account) for row in await inbox.read_after(None, 1, rows=3, size=1 << 30)] == [(2, ANN), (3, BEN), (4, BEN)]
    assert await inbox.last_ids() == {ANN: 5, BEN: 4}


async def test_ids_are_never_used_again(inbox: InboxTable) -> None:
    await inbox.insert_many(some(5))
    while (await inbox.purge_beyond(0)).rows:
        pass
    assert await inbox.count() == 0
    assert await inbox.last_id() == 5
    assert await inbox.insert_many(some(1)) == 6


async def test_purging_by_age_takes_the_oldest_in_slices(inbox: InboxTable) -> None:
    await inbox.insert_many(some(1200))
    purged = [await inbox.purge_older(1_000 + 700)]
    while purged[-1].rows:
        purged.append(await inbox.purge_older(1_000 + 700))
    assert [slice_.rows for slice_ in purged] == [500, 200, 0]
    assert purged[1].newest == {ANN: 700}
    assert (await inbox.read_after(ANN, 0, rows=1, size=1))[0].id == 701


async def test_purging_by_age_respects_the_bound_on_ids(inbox: InboxTable) -> None:
    await inbox.insert_many(some(10))
    assert (await inbox.purge_older(1 << 60, below=4)).rows == 3
    assert (await inbox.purge_older(1 << 60, below=4)).rows == 0


async def test_purging_by_count_keeps_the_newest(inbox: InboxTable) -> None:
    await inbox.insert_many(some(30))
    assert (await inbox.purge_beyond(20)).rows == 10
    assert (await inbox.purge_beyond(20)).rows == 0
    assert (await inbox.read_after(ANN, 0, rows=1, size=1))[0].id == 11


async def test_cursors_only_move_forward(database: Database) -> None:
    consumers = ConsumerTable(database)
    assert await consumers.positions("drop-in") == {}
    await consumers.advance([Cursor("drop-in", ANN, 5), Cursor("drop-in", BEN, 3), Cursor("webhook", "", 9)])
    await consumers.advance([Cursor("drop-in", ANN, 4), Cursor("drop-in", BEN, 8)])
    assert await consumers.positions("drop-in") == {ANN: 5, BEN: 8}
    assert await consumers.positions("webhook") == {"": 9}


@pytest.mark.slow
async def test_a_million_rows_open_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "courier.db"
    await (await Database(path).open()).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            """
            WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 1000000)
            INSERT INTO inbox (account, received_at, envelope) SELECT '+4915100000001', value, zeroblob(200) FROM n
            """
        )
    start = time.perf_counter()
    database = await Database(path).open()
    inbox = InboxTable(database)
    assert await inbox.last_id() == 1_000_000
    assert len(await inbox.read_after(ANN, 999_900, rows=1000, size=1 << 20)) == 100
    assert time.perf_counter() - start < 5
    await database.close()
