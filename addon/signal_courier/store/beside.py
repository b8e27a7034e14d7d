"""The database for the command line: beside a running service, or without one."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from signal_courier.store.database import prepare
from signal_courier.store.errors import StoreError, StoreInUse
from signal_courier.store.migrations import MIGRATIONS
from signal_courier.store.trouble import damaged, is_damaged

_PATIENCE = 10.0
"""Seconds for which the service's own writing is waited out."""


@contextlib.contextmanager
def beside(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction; what the block does is undone where it raises.

    Without a running service the file is made and brought up to date; with one, both must be of one version. Raises `StoreError`.
    """
    with contextlib.suppress(StoreInUse):
        prepare(path)
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != len(MIGRATIONS):
            raise StoreError(f"{path} is in use by a running Signal Courier of another version: stop it first, or start the new one")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if is_damaged(error):
            raise damaged(path) from error
        raise StoreError(f"{path}: {error}") from error
    finally:
        connection.close()
