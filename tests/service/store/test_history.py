"""The history of a big store: what it costs grows with what is asked for, not with what is kept."""

import sqlite3
import time
from pathlib import Path

import pytest

from signal_courier.messaging.conversation_history import ConversationHistory
from signal_courier.model.events import Person
from signal_courier.store.database import Database

ANN = "+4915100000001"
PEOPLE, EVENTS, SENT = 500, 1_000_000, 100_000
MESSAGE = (
    '{"envelope":{"sourceUuid":"WHO","sourceName":"Ben","timestamp":WHEN,'
    '"dataMessage":{"timestamp":WHEN,"message":"text number WHEN"}},"account":"+4915100000001"}'
)


class Nobody:
    """Knows nobody by name."""

    def person(self, account: str, uuid: str | None, number: str | None) -> Person | None:
        return None

    def group(self, account: str, internal_id: str) -> str | None:
        return None


def fill(connection: sqlite3.Connection) -> None:
    """A third of what was received are receipts."""
    person = f"printf('00000000-0000-4000-8000-%012d', n % {PEOPLE})"
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {0})"
    frame = f"replace(replace('{MESSAGE}', 'WHO', {person}), 'WHEN', 1795000000000 + n)"
    connection.execute(
        f"{numbers.format(EVENTS)} INSERT INTO inbox (id, account, received_at, envelope, conversation) "
        f"SELECT n, ?, 1795000000000 + n, CAST({frame} AS BLOB), CASE WHEN n % 3 THEN {person} END FROM numbers",
        (ANN,),
    )
    connection.execute(
        f"{numbers.format(SENT)} INSERT INTO outbox (number, account, kind, content, created_at, resend, attempts, is_open) "
        "SELECT n, ?, 'message', CAST('{\"text\":\"mine\"}' AS BLOB), 1795000000000 + n * 10, 0, 1, 0 FROM numbers",
        (ANN,),
    )
    connection.execute(
        f"{numbers.format(SENT)} INSERT INTO outbox_recipients (message, position, recipient, conversation, state, timestamp, changed_at) "
        f"SELECT n, 0, {person}, {person}, 'sent', 1795000000000 + n * 10, 0 FROM numbers"
    )


@pytest.mark.slow
async def test_a_million_events_are_looked_back_on_at_once(tmp_path: Path) -> None:
    async def took(name: str, work: object) -> float:
        begun = time.perf_counter()
        await work  # type: ignore[misc]  # a coroutine
        took = (time.perf_counter() - begun) * 1000
        print(f"{name}: {took:.1f} ms")
        return took

    database = await Database(tmp_path / "courier.db").open()
    try:
        await database.write(fill, deadline=None)
        history = ConversationHistory(database, Nobody())  # type: ignore[arg-type]  # names are all it asks for
        person = ["00000000-0000-4000-8000-000000000004"]
        times = [
            await took("a page of one conversation", history.page(ANN, person, before=None, limit=50)),
            await took("a page of all", history.page(ANN, None, before=None, limit=50)),
            await took("a page from long ago", history.page(ANN, person, before="100000-10000", limit=50)),
            await took("what is unread in 500 conversations", history.activity(ANN)),
            await took("a search that finds nothing", history.page(ANN, None, before=None, limit=50, search="nowhere")),
        ]
        assert max(times) < 1000
        page = await history.page(ANN, person, before=None, limit=50)
        assert len(page.messages) == 50
        assert {one.direction for one in page.messages} == {"received", "sent"} or page.next is not None
    finally:
        await database.close()
