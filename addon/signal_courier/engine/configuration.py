"""The settings of an account, read where signal-cli keeps them: it has calls that change them, and none that tells."""

import contextlib
import sqlite3
from pathlib import Path

from signal_courier.engine.accounts import folder_of
from signal_courier.engine.base import Configuration

_SETTINGS = {
    "config-read-receipts": "read_receipts",
    "config-typing-indicators": "typing_indicators",
    "config-link-previews": "link_previews",
    "config-unidentified-delivery-indicators": "unidentified_delivery_indicators",
}


def configuration_on_disk(config_dir: Path, number: str) -> Configuration:
    """The settings of an account, as far as its files tell them. Never fails.

    Format: table `key_value` of signal-cli's `data/<path>.d/account.db`, the keys of its ConfigurationStore (0.13.19 to 0.14.6).
    """
    folder = folder_of(config_dir, number)
    if folder is None:
        return Configuration()
    address = f"{(folder / 'account.db').absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=1)) as database:
            values = dict(database.execute("SELECT key, value FROM key_value WHERE key LIKE 'config-%'").fetchall())
    except sqlite3.Error:
        return Configuration()
    unlisted, sharing = _flag(values.get("config-phone-number-unlisted")), values.get("config-phone-number-sharing-mode")
    return Configuration(
        discoverable_by_number=None if unlisted is None else not unlisted,
        share_number=None if sharing is None else str(sharing).upper() == "EVERYBODY",
        **{field: _flag(values.get(key)) for key, field in _SETTINGS.items()},
    )


def _flag(value: object) -> bool | None:
    return None if value is None else str(value).lower() in ("1", "true")
