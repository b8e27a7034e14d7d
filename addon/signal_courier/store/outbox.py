"""The tables of what is sent: messages, what became of them for each recipient, and the keys under which they were asked for.

A row is written before signal-cli hears of a message that must not be lost, and again when it has answered. What was sent while its caller
waited is written afterwards, many at a time, by few statements (see `store.inbox` why).
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import batched
from typing import Final, NamedTuple

import msgspec

from signal_courier.store.database import Database

_CHUNKS = (128, 16, 4, 1)
"""Rows of one INSERT, largest first; a few sizes only, so that the statements stay prepared."""
_PURGE_SLICE = 500


class MessageRow(NamedTuple):
    """One message."""

    number: int
    account: str
    kind: str
    content: bytes
    """JSON of what is sent."""
    created_at: int
    """ms since the epoch, as all times."""
    expires_at: int | None
    """`None`: its caller waited for it, and it is not tried again."""
    resend: bool
    attempts: int
    is_open: bool
    outcome: bytes | None
    """JSON of what its caller was told."""
    target: int | None = None
    """Timestamp of the message that it changes (edit, deletion, reaction, vote); `None` for a message."""


class RecipientRow(NamedTuple):
    """What became of a message for one recipient."""

    message: int
    position: int
    recipient: str
    conversation: str | None
    """What its history is found by; `None` for a member of a group."""
    via: str | None
    """The group through which this person gets it."""
    uuid: str | None
    number: str | None
    state: str
    reason: str | None
    timestamp: int | None
    changed_at: int
    tokens: str | None
    """Challenge tokens, with spaces between."""
    since: int | None
    """When the last attempt began."""
    until: int | None
    """When it is tried again by itself."""


type _PlainRow = tuple[int, str, str, msgspec.Raw, int, int | None, str, str | None, str | None, int]

_encoder = msgspec.json.Encoder()
_decode_rows = msgspec.json.Decoder(_PlainRow).decode_lines
_TOGETHER: Final = _CHUNKS[0]


class Plain:
    """Many messages that Signal has taken for their only recipient while the caller waited: what is nearly always stored.

    They wait as lines of JSON, not as objects: ten objects a message, made in one thread and let go in another, would cost every request
    more than the writing does.
    """

    def __init__(self) -> None:
        self._lines: list[bytearray] = []
        self._open: bytearray | None = None
        self.count = 0
        self.size = 0
        """Bytes."""

    def add(
        self,
        number: int,
        account: str,
        kind: str,
        content: msgspec.Struct | msgspec.Raw,
        now: int,
        target: int | None,
        recipient: str,
        uuid: str | None,
        phone: str | None,
        timestamp: int,
    ) -> None:
        """Take one; fields as in `MessageRow` and `RecipientRow`, the content as what its JSON is made of."""
        lines = self._open
        if lines is None:
            lines = self._open = bytearray()
            self._lines.append(lines)
        before = len(lines)
        try:
            _encoder.encode_into((number, account, kind, content, now, target, recipient, uuid, phone, timestamp), lines, -1)
        except BaseException:
            del lines[before:]
            raise
        lines += b"\n"
        self.size += len(lines) - before
        self.count += 1
        if not self.count % _TOGETHER:
            self._open = None

    def names(self) -> Iterator[tuple[str, int]]:
        """Account and timestamp of each."""
        for lines in self._lines:
            yield from ((row[1], row[9]) for row in _decode_rows(lines))

    def put_before(self, later: "Plain") -> None:
        """Take those in that came later."""
        self._lines += later._lines  # noqa: SLF001  # of the same class
        self._open = None
        self.count += later.count
        self.size += later.size

    def insert(self, connection: sqlite3.Connection) -> None:
        """Store them, within a transaction."""
        for lines in self._lines:
            rows = _decode_rows(lines)
            _insert_flat(
                connection,
                "INSERT INTO outbox (number, account, kind, content, created_at, resend, attempts, is_open, target) VALUES",
                "(?,?,?,?,?,0,1,0,?)",
                6,
                [value for row in rows for value in (row[0], row[1], row[2], bytes(row[3]), row[4], row[5])],
            )
            _insert_flat(
                connection,
                "INSERT INTO outbox_recipients "
                "(message, position, recipient, conversation, uuid, number, state, timestamp, changed_at, since) VALUES",
                "(?,0,?,?,?,?,'sent',?,?,?)",
                8,
                [value for row in rows for value in (row[0], row[6], row[7] or row[6], row[7], row[8], row[9], row[4], row[4])],
            )


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
            _insert(connection, "outbox", len(MessageRow._fields), messages)
            _insert(connection, "outbox_recipients", len(RecipientRow._fields), recipients)
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
            _insert(connection, "outbox_recipients", len(RecipientRow._fields), recipients, verb="INSERT OR REPLACE")
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
            lambda connection: _insert(connection, "outbox_recipients", len(RecipientRow._fields), recipients, verb="INSERT OR REPLACE"),
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
        marks = ",".join("?" * len(numbers))
        return await self._database.read(
            lambda connection: messages_where(connection, f"WHERE number IN ({marks}) ORDER BY number", numbers)
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
            marks = ",".join("?" * len(found))
            conditions.append(f"number IN (SELECT message FROM outbox_recipients WHERE conversation IN ({marks}))")  # noqa: S608
            more += found
        where = f"WHERE {' AND '.join(conditions)} ORDER BY number DESC LIMIT ?"
        return await self._database.read(lambda connection: messages_where(connection, where, (*values, *more, limit)))

    async def uuid_of(self, recipient: str) -> tuple[str | None, str | None]:
        """Uuid and number of a recipient, as an earlier send has told them."""

        def work(connection: sqlite3.Connection) -> tuple[str | None, str | None]:
            return next(((row.uuid, row.number) for row in _latest(connection) if row.uuid and row.recipient == recipient), (None, None))

        return await self._database.read(work)

    async def doubts(self, since: int) -> list[tuple[str, RecipientRow]]:
        """Recipients (with the account) of whom it is unknown whether they were reached by an attempt after that time."""

        def work(connection: sqlite3.Connection) -> list[tuple[str, RecipientRow]]:
            rows = connection.execute(
                "SELECT outbox.account, outbox_recipients.* FROM outbox_recipients JOIN outbox ON outbox.number = message "
                "WHERE state = 'unknown' AND since > ?",
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


def _insert(connection: sqlite3.Connection, table: str, width: int, rows: Sequence[tuple[object, ...]], verb: str = "INSERT") -> None:
    if rows:
        values = [value for row in rows for value in row]
        _insert_flat(connection, f"{verb} INTO {table} VALUES", f"({','.join('?' * width)})", width, values)


def _insert_flat(connection: sqlite3.Connection, statement: str, mark: str, width: int, values: Sequence[object]) -> None:
    """`width`: how many of the values make a row."""
    start = 0
    for size in _CHUNKS:
        step = size * width
        while len(values) - start >= step:
            connection.execute(_repeated(statement, mark, size), values[start : start + step])
            start += step


@cache
def _repeated(statement: str, mark: str, times: int) -> str:
    return f"{statement} {','.join([mark] * times)}"


def messages_where(connection: sqlite3.Connection, where: str, values: Iterable[object]) -> list[tuple[MessageRow, list[RecipientRow]]]:
    """The messages that a condition of ours chooses, with their recipients."""
    rows = connection.execute(f"SELECT * FROM outbox {where}", tuple(values)).fetchall()  # noqa: S608 (ours)
    found: dict[int, tuple[MessageRow, list[RecipientRow]]] = {row[0]: (MessageRow(*row), []) for row in rows}
    for chunk in batched(found, 500, strict=False):
        recipients = connection.execute(
            f"SELECT * FROM outbox_recipients WHERE message IN ({','.join('?' * len(chunk))}) ORDER BY message, position",  # noqa: S608
            chunk,
        )
        for row in recipients:
            found[row[0]][1].append(RecipientRow(*row))
    return list(found.values())


def _also_called(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """These names of conversations, and those under which the same people are found since more is known of them."""
    wanted = set(names)
    return list(wanted | {row.conversation for row in _latest(connection) if row.conversation and wanted & {row.recipient, row.number}})


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
            WHERE timestamp = ? AND state IN ({",".join("?" * len(lower))}) AND (uuid = ? OR number = ? OR recipient IN (?, ?))
            AND EXISTS (SELECT 1 FROM outbox WHERE outbox.number = message AND account = ?)
            RETURNING message
            """,  # noqa: S608 (question marks)
            (one.state, now, one.timestamp, *lower, one.uuid, one.number, one.uuid, one.number, one.account),
        ).fetchall()
        if rows:
            changed |= dict.fromkeys(row[0] for row in rows)
        elif connection.execute("SELECT 1 FROM outbox_recipients WHERE timestamp = ? LIMIT 1", (one.timestamp,)).fetchone() is None:
            unmatched.append(one)
    return Confirmed(tuple(changed), unmatched)


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
        marks = ",".join("?" * len(chunk))
        connection.execute(f"DELETE FROM outbox_recipients WHERE message IN ({marks})", chunk)  # noqa: S608
        connection.execute(f"DELETE FROM outbox WHERE number IN ({marks})", chunk)  # noqa: S608
    return len(numbers)
