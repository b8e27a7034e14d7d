"""The media source ids of received files: `media-source://signal_courier/<entry id>/file/<attachment id>`."""

from typing import Final

from ..const import DOMAIN

FILE: Final = "file"
"""Stands between the entry and the attachment; a conversation stands behind `in`."""
IN: Final = "in"


def media_id(entry_id: str, attachment: str) -> str:
    """What everything in Home Assistant that takes media takes for a received file."""
    return f"media-source://{DOMAIN}/{entry_id}/{FILE}/{attachment}"
