"""The database's files may be deleted while they are in use, by a person or a clean-up script.

SQLite notices nothing: it writes on to files that have no name any more, and everything is gone with the process. As long as they are open
they can be read, though, and be put back.
"""

import contextlib
import logging
import os
import sqlite3
import time
from pathlib import Path

from signal_courier.store.copying import SIDES

_LOG = logging.getLogger(__name__)
_RESCUED = ".rescued"
_KEPT = ".kept-"


class Files:
    """The files of one open database: the main one, and the write-ahead log beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(path.name + SIDES[0])
        self._main_id = _id_of(path)
        self._wal_id = _id_of(self._wal)

    @property
    def are_there(self) -> bool:
        """Whether what is written still has a name. Takes two microseconds."""
        wal = _id_of(self._wal)
        if self._wal_id is None:
            self._wal_id = wal
        return _id_of(self._path) == self._main_id and wal == self._wal_id

    @property
    def are_replaced(self) -> bool:
        """Whether another database lies where ours lay: somebody wants that one, and has not stopped the service."""
        try:
            return _id_of(self._path) not in (None, self._main_id) and self._path.stat().st_size > 0
        except OSError:
            return False

    def put_back(self, connection: sqlite3.Connection) -> None:
        """Write everything to a new file with the old name, which is to be opened anew. Raises `sqlite3.Error`, `OSError`."""
        rescued = self._path.with_name(self._path.name + _RESCUED)
        _copy(connection, rescued)
        for side in SIDES:
            self._path.with_name(self._path.name + side).unlink(missing_ok=True)
        rescued.replace(self._path)
        _LOG.error("%s was deleted while it was in use, in whole or in part: it is put back as it was", self._path)

    def keep_beside(self, connection: sqlite3.Connection) -> None:
        """At the end, where another database has our name: ours is kept under another. Raises as `put_back`."""
        kept = self._path.with_name(f"{self._path.name}{_KEPT}{time.strftime('%Y%m%d-%H%M%S')}")
        _copy(connection, kept)
        _LOG.error("Another file lies where %s lay: what this service has written is in %s", self._path.name, kept)


def _id_of(path: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)  # noqa: PTH116  # for every commit
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)
