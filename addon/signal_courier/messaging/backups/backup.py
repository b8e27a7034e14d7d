"""Backups: everything that cannot be had again in one file, ours and signal-cli's, taken while both run.

The file is a tar archive (gzip), readable with any tool, or the same sealed with a passphrase (see `sealing`). Databases in it are
consistent copies. Restoring unpacks beside the place first, checks, and only then changes anything; what was there before stays, put aside.
"""

import contextlib
import io
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from signal_courier import __version__
from signal_courier.messaging.backups import sealing
from signal_courier.messaging.backups.swapping import Swap, finish, is_begun, swap
from signal_courier.store.copying import SIDES, check_database, check_schema, copy_database, held, is_database
from signal_courier.store.errors import StoreError, StoreInUse

if TYPE_CHECKING:
    import gzip
    import tarfile

_OURS, _ENGINE, _MANIFEST = "courier", "signal-cli", "manifest.json"
_FORMAT: Final = 1
_NOT_OURS: Final = frozenset({"spool", "run", "engine"})
"""Of our folder: what is temporary, or can be installed again."""
_NOT_ENGINE: Final = frozenset({"attachments"})
"""Of signal-cli's folder: received files, unless they are wanted."""


_NUMBER: Final = re.compile(r"\+[0-9]{5,20}")

_ASIDE: Final = ".before-"
_UNPACKED: Final = ".restoring"
_HIDDEN: Final = (_ASIDE, _UNPACKED)


class BackupError(Exception):
    """It cannot be done; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What a backup is about."""

    data_dir: Path
    """Our folder."""
    config_dir: Path
    """signal-cli's."""
    database: Path
    """Within our folder."""

    @property
    def folders(self) -> tuple[Path, Path]:
        """Ours and signal-cli's."""
        return self.data_dir, self.config_dir

    @property
    def nested(self) -> Path | None:
        """signal-cli's folder where it lies directly in ours. Ours may lie in signal-cli's too."""
        return self.config_dir if self.config_dir.parent == self.data_dir else None


