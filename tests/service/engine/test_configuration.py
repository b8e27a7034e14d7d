"""What signal-cli's own database tells of an account's settings."""

import json
import sqlite3
from pathlib import Path

from signal_courier.engine.base import Configuration
from signal_courier.engine.configuration import configuration_on_disk

NUMBER = "+4915100000001"


def test_settings_are_read_beside_signal_cli_and_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert configuration_on_disk(tmp_path, NUMBER) == Configuration()
    folder = tmp_path / "data" / "123456.d"
    folder.mkdir(parents=True)
    (tmp_path / "data" / "accounts.json").write_text(json.dumps({"accounts": [{"path": "123456", "number": NUMBER}], "version": 2}))
    assert configuration_on_disk(tmp_path, NUMBER) == Configuration()
    with sqlite3.connect(folder / "account.db") as database:
        database.execute("CREATE TABLE key_value (_id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, value ANY) STRICT")
        database.executemany(
            "INSERT INTO key_value (key, value) VALUES (?, ?)",
            [("config-read-receipts", 1), ("config-link-previews", 0), ("config-phone-number-unlisted", 1), ("other", "x"),
             ("config-phone-number-sharing-mode", "NOBODY")],
        )  # fmt: skip
    database.close()
    assert configuration_on_disk(tmp_path, NUMBER) == Configuration(
        read_receipts=True, link_previews=False, discoverable_by_number=False, share_number=False
    )
    assert configuration_on_disk(tmp_path, "+4915100000002") == Configuration()
