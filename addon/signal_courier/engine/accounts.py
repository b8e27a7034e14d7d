"""The accounts that signal-cli has on disk, read from its data folder without asking it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec


class _Entry(msgspec.Struct):
    path: str = ""
    number: str | None = None
    uuid: str | None = None


class _Index(msgspec.Struct):
    accounts: list[_Entry] = []


class _Account(msgspec.Struct, rename="camel"):
    """The little of `data/<path>` that matters here (account files of version 10; 0.13.19 to 0.14.6)."""

    registered: bool = True
    device_id: int = 1


@dataclass(frozen=True, slots=True)
class AccountOnDisk:
    """What the files say."""

    registered: bool
    """Whether signal-cli would load it. `False` for a registration that was never finished, and after Signal has removed it."""
    linked: bool
    """Whether another device, the phone, is its master."""
    uuid: str | None = None
    """Its ACI, which stays when the number changes; `None` before its first registration is finished."""
    last_used: float | None = None
    """When signal-cli last wrote anything for it, in seconds since the epoch; `None` if unknown."""


def accounts_on_disk(config_dir: Path) -> Mapping[str, AccountOnDisk] | None:
    """By number; `None` when it cannot be told, because the folder is another machine's or not readable.

    Format: signal-cli's `data/accounts.json`, version 2.
    """
    data = config_dir / "data"
    try:
        index = _index(data)
    except FileNotFoundError:
        return {} if config_dir.is_dir() else None
    except (OSError, msgspec.MsgspecError):
        return None
    return {entry.number: _look(entry, data / Path(entry.path).name) for entry in index.accounts if entry.number}


def folder_of(config_dir: Path, number: str) -> Path | None:
    """The folder with an account's database; `None` where it cannot be told."""
    data = config_dir / "data"
    try:
        return next((data / f"{Path(entry.path).name}.d" for entry in _index(data).accounts if entry.number == number), None)
    except (OSError, msgspec.MsgspecError):
        return None


def _index(data: Path) -> _Index:
    return msgspec.json.decode((data / "accounts.json").read_bytes(), type=_Index)


def _look(entry: _Entry, file: Path) -> AccountOnDisk:
    try:
        account = msgspec.json.decode(file.read_bytes(), type=_Account)
    except (OSError, msgspec.MsgspecError):
        account = _Account()
    return AccountOnDisk(registered=account.registered, linked=account.device_id != 1, uuid=entry.uuid, last_used=_last_written(file))


def _last_written(file: Path) -> float | None:
    """Of an account's files, the latest change. The database is in `<file>.d/account.db`, what it has written last beside it."""
    times = []
    for candidate in (file, *(file.with_name(f"{file.name}.d") / name for name in ("account.db", "account.db-wal"))):
        try:
            times.append(candidate.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=None)
