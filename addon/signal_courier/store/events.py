"""Everything that happened, in one order: received envelopes and the events of the service itself take their ids from one sequence.

The sequence has no gaps, as an id is taken in the transaction that uses it. What is missing behind a position was therefore removed by
retention, and can be counted without asking.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from signal_courier.store.database import Database
from signal_courier.store.inbox import last_id, read_after

_PURGE_SLICE = 500
"""Rows deleted by one job, so that the writer is soon free again."""


class NewEvent(NamedTuple):
    """An event of the service itself, to be stored."""

    created_at: int
    """ms since epoch."""
    event: bytes


class StoredEntry(NamedTuple):
    """A stored envelope (`account` is a text) or an event of the service itself (`account` is `None`)."""

    id: int
    account: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is stored from behind one id up to another (inclusive)."""

    last: int
    entries: Sequence[StoredEntry]


class ConsumerRow(NamedTuple):
    """A consumer of events."""

    owner: str
    name: str
    position: int
    created_at: int
    seen_at: int


class EventTable:
    """Reads and writes the table `events`, and reads it together with `inbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_many(self, events: Sequence[NewEvent]) -> int:
        """Commit all of them and give the id of the first, the others follow; waits as long as the database is open."""
        return await self._database.write(lambda connection: _insert(connection, events), deadline=None)

    async def last_id(self) -> int:
        """The newest id that was ever given."""
        return await self._database.read(last_id)

    async def first_id(self) -> int:
        """The oldest id that is still stored; one more than the newest when nothing is."""
        return await self._database.read(_first_id)

    async def first_since(self, time: int) -> int:
        """The id of the first entry stored at that time (ms since epoch) or later; one more than the newest when there is none."""
        return await self._database.read(lambda connection: _first_since(connection, time))

    async def read(self, after: int, upto: int, *, rows: int, size: int) -> Stretch:
        """Some of what is stored behind `after` and not behind `upto`: about `rows` and `size` bytes, but always on by at least one id."""
        return await self._database.read(lambda connection: _read(connection, after, upto, rows, size))

    async def purge(self, created_before: int, below: int | None, most: int) -> int:
        """Delete one slice of own events that are older (ms since epoch) and have ids under `below`, and of those beyond that many.

        Call again until nothing is purged.
        """
        limit = below if below is not None else 1 << 62
        return await self._database.write(lambda connection: _purge(connection, created_before, limit, most))


class EventConsumerTable:
    """Reads and writes the table `event_consumers`. Positions only ever grow."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[ConsumerRow]:
        """Every consumer, by owner and name."""
        return await self._database.read(
            lambda connection: [
                ConsumerRow(*row)
                for row in connection.execute(
                    "SELECT owner, name, position, created_at, seen_at FROM event_consumers ORDER BY owner, name"
                ).fetchall()
            ]
        )

    async def save(self, rows: Sequence[ConsumerRow]) -> None:
        """Make them or move them on; one that is further already stays there."""
        await self._database.write(lambda connection: _save(connection, rows))

    async def delete(self, owner: str, name: str) -> None:
        """Forget a consumer."""
        await self._database.write(
            lambda connection: connection.execute("DELETE FROM event_consumers WHERE owner = ? AND name = ?", (owner, name)).rowcount
        )


def _insert(connection: sqlite3.Connection, events: Sequence[NewEvent]) -> int:
    first = last_id(connection) + 1
    connection.executemany(
        "INSERT INTO events (id, created_at, event) VALUES (?, ?, ?)",
        [(number, event.created_at, event.event) for number, event in enumerate(events, start=first)],
    )
    newest = first + len(events) - 1
    if not connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'inbox'", (newest,)).rowcount:
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('inbox', ?)", (newest,))
    return first


def _first_id(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT (SELECT min(id) FROM inbox), (SELECT min(id) FROM events)").fetchone()
    return min((number for number in row if number is not None), default=last_id(connection) + 1)


def _first_since(connection: sqlite3.Connection, time: int) -> int:
    rows = (
        connection.execute("SELECT id FROM inbox WHERE received_at >= ? ORDER BY id LIMIT 1", (time,)).fetchone(),
        connection.execute("SELECT id FROM events WHERE created_at >= ? ORDER BY id LIMIT 1", (time,)).fetchone(),
    )
    return min((row[0] for row in rows if row is not None), default=last_id(connection) + 1)


def _read(connection: sqlite3.Connection, after: int, upto: int, rows: int, size: int) -> Stretch:
    received = [row for row in read_after(connection, None, after, rows, size) if row.id <= upto]
    last = received[-1].id if received else upto
    own = connection.execute(
        "SELECT id, NULL, event FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", (after, last, rows)
    ).fetchall()
    if len(own) == rows:
        last = own[-1][0]
    entries = [StoredEntry(*row) for row in received if row.id <= last]
    if own:
        entries = sorted([*entries, *(StoredEntry(*row) for row in own)])
    return Stretch(last, entries)


def _purge(connection: sqlite3.Connection, created_before: int, below: int, most: int) -> int:
    surplus = max(0, connection.execute("SELECT count(*) FROM events").fetchone()[0] - most)
    return connection.execute(
        """
        DELETE FROM events WHERE id IN (
            SELECT id FROM (SELECT id, created_at, row_number() OVER (ORDER BY id) AS place FROM events ORDER BY id LIMIT ?)
            WHERE (created_at < ? AND id < ?) OR place <= ?
        )
        """,
        (_PURGE_SLICE, created_before, below, surplus),
    ).rowcount


def _save(connection: sqlite3.Connection, rows: Sequence[ConsumerRow]) -> None:
    connection.executemany(
        """
        INSERT INTO event_consumers (owner, name, position, created_at, seen_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (owner, name) DO UPDATE
        SET position = max(position, excluded.position), seen_at = max(seen_at, excluded.seen_at)
        """,
        rows,
    )
