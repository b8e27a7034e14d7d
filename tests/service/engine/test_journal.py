"""What was reported and not stored is in the journal, and nothing else."""

import asyncio
import fcntl
import os
import socket
import sys
from pathlib import Path

import pytest

from signal_courier.engine import journal as module
from signal_courier.engine.journal import HEADER, Journal, kept
from tests.fakes.disk import fill, small_disk

LINES = [b'{"method":"receive","params":{"n":%d}}' % number for number in range(5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "unstored"


def filled(path: Path, lines: list[bytes], *, rest: bytes = b"") -> Journal:
    """A journal that has read these lines, all reports, and the beginning of another one."""
    journal = Journal(path)
    assert journal.open() == []
    journal.begin()
    journal.append(b"".join(line + b"\n" for line in lines) + rest)
    for line in lines:
        journal.took(len(line) + 1, report=True)
    return journal


def reopened(path: Path) -> list[bytes]:
    return Journal(path).open()


def test_what_was_not_stored_is_given_back_in_order(path: Path) -> None:
    filled(path, LINES).stored(2)
    assert reopened(path) == LINES[2:]


def test_what_was_given_back_stays_until_it_is_stored(path: Path) -> None:
    filled(path, LINES)
    again = Journal(path)
    for line in again.open():
        again.took(len(line) + 1, report=True)
    again.stored(4)
    assert reopened(path) == LINES[4:]


def test_the_file_is_empty_when_all_is_stored_and_gone_at_the_end(path: Path) -> None:
    journal = filled(path, LINES)
    journal.stored(5)
    assert path.stat().st_size == HEADER
    journal.finish()
    assert not path.exists()


def test_the_file_outlives_the_end_until_the_last_is_stored(path: Path) -> None:
    journal = filled(path, LINES)
    journal.finish()
    assert path.exists()
    journal.stored(5)
    assert not path.exists()


def test_a_line_that_was_cut_off_is_dropped(path: Path) -> None:
    filled(path, LINES, rest=b'{"method":"rec')
    assert reopened(path) == LINES


def test_a_line_that_lacks_only_its_newline_counts(path: Path) -> None:
    journal = filled(path, LINES[:4], rest=LINES[4])
    journal.stored(4)
    again = Journal(path)
    assert again.open() == LINES[4:]
    again.took(len(LINES[4]) + 1, report=True)
    again.stored(1)
    assert reopened(path) == []


def test_a_new_connection_begins_behind_the_last_whole_line(path: Path) -> None:
    journal = filled(path, LINES[:2], rest=b'{"half')
    journal.begin()
    journal.append(LINES[2] + b"\n")
    journal.took(len(LINES[2]) + 1, report=True)
    assert reopened(path) == LINES[:3]


def test_answers_leave_nothing_behind(path: Path) -> None:
    journal = filled(path, [])
    journal.append(b'{"result":"secret"}\n')
    journal.took(20, report=False)
    assert path.stat().st_size == HEADER


def test_too_much_is_not_kept_and_afterwards_it_is_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 100)
    journal = filled(path, LINES)
    assert path.stat().st_size == HEADER
    journal.stored(5)
    journal.append(LINES[0] + b"\n")
    journal.took(len(LINES[0]) + 1, report=True)
    assert reopened(path) == LINES[:1]


def test_what_was_kept_before_there_was_too_much_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(path, LINES[:2])
    monkeypatch.setattr(module, "LIMIT", 100)
    journal.append(b"x" * 50 + LINES[2][:10])
    journal.append(LINES[2][10:] + b"\n")
    journal.took(50 + len(LINES[2]) + 1, report=True)
    assert reopened(path) == LINES[:2]
    journal.stored(1)
    assert reopened(path) == LINES[1:2]


def test_the_file_begins_anew_between_two_lines_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what comes after would not be found where it is said to be."""
    journal = filled(path, LINES[:1])
    monkeypatch.setattr(module, "LIMIT", 100)
    journal.append(b"x" * 100)
    journal.stored(1)
    monkeypatch.setattr(module, "LIMIT", 1000)
    journal.append(b"x\n")
    journal.took(102, report=True)
    journal.stored(1)
    for line in LINES:
        journal.append(line + b"\n")
        journal.took(len(line) + 1, report=True)
    journal.stored(2)
    assert reopened(path) == LINES[2:]


async def test_a_full_disk_still_has_room_for_what_cannot_be_stored(tmp_path: Path) -> None:
    async with small_disk(tmp_path / "disk", 8) as disk:
        journal = filled(disk / "unstored", LINES)
        ballast = fill(disk)
        long = b'{"method":"receive","params":{"n":"%s"}}' % (b"x" * 200_000)
        for _ in range(10):
            journal.append(long + b"\n")
            journal.took(len(long) + 1, report=True)
        assert reopened(disk / "unstored") == [*LINES, *[long] * 10]
        fill(disk)  # now there is none left
        journal.append(long + b"\n")
        journal.took(len(long) + 1, report=True)
        journal.stored(3)
        assert reopened(disk / "unstored") == [*LINES[3:], *[long] * 10], "what is in the file stays, and is in it whole"
        ballast.unlink()
        journal.stored(13)
        journal.append(LINES[0] + b"\n")
        journal.took(len(LINES[0]) + 1, report=True)
        assert reopened(disk / "unstored") == LINES[:1]


def test_garbage_in_the_file_is_no_reason_not_to_start(path: Path) -> None:
    path.write_bytes(os.urandom(200).replace(b"\n", b" "))
    Journal(path).open()


async def test_the_keeper_reads_on_when_the_service_is_gone(path: Path) -> None:
    journal = filled(path, LINES[:1], rest=LINES[1][:5])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        service = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SERVICE, str(ours.fileno()), str(path)), pass_fds=(ours.fileno(),), stdout=asyncio.subprocess.PIPE
        )
        assert service.stdout is not None
        await asyncio.wait_for(service.stdout.readline(), 30)
        service.kill()
        await service.wait()
        theirs.sendall(LINES[1][5:] + b"\n" + LINES[2] + b"\n")
        theirs.shutdown(socket.SHUT_RDWR)
        assert await asyncio.to_thread(reopened, path) == LINES[:3]
    del journal


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not taken"])
async def test_what_was_noted_right_before_a_kill_is_there_once(path: Path, taken: bool) -> None:
    """The service notes what it sees in the socket, and takes it then; the kill may come in between."""
    seen = LINES[1] + b"\n" + LINES[2][:7]
    journal = filled(path, LINES[:1])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        service = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SERVICE, str(ours.fileno()), str(path)), pass_fds=(ours.fileno(),), stdout=asyncio.subprocess.PIPE
        )
        assert service.stdout is not None
        await asyncio.wait_for(service.stdout.readline(), 30)
        theirs.sendall(seen)
        journal.append(seen)
        if taken:
            assert ours.recv(len(seen)) == seen
        service.kill()
        await service.wait()
        theirs.sendall(LINES[2][7:] + b"\n")
        theirs.shutdown(socket.SHUT_RDWR)
        assert await asyncio.to_thread(reopened, path) == LINES[:3]


async def test_the_keeper_takes_nothing_while_the_service_lives_and_ends_with_the_connection(path: Path) -> None:
    filled(path, LINES[:1])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        async with kept(ours.fileno(), Journal(path)):
            theirs.sendall(LINES[1] + b"\n")
        assert ours.recv(1000) == LINES[1] + b"\n"
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert reopened(path) == LINES[:1]


async def test_a_keeper_that_has_not_begun_when_the_service_is_killed_is_waited_for_too(tmp_path: Path, path: Path) -> None:
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\nsleep 0.5\nexec "{sys.executable}" "$@"\n')
    slow.chmod(0o755)
    filled(path, LINES[:1])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        service = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SERVICE, str(ours.fileno()), str(path), str(slow)),
            pass_fds=(ours.fileno(),),
            stdout=asyncio.subprocess.PIPE,
        )
        assert service.stdout is not None
        await asyncio.wait_for(service.stdout.readline(), 30)
        service.kill()
        await service.wait()
        theirs.sendall(LINES[1] + b"\n")
        theirs.shutdown(socket.SHUT_RDWR)
        assert await asyncio.to_thread(reopened, path) == LINES[:2]


_SERVICE = """
import asyncio, sys
from pathlib import Path
from signal_courier.engine.journal import Journal, kept
async def main():
    sys.executable = sys.argv[3] if sys.argv[3:] else sys.executable
    async with kept(int(sys.argv[1]), Journal(Path(sys.argv[2]))):
        print("kept", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
