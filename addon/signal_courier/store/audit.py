"""The table `audit`: who did what, bounded."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from signal_courier.store.database import Database


class AuditRow(NamedTuple):
    """One line of the audit log; no texts, no recipients."""

    at: int
    """ms since the epoch."""
    caller: str
    """The token's name, or the kind of trust; empty for somebody who was not let in."""
    kind: str
    token_id: str | None
    address: str
    method: str
    route: str
    """As declared, with `{…}` for what the caller filled in; empty where there is no such route."""
    account: str | None
    status: int
    times: int
    """How many requests the line stands for (refused ones are joined)."""


_COLUMNS = ", ".join(AuditRow._fields)


class AuditTable:
    """Reads and writes the table."""

    def __init__(self, database: Database, keep: int) -> None:
        """`keep`: how many lines there are at most."""
        self._database = database
        self._keep = keep

    async def add(self, rows: Sequence[AuditRow]) -> None:
        """Add lines, and drop the oldest that are too many."""
        await self._database.write(lambda connection: self._add(connection, rows))

    async def page(self, before: int | None, limit: int, **wanted: object) -> list[tuple[int, AuditRow]]:
        """Lines with their ids, newest first, that are older than `before`; `wanted`: values by column, `None` = any."""
        filters = {name: value for name, value in wanted.items() if value is not None and name in AuditRow._fields}
        where = "".join(f" AND {name} = :{name}" for name in filters)
        query = f"SELECT id, {_COLUMNS} FROM audit WHERE id < :before{where} ORDER BY id DESC LIMIT :limit"  # noqa: S608  # our own names
        values = {**filters, "before": before if before is not None else 2**62, "limit": limit}
        rows = await self._database.read(lambda connection: connection.execute(query, values).fetchall())
        return [(row[0], AuditRow(*row[1:])) for row in rows]

    def _add(self, connection: sqlite3.Connection, rows: Sequence[AuditRow]) -> None:
        marks = ", ".join("?" * len(AuditRow._fields))
        connection.executemany(f"INSERT INTO audit ({_COLUMNS}) VALUES ({marks})", rows)  # noqa: S608  # our own names
        connection.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (self._keep,))
