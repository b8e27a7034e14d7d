"""Which of SQLite's errors come from outside and may pass, and which mean a damaged file."""

import sqlite3
from pathlib import Path

from signal_courier.store.errors import StoreCorrupt

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_PASSING = _LOCKED | {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
}  # fmt: skip
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_passing(error: sqlite3.Error) -> bool:
    """Locked by another program, disk full, disk trouble: the same work may succeed later."""
    return _code(error) in _PASSING


def is_locked(error: sqlite3.Error) -> bool:
    """Another program holds the lock: nothing at all can be written now."""
    return _code(error) in _LOCKED


def is_full(error: sqlite3.Error) -> bool:
    """There is no space."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_damaged(error: sqlite3.Error) -> bool:
    """The file is not (or no longer) a database."""
    return _code(error) in _DAMAGED


def damaged(path: Path) -> StoreCorrupt:
    """What to tell about a damaged file."""
    return StoreCorrupt(f"{path} is damaged or is not a database of Signal Courier: move it away (or restore a backup) and start again")


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 for errors of the Python module itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
