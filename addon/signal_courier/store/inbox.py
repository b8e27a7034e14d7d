"""The table of received envelopes: what was committed here will be delivered, in the order of its ids.

A statement of SQLite gives the interpreter lock away for every row it steps through, and a busy event loop takes milliseconds to give it
back. So many rows are inserted by few statements, and a slice is read as one row of joined columns.
"""

import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import NamedTuple

from signal_courier.store.database import Database

_CHUNKS = (512, 64, 8, 1)
"""Rows of one INSERT, largest first; a few sizes only, so that the statements stay prepared."""
_SEPARATOR = b"\x1e"
"""Joins envelopes: a control character stands in no JSON text."""
_PURGE_SLICE = 500
"""Rows deleted by one job, so that the writer is soon free again."""


class NewEnvelope(NamedTuple):
    """A frame to store."""

    account: str
    """Number of the account that received it."""
    received_at: int
    """ms since epoch."""
    frame: bytes
    """The exact bytes of `{"envelope": …, "account": …}`."""
    conversation: str | None = None
    """As in `engine.reports.places.Place`, as the next two: where it stands in a conversation's history."""
    target: int | None = None
    own: bool = False


class StoredEnvelope(NamedTuple):
    """A stored frame. Ids grow in the order of arrival, over all accounts."""

    id: int
    account: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Purged:
    """What one slice of retention took away."""

    rows: int
    newest: Mapping[str, int]
    """Id of the newest row that went, by account."""


class InboxTable:
    """Reads and writes the table `inbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_many(self, envelopes: Sequence[NewEnvelope], *, deadline: float | None = None) -> int:
        """Commit all of them, in order, and give the id of the first; the others follow without a gap.

        Without a deadline it waits as long as the database is open (disk full, locked), as nothing received may be dropped.
        """
        return await self._database.write(lambda connection: _insert(connection, envelopes), deadline=deadline)

    async def read_after(self, account: str | None, after: int, *, rows: int, size: int) -> list[StoredEnvelope]:
        """The next envelopes of one account (or all, `None`) behind id `after`: at most `rows`, and `size` bytes (but always one)."""
        return await self._database.read(lambda connection: read_after(connection, account, after, rows, size))

    async def newest(self, *, rows: int, size: int) -> list[bytes]:
        """The last envelopes that were stored, in their order: at most `rows`, and about `size` bytes (but always one)."""
        return await self._database.read(lambda connection: _newest(connection, rows, size))

    async def last_ids(self) -> dict[str, int]:
        """Id of the newest stored envelope by account."""
        return await self._database.read(
            lambda connection: dict(connection.execute("SELECT account, max(id) FROM inbox GROUP BY account").fetchall())
        )

    async def last_id(self) -> int:
        """Id of the newest envelope (or other event) that was ever stored, 0 before the first."""
        return await self._database.read(last_id)

    async def first_since(self, received_at: int) -> dict[str, int]:
        """Id of the first envelope by account that was received at that time (ms since epoch) or later."""
        return await self._database.read(
            lambda connection: dict(
                connection.execute("SELECT account, min(id) FROM inbox WHERE received_at >= ? GROUP BY account", (received_at,)).fetchall()
            )
        )

    async def count(self) -> int:
        """How many envelopes are stored."""
        return await self._database.read(lambda connection: _scalar(connection, "SELECT count(*) FROM inbox"))

    async def purge_older(self, received_before: int, below: int | None = None) -> Purged:
        """Delete one slice of the oldest rows as far as they were received before that time (ms since epoch) and have ids under `below`.

        Call again until nothing is purged.
        """
        return await self._database.write(
            lambda connection: _purge(connection, "received_at < ? AND id < ?", (received_before, below if below is not None else 1 << 62))
        )

    async def purge_beyond(self, keep: int) -> Purged:
        """Delete one slice of the oldest rows as far as more than `keep` are stored. Call again until nothing is purged."""

        def work(connection: sqlite3.Connection) -> Purged:
            surplus = _scalar(connection, "SELECT count(*) FROM inbox") - keep
            return _purge(connection, "1", (), min(surplus, _PURGE_SLICE)) if surplus > 0 else Purged(0, {})

        return await self._database.write(work)


def _insert(connection: sqlite3.Connection, envelopes: Sequence[NewEnvelope]) -> int:
    first = last_id(connection) + 1
    start = 0
    for size in _CHUNKS:
        stop = len(envelopes) - (len(envelopes) - start) % size
        if stop == start:
            continue
        marks = ",".join(["(?,?,?,?,?,?,?)"] * size)
        statement = f"INSERT INTO inbox (id, account, received_at, envelope, conversation, target, own) VALUES {marks}"  # noqa: S608
        for chunk in batched(range(start, stop), size, strict=True):
            values: list[int | str | bytes | None] = []
            for index in chunk:
                values += (first + index, *envelopes[index])
            connection.execute(statement, values)
        start = stop
    return first


def read_after(connection: sqlite3.Connection, account: str | None, after: int, rows: int, size: int) -> list[StoredEnvelope]:
    """As `InboxTable.read_after`, inside of a larger reading."""
    mine = "" if account is None else "AND account = :account"
    ids, accounts, frames = connection.execute(
        f"""
        SELECT group_concat(id, ' '), group_concat(account, char(30)), CAST(group_concat(envelope, char(30)) AS BLOB)
        FROM (
            SELECT id, account, envelope FROM (
                SELECT id, account, envelope, sum(length(envelope)) OVER (ORDER BY id) - length(envelope) AS before
                FROM (SELECT id, account, envelope FROM inbox WHERE id > :after {mine} ORDER BY id LIMIT :rows)
            )
            WHERE before < :size ORDER BY id
        )
        """,  # noqa: S608 (the only inserted text is one of two constants)
        {"after": after, "account": account, "rows": rows, "size": size},
    ).fetchone()
    if ids is None:
        return []
    return [
        StoredEnvelope(int(number), of, frame)
        for number, of, frame in zip(ids.split(" "), accounts.split(_SEPARATOR.decode()), frames.split(_SEPARATOR), strict=True)
    ]


def _purge(connection: sqlite3.Connection, condition: str, values: tuple[int, ...], limit: int = _PURGE_SLICE) -> Purged:
    """Delete, among the `limit` oldest rows, those that meet the condition."""
    chosen = f"SELECT id FROM (SELECT id, received_at FROM inbox ORDER BY id LIMIT {limit}) WHERE {condition}"  # noqa: S608 (constants)
    newest = dict(
        connection.execute(f"SELECT account, max(id) FROM inbox WHERE id IN ({chosen}) GROUP BY account", values).fetchall()  # noqa: S608
    )
    rows = connection.execute(f"DELETE FROM inbox WHERE id IN ({chosen})", values).rowcount  # noqa: S608
    return Purged(rows, newest)


def _newest(connection: sqlite3.Connection, rows: int, size: int) -> list[bytes]:
    found: deque[bytes] = deque()
    for (frame,) in connection.execute("SELECT envelope FROM inbox ORDER BY id DESC LIMIT ?", (rows,)):
        found.appendleft(frame)
        size -= len(frame)
        if size <= 0:
            break
    return list(found)


def last_id(connection: sqlite3.Connection) -> int:
    """Id of the newest row ever stored, of this table or of `events`, which take turns in one sequence."""
    return _scalar(connection, "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'inbox'), 0)")


def _scalar(connection: sqlite3.Connection, query: str) -> int:
    value: int = connection.execute(query).fetchone()[0]
    return value
