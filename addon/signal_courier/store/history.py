"""Both directions of conversations, as they are found in the tables `inbox` and `outbox`; and how far they were read.

A conversation is named by its keys as in `inbox.conversation`: UUID or number of a person (a conversation may have begun under one and gone
on under the other), internal id of a group. The outbox has groups by their external id.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

from signal_courier.store.database import Database
from signal_courier.store.outbox import messages_where
from signal_courier.store.rows import MessageRow, RecipientRow, marks

MOST_UNREAD: Final = 1000
"""Nobody counts further."""
_LOOK_BACK: Final = 20_000
"""Rows before the newest among which a message is looked for that was read elsewhere."""
_KINDS: Final = "('message', 'poll')"


class ReceivedRow(NamedTuple):
    """A frame that is part of a conversation."""

    id: int
    received_at: int
    own: int
    conversation: str
    frame: bytes


class SentRow(NamedTuple):
    """A message of the outbox."""

    message: MessageRow
    recipients: list[RecipientRow]


@dataclass(frozen=True, slots=True)
class Found[T]:
    """A part of one direction, the newest first."""

    rows: Sequence[T]
    last: int
    """Everything down to this position was looked at."""
    more: bool
    """Whether there may be something below."""


class Activity(NamedTuple):
    """How a conversation stands."""

    last_at: int
    """When its newest message was received or sent; ms since the epoch."""
    unread: int


type Matcher = Callable[[bytes], bool]


class HistoryTable:
    """Reads `inbox` and `outbox` by conversation; reads and writes `read_marks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def received(
        self, account: str, names: Sequence[str] | None, below: int, *, rows: int, own: bool | None, matches: Matcher | None, most: int
    ) -> Found[ReceivedRow]:
        """What came under ids lower than `below`: at most `rows` that match, among at most `most`.

        `names`: the keys of one conversation, `None` = all. `own`: only what the account sent on other devices, or only what it did not.
        """
        return await self._database.read(lambda connection: _received(connection, account, names, below, rows, own, matches, most))

    async def sent(
        self, account: str, names: Sequence[str] | None, below: int, *, rows: int, matches: Matcher | None, most: int
    ) -> Found[SentRow]:
        """The same for messages of the outbox with lower numbers; names as in `outbox_recipients.conversation`."""
        return await self._database.read(lambda connection: _sent(connection, account, names, below, rows, matches, most))

    async def changes(self, account: str, timestamps: Sequence[int]) -> tuple[list[ReceivedRow], list[SentRow]]:
        """What changes messages of these timestamps or answers them with a sign, in order."""
        return await self._database.read(lambda connection: _changes(connection, account, timestamps))

    async def activity(self, account: str) -> Mapping[str, Activity]:
        """How the conversations of an account stand, by each of their keys (groups by either id)."""
        return await self._database.read(lambda connection: _activity(connection, account))

    async def unread(self, account: str, names: Sequence[str], limit: int) -> list[ReceivedRow]:
        """What was received in a conversation and not read yet, the newest first."""
        return await self._database.read(lambda connection: _unread(connection, account, names, limit))

    async def named(self, account: str, timestamp: int) -> list[ReceivedRow]:
        """What was received lately and has this timestamp in it somewhere, the newest first."""
        return await self._database.read(
            lambda connection: [
                ReceivedRow(*row)
                for row in connection.execute(
                    "SELECT id, received_at, own, conversation, envelope FROM inbox INDEXED BY inbox_messages WHERE account = ? "
                    "AND conversation IS NOT NULL AND target IS NULL AND id > (SELECT coalesce(max(id), 0) FROM inbox) - ? "
                    "AND instr(envelope, ?) ORDER BY id DESC LIMIT 20",
                    (account, _LOOK_BACK, str(timestamp).encode()),
                )
            ]
        )

    async def sent_as(self, account: str, timestamp: int) -> list[SentRow]:
        """What the outbox has sent under this timestamp."""
        where = (
            "WHERE account = ? AND number IN (SELECT message FROM outbox_recipients WHERE timestamp = ? "
            "UNION ALL SELECT number FROM outbox WHERE timestamp = ?) ORDER BY number DESC LIMIT 5"
        )
        return await self._database.read(
            lambda connection: [SentRow(*found) for found in messages_where(connection, where, (account, timestamp, timestamp))]
        )

    async def mark_read(self, account: str, conversation: str, upto: int) -> None:
        """Note that a conversation was read up to this id; never takes anything back."""
        await self._database.write(lambda connection: _mark(connection, account, conversation, upto))

    async def mark_read_elsewhere(self, account: str, reads: Sequence[tuple[str, int]]) -> None:
        """The same where another device tells senders and timestamps of what was read; what is not found is passed over."""
        await self._database.write(lambda connection: _mark_elsewhere(connection, account, reads))

    async def last_received(self) -> Mapping[str, int]:
        """When each account received its newest message, in ms since the epoch."""
        return await self._database.read(
            lambda connection: dict(
                connection.execute(
                    """
                    WITH RECURSIVE accounts(name) AS (
                        SELECT min(account) FROM inbox
                        UNION ALL
                        SELECT (SELECT min(account) FROM inbox WHERE account > accounts.name) FROM accounts WHERE accounts.name IS NOT NULL
                    )
                    SELECT account, received_at FROM accounts JOIN inbox ON inbox.id = (
                        SELECT max(id) FROM inbox INDEXED BY inbox_messages
                        WHERE account = accounts.name AND conversation IS NOT NULL AND target IS NULL
                    )
                    """
                ).fetchall()
            )
        )

    async def sent_since(self, time: int) -> Mapping[str, tuple[int, int]]:
        """By account, of what was sent since that time (ms since the epoch): messages that reached somebody, and that did not reach all."""
        return await self._database.read(lambda connection: _sent_since(connection, time))


def _received(
    connection: sqlite3.Connection,
    account: str,
    names: Sequence[str] | None,
    below: int,
    rows: int,
    own: bool | None,
    matches: Matcher | None,
    most: int,
) -> Found[ReceivedRow]:
    columns = "SELECT id, received_at, own, conversation, envelope FROM inbox"
    mine = "" if own is None else f" AND own = {int(own)}"
    message = "conversation IS NOT NULL AND target IS NULL"
    if names is None:
        found: Iterable[tuple[int, int, int, str, bytes]] = connection.execute(
            f"{columns} INDEXED BY inbox_messages WHERE account = ? AND {message} AND id < ?{mine} ORDER BY id DESC LIMIT ?",
            (account, below, most),
        )
    else:
        parts = [
            connection.execute(
                f"{columns} INDEXED BY inbox_by_conversation WHERE account = ? AND conversation = ? AND {message} AND id < ?{mine} "
                "ORDER BY id DESC LIMIT ?",
                (account, name, below, most),
            )
            for name in dict.fromkeys(names)
        ]
        found = parts[0] if len(parts) == 1 else sorted(chain.from_iterable(parts), reverse=True)
    return _some((ReceivedRow(*row) for row in found), lambda row: (row.id, row.frame), below, rows, matches, most)


def _sent(
    connection: sqlite3.Connection,
    account: str,
    names: Sequence[str] | None,
    below: int,
    rows: int,
    matches: Matcher | None,
    most: int,
) -> Found[SentRow]:
    mine = f"o.account = ? AND o.target IS NULL AND o.kind IN {_KINDS}"
    if names is None:
        numbers = connection.execute(
            f"SELECT o.number, o.content FROM outbox o WHERE o.number < ? AND {mine} ORDER BY o.number DESC LIMIT ?",  # noqa: S608
            (below, account, most),
        ).fetchall()
    else:
        together: dict[int, bytes] = {}
        for name in dict.fromkeys(names):
            together |= dict(
                connection.execute(
                    "SELECT o.number, o.content FROM outbox_recipients r JOIN outbox o ON o.number = r.message "  # noqa: S608
                    f"WHERE r.conversation = ? AND r.message < ? AND {mine} ORDER BY r.message DESC LIMIT ?",
                    (name, below, account, most),
                ).fetchall()
            )
            for (addressee,) in connection.execute("SELECT id FROM outbox_addressees WHERE conversation = ?", (name,)).fetchall():
                together |= dict(
                    connection.execute(
                        f"SELECT o.number, o.content FROM outbox o WHERE o.addressee = ? AND o.number < ? AND {mine} "  # noqa: S608
                        "ORDER BY o.number DESC LIMIT ?",
                        (addressee, below, account, most),
                    ).fetchall()
                )
        numbers = sorted(together.items(), reverse=True)
    found = _some(numbers, lambda row: row, below, rows, matches, most)
    chosen = [number for number, _ in found.rows]
    by_number = {
        message.number: SentRow(message, recipients)
        for message, recipients in (messages_where(connection, f"WHERE number IN ({marks(chosen)})", chosen) if chosen else ())
    }
    return Found([by_number[number] for number in chosen], found.last, found.more)


def _some[T](
    found: Iterable[T], place: Callable[[T], tuple[int, bytes]], below: int, rows: int, matches: Matcher | None, most: int
) -> Found[T]:
    """As many as are wanted, and how far that is."""
    chosen: list[T] = []
    last = below
    for seen, row in enumerate(found, start=1):
        last, text = place(row)
        if matches is None or matches(text):
            chosen.append(row)
            if len(chosen) >= rows:
                return Found(chosen, last, more=True)
        if seen >= most:
            return Found(chosen, last, more=True)
    return Found(chosen, last, more=False)


def _changes(connection: sqlite3.Connection, account: str, timestamps: Sequence[int]) -> tuple[list[ReceivedRow], list[SentRow]]:
    if not timestamps:
        return [], []
    where = f"account = ? AND target IN ({marks(timestamps)})"
    received = connection.execute(
        "SELECT id, received_at, own, conversation, envelope FROM inbox INDEXED BY inbox_by_target "  # noqa: S608
        f"WHERE {where} AND target IS NOT NULL ORDER BY id LIMIT 5000",
        (account, *timestamps),
    ).fetchall()
    sent = messages_where(connection, f"WHERE {where} ORDER BY number LIMIT 5000", (account, *timestamps))
    return [ReceivedRow(*row) for row in received], [SentRow(*row) for row in sent]


def _activity(connection: sqlite3.Connection, account: str) -> dict[str, Activity]:
    """Each name is found by stepping over all of the one before: what it costs grows with conversations, not with messages."""
    received = connection.execute(
        """
        WITH RECURSIVE places(name) AS (
            SELECT min(conversation) FROM inbox INDEXED BY inbox_by_conversation
            WHERE account = :account AND conversation IS NOT NULL AND target IS NULL
            UNION ALL
            SELECT (
                SELECT min(conversation) FROM inbox INDEXED BY inbox_by_conversation
                WHERE account = :account AND conversation > places.name AND conversation IS NOT NULL AND target IS NULL
            ) FROM places WHERE places.name IS NOT NULL
        ), latest AS (
            SELECT name, (
                SELECT max(id) FROM inbox INDEXED BY inbox_by_conversation
                WHERE account = :account AND conversation = name AND conversation IS NOT NULL AND target IS NULL
            ) AS id, coalesce((SELECT upto FROM read_marks WHERE account = :account AND conversation = name), 0) AS upto
            FROM places WHERE name IS NOT NULL
        )
        SELECT name, (SELECT received_at FROM inbox WHERE inbox.id = latest.id), CASE WHEN latest.id <= upto THEN 0 ELSE (
            SELECT count(*) FROM (
                SELECT 1 FROM inbox INDEXED BY inbox_by_conversation
                WHERE account = :account AND conversation = name AND conversation IS NOT NULL AND target IS NULL
                AND inbox.id > upto AND NOT own LIMIT :most
            )
        ) END
        FROM latest
        """,
        {"account": account, "most": MOST_UNREAD},
    ).fetchall()
    sent = connection.execute(
        """
        WITH RECURSIVE places(name) AS (
            SELECT min(conversation) FROM outbox_recipients WHERE conversation IS NOT NULL
            UNION ALL
            SELECT (SELECT min(conversation) FROM outbox_recipients WHERE conversation > places.name AND conversation IS NOT NULL)
            FROM places WHERE places.name IS NOT NULL
        )
        SELECT name, (
            SELECT created_at FROM outbox_recipients JOIN outbox ON outbox.number = message
            WHERE conversation = name AND account = ? AND target IS NULL AND kind IN ('message', 'poll') ORDER BY message DESC LIMIT 1
        ) FROM places WHERE name IS NOT NULL
        UNION ALL
        SELECT conversation, (
            SELECT created_at FROM outbox
            WHERE addressee = one.id AND account = ? AND target IS NULL AND kind IN ('message', 'poll') ORDER BY number DESC LIMIT 1
        ) FROM outbox_addressees AS one
        """,
        (account, account),
    ).fetchall()
    found = {name: Activity(last_at, unread) for name, last_at, unread in received}
    for name, last_at in sent:
        if last_at is not None:
            known = found.get(name, Activity(0, 0))
            found[name] = Activity(max(known.last_at, last_at), known.unread)
    return found


def _unread(connection: sqlite3.Connection, account: str, names: Sequence[str], limit: int) -> list[ReceivedRow]:
    rows: list[ReceivedRow] = []
    for name in dict.fromkeys(names):
        rows += [
            ReceivedRow(*row)
            for row in connection.execute(
                "SELECT id, received_at, own, conversation, envelope FROM inbox INDEXED BY inbox_by_conversation "
                "WHERE account = :account AND conversation = :name AND conversation IS NOT NULL AND target IS NULL AND NOT own "
                "AND id > coalesce((SELECT upto FROM read_marks WHERE account = :account AND conversation = :name), 0) "
                "ORDER BY id DESC LIMIT :limit",
                {"account": account, "name": name, "limit": limit},
            )
        ]
    return sorted(rows, reverse=True)[:limit]


def _mark(connection: sqlite3.Connection, account: str, conversation: str, upto: int) -> None:
    connection.execute(
        "INSERT INTO read_marks VALUES (?, ?, ?) ON CONFLICT (account, conversation) DO UPDATE SET upto = max(upto, excluded.upto)",
        (account, conversation, upto),
    )


def _mark_elsewhere(connection: sqlite3.Connection, account: str, reads: Sequence[tuple[str, int]]) -> None:
    floor = connection.execute("SELECT coalesce(max(id), 0) FROM inbox").fetchone()[0] - _LOOK_BACK
    for sender, timestamp in reads:
        row = connection.execute(
            "SELECT id, conversation FROM inbox INDEXED BY inbox_messages WHERE account = ? AND conversation IS NOT NULL "
            "AND target IS NULL AND id > ? AND instr(envelope, ?) AND instr(envelope, ?) ORDER BY id DESC LIMIT 1",
            (account, floor, str(timestamp).encode(), sender.encode()),
        ).fetchone()
        if row is not None:
            _mark(connection, account, row[1], row[0])


def _sent_since(connection: sqlite3.Connection, time: int) -> dict[str, tuple[int, int]]:
    rows = connection.execute(
        """
        SELECT account, count(*) FILTER (WHERE reached), count(*) FILTER (WHERE missed) FROM (
            SELECT account, addressee IS NOT NULL OR EXISTS (
                SELECT 1 FROM outbox_recipients WHERE message = outbox.number AND state IN ('sent', 'delivered', 'read')
            ) AS reached, (
                SELECT 1 FROM outbox_recipients WHERE message = outbox.number AND state IN ('failed', 'expired', 'unknown') LIMIT 1
            ) AS missed
            FROM outbox WHERE kind IN ('message', 'edit', 'poll', 'story') AND number > coalesce(
                (SELECT number FROM outbox WHERE created_at < ? ORDER BY number DESC LIMIT 1), 0
            )
        ) GROUP BY account
        """,
        (time,),
    ).fetchall()
    return {account: (reached, missed) for account, reached, missed in rows}
