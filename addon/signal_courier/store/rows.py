"""A message in the tables `outbox` and `outbox_recipients`; and how many rows are written by few statements (see `store.inbox` why)."""

import sqlite3
from collections.abc import Collection, Sequence
from functools import cache
from typing import NamedTuple

_CHUNKS = (128, 16, 4, 1)
"""Rows of one INSERT, largest first; a few sizes only, so that the statements stay prepared."""


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


def insert[R: (MessageRow, RecipientRow)](
    connection: sqlite3.Connection, table: str, kind: type[R], rows: Sequence[R], verb: str = "INSERT"
) -> None:
    """Write rows of this kind."""
    if rows:
        width = len(kind._fields)
        values = [value for row in rows for value in row]
        insert_flat(connection, f"{verb} INTO {table} ({', '.join(kind._fields)}) VALUES", f"({','.join('?' * width)})", width, values)


def insert_flat(connection: sqlite3.Connection, statement: str, mark: str, width: int, values: Sequence[object]) -> None:
    """Write rows whose values stand one after another, `width` of them a row; `mark` is what stands for a row."""
    start = 0
    for size in _CHUNKS:
        step = size * width
        while len(values) - start >= step:
            connection.execute(_repeated(statement, mark, size), values[start : start + step])
            start += step


@cache
def _repeated(statement: str, mark: str, times: int) -> str:
    return f"{statement} {','.join([mark] * times)}"


def marks(values: Collection[object]) -> str:
    """A question mark for each."""
    return ",".join("?" * len(values))
