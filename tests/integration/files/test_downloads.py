"""Received files that are kept among Home Assistant's media."""

import asyncio
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant

from custom_components.signal_courier.client.events import EventAttachment
from custom_components.signal_courier.const import CONF_DOWNLOAD_ATTACHMENTS
from custom_components.signal_courier.files.downloads import file_name
from tests.integration.courier import ECHO, POLLY
from tests.integration.waiting import wait_for

STAMP = 1795221024321


@pytest.fixture
async def media(hass: HomeAssistant, config_entry, tmp_path: Path) -> Path:
    """The media folder; the option is on."""
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    hass.config.allowlist_external_dirs = {str(tmp_path / "media")}
    hass.config_entries.async_update_entry(config_entry, options={CONF_DOWNLOAD_ATTACHMENTS: True})
    return tmp_path / "media"


async def test_a_received_file_is_kept(hass: HomeAssistant, media: Path, events, client):
    kept = await client.attachments.upload(b"meow", "cat.txt", type="text/plain")
    await client.messages.send([ECHO], text="Look", attachments=[kept.id])
    path = await wait_for(lambda: next(media.glob("signal_courier/echo_hill/* cat.txt"), None))
    assert await asyncio.to_thread(path.read_bytes) == b"meow"


async def test_what_cannot_be_kept_is_told_and_ends_nothing(hass: HomeAssistant, media: Path, events, client, caplog):
    hass.config.allowlist_external_dirs = set()
    kept = await client.attachments.upload(b"meow", "cat.txt", type="text/plain")
    await client.messages.send([ECHO], text="Look", attachments=[kept.id])
    await wait_for(lambda: "A received file was not kept" in caplog.text)
    hass.config.allowlist_external_dirs = {str(media)}
    await client.messages.send([ECHO], text="Again", attachments=[kept.id])
    await wait_for(lambda: next(media.glob("signal_courier/echo_hill/* cat.txt"), None))


async def test_what_is_to_be_seen_once_and_what_strangers_send_is_not_kept(hass: HomeAssistant, media: Path, events, client, courier):
    seen = {"id": "seen.jpg", "filename": "seen.jpg", "contentType": "image/jpeg", "size": 4}
    await courier.speak({"attachments": [seen], "viewOnce": True})
    await courier.speak({"attachments": [seen]}, sender=POLLY)
    await courier.speak({"attachments": [{**seen, "id": None}]})
    kept = await client.attachments.upload(b"meow", "last.txt", type="text/plain")
    await client.messages.send([ECHO], text="Look", attachments=[kept.id])
    await wait_for(lambda: next(media.glob("signal_courier/echo_hill/* last.txt"), None))
    (only,) = await asyncio.to_thread(lambda: list(media.glob("signal_courier/*/*")))
    assert only.name.endswith(" last.txt")


async def test_more_files_than_can_be_kept_stay_at_the_service(hass: HomeAssistant, media: Path, events, courier, caplog):
    files = [{"id": f"{number}.jpg", "filename": "a.jpg", "contentType": "image/jpeg", "size": 4} for number in range(250)]
    await courier.speak({"attachments": files})
    await wait_for(lambda: "Too many files came at once" in caplog.text)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("door.png", "door.png"),
        ("../../etc/passwd", "__.._etc_passwd"),
        (".hidden", "_hidden"),
        ("a" * 300 + ".png", "a" * 76 + ".png"),
        (None, "abc.jpg"),
    ],
)
async def test_a_file_cannot_choose_its_place(hass: HomeAssistant, name, kept):
    found = file_name(EventAttachment(id="abc.jpg", name=name), STAMP)
    assert found.endswith(f" {kept}")
    assert "/" not in found
    assert found.startswith("2026-11-2")
