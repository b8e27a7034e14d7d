"""Backups: one file, taken while everything runs, that comes back whole or not at all."""

import contextlib
import errno
import json
import os
import random
import shutil
import sqlite3
import tarfile
from pathlib import Path

import pytest

from signal_courier.__main__ import main
from signal_courier.messaging.backups.backup import BackupError, Places, back_up, finish_restore, restore, take_over
from signal_courier.store.database import prepare
from signal_courier.store.errors import StoreInUse
from signal_courier.store.migrations import MIGRATIONS
from tests.fakes.served import Service, served, simulated

CAT = random.Random(1).randbytes(300_000)  # several pieces, as it cannot be compressed
SECRET = "correct horse battery staple"
ACCOUNT = "+4915100000001"


def places_in(folder: Path) -> Places:
    return Places(data_dir=folder / "data", config_dir=folder / "config", database=folder / "data" / "courier.db")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the empty one that services lock."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.endswith(".lock")]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.fixture
def filled(tmp_path: Path) -> Places:
    """A place with a database in use, a signal-cli folder, and things that do not belong into a backup."""
    places = places_in(tmp_path / "old")
    for name in ("data/uploads/upload-1", "data/spool", "data/run", "config/data/1.d", "config/attachments"):
        (tmp_path / "old" / name).mkdir(parents=True)
    (places.data_dir / "uploads/upload-1/cat.jpg").write_bytes(CAT)
    (places.data_dir / "spool/half").write_bytes(b"x")
    (places.config_dir / "attachments/received.jpg").write_bytes(b"dog")
    (places.config_dir / "data/accounts.json").write_text(json.dumps({"version": 2, "accounts": [{"path": "1", "number": ACCOUNT}]}))
    for file in (places.database, places.config_dir / "data/1.d/account.db"):
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (42)")
        connection.commit()
        connection.close()
    return places


