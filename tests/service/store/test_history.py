"""The history of a big store: what it costs grows with what is asked for, not with what is kept."""

import base64
import json
import sqlite3
import time
from pathlib import Path

import pytest

from signal_courier.messaging.conversation_history import ConversationHistory
from signal_courier.messaging.receiving.backfill import Backfill
from signal_courier.model.events import Person
from signal_courier.store.database import Database
from signal_courier.store.history import HistoryTable
from signal_courier.store.migrations import MIGRATIONS, migrate

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

    async def known(self, account: str) -> None:
        pass


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
    later = f"n > {SENT // 2}"
    # the older half as rows of recipients, the later half with its only recipient in the row
    connection.execute(
        f"{numbers.format(PEOPLE)} INSERT INTO outbox_addressees (id, recipient, conversation) SELECT n, {person}, {person} FROM numbers"
    )
    connection.execute(
        f"{numbers.format(SENT)} "
        "INSERT INTO outbox (number, account, kind, content, created_at, resend, attempts, is_open, addressee, timestamp) "
        "SELECT n, ?, 'message', CAST('{\"text\":\"mine\"}' AS BLOB), 1795000000000 + n * 10, 0, 1, 0, "
        f"CASE WHEN {later} THEN (n - 1) % {PEOPLE} + 1 END, CASE WHEN {later} THEN 1795000000000 + n * 10 END FROM numbers",
        (ANN,),
    )
    connection.execute(
        f"{numbers.format(SENT // 2)} "
        "INSERT INTO outbox_recipients (message, position, recipient, conversation, state, timestamp, changed_at) "
        f"SELECT n, 0, {person}, {person}, 'sent', 1795000000000 + n * 10, 0 FROM numbers"
    )


async def test_what_an_older_version_has_received_takes_its_place_in_the_history(tmp_path: Path) -> None:
    path, person = tmp_path / "courier.db", "00000000-0000-4000-8000-000000000001"
    group = base64.b64encode(bytes(32)).decode()
    contents: list[dict[str, object]] = [
        {"dataMessage": {"timestamp": 1, "message": "old"}},
        {"receiptMessage": {"when": 2, "isDelivery": True, "timestamps": [1]}},
        {"dataMessage": {"timestamp": 3, "message": "in a group", "groupInfo": {"groupId": group, "type": "DELIVER"}}},
        {"dataMessage": {"timestamp": 4, "reaction": {"emoji": "x", "targetAuthorUuid": person, "targetSentTimestamp": 1}}},
        {"syncMessage": {"sentMessage": {"timestamp": 5, "message": "mine", "destinationUuid": person}}},
    ]
    old = sqlite3.connect(path, autocommit=True)
    migrate(old, MIGRATIONS[:7])
    old.execute("BEGIN")
    for repeat in range(500):  # over more than one slice
        for at, content in enumerate(contents):
            frame = {"envelope": {"sourceUuid": person, "timestamp": at, **content}, "account": ANN}
            old.execute("INSERT INTO inbox (account, received_at, envelope) VALUES (?, ?, ?)", (ANN, repeat, json.dumps(frame).encode()))
    old.execute("INSERT INTO inbox (account, received_at, envelope) VALUES (?, 0, ?)", (ANN, b"no frame"))
    old.execute("COMMIT")
    old.close()
    for _ in range(2):  # the second start has nothing to do
        database = await Database(path).open()
        await Backfill(database).run()
        history = ConversationHistory(database, Nobody())  # type: ignore[arg-type]  # as below
        page = await history.page(ANN, [person], before=None, limit=10)
        texts = [(one.direction, one.message.text) for one in page.messages if one.message is not None]
        assert texts == [("sent", "mine"), ("received", "old")] * 5
        assert page.messages[1].reactions
        page = await history.page(ANN, [group], before=None, limit=1000)
        assert [one.message.text for one in page.messages if one.message is not None] == ["in a group"] * 500
        assert all(activity.unread == 0 for activity in (await HistoryTable(database).activity(ANN)).values())
        await database.close()


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