def back_up(places: Places, target: Path, *, passphrase: str | None = None, attachments: bool = False) -> int:
    """Write a backup; gives its size in bytes. Nothing is left of it where that fails.

    Raises:
        BackupError: There is no space, or something cannot be read.
    """
    import gzip  # noqa: PLC0415  # here and below: half a MiB that only a backup needs
    import tarfile  # noqa: PLC0415

    part = target.with_name(f"{target.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            sealed = sealing.SealingWriter(file, passphrase) if passphrase else None
            inner = cast("BinaryIO", sealed) if sealed is not None else file
            with gzip.GzipFile(fileobj=inner, mode="wb", filename="", compresslevel=6) as zipped:
                _archive(places, zipped, part.with_name(f"{part.name}.copy"), attachments=attachments)
            if sealed is not None:
                sealed.close()
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        return target.stat().st_size
    except (OSError, StoreError, tarfile.TarError) as error:
        raise BackupError(f"the backup failed: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def restore(places: Places, source: Path, *, passphrase: str | None = None, replace: bool = False) -> list[Path]:
    """Bring a backup back; gives the folders in which what was there before lies now. The service must not run.

    Raises:
        BackupError: It is no backup, or damaged; the passphrase is wrong or missing; the service runs; there is data already, and it shall
            not be replaced.
    """
    with _undisturbed(places):
        return _restore(places, source, passphrase, replace=replace)


def finish_restore(places: Places) -> bool:
    """Finish a restore or an import that was interrupted when it had begun to change things; whether there was one. Raises `StoreError`."""
    if not any(is_begun(folder / _UNPACKED) for folder in places.folders):
        return False
    try:
        with held(places.database):
            return any(finish(folder / _UNPACKED) for folder in places.folders)
    except OSError as error:
        raise StoreError(f"a restore was interrupted, and cannot be finished: {error}") from error


def _restore(places: Places, source: Path, passphrase: str | None, *, replace: bool) -> list[Path]:
    import tarfile  # noqa: PLC0415

    for folder, nested in ((places.data_dir, places.nested), (places.config_dir, places.data_dir)):
        if not replace and _has_data(folder, nested):
            raise BackupError(f"{folder} holds data already; --replace puts it aside")
    unpacked = places.data_dir / _UNPACKED
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        unpacked.mkdir(parents=True, mode=0o700)
        _unpack(source, unpacked, passphrase)
        for file in _files(unpacked):
            if is_database(file):
                check_database(file)
        if (ours := unpacked / _OURS / places.database.relative_to(places.data_dir)).is_file():
            check_schema(ours)
        swaps = [_swap_of(_OURS, places.data_dir, places.nested), _swap_of(_ENGINE, places.config_dir, places.data_dir)]
        swap(unpacked, swaps)
    except (OSError, StoreError, tarfile.TarError, EOFError, sealing.Damaged, sealing.WrongPassphrase) as error:
        raise BackupError(f"the backup cannot be restored: {error}") from error
    finally:
        if not is_begun(unpacked):
            shutil.rmtree(unpacked, ignore_errors=True)
    return [Path(one.aside) for one in swaps if one.aside is not None]


def take_over(places: Places, folder: Path, *, replace: bool = False) -> int:
    """Import the data folder of bbernhard/signal-cli-rest-api (`/home/.local/share/signal-cli` in its container); gives how many accounts.

    The folder itself is only read. It must not go on being used elsewhere: two programs with the same keys break each other's sessions.

    Raises:
        BackupError: It is no such folder; there are accounts already, and they shall not be replaced; the service runs.
    """
    with _undisturbed(places):
        return _take_over(places, folder, replace=replace)


def _take_over(places: Places, folder: Path, *, replace: bool) -> int:
    accounts = _accounts_in(folder)
    if folder.resolve() == places.config_dir.resolve():
        raise BackupError(f"{folder} is the folder in use already: there is nothing to import")
    if not replace and _has_data(places.config_dir, places.data_dir):
        raise BackupError(f"{places.config_dir} holds data already; --replace puts it aside")
    unpacked = places.config_dir / _UNPACKED
    copied = unpacked / _ENGINE
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        copied.mkdir(parents=True, mode=0o700)
        for file in _files(folder):
            target = copied / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _copy(file, target)
            if is_database(target):
                check_database(target)
        swap(unpacked, [_swap_of(_ENGINE, places.config_dir, places.data_dir)])
    except (OSError, StoreError) as error:
        raise BackupError(f"the import failed: {error}") from error
    finally:
        if not is_begun(unpacked):
            shutil.rmtree(unpacked, ignore_errors=True)
    return accounts


def _accounts_in(folder: Path) -> int:
    """How many accounts a folder of signal-cli holds. Raises `BackupError` where it is none."""
    data = folder / "data"
    try:
        return len(json.loads((data / "accounts.json").read_bytes())["accounts"])
    except OSError as error:
        old = [file for file in data.iterdir() if _NUMBER.fullmatch(file.name) and file.is_file()] if data.is_dir() else []
        if old and isinstance(error, FileNotFoundError):  # before signal-cli 0.11: a file for each; it makes the list itself
            return len(old)
        why = error.strerror or error
        raise BackupError(f"{folder} is no data folder of signal-cli: data/accounts.json cannot be read ({why})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{folder} is no data folder of signal-cli: data/accounts.json is no list of accounts") from error


@contextlib.contextmanager
def _undisturbed(places: Places) -> Iterator[None]:
    """No service starts meanwhile, and what an earlier one has begun is finished. Raises `BackupError` where a service runs."""
    try:
        places.database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with held(places.database):
            for folder in places.folders:
                finish(folder / _UNPACKED)
            yield
    except StoreInUse:
        raise BackupError("the service is running: stop it first") from None
    except OSError as error:
        raise BackupError(f"{places.data_dir} cannot be used: {error}") from error


# -- packing


def _archive(places: Places, target: "gzip.GzipFile", scratch: Path, *, attachments: bool) -> None:
    import tarfile  # noqa: PLC0415

    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        manifest = {"format": _FORMAT, "version": __version__, "created": int(time.time()), "attachments": attachments}
        _add_bytes(archive, _MANIFEST, json.dumps(manifest).encode())
        for base, folder, left_out, nested in (
            (_OURS, places.data_dir, _NOT_OURS, places.nested),
            (_ENGINE, places.config_dir, frozenset[str]() if attachments else _NOT_ENGINE, places.data_dir),
        ):
            for file in _files(folder, left_out, nested):
                _add(archive, f"{base}/{file.relative_to(folder).as_posix()}", file, scratch)


def _add(archive: "tarfile.TarFile", name: str, file: Path, scratch: Path) -> None:
    try:
        _copy(file, scratch)  # what is in use may grow or vanish while it is read
        archive.add(scratch, name, recursive=False, filter=_anonymous)
    except FileNotFoundError:
        return
    finally:
        scratch.unlink(missing_ok=True)


def _copy(file: Path, target: Path) -> None:
    if is_database(file):
        copy_database(file, target)
    else:
        shutil.copyfile(file, target)
        facts = file.stat()
        os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # by which old attachments are known


def _anonymous(entry: "tarfile.TarInfo") -> "tarfile.TarInfo":
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def _add_bytes(archive: "tarfile.TarFile", name: str, content: bytes) -> None:
    import tarfile  # noqa: PLC0415

    entry = _anonymous(tarfile.TarInfo(name))
    entry.size, entry.mtime = len(content), int(time.time())
    archive.addfile(entry, io.BytesIO(content))


def _files(folder: Path, left_out: frozenset[str] = frozenset(), nested: Path | None = None) -> Iterator[Path]:
    """Every plain file, without links, locks, what SQLite puts beside its files, and a folder that is nested in this one."""
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        if entry == nested or entry.name in left_out or entry.name.startswith(_HIDDEN) or entry.is_symlink():
            continue
        if entry.name.endswith((*SIDES, ".lock", ".part", ".copy")):
            continue
        if entry.is_dir():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


# -- unpacking


def _unpack(source: Path, target: Path, passphrase: str | None) -> None:
    import gzip  # noqa: PLC0415
    import tarfile  # noqa: PLC0415

    with source.open("rb") as file:
        head = file.read(len(sealing.MAGIC))
        stream: BinaryIO = file
        if head == sealing.MAGIC:
            if not passphrase:
                raise BackupError("the backup is encrypted: a passphrase is needed")
            stream = cast("BinaryIO", sealing.SealedReader(file, passphrase))
        elif head[:2] == b"\x1f\x8b":
            file.seek(0)
        else:
            raise BackupError(f"{source} is no backup of Signal Courier")
        with gzip.GzipFile(fileobj=stream, mode="rb") as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as archive:
            known = False
            for entry in archive:
                parts = PurePosixPath(entry.name).parts
                if entry.name == _MANIFEST:
                    content = archive.extractfile(entry)
                    known = content is not None and json.loads(content.read()).get("format") == _FORMAT
                elif not known or not entry.isreg() or parts[0] not in (_OURS, _ENGINE) or ".." in parts:
                    raise BackupError(f"{source} is no backup that this version understands")
                else:
                    archive.extract(entry, target, filter="data")
            while unzipped.read(1 << 20):  # to the end, so that what is missing there is noticed
                pass
        if not known:
            raise BackupError(f"{source} is no backup that this version understands")


def _has_data(folder: Path, nested: Path | None = None) -> bool:
    return any(True for _ in _files(folder, _NOT_OURS, nested))


def _swap_of(new: str, place: Path, nested: Path | None = None) -> Swap:
    """Fill a folder anew; what was in it goes to a folder within, as the folder itself may be a mount."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    old = [
        entry.name
        for entry in sorted(place.iterdir())
        if entry != nested and entry.name not in _NOT_OURS and not entry.name.startswith(_HIDDEN) and not entry.name.endswith(".lock")
    ]
    aside = place.absolute() / f"{_ASIDE}{time.strftime('%Y%m%d-%H%M%S')}" if _has_data(place, nested) else None
    return Swap(new, str(place.absolute()), old, str(aside) if aside is not None else None)
