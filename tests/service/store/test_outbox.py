"""What was sent while its caller waited: stored as it would be one by one, however many there are."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from signal_courier.model.messages import Message
from signal_courier.store.database import Database
from signal_courier.store.history import HistoryTable
from signal_courier.store.migrations import MIGRATIONS, migrate
from signal_courier.store.outbox import Confirmation, OutboxTable
from signal_courier.store.plain import Plain
from signal_courier.store.rows import MessageRow, RecipientRow

ACCOUNT, PHONE, UUID = "+4915100000001", "+4915100000002", "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
TEXTS = ("plain", "two\nlines", 'with "quotes" and \\', "ünï 🙂", "")


def _add(plain: Plain, number: int) -> tuple[MessageRow, RecipientRow]:
    """Take a message in; gives the rows that it is to be."""
    what = Message(text=TEXTS[number % len(TEXTS)])
    uuid = UUID if number % 3 else None
    phone = PHONE if number % 2 else None
    target = 1_700_000_000_000 + number if number % 7 == 0 else None
    content = msgspec.json.encode(what)
    plain.add(number, ACCOUNT, "message", content, 5 + number, target, (PHONE, uuid, phone), 1_700_000_000_123 + number)
    return (
        MessageRow(number, ACCOUNT, "message", content, 5 + number, None, False, 1, False, None, target),
        RecipientRow(
            number, 0, PHONE, uuid or PHONE, None, uuid, phone, "sent", None, 1_700_000_000_123 + number, 5 + number, None, 5 + number, None
        ),
    )


@pytest.mark.parametrize("count", [1, 3, 127, 128, 129, 300])
async def test_what_waits_as_lines_is_stored_as_it_is(tmp_path: Path, count: int) -> None:
    database = await Database(tmp_path / "courier.db").open()
    table, plain = OutboxTable(database), Plain()
    wanted = [_add(plain, number) for number in range(1, count + 1)]
    await table.insert([], [], plain=plain)
    found = await table.get(range(1, count + 1))
    assert [(message, recipients) for message, recipients in found] == [(message, [recipient]) for message, recipient in wanted]
    assert list(plain.names()) == [(ACCOUNT, recipient.timestamp) for _, recipient in wanted]
    await database.close()


async def test_what_could_not_be_stored_is_stored_with_what_came_later_and_in_its_order(tmp_path: Path) -> None:
    database = await Database(tmp_path / "courier.db").open()
    table, earlier, later = OutboxTable(database), Plain(), Plain()
    wanted = [_add(earlier, number) for number in range(1, 131)] + [_add(later, number) for number in range(131, 200)]
    earlier.put_before(later)
    wanted.append(_add(earlier, 200))
    await table.insert([], [], plain=earlier)
    assert [message for message, _ in await table.get(range(1, 201))] == [message for message, _ in wanted]
    assert [timestamp for _, timestamp in earlier.names()] == [recipient.timestamp for _, recipient in wanted]
    await database.close()


async def test_receipts_move_what_is_one_row_on_and_never_back(tmp_path: Path) -> None:
    database = await Database(tmp_path / "courier.db").open()
    table, plain = OutboxTable(database), Plain()
    for number, uuid, phone in ((1, UUID, None), (2, None, PHONE), (3, UUID, PHONE)):
        plain.add(number, ACCOUNT, "message", b"{}", number, None, (uuid or PHONE, uuid, phone), 100 + number)
    await table.insert([], [], plain=plain)

    async def heard(
        timestamp: int, state: str, *, uuid: str | None = UUID, number: str | None = PHONE, account: str = ACCOUNT
    ) -> list[int]:
        return list((await table.confirm([Confirmation(account, uuid, number, state, timestamp)], 50)).changed)

    assert await heard(101, "read", number=None) == [1]
    assert await heard(101, "delivered") == [], "it was read already"
    assert await heard(102, "delivered", uuid=None) == [2]
    assert await heard(103, "delivered", account="+4915100000009") == [], "another account's"
    assert await heard(103, "delivered", uuid=OTHER, number="+4915100000008") == [], "somebody else's"
    states = [(row.state, row.changed_at, row.since) for _, rows in await table.get([1, 2, 3]) for row in rows]
    assert states == [("read", 50, 1), ("delivered", 50, 2), ("sent", 3, 3)]
    unknown = Confirmation(ACCOUNT, UUID, PHONE, "read", 999)
    assert (await table.confirm([unknown], 50)).unmatched == [unknown]
    await database.close()


async def test_nobody_is_remembered_to_whom_no_message_is_kept(tmp_path: Path) -> None:
    database = await Database(tmp_path / "courier.db").open()
    table, plain = OutboxTable(database), Plain()
    for number in range(1, 4):
        plain.add(number, ACCOUNT, "message", b"{}", number * 100, None, (f"+491510000000{number}", None, None), number)
    await table.insert([], [], plain=plain)
    while await table.purge(before=250, keep=100, keys_before=0):
        pass
    kept = await database.read(lambda connection: connection.execute("SELECT recipient FROM outbox_addressees").fetchall())
    assert kept == [("+4915100000003",)]
    assert await table.last_number() == 3
    await database.close()


async def test_what_an_older_version_has_sent_stands_beside_what_this_one_sends(tmp_path: Path) -> None:
    path = tmp_path / "courier.db"
    old = sqlite3.connect(path, autocommit=True)
    migrate(old, MIGRATIONS[:10])
    for number in range(1, 4):
        old.execute(
            "INSERT INTO outbox (number, account, kind, content, created_at, resend, attempts, is_open) "
            "VALUES (?, ?, 'message', ?, ?, 0, 1, 0)",
            (number, ACCOUNT, b'{"text":"old"}', number),
        )
        old.execute(
            "INSERT INTO outbox_recipients VALUES (?, 0, ?, ?, NULL, ?, ?, 'sent', NULL, ?, ?, NULL, ?, NULL)",
            (number, PHONE, UUID, UUID, PHONE, 100 + number, number, number),
        )
    old.close()
    database = await Database(path).open()
    table, history, plain = OutboxTable(database), HistoryTable(database), Plain()
    assert await table.last_number() == 3
    for number in range(4, 7):
        plain.add(number, ACCOUNT, "message", b'{"text":"new"}', number, None, (PHONE, UUID, PHONE), 100 + number)
    await table.insert([], [], plain=plain)

    assert [(message.number, rows[0].timestamp, rows[0].conversation) for message, rows in await table.get(range(1, 7))] == [
        (number, 100 + number, UUID) for number in range(1, 7)
    ]
    for names in ([UUID], [PHONE], []):
        newest = await table.newest(account=ACCOUNT, conversations=names, before=6, limit=4, open_only=False)
        assert [message.number for message, _ in newest] == [5, 4, 3, 2], names
    page = await history.sent(ACCOUNT, [UUID], 6, rows=4, matches=None, most=100)
    assert [row.message.number for row in page.rows] == [5, 4, 3, 2]
    assert [[row.message.number for row in await history.sent_as(ACCOUNT, 100 + number)] for number in (2, 5)] == [[2], [5]]
    assert (await history.activity(ACCOUNT))[UUID].last_at == 6
    assert await history.sent_since(0) == {ACCOUNT: (6, 0)}
    assert await table.uuid_of(PHONE) == (UUID, PHONE)
    assert await table.uuid_of(OTHER) == (None, None)
    read = [Confirmation(ACCOUNT, UUID, None, "read", 100 + number) for number in (3, 4)]
    assert list((await table.confirm(read, 9)).changed) == [3, 4]
    await database.close()
