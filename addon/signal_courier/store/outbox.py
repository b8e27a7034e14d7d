"""The tables of what is sent: messages, what became of them for each recipient, and the keys under which they were asked for.

A row is written before signal-cli hears of a message that must not be lost, and again when it has answered. What was sent while its caller
waited is written afterwards, many at a time, by few statements (see `store.inbox` why).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Final, NamedTuple

from signal_courier.store.database import Database
from signal_courier.store.plain import Plain, PlainRow, forget_unused, move_on, recipients_of
from signal_courier.store.rows import MessageRow, RecipientRow, insert, marks

_PURGE_SLICE: Final = 500
_COLUMNS: Final = ", ".join((*MessageRow._fields, *PlainRow._fields))


class KeyRow(NamedTuple):
    """A key, and what was answered under it."""

    fingerprint: bytes
    message: int
    created_at: int
    status: int | None
    headers: bytes | None
    body: bytes | None


class NewKey(NamedTuple):
    """A key to remember together with its message."""

    caller: str
    key: str
    fingerprint: bytes


class Confirmation(NamedTuple):
    """What a receipt says."""

    account: str
    uuid: str | None
    number: str | None
    state: str
    """delivered or read."""
    timestamp: int


class Confirmed(NamedTuple):
    """What became of confirmations."""

    changed: Sequence[int]
    """Numbers of the messages that moved on."""
    unmatched: Sequence[Confirmation]
    """Those whose timestamp no message has."""


_LOWER = {"delivered": ("unknown", "sent"), "read": ("unknown", "sent", "delivered")}


class OutboxTable:
    """Reads and writes the tables `outbox`, `outbox_recipients` and `outbox_keys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last_number(self) -> int:
        """The highest number that a message ever had."""
        return await self._database.read(
            lambda connection: int(
                connection.execute("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0)").fetchone()[0]
            )
        )

    async def insert(
        self,
        messages: Sequence[MessageRow],
        recipients: Sequence[RecipientRow],
        key: NewKey | None = None,
        *,
        plain: Plain | None = None,
        now: int = 0,
        deadline: float | None = 30.0,
    ) -> None:
        """Commit new messages with their recipients, and the key of the only one; beside them `plain` ones."""

        def work(connection: sqlite3.Connection) -> None:
            if plain is not None:
                plain.insert(connection)
            insert(connection, "outbox", MessageRow, messages)
            insert(connection, "outbox_recipients", RecipientRow, recipients)
            if key is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO outbox_keys (caller, key, fingerprint, message, created_at) VALUES (?, ?, ?, ?, ?)",
                    (*key, messages[0].number, now),
                )

        await self._database.write(work, deadline=deadline)

    async def update(
        self,
        number: int,
        recipients: Sequence[RecipientRow],
        *,
        attempts: int,
        is_open: bool,
        outcome: bytes | None = None,
        forget_key: bool = False,
        deadline: float | None = None,
    ) -> None:
        """Commit what has changed of a message. Without a deadline it waits as long as the database is open."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE outbox SET attempts = ?, is_open = ?, outcome = coalesce(?, outcome) WHERE number = ?",
                (attempts, is_open, outcome, number),
            )
            insert(connection, "outbox_recipients", RecipientRow, recipients, verb="INSERT OR REPLACE")
            if forget_key:
                connection.execute("DELETE FROM outbox_keys WHERE message = ?", (number,))

        await self._database.write(work, deadline=deadline)

    async def prolong(self, number: int, expires_at: int) -> None:
        """Give a message more time."""
        await self._database.write(
            lambda connection: connection.execute("UPDATE outbox SET expires_at = ? WHERE number = ?", (expires_at, number)).rowcount
        )

    async def settle(self, recipients: Sequence[RecipientRow]) -> None:
        """Store what became known of recipients whose messages are closed."""
        await self._database.write(
            lambda connection: insert(connection, "outbox_recipients", RecipientRow, recipients, verb="INSERT OR REPLACE"),
            deadline=None,
        )

    async def confirm(self, confirmations: Sequence[Confirmation], now: int) -> Confirmed:
        """Move recipients on as receipts say; never back."""
        return await self._database.write(lambda connection: _confirm(connection, confirmations, now))

    async def open_messages(self) -> list[tuple[MessageRow, list[RecipientRow]]]:
        """Every message with which the outbox is not done, in order."""
        return await self._database.read(lambda connection: messages_where(connection, "WHERE is_open ORDER BY number", ()))

    async def get(self, numbers: Sequence[int]) -> list[tuple[MessageRow, list[RecipientRow]]]:
        """Those of the messages that exist, in order."""
        return await self._database.read(
            lambda connection: messages_where(connection, f"WHERE number IN ({marks(numbers)}) ORDER BY number", numbers)
        )

    async def newest(
        self, *, account: str | None, conversations: Sequence[str], before: int | None, limit: int, open_only: bool
    ) -> list[tuple[MessageRow, list[RecipientRow]]]:
        """The newest messages first: of an account, with any of these conversations (none: all), with lower numbers than `before`."""
        conditions, values = ["number < ?"], [before if before is not None else 1 << 62]
        more: list[object] = []
        if account is not None:
            conditions.append("account = ?")
            more.append(account)
        if open_only:
            conditions.append("is_open")
        if conversations:
            found = await self._database.read(lambda connection: _also_called(connection, conversations))
            conditions.append(
                f"number IN (SELECT message FROM outbox_recipients WHERE conversation IN ({marks(found)}) UNION ALL "  # noqa: S608
                f"SELECT number FROM outbox WHERE addressee IN (SELECT id FROM outbox_addressees WHERE conversation IN ({marks(found)})))"
            )
            more += [*found, *found]
        where = f"WHERE {' AND '.join(conditions)} ORDER BY number DESC LIMIT ?"
        return await self._database.read(lambda connection: messages_where(connection, where, (*values, *more, limit)))

    async def uuid_of(self, recipient: str) -> tuple[str | None, str | None]:
        """Uuid and number of a recipient, as an earlier send has told them."""

        def work(connection: sqlite3.Connection) -> tuple[str | None, str | None]:
            found = max(
                (
                    *((row.message, row.uuid, row.number) for row in _latest(connection) if row.uuid and row.recipient == recipient),
                    *connection.execute(
                        "SELECT coalesce((SELECT max(number) FROM outbox WHERE addressee = id), 0), uuid, one.number "
                        "FROM outbox_addressees AS one WHERE recipient = ? AND uuid IS NOT NULL",
                        (recipient,),
                    ),
                ),
                key=lambda row: row[0],
                default=(0, None, None),
            )
            return found[1:]

        return await self._database.read(work)

    async def doubts(self, since: int) -> list[tuple[str, RecipientRow]]:
        """Recipients (with the account) of whom it is unknown whether they were reached by an attempt after that time."""

        def work(connection: sqlite3.Connection) -> list[tuple[str, RecipientRow]]:
            rows = connection.execute(
                "SELECT outbox.account, outbox_recipients.* FROM outbox_recipients JOIN outbox ON outbox.number = message "
                "WHERE outbox_recipients.state = 'unknown' AND since > ?",
                (since,),
            ).fetchall()
            return [(row[0], RecipientRow(*row[1:])) for row in rows]

        return await self._database.read(work)

    async def key(self, caller: str, key: str, since: int) -> KeyRow | None:
        """What is remembered under a key that is not older."""

        def work(connection: sqlite3.Connection) -> KeyRow | None:
            found = connection.execute(
                "SELECT fingerprint, message, created_at, status, headers, body FROM outbox_keys "
                "WHERE caller = ? AND key = ? AND created_at > ?",
                (caller, key, since),
            ).fetchone()
            return KeyRow(*found) if found is not None else None

        return await self._database.read(work)

    async def answer_key(self, caller: str, key: str, status: int, headers: bytes, body: bytes) -> None:
        """Remember what was answered."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE outbox_keys SET status = ?, headers = ?, body = ? WHERE caller = ? AND key = ?",
                    (status, headers, body, caller, key),
                ).rowcount
            )
        )

    async def purge(self, before: int, keep: int, keys_before: int) -> int:
        """Delete one slice of the oldest finished messages: older than `before`, or more than `keep`; and keys. Gives how many messages."""
        return await self._database.write(lambda connection: _purge(connection, before, keep, keys_before))


def messages_where(connection: sqlite3.Connection, where: str, values: Iterable[object]) -> list[tuple[MessageRow, list[RecipientRow]]]:
    """The messages that a condition of ours chooses, with their recipients."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM outbox {where}", tuple(values)).fetchall()  # noqa: S608 (ours)
    width = len(MessageRow._fields)
    found: dict[int, tuple[MessageRow, list[RecipientRow]]] = {row[0]: (MessageRow(*row[:width]), []) for row in rows}
    plain = {row[0]: (found[row[0]][0].created_at, PlainRow(*row[width:])) for row in rows if row[width] is not None}
    for chunk in batched(plain.items(), 500, strict=False):
        for one in recipients_of(connection, dict(chunk)):
            found[one.message][1].append(one)
    for others in batched((number for number in found if number not in plain), 500, strict=False):
        recipients = connection.execute(
            f"SELECT * FROM outbox_recipients WHERE message IN ({marks(others)}) ORDER BY message, position",  # noqa: S608
            others,
        )
        for row in recipients:
            found[row[0]][1].append(RecipientRow(*row))
    return list(found.values())


def _also_called(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """These names of conversations, and those under which the same people are found since more is known of them."""
    wanted = set(names)
    found = {row.conversation for row in _latest(connection) if row.conversation and wanted & {row.recipient, row.number}}
    of_them = marks(names)
    found |= {
        row[0]
        for row in connection.execute(
            f"SELECT conversation FROM outbox_addressees WHERE recipient IN ({of_them}) OR number IN ({of_them})",  # noqa: S608
            (*names, *names),
        )
    }
    return list(wanted | found)


def _latest(connection: sqlite3.Connection) -> list[RecipientRow]:
    """The newest row of each conversation, found by stepping from one name to the next: as many steps as there are conversations."""
    rows = connection.execute(
        """
        WITH RECURSIVE places(name) AS (
            SELECT min(conversation) FROM outbox_recipients WHERE conversation IS NOT NULL
            UNION ALL
            SELECT (SELECT min(conversation) FROM outbox_recipients WHERE conversation > places.name AND conversation IS NOT NULL)
            FROM places WHERE places.name IS NOT NULL
        )
        SELECT outbox_recipients.* FROM places JOIN outbox_recipients ON outbox_recipients.conversation = places.name
        WHERE message = (SELECT max(message) FROM outbox_recipients WHERE conversation = places.name)
        """
    ).fetchall()
    return [RecipientRow(*row) for row in rows]


def _confirm(connection: sqlite3.Connection, confirmations: Sequence[Confirmation], now: int) -> Confirmed:
    changed: dict[int, None] = {}
    unmatched: list[Confirmation] = []
    for one in confirmations:
        lower = _LOWER[one.state]
        rows = connection.execute(
            f"""
            UPDATE outbox_recipients SET state = ?, reason = NULL, changed_at = ?
            WHERE timestamp = ? AND state IN ({marks(lower)}) AND (uuid = ? OR number = ? OR recipient IN (?, ?))
            AND EXISTS (SELECT 1 FROM outbox WHERE outbox.number = message AND account = ?)
            RETURNING message
            """,  # noqa: S608 (question marks)
            (one.state, now, one.timestamp, *lower, one.uuid, one.number, one.uuid, one.number, one.account),
        ).fetchall()
        moved = [row[0] for row in rows]
        moved += move_on(connection, one.account, one.timestamp, (one.uuid, one.number), one.state, lower, now)
        if moved:
            changed |= dict.fromkeys(moved)
        elif not _has_timestamp(connection, one.timestamp):
            unmatched.append(one)
    return Confirmed(tuple(changed), unmatched)


def _has_timestamp(connection: sqlite3.Connection, timestamp: int) -> bool:
    return any(
        connection.execute(f"SELECT 1 FROM {table} WHERE timestamp = ? LIMIT 1", (timestamp,)).fetchone() is not None  # noqa: S608 (ours)
        for table in ("outbox", "outbox_recipients")
    )


def _purge(connection: sqlite3.Connection, before: int, keep: int, keys_before: int) -> int:
    connection.execute("DELETE FROM outbox_keys WHERE created_at < ?", (keys_before,))
    surplus = int(connection.execute("SELECT count(*) FROM outbox").fetchone()[0]) - keep
    numbers = [
        row[0]
        for at, row in enumerate(
            connection.execute(
                "SELECT number, created_at FROM outbox WHERE NOT is_open ORDER BY number LIMIT ?", (_PURGE_SLICE,)
            ).fetchall()
        )
        if row[1] < before or at < surplus
    ]
    for chunk in batched(numbers, 500, strict=False):
        connection.execute(f"DELETE FROM outbox_recipients WHERE message IN ({marks(chunk)})", chunk)  # noqa: S608
        connection.execute(f"DELETE FROM outbox WHERE number IN ({marks(chunk)})", chunk)  # noqa: S608
    if not numbers:
        forget_unused(connection)
    return len(numbers)
