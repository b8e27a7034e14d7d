"""How often an account has voted in a poll. Signal takes a changed vote only if its number is higher than that of the one before."""

import sqlite3
from collections.abc import Sequence

from signal_courier.store.database import Database

_MOST = 10_000
"""Polls that are remembered; the oldest are forgotten first."""
_DEADLINE = 5.0
"""Seconds."""


class VoteTable:
    """Reads and writes the table `votes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def number(self, account: str, conversation: str, author: str, poll: int, choices: Sequence[int]) -> int:
        """The number of the vote that is about to be sent: 1 for the first, one more for each change, the same for a repetition.

        `poll` is the poll's timestamp (ms). Committed before it is given, so that no number comes twice.
        Raises `StoreError`.
        """
        chosen = ",".join(map(str, sorted(choices)))
        return await self._database.write(
            lambda connection: _number(connection, (account, conversation, author, poll), chosen), deadline=_DEADLINE
        )


def _number(connection: sqlite3.Connection, poll: tuple[str, str, str, int], chosen: str) -> int:
    row = connection.execute(
        """
        INSERT INTO votes (account, conversation, author, poll, number, choices) VALUES (?, ?, ?, ?, 1, ?)
        ON CONFLICT (account, conversation, author, poll) DO UPDATE
        SET number = number + (choices <> excluded.choices), choices = excluded.choices
        RETURNING number
        """,
        (*poll, chosen),
    ).fetchall()
    connection.execute("DELETE FROM votes WHERE id <= (SELECT max(id) FROM votes) - ?", (_MOST,))
    return int(row[0][0])
