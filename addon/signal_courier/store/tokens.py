"""The tables `tokens` and `token_key`. Only keyed hashes of tokens are stored.

The functions take a connection, so that the service (through `Database`) and the command line (through `beside`) share them. Every change
but the counting of uses raises the revision; by it a running service notices what the command line did.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from signal_courier.store.database import Database


class TokenRow(NamedTuple):
    """One token. Times in ms since the epoch; lists as words with spaces between, `None` = without limit."""

    id: str
    name: str
    hash: bytes
    scopes: str
    accounts: str | None
    recipients: str | None
    dialect: str | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    use_count: int


class Use(NamedTuple):
    """That a token was used."""

    at: int
    """ms since the epoch, of the last time."""
    times: int
    id: str


class TokenState(NamedTuple):
    """Everything there is."""

    key: bytes
    revision: int
    rows: Sequence[TokenRow]


_COLUMNS = ", ".join(TokenRow._fields)


def load(connection: sqlite3.Connection, fresh_key: bytes) -> TokenState:
    """Every token and the key of the hashes; `fresh_key` becomes the key where there is none yet."""
    found = connection.execute("SELECT key, revision FROM token_key").fetchone()
    if found is None:
        connection.execute("INSERT INTO token_key (id, key, revision) VALUES (1, ?, 0)", (fresh_key,))
        found = (fresh_key, 0)
    rows = connection.execute(f"SELECT {_COLUMNS} FROM tokens ORDER BY created_at, id").fetchall()  # noqa: S608  # our own names
    return TokenState(found[0], found[1], [TokenRow(*row) for row in rows])


def revision(connection: sqlite3.Connection) -> int:
    """A number that grows with every change of a token."""
    found = connection.execute("SELECT revision FROM token_key").fetchone()
    return int(found[0]) if found is not None else -1


def insert(connection: sqlite3.Connection, row: TokenRow) -> None:
    """Add a token."""
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO tokens ({_COLUMNS}) VALUES ({marks})", row)  # noqa: S608  # our own names
    _changed(connection)


def revoke(connection: sqlite3.Connection, id_: str, at: int) -> bool:
    """End a token; false where there is no such token, or it was revoked before."""
    done = connection.execute("UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, id_)).rowcount > 0
    _changed(connection)
    return done


def replace(connection: sqlite3.Connection, id_: str, hash_: bytes) -> bool:
    """Give a token that is not revoked another secret; false where there is none."""
    done = connection.execute("UPDATE tokens SET hash = ? WHERE id = ? AND revoked_at IS NULL", (hash_, id_)).rowcount > 0
    _changed(connection)
    return done


def change(connection: sqlite3.Connection, id_: str, scopes: str | None, accounts: str | None) -> bool:
    """Change what a token that is not revoked allows (`None` = nothing about it); false where there is none."""
    statement = "UPDATE tokens SET scopes = coalesce(?, scopes), accounts = coalesce(?, accounts) WHERE id = ? AND revoked_at IS NULL"
    done = connection.execute(statement, (scopes, accounts, id_)).rowcount > 0
    _changed(connection)
    return done


def purge(connection: sqlite3.Connection, before: int) -> None:
    """Forget tokens that ended before then."""
    gone = connection.execute("DELETE FROM tokens WHERE min(coalesce(revoked_at, 1e18), coalesce(expires_at, 1e18)) < ?", (before,))
    if gone.rowcount:
        _changed(connection)


def count(connection: sqlite3.Connection, uses: Iterable[Use]) -> None:
    """Add up uses."""
    connection.executemany(
        "UPDATE tokens SET last_used_at = max(coalesce(last_used_at, 0), ?), use_count = use_count + ? WHERE id = ?", uses
    )


def _changed(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE token_key SET revision = revision + 1")


class TokenTable:
    """The same for the running service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, fresh_key: bytes) -> TokenState:
        """See `load`."""
        return await self._database.write(lambda connection: load(connection, fresh_key))

    async def revision(self) -> int:
        """See `revision`."""
        return await self._database.read(revision)

    async def insert(self, row: TokenRow) -> None:
        """See `insert`."""
        await self._database.write(lambda connection: insert(connection, row))

    async def revoke(self, id_: str, at: int) -> bool:
        """See `revoke`."""
        return await self._database.write(lambda connection: revoke(connection, id_, at))

    async def replace(self, id_: str, hash_: bytes) -> bool:
        """See `replace`."""
        return await self._database.write(lambda connection: replace(connection, id_, hash_))

    async def change(self, id_: str, *, scopes: str | None, accounts: str | None) -> bool:
        """See `change`."""
        return await self._database.write(lambda connection: change(connection, id_, scopes, accounts))

    async def purge(self, before: int) -> None:
        """See `purge`."""
        await self._database.write(lambda connection: purge(connection, before))

    async def count(self, uses: Sequence[Use]) -> None:
        """See `count`."""
        await self._database.write(lambda connection: count(connection, uses))

    def footprint(self) -> tuple[int, int]:
        """Changes whenever anybody has written to the database; costs no query."""
        wal = self._database.path.with_name(self._database.path.name + "-wal")
        for path in (wal, self._database.path):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            return found.st_mtime_ns, found.st_size
        return 0, 0
