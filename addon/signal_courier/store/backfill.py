"""Places in the history for what was received before the database knew of places (step 8 of the migrations)."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from signal_courier.store.database import Database


class Unplaced(NamedTuple):
    """A frame without a place; many have none, like receipts."""

    id: int
    frame: bytes


class Placed(NamedTuple):
    """Where a frame belongs, as in the table `inbox`."""

    id: int
    account: str
    conversation: str
    target: int | None
    own: bool


class BackfillTable:
    """Reads and writes the table `backfill` (the position below which nothing was looked at yet), and the places in `inbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def below(self) -> int | None:
        """Where to go on, downwards; `None` when everything has been looked at."""

        def work(connection: sqlite3.Connection) -> int | None:
            row = connection.execute("SELECT below FROM backfill").fetchone()
            return int(row[0]) if row is not None else None

        return await self._database.read(work)

    async def slice(self, start: int, stop: int) -> list[Unplaced]:
        """What has no place from one id up to before another."""
        return await self._database.read(
            lambda connection: [
                Unplaced(*row)
                for row in connection.execute(
                    "SELECT id, envelope FROM inbox WHERE id >= ? AND id < ? AND account <> '' AND conversation IS NULL", (start, stop)
                )
            ]
        )

    async def place(self, placed: Sequence[Placed], below: int) -> None:
        """Store places, as read long ago, and how far down was looked; 1 = to the end."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE inbox SET conversation = ?, target = ?, own = ? WHERE id = ?",
                [(one.conversation, one.target, one.own, one.id) for one in placed],
            )
            connection.executemany(
                "INSERT INTO read_marks VALUES (?, ?, ?) ON CONFLICT (account, conversation) DO UPDATE SET upto = max(upto, excluded.upto)",
                [(one.account, one.conversation, one.id) for one in placed],
            )
            if below > 1:
                connection.execute("UPDATE backfill SET below = ?", (below,))
            else:
                connection.execute("DELETE FROM backfill")

        await self._database.write(work, deadline=None)
