"""The tables `credentials` and `gateway_tokens`: who may ask the gateway for tokens, and which tokens were made so."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from signal_courier.store.database import Database


class CredentialRow(NamedTuple):
    """One credential. Times in ms since the epoch."""

    client_id: str
    token: str | None
    """Id of the token that is its secret; `None` for the super admin's, whose secret is any admin token."""
    scopes: str
    """Words."""
    description: str
    active: int
    created_at: int
    updated_at: int


class GatewayTokenRow(NamedTuple):
    """What the gateway knows of a token beside the token itself."""

    number: int
    """0 until it is stored."""
    token: str
    client_id: str
    identity: str
    is_host: int
    is_admin: int
    updated_at: int


class CredentialTable:
    """Reads and writes both."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[Sequence[CredentialRow], Sequence[GatewayTokenRow]]:
        """Everything there is, oldest first."""

        def work(connection: sqlite3.Connection) -> tuple[list[CredentialRow], list[GatewayTokenRow]]:
            credentials = connection.execute("SELECT * FROM credentials ORDER BY created_at, client_id").fetchall()
            tokens = connection.execute("SELECT * FROM gateway_tokens ORDER BY number").fetchall()
            return [CredentialRow(*row) for row in credentials], [GatewayTokenRow(*row) for row in tokens]

        return await self._database.read(work)

    async def keep(self, row: CredentialRow) -> None:
        """Add a credential, or replace what is stored of it."""
        await self._database.write(lambda connection: connection.execute("REPLACE INTO credentials VALUES (?, ?, ?, ?, ?, ?, ?)", row))

    async def delete(self, client_id: str) -> None:
        """Forget a credential and its tokens."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM credentials WHERE client_id = ?", (client_id,))
            connection.execute("DELETE FROM gateway_tokens WHERE client_id = ?", (client_id,))

        await self._database.write(work)

    async def add_token(self, row: GatewayTokenRow) -> int:
        """Add a token; gives its number."""

        def work(connection: sqlite3.Connection) -> int:
            columns = "token, client_id, identity, is_host, is_admin, updated_at"
            added = connection.execute(f"INSERT INTO gateway_tokens ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row[1:])  # noqa: S608
            return added.lastrowid or 0

        return await self._database.write(work)

    async def delete_tokens(self, numbers: Sequence[int]) -> None:
        """Forget tokens."""
        await self._database.write(
            lambda connection: connection.executemany("DELETE FROM gateway_tokens WHERE number = ?", [(number,) for number in numbers])
        )
