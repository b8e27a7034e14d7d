"""What was sent while its caller waited: stored as it would be one by one, however many there are."""

from pathlib import Path

import msgspec
import pytest

from signal_courier.model.messages import Message
from signal_courier.store.database import Database
from signal_courier.store.outbox import MessageRow, OutboxTable, Plain, RecipientRow

ACCOUNT, PHONE, UUID = "+4915100000001", "+4915100000002", "11111111-1111-4111-8111-111111111111"
TEXTS = ("plain", "two\nlines", 'with "quotes" and \\', "ünï 🙂", "")


def _add(plain: Plain, number: int) -> tuple[MessageRow, RecipientRow]:
    """Take a message in; gives the rows that it is to be."""
    what = Message(text=TEXTS[number % len(TEXTS)])
    uuid = UUID if number % 3 else None
    phone = PHONE if number % 2 else None
    target = 1_700_000_000_000 + number if number % 7 == 0 else None
    plain.add(number, ACCOUNT, "message", what, 5 + number, target, PHONE, uuid, phone, 1_700_000_000_123 + number)
    content = msgspec.json.encode(what)
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
    size = earlier.size + later.size
    earlier.put_before(later)
    wanted.append(_add(earlier, 200))
    assert (earlier.count, earlier.size > size) == (200, True)
    await table.insert([], [], plain=earlier)
    assert [message for message, _ in await table.get(range(1, 201))] == [message for message, _ in wanted]
    assert [timestamp for _, timestamp in earlier.names()] == [recipient.timestamp for _, recipient in wanted]
    await database.close()


async def test_what_cannot_be_told_in_json_leaves_no_half_line(tmp_path: Path) -> None:
    database = await Database(tmp_path / "courier.db").open()
    table, plain = OutboxTable(database), Plain()
    first = _add(plain, 1)
    with pytest.raises(UnicodeEncodeError):
        plain.add(2, ACCOUNT, "message", Message(text="half a pair \ud83d"), 5, None, PHONE, UUID, None, 7)
    third = _add(plain, 3)
    await table.insert([], [], plain=plain)
    assert [message for message, _ in await table.get([1, 2, 3])] == [first[0], third[0]]
    await database.close()
