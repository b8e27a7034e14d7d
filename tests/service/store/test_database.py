"""The database keeps what it was given, whatever happens around it."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from signal_courier.store.database import Database
from signal_courier.store.errors import SchemaTooNew, StoreBusy, StoreCorrupt, StoreError, StoreFull, StoreInUse
from signal_courier.store.migrations import MIGRATIONS, migrate
from signal_courier.store.writer import Work
from tests.fakes.disk import fill, small_disk


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database(tmp_path / "courier.db").open()
    await opened.write(lambda connection: connection.execute("CREATE TABLE notes (n INTEGER PRIMARY KEY, text)"))
    yield opened
    await opened.close()


def note(number: int, text: str = "") -> Work[int]:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO notes VALUES (?, ?)", (number, text))
        return number

    return work


async def notes(database: Database) -> list[int]:
    rows = await database.read(lambda connection: connection.execute("SELECT n FROM notes ORDER BY n").fetchall())
    return [row[0] for row in rows]


def files_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def trouble_of(database: Database) -> str | None:
    return database.trouble


@contextmanager
def locked_by_another(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program has the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.execute("ROLLBACK")


async def test_a_result_is_given_once_it_is_committed(database: Database) -> None:
    assert await database.write(note(1)) == 1
    with closing(sqlite3.connect(database.path)) as other:
        assert other.execute("SELECT n FROM notes").fetchall() == [(1,)]


async def test_a_reader_sees_every_commit_that_was_reported(database: Database) -> None:
    for number in range(50):
        await database.write(note(number))
        assert await notes(database) == list(range(number + 1))


async def test_jobs_that_wait_together_share_a_transaction(database: Database) -> None:
    entered, go = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        go.wait(5)

    first = asyncio.ensure_future(database.write(lambda _: wait()))
    await asyncio.to_thread(entered.wait, 5)

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes (text) VALUES ('')")

    rest = [asyncio.ensure_future(database.write(work)) for _ in range(100)]
    await asyncio.sleep(0)
    versions = sqlite3.connect(database.path)
    with closing(versions):
        before = versions.execute("PRAGMA data_version").fetchone()[0]
        go.set()
        await asyncio.gather(first, *rest)
        assert versions.execute("PRAGMA data_version").fetchone()[0] - before <= 2
    assert len(await notes(database)) == 100


async def test_a_failing_job_is_undone_without_hurting_its_neighbours(database: Database) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes VALUES (100, '')")
        raise LookupError("mine")

    def collides(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes VALUES (1, '')")

    outcomes = await asyncio.gather(*map(database.write, (note(1), fails, note(2), collides, note(3))), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, LookupError, int, StoreError, int]
    assert await notes(database) == [1, 2, 3]


async def test_a_job_that_ends_the_transaction_harms_only_itself(database: Database) -> None:
    await database.write(note(1))

    def rolls_back_everything(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT OR ROLLBACK INTO notes VALUES (1, '')")

    outcomes = await asyncio.gather(*map(database.write, (note(2), rolls_back_everything, note(3))), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, StoreError, int]
    assert await notes(database) == [1, 2, 3]


async def test_cancelling_the_caller_does_not_undo_its_work(database: Database) -> None:
    task = asyncio.ensure_future(database.write(note(7)))
    await asyncio.sleep(0)
    task.cancel()
    await database.write(note(8))
    assert await notes(database) == [7, 8]


async def test_a_lock_of_another_program_is_waited_out(database: Database) -> None:
    with locked_by_another(database.path):
        writing = asyncio.ensure_future(database.write(note(1)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(writing), 0.6)
        assert await notes(database) == []
    assert await asyncio.wait_for(writing, 30) == 1


async def test_a_write_ends_at_its_deadline_while_the_database_is_locked(database: Database) -> None:
    with locked_by_another(database.path):
        patient = asyncio.ensure_future(database.write(note(2), deadline=None))
        with pytest.raises(StoreBusy, match="locked"):
            await database.write(note(1), deadline=0.3)
        assert not patient.done()
    assert await asyncio.wait_for(patient, 30) == 2
    assert await notes(database) == [2]


async def test_nothing_is_dropped_while_the_disk_is_full(database: Database) -> None:
    limit = await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone()[0])
    big = "x" * 300_000
    writes = [asyncio.ensure_future(database.write(note(number, big), deadline=None)) for number in range(5)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asyncio.gather(*writes)), 0.5)
    assert limit < 100
    await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchone())
    assert await asyncio.wait_for(asyncio.gather(*writes), 30) == [0, 1, 2, 3, 4]
    assert await notes(database) == [0, 1, 2, 3, 4]


async def test_what_frees_room_gets_through_while_the_disk_is_full(database: Database) -> None:
    await database.write(note(1, "x" * 500_000))
    await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())
    stuck = asyncio.ensure_future(database.write(note(2, "y" * 300_000), deadline=None))
    await database.write(lambda connection: connection.execute("DELETE FROM notes WHERE n = 1"))
    assert await asyncio.wait_for(stuck, 30) == 2


async def test_a_really_full_disk_delays_and_loses_nothing(tmp_path: Path) -> None:
    async with small_disk(tmp_path / "disk", 1) as disk:
        database = await Database(disk / "courier.db").open()
        await database.write(lambda connection: connection.execute("CREATE TABLE notes (n INTEGER PRIMARY KEY, text)"))
        ballast = fill(disk)
        assert trouble_of(database) == "the disk is full", "told before anybody writes"
        writes = [asyncio.ensure_future(database.write(note(number, "x" * 9000), deadline=None)) for number in range(10)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.gather(*writes)), 0.5)
        with pytest.raises(StoreFull):
            await database.write(note(99, "x" * 9000), deadline=0.1)
        ballast.unlink()
        assert await asyncio.wait_for(asyncio.gather(*writes), 30) == list(range(10))
        assert await notes(database) == list(range(10))
        assert trouble_of(database) is None
        await database.close()


async def test_where_trouble_lasts_or_the_service_stops_nobody_waits_long(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal_courier.store.database.SHORT_DEADLINE", 0.1)
    monkeypatch.setattr("signal_courier.store.database.LASTING_TROUBLE", 0.2)
    with locked_by_another(database.path):
        with pytest.raises(StoreBusy):
            await database.write(note(1), deadline=0.5)
        with pytest.raises(StoreBusy):
            await asyncio.wait_for(database.write(note(1)), 15)
        assert trouble_of(database) == "database is locked"
    await database.write(note(1))
    async with asyncio.timeout(30):
        while trouble_of(database) is not None:  # noqa: ASYNC110  # the thread says so a moment after its answer
            await asyncio.sleep(0.01)
    database.hurry()
    with locked_by_another(database.path), pytest.raises(StoreBusy):
        await asyncio.wait_for(database.write(note(2)), 15)


@pytest.mark.parametrize("gone", [("",), ("-wal",), ("", "-wal"), ("", "-wal", "-shm")], ids=lambda gone: " ".join(gone) or "main")
@pytest.mark.parametrize("then", ["write", "stop"])
async def test_files_that_are_deleted_while_in_use_are_put_back(tmp_path: Path, gone: tuple[str, ...], then: str) -> None:
    path = tmp_path / "courier.db"
    database = await Database(path).open()
    await database.write(lambda connection: connection.execute("CREATE TABLE notes (n INTEGER PRIMARY KEY, text)"))
    await asyncio.gather(*(database.write(note(number)) for number in range(100)))
    assert len(await notes(database)) == 100
    for side in gone:
        path.with_name(path.name + side).unlink()
    if then == "write":
        await asyncio.gather(*(database.write(note(number)) for number in range(100, 200)))
        with closing(sqlite3.connect(path)) as other:  # as the next start would, were this one killed now
            assert other.execute("SELECT count(*) FROM notes").fetchone() == (200,)
        assert len(await notes(database)) == 200
        assert path.stat().st_mode & 0o777 == 0o600
        await asyncio.gather(*(database.write(note(number)) for number in range(200, 300)))
    await database.close()
    again = await Database(path).open()
    assert len(await notes(again)) == (300 if then == "write" else 100)
    await again.close()
    assert files_in(tmp_path) == ["courier.db", "courier.db.lock"]


async def test_a_database_that_is_replaced_while_in_use_is_left_alone_and_ours_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "courier.db"
    database = await Database(path).open()
    await database.write(lambda connection: connection.execute("CREATE TABLE notes (n INTEGER PRIMARY KEY, text)"))
    await database.write(note(1))
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE theirs (x)")
    theirs = (tmp_path / "other.db").read_bytes()
    (tmp_path / "other.db").replace(path)
    with pytest.raises(StoreBusy, match="another file was put in its place"):
        await database.write(note(2), deadline=0.1)
    assert "another file" in (trouble_of(database) or "")
    await database.close()
    assert path.read_bytes() == theirs
    (kept,) = [name for name in files_in(tmp_path) if name.startswith("courier.db.kept-")]
    with closing(sqlite3.connect(tmp_path / kept)) as ours:
        assert ours.execute("SELECT n FROM notes").fetchall() == [(1,)]


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    database = await Database(tmp_path / "courier.db").open()
    await database.write(lambda connection: connection.execute("CREATE TABLE notes (n INTEGER PRIMARY KEY, text)"))
    writes = [asyncio.ensure_future(database.write(note(number))) for number in range(300)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writes) == list(range(300))
    with pytest.raises(StoreBusy, match="closed"):
        await database.write(note(1))
    with pytest.raises(StoreBusy, match="closed"):
        await database.read(lambda connection: None)


async def test_closing_does_not_hang_on_a_locked_database(tmp_path: Path) -> None:
    database = await Database(tmp_path / "courier.db").open()
    with locked_by_another(database.path):
        writing = asyncio.ensure_future(database.write(lambda connection: None, deadline=None))
        await asyncio.sleep(0)
        await asyncio.wait_for(database.close(), 30)
    with pytest.raises(StoreBusy, match="locked"):
        await writing


async def test_a_file_that_is_no_database_is_refused_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "courier.db"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreCorrupt, match=r"courier\.db is damaged or is not a database"):
        await Database(path).open()


async def test_a_newer_schema_is_refused_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "courier.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(SchemaTooNew, match="schema 999"):
        await Database(path).open()


async def test_a_second_service_on_the_same_folder_is_refused(database: Database) -> None:
    with pytest.raises(StoreInUse, match="another running Signal Courier"):
        await Database(database.path).open()


async def test_messages_are_nobody_elses_business(database: Database) -> None:
    for path in (database.path, database.path.with_name("courier.db-wal")):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_migration_that_fails_leaves_the_schema_as_it_was(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "courier.db", isolation_level=None)) as connection:
        migrate(connection)
        broken = (*MIGRATIONS, ("CREATE TABLE half (x)", "CREATE TABLE inbox (x)"))
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            migrate(connection, broken)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)


def _write_until_killed(path: Path, reported: Connection) -> None:
    async def main() -> None:
        database = await Database(path).open()
        await database.write(lambda connection: connection.execute("CREATE TABLE IF NOT EXISTS notes (n INTEGER PRIMARY KEY, text)"))
        number = await database.read(lambda connection: connection.execute("SELECT coalesce(max(n), 0) FROM notes").fetchone()[0])
        while True:
            numbers = [number + 1 + step for step in range(20)]
            await asyncio.gather(*(database.write(note(each)) for each in numbers))
            number = numbers[-1]
            reported.send(number)

    asyncio.run(main())


@pytest.mark.slow
async def test_what_was_reported_as_committed_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "courier.db"
    context = multiprocessing.get_context("spawn")
    last = 0
    for _ in range(3):
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_write_until_killed, args=(path, there))
        child.start()
        there.close()
        for _ in range(5):
            last = await asyncio.to_thread(here.recv)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        await asyncio.to_thread(child.join, 10)
        try:
            while True:
                last = here.recv()
        except EOFError:
            here.close()
        child.close()
    database = await Database(path).open()
    assert (await notes(database))[:last] == list(range(1, last + 1))
    await database.close()


def test_the_steps_are_taken_with_the_sqlite_of_older_systems_too(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "courier.db", isolation_level=None)) as connection:
        connection.create_function("unixepoch", -1, lambda *_: None)  # 3.37 has none, 3.40 (Debian 12) gives NULL for 'subsec'
        before = time.time_ns() // 1_000_000
        migrate(connection)
        [(created,)] = connection.execute("SELECT created_at FROM credentials").fetchall()
        [(since,)] = connection.execute("SELECT since FROM service").fetchall()
    assert before - 2 <= created <= time.time_ns() // 1_000_000 + 2
    assert before - 1000 <= since <= created


async def test_many_rows_at_once_make_no_temporary_file(tmp_path: Path) -> None:
    """SQLite would put there what undoes a job alone, and write twice as much."""
    database = await Database(tmp_path / "courier.db").open()
    values = [("+4915100000001", b"x" * 500)] * 128
    insert = f"INSERT INTO inbox (account, received_at, envelope) VALUES {','.join(['(?, 0, ?)'] * len(values))}"

    def fill_up(connection: sqlite3.Connection) -> None:
        for _ in range(20):
            connection.execute(insert, [value for row in values for value in row])

    def change(connection: sqlite3.Connection) -> list[str]:
        assert connection.execute("UPDATE inbox SET received_at = 1").rowcount == 20 * len(values)
        return _temporary_files()

    await database.write(fill_up)
    assert await database.write(change) == []
    await database.close()


def _temporary_files() -> list[str]:
    found: list[str] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found.append(str(descriptor.readlink()))
    return [file for file in found if "etilqs_" in file]
