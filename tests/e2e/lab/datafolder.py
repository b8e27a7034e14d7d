"""signal-cli's data folder: reading its accounts, and writing registered ones straight to it (account file version 10)."""

import base64
import secrets
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.e2e.lab import curve


class ServiceKeys(msgspec.Struct, kw_only=True, rename="camel"):
    """One of an account's two identities, ACI or PNI."""

    service_id: str
    registration_id: int
    identity_private_key: str
    identity_public_key: str
    next_pre_key_id: int
    next_signed_pre_key_id: int
    active_signed_pre_key_id: int = -1
    next_kyber_pre_key_id: int
    active_last_resort_kyber_pre_key_id: int = -1


class StoredAccount(msgspec.Struct, kw_only=True, rename="camel"):
    """The account file."""

    version: int = 10
    timestamp: int
    service_environment: str = "LIVE"
    registered: bool = True
    number: str
    username: str | None = None
    encrypted_device_name: str | None = None
    device_id: int = 1
    is_multi_device: bool = False
    password: str
    aci_account_data: ServiceKeys
    pni_account_data: ServiceKeys
    registration_lock_pin: str | None = None
    pin_master_key: str | None = None
    storage_key: str | None = None
    account_entropy_pool: str | None = None
    media_root_backup_key: str | None = None
    profile_key: str
    username_link_entropy: str | None = None
    username_link_server_id: str | None = None


class IndexEntry(msgspec.Struct, kw_only=True):
    """One account in the index."""

    path: str
    environment: str = "LIVE"
    number: str
    uuid: str | None = None


class Index(msgspec.Struct, kw_only=True):
    """`data/accounts.json`."""

    accounts: list[IndexEntry] = []
    version: int = 2


def read_accounts(folder: Path) -> list[StoredAccount]:
    """The accounts in a folder (what signal-cli's `--config` names); none when there is no index."""
    index = folder / "data" / "accounts.json"
    if not index.exists():
        return []
    entries = msgspec.json.decode(index.read_bytes(), type=Index).accounts
    return [msgspec.json.decode((folder / "data" / entry.path).read_bytes(), type=StoredAccount) for entry in entries]


def write_accounts(folder: Path, numbers: Sequence[str]) -> list[StoredAccount]:
    """Adds registered accounts with these numbers and new keys to the folder. signal-cli must not be running on it."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    index_file = data / "accounts.json"
    index = msgspec.json.decode(index_file.read_bytes(), type=Index) if index_file.exists() else Index()
    accounts = [_new_account(number) for number in numbers]
    for account in accounts:
        path = str(secrets.randbelow(900_000) + 100_000)
        _write(data / path, account)
        index.accounts.append(IndexEntry(path=path, number=account.number, uuid=account.aci_account_data.service_id))
    _write(index_file, index)
    return accounts


def _write(file: Path, value: msgspec.Struct) -> None:
    file.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2))
    file.chmod(0o600)


def _new_account(number: str) -> StoredAccount:
    return StoredAccount(
        timestamp=time.time_ns() // 1_000_000,
        number=number,
        password=secrets.token_urlsafe(18),
        aci_account_data=_new_keys(str(uuid.uuid4())),
        pni_account_data=_new_keys(f"PNI:{uuid.uuid4()}"),
        pin_master_key=_base64(secrets.token_bytes(32)),
        profile_key=_base64(secrets.token_bytes(32)),
    )


def _new_keys(service_id: str) -> ServiceKeys:
    identity = curve.key_pair()
    return ServiceKeys(
        service_id=service_id,
        registration_id=secrets.randbelow(16_380) + 1,
        identity_private_key=_base64(identity.private),
        identity_public_key=_base64(identity.public),
        next_pre_key_id=secrets.randbelow(0xFFFFF0) + 1,
        next_signed_pre_key_id=secrets.randbelow(0xFFFFF0) + 1,
        next_kyber_pre_key_id=secrets.randbelow(0xFFFFF0) + 1,
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
