"""How far each named consumer has read the inbox."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from signal_courier.store.database import Database

EVERY_ACCOUNT = ""
"""Stands for the account of a consumer that reads all of them."""


class Cursor(NamedTuple):
    """A consumer's place in the inbox of one account."""

    name: str
    account: str
    position: int
    """Id of the last envelope that was delivered."""


class ConsumerTable:
    """Reads and writes the table `consumers`. Positions only ever grow."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def positions(self, name: str) -> dict[str, int]:
        """Positions of one consumer by account; an account that it never read is missing."""
        return await self._database.read(
            lambda connection: dict(
                connection.execute("SELECT account, position FROM consumers WHERE name = ?", (name,)).fetchall(),
            )
        )

    async def advance(self, cursors: Sequence[Cursor], *, deadline: float | None = None) -> None:
        """Move the cursors forward; one that is further already stays. Without a deadline it waits as long as the database is open."""
        await self._database.write(lambda connection: _advance(connection, cursors), deadline=deadline)


def _advance(connection: sqlite3.Connection, cursors: Sequence[Cursor]) -> None:
    connection.executemany(
        """
        INSERT INTO consumers (name, account, position) VALUES (?, ?, ?)
        ON CONFLICT (name, account) DO UPDATE SET position = max(position, excluded.position)
        """,
        cursors,
    )
