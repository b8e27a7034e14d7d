"""Small things to send."""

import base64
import json
from pathlib import Path

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
"""A PNG of one pixel."""
PIXEL_BASE64 = base64.b64encode(PIXEL).decode()


def write_sticker_pack(folder: Path) -> Path:
    """Files of a pack of one sticker; gives its manifest."""
    (folder / "0.png").write_bytes(PIXEL)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"title": "Points", "author": "Ann", "stickers": [{"file": "0.png", "emoji": "⬛"}]}))
    return manifest


def pack_of(link: str) -> tuple[str, str]:
    """Id and key of a pack by its `https://signal.art/addstickers/#pack_id=…&pack_key=…`."""
    values = dict(part.split("=", 1) for part in link.partition("#")[2].split("&"))
    return values["pack_id"], values["pack_key"]