def rows(database: Path) -> list[tuple[int]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT x FROM t").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("passphrase", [None, SECRET])
@pytest.mark.parametrize("attachments", [False, True])
def test_a_backup_comes_back_in_another_place(filled: Places, tmp_path: Path, passphrase: str | None, attachments: bool) -> None:
    file = tmp_path / "backup"
    open_connection = sqlite3.connect(filled.database)
    open_connection.execute("INSERT INTO t VALUES (43)")
    open_connection.commit()  # in the write-ahead log only, as the connection stays open
    assert back_up(filled, file, passphrase=passphrase, attachments=attachments) == file.stat().st_size
    open_connection.close()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().startswith(b"signal-courier sealed" if passphrase else b"\x1f\x8b")
    if passphrase is None:
        with tarfile.open(file) as archive:
            assert archive.getnames()[0] == "manifest.json"
    new = places_in(tmp_path / "new")
    assert restore(new, file, passphrase=passphrase) == []
    assert rows(new.database) == [(42,), (43,)]
    assert rows(new.config_dir / "data/1.d/account.db") == [(42,)]
    assert (new.data_dir / "uploads/upload-1/cat.jpg").read_bytes() == CAT
    assert (new.config_dir / "attachments/received.jpg").exists() is attachments
    assert not (new.data_dir / "spool").exists()


def test_our_folder_may_lie_in_that_of_signal_cli(filled: Places, tmp_path: Path) -> None:
    """As in a container whose only volume is upstream's."""
    inner = filled.config_dir / ".signal-courier"
    filled.data_dir.rename(inner)
    nested = Places(data_dir=inner, config_dir=filled.config_dir, database=inner / "courier.db")
    back_up(nested, tmp_path / "backup")
    apart = places_in(tmp_path / "new")
    restore(apart, tmp_path / "backup")
    assert rows(apart.database) == [(42,)]
    assert not (apart.config_dir / ".signal-courier").exists()
    assert len(restore(nested, tmp_path / "backup", replace=True)) == 2
    assert rows(nested.database) == rows(nested.config_dir / "data/1.d/account.db") == [(42,)]


@pytest.mark.slow  # each attempt derives a key anew, which takes half a second on purpose
def test_a_damaged_cut_or_wrongly_opened_backup_changes_nothing(filled: Places, tmp_path: Path) -> None:
    file, broken = tmp_path / "backup", tmp_path / "broken"
    back_up(filled, file, passphrase=SECRET)
    whole = file.read_bytes()
    new = places_in(tmp_path / "new")
    (new.config_dir / "data").mkdir(parents=True)
    (new.config_dir / "data/accounts.json").write_text("mine")
    before = contents(tmp_path / "new")
    cases = {
        "cut": whole[:-100], "cut at a piece": whole[: 47 + 65552], "changed": whole[:-50] + b"\0" + whole[-49:], "empty": b"",
        "swapped": whole[:47] + whole[47 + 65552 :] + whole[47 : 47 + 65552],
    }  # fmt: skip
    for name, damaged in cases.items():
        broken.write_bytes(damaged)
        with pytest.raises(BackupError):
            restore(new, broken, passphrase=SECRET, replace=True)
        assert contents(tmp_path / "new") == before, name
    for wrong in ("wrong", None):
        with pytest.raises(BackupError, match="passphrase"):
            restore(new, file, passphrase=wrong, replace=True)
    with pytest.raises(BackupError, match="--replace"):
        restore(new, file, passphrase=SECRET)
    assert contents(tmp_path / "new") == before
    (aside,) = restore(new, file, passphrase=SECRET, replace=True)
    assert (aside / "data/accounts.json").read_text() == "mine"


class Killed(BaseException):
    """What a kill does to a program: nothing more is done, not even tidying up."""


@pytest.mark.parametrize("other_disk", [False, True])
def test_a_restore_that_is_killed_at_any_moment_leaves_the_old_or_is_finished_by_the_next_start(
    filled: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_disk: bool
) -> None:
    file = tmp_path / "backup"
    back_up(filled, file)
    restore(places_in(tmp_path / "whole"), file)
    whole = contents(tmp_path / "whole")
    steps, outcomes = 0, set()
    real_rename, real_rmtree = Path.rename, shutil.rmtree

    def count_down() -> None:
        nonlocal steps
        steps -= 1
        if steps < 0:
            raise Killed

    def rename(self: Path, target: Path) -> Path:
        count_down()
        if other_disk and ".restoring" in str(self) and ".restoring" not in str(target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real_rename(self, target)

    def rmtree(path: Path, *, ignore_errors: bool = False) -> None:
        count_down()
        real_rmtree(path, ignore_errors=ignore_errors)

    for length in range(40):
        new = places_in(tmp_path / f"new-{length}")
        new.data_dir.mkdir(parents=True)
        (new.data_dir / "kept").write_bytes(b"old")
        before = contents(tmp_path / f"new-{length}")
        steps = length
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename)
            patch.setattr("shutil.rmtree", rmtree)
            patch.setattr("signal_courier.messaging.backups.backup.is_begun", lambda _: True)  # a kill tidies nothing up
            with contextlib.suppress(Killed):
                restore(new, file, replace=True)
                length = -1  # noqa: PLW2901  # it came to its end
        finish_restore(new)
        after = {name: content for name, content in contents(new.data_dir.parent).items() if "/.restoring/" not in name}
        aside = {name: content for name, content in after.items() if "/.before-" in name}
        rest = {name: content for name, content in after.items() if name not in aside}
        outcomes.add("new" if rest != before else "old")
        assert rest in (before, whole), length
        assert rest == before or list(aside.values()) == [b"old"]
        if length < 0:
            break
    assert outcomes == {"old", "new"}
    assert length < 0, "it never came to its end"


def test_no_service_starts_while_a_backup_is_brought_back(filled: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup"
    back_up(filled, file)
    new = places_in(tmp_path / "new")

    def start_meanwhile(folder: Path, swaps: object) -> None:
        with pytest.raises(StoreInUse):
            prepare(new.database)

    monkeypatch.setattr("signal_courier.messaging.backups.backup.swap", start_meanwhile)
    restore(new, file)


def test_an_archive_cannot_reach_out_of_its_place(tmp_path: Path) -> None:
    import io

    for name in ("courier/../../evil", "/evil", "elsewhere/evil", "courier/link"):
        file = tmp_path / "evil.tar.gz"
        with tarfile.open(file, "w:gz") as archive:
            manifest = tarfile.TarInfo("manifest.json")
            manifest.size = len(b'{"format": 1}')
            archive.addfile(manifest, io.BytesIO(b'{"format": 1}'))
            entry = tarfile.TarInfo(name)
            if name.endswith("link"):
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry, io.BytesIO(b""))
        with pytest.raises(BackupError):
            restore(places_in(tmp_path / "new"), file)
        assert not list(tmp_path.rglob("evil"))


async def test_the_running_service_gives_one_and_refuses_to_be_replaced(tmp_path: Path) -> None:
    async with simulated(tmp_path) as service:
        await service.post("/v2/send", {"number": ACCOUNT, "recipients": ["+4915100000011"], "message": "Hello"})
        answer = await service.get("/api/v2/backup", **{"Backup-Passphrase": SECRET})
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
        assert service.spooled() == []
        refused = await service.get("/api/v2/backup?encrypted=true")
        assert (refused.status, refused.json["field"]) == (400, "Backup-Passphrase")
        refused = await service.get("/api/v2/backup", **{"Backup-Passphrase": ""})
        assert (refused.status, refused.json["field"]) == (400, "Backup-Passphrase")
        file = tmp_path / "backup"
        file.write_bytes(answer.body)
        running = Places(
            data_dir=service.courier.settings.data_dir,
            config_dir=service.courier.settings.signal_cli_config_dir,
            database=service.courier.settings.database,
        )
        with pytest.raises(BackupError, match="running"):
            restore(running, file, passphrase=SECRET, replace=True)
    new = places_in(tmp_path / "new")
    restore(new, file, passphrase=SECRET)
    async with simulated(tmp_path / "new") as restored:
        assert (await restored.get("/v1/accounts")).json == [ACCOUNT, "+4915100000002"]


async def _ready(service: Service) -> None:
    assert (await service.get("/api/v2/health")).status == 200


async def test_the_folder_of_a_rest_api_container_is_taken_over(filled: Places, tmp_path: Path) -> None:
    (filled.config_dir / "api-config.yml").write_text(f'config:\n  "{ACCOUNT}":\n    trust_mode: 1\n')
    before = {name for name in contents(filled.config_dir) if not name.endswith(("-wal", "-shm"))}
    new = places_in(tmp_path / "new")
    old = filled.config_dir / "attachments" / "old.jpg"
    old.parent.mkdir(exist_ok=True)
    old.write_bytes(b"x")
    os.utime(old, (1_700_000_000, 1_700_000_000))
    assert take_over(new, filled.config_dir) == 1
    taken = new.config_dir / "attachments" / "old.jpg"
    assert taken.stat().st_mtime == 1_700_000_000, "by its age it is known to be from before, and left alone"
    assert rows(new.config_dir / "data/1.d/account.db") == [(42,)]
    assert contents(new.config_dir).keys() >= before
    with pytest.raises(BackupError, match="--replace"):
        take_over(new, filled.config_dir)
    with pytest.raises(BackupError, match="no data folder"):
        take_over(new, tmp_path)
    async with served(tmp_path / "new", {}) as service:
        await _ready(service)
        assert (await service.get(f"/api/v2/accounts/{ACCOUNT}")).json["trust"] == "always"


def test_the_folder_of_an_old_signal_cli_with_a_file_for_each_account_is_taken_over(tmp_path: Path) -> None:
    old = tmp_path / "old"
    for name in ("data/+4915100000001", "data/+4915100000002", "data/+4915100000001.d/recipients-store"):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text("{}")
    new = places_in(tmp_path / "new")
    assert take_over(new, old) == 2
    assert contents(new.config_dir) == contents(old)


def test_a_backup_of_a_later_version_changes_nothing(filled: Places, tmp_path: Path) -> None:
    file, there = tmp_path / "backup", places_in(tmp_path / "new")
    connection = sqlite3.connect(filled.database)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    back_up(filled, file)
    there.data_dir.mkdir(parents=True)
    (there.data_dir / "courier.db").write_bytes(b"")
    before = contents(tmp_path / "new")
    with pytest.raises(BackupError, match="install the later version"):
        restore(there, file, replace=True)
    assert contents(tmp_path / "new") == before


def test_whoever_names_a_passphrase_never_gets_an_open_backup(
    filled: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURIER_DATA_DIR", str(filled.data_dir))
    monkeypatch.setenv("SIGNAL_CLI_CONFIG_DIR", str(filled.config_dir))
    empty, file = tmp_path / "empty", tmp_path / "backup"
    for content in ("", "\nsecond line\n"):
        empty.write_text(content)
        assert main(["backup", str(file), "--passphrase-file", str(empty)]) == 1
        assert "is empty" in capsys.readouterr().err
    assert not file.exists()


def test_the_command_line_does_the_same(
    filled: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURIER_DATA_DIR", str(filled.data_dir))
    monkeypatch.setenv("SIGNAL_CLI_CONFIG_DIR", str(filled.config_dir))
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    file = tmp_path / "backup"
    assert main(["backup", str(file), "--passphrase-file", str(secret)]) == 0
    assert "encrypted" in capsys.readouterr().out
    assert main(["restore", str(file), "--passphrase-file", str(secret)]) == 1
    assert "--replace" in capsys.readouterr().err
    monkeypatch.setenv("COURIER_BACKUP_PASSPHRASE", SECRET)
    assert main(["restore", str(file), "--replace"]) == 0
    assert "before" in capsys.readouterr().out
    assert rows(filled.database) == [(42,)]
    monkeypatch.setenv("SIGNAL_CLI_CONFIG_DIR", str(tmp_path / "other"))
    assert main(["import", str(filled.config_dir)]) == 0
