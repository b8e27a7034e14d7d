"""Messages that Signal has taken for their only recipient while the caller waited: what is nearly always stored.

Each is one row: `outbox` itself says what became of it, and names the recipient by a row of `outbox_addressees`, which all messages to the
same one share. Messages of any other kind have rows of `outbox_recipients`.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from signal_courier.store.rows import RecipientRow, insert_flat, marks

_INSERT: Final = (
    "INSERT INTO outbox (number, account, kind, content, created_at, target, addressee, timestamp, resend, attempts, is_open) VALUES"
)
_ROW: Final = "(?,?,?,?,?,?,?,?,0,1,0)"
_WIDTH: Final = 8
_ACCOUNT, _ADDRESSEE, _TIMESTAMP = 1, 6, 7
"""Where these stand among the values of a row."""

type Addressee = tuple[str, str | None, str | None]
"""Somebody as messages were addressed; the UUID and the number that signal-cli then told of them."""


class Plain:
    """Many of these messages, waiting to be stored.

    They wait as one list of the values that SQLite is to get: objects of their own, made in one thread and let go in another, would cost
    every request more than the writing does.
    """

    __slots__ = ("_addressees", "_values")

    def __init__(self) -> None:
        self._values: list[object] = []
        self._addressees: dict[Addressee, int] = {}
        """Each with its place among them, which the values have instead of its id."""

    def add(
        self, number: int, account: str, kind: str, content: bytes, now: int, target: int | None, addressee: Addressee, timestamp: int
    ) -> int:
        """Take one; fields as in `MessageRow` and `RecipientRow`. Gives the bytes of its content."""
        known = self._addressees
        at = known.get(addressee)
        if at is None:
            at = known[addressee] = len(known)
        self._values += (number, account, kind, content, now, target, at, timestamp)
        return len(content)

    def names(self) -> Iterator[tuple[str, int]]:
        """Account and timestamp of each."""
        accounts, timestamps = self._values[_ACCOUNT::_WIDTH], self._values[_TIMESTAMP::_WIDTH]
        return zip(accounts, timestamps, strict=True)  # type: ignore[arg-type]  # texts and numbers, as `add` put them there

    def put_before(self, later: "Plain") -> None:
        """Take those in that came later."""
        known = self._addressees
        places = [known.setdefault(addressee, len(known)) for addressee in later._addressees]  # noqa: SLF001  # of the same class
        values = later._values.copy()  # noqa: SLF001
        values[_ADDRESSEE::_WIDTH] = [places[at] for at in values[_ADDRESSEE::_WIDTH]]  # type: ignore[call-overload]  # as `add` put them there
        self._values += values

    def insert(self, connection: sqlite3.Connection) -> None:
        """Store them, within a transaction."""
        ids = [_id_of(connection, addressee) for addressee in self._addressees]
        values = self._values.copy()
        values[_ADDRESSEE::_WIDTH] = [ids[at] for at in values[_ADDRESSEE::_WIDTH]]  # type: ignore[call-overload]  # as `add` put them there
        insert_flat(connection, _INSERT, _ROW, _WIDTH, values)


def _id_of(connection: sqlite3.Connection, addressee: Addressee) -> int:
    found = connection.execute("SELECT id FROM outbox_addressees WHERE recipient = ? AND uuid IS ? AND number IS ?", addressee).fetchone()
    if found is None:
        found = connection.execute(
            "INSERT INTO outbox_addressees (recipient, uuid, number, conversation) VALUES (?, ?, ?, ?) RETURNING id",
            (*addressee, addressee[1] or addressee[0]),
        ).fetchone()
    return int(found[0])


class PlainRow(NamedTuple):
    """What a row of `outbox` says of its only recipient."""

    addressee: int
    timestamp: int
    state: str | None
    """`None`: sent."""
    changed_at: int | None
    """`None`: when it was sent."""


def recipients_of(connection: sqlite3.Connection, rows: Mapping[int, tuple[int, PlainRow]]) -> Iterator[RecipientRow]:
    """The recipients of these messages, each of which (by its number) is given with the time at which it was made."""
    ids = {row.addressee for _, row in rows.values()}
    people: dict[int, tuple[str, str, str | None, str | None]] = {
        found[0]: found[1:]
        for found in connection.execute(
            f"SELECT id, recipient, conversation, uuid, number FROM outbox_addressees WHERE id IN ({marks(ids)})",  # noqa: S608
            tuple(ids),
        )
    }
    for message, (created_at, row) in rows.items():
        recipient, conversation, uuid, number = people[row.addressee]
        yield RecipientRow(
            message, 0, recipient, conversation, None, uuid, number, row.state or "sent", None, row.timestamp,
            row.changed_at or created_at, None, created_at, None,
        )  # fmt: skip


def move_on(
    connection: sqlite3.Connection, account: str, timestamp: int, names: Iterable[str | None], state: str, lower: Sequence[str], now: int
) -> list[int]:
    """Move the message of that timestamp to one of these people on, from one of the lower states; gives its number."""
    wanted = tuple(name for name in names if name is not None)
    of_them = marks(wanted)
    return [
        row[0]
        for row in connection.execute(
            f"""
            UPDATE outbox SET state = ?, changed_at = ?
            WHERE timestamp = ? AND account = ? AND coalesce(state, 'sent') IN ({marks(lower)}) AND EXISTS (
                SELECT 1 FROM outbox_addressees AS one
                WHERE one.id = addressee AND (one.uuid IN ({of_them}) OR one.number IN ({of_them}) OR one.recipient IN ({of_them}))
            )
            RETURNING number
            """,  # noqa: S608 (question marks)
            (state, now, timestamp, account, *lower, *wanted, *wanted, *wanted),
        ).fetchall()
    ]


def forget_unused(connection: sqlite3.Connection) -> None:
    """Delete addressees of whom no message tells any more."""
    connection.execute(
        "DELETE FROM outbox_addressees WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.addressee = outbox_addressees.id)"
    )
