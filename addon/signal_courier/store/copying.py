"""Copies of SQLite files that others may be writing: each is one consistent state, with what their write-ahead log holds."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from signal_courier.store.errors import StoreError, StoreInUse
from signal_courier.store.migrations import check_version

_HEAD: Final = b"SQLite format 3\x00"
SIDES: Final = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a file; no copy needs them."""
_PAGES: Final = 1000
_BUSY: Final = 10.0
"""Seconds for which a lock of another program is waited out."""


def is_database(file: Path) -> bool:
    """Whether a file is SQLite's."""
    with file.open("rb") as opened:
        return opened.read(len(_HEAD)) == _HEAD


def copy_database(source: Path, target: Path) -> None:
    """Copy a database, whether or not it is in use. Raises `StoreError`."""
    try:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=_BUSY)) as from_, contextlib.closing(sqlite3.connect(target)) as to,
        ):  # fmt: skip
            from_.backup(to, pages=_PAGES)
            to.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreError(f"{source.name} cannot be copied: {error}") from error


def check_database(file: Path) -> None:
    """Raises `StoreError` where a database is damaged."""
    try:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            found = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(f"{file.name} is damaged: {error}") from error
    if found != "ok":
        raise StoreError(f"{file.name} is damaged: {found}")


def check_schema(file: Path) -> None:
    """Raises `StoreError` where our own database is one of a later version."""
    try:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(f"{file.name} is damaged: {error}") from error
    check_version(version)


@contextlib.contextmanager
def held(database: Path) -> Iterator[None]:
    """Keep every service from this database. Raises `StoreInUse` where one works on it, `OSError` where the folder cannot be used."""
    descriptor = os.open(database.with_name(f"{database.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreInUse(f"{database} is in use") from None
        yield
    finally:
        os.close(descriptor)
