"""Received files in the media browser, and for whoever takes media."""

import base64
from http import HTTPStatus

import pytest
from homeassistant.components import media_source
from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import Unresolvable
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.signal_courier.const import DOMAIN
from custom_components.signal_courier.files.ids import media_id
from custom_components.signal_courier.files.received import async_received_files
from tests.integration.courier import ECHO, uuid_of
from tests.integration.waiting import wait_for

PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAAAABJRU5ErkJggg==")
PAGE = b"<!DOCTYPE html><html><script>alert(1)</script></html>"


@pytest.fixture
async def received(hass: HomeAssistant, events, client):
    """Gives an attachment with this content that Echo has sent to us."""
    await async_setup_component(hass, "media_source", {})

    async def get(data: bytes, name: str, kind: str) -> str:
        kept = await client.attachments.upload(data, name, type=kind)
        before = len(events)
        await client.messages.send([ECHO], text="Look", attachments=[kept.id])
        event = await wait_for(lambda: next((one for one in events[before:] if one.type == "message"), None))
        return event.message.attachments[0].id

    return get


async def test_files_are_found_by_account_and_conversation(hass: HomeAssistant, received, config_entry, courier):
    attachment = await received(PICTURE, "door.png", "image/png")
    await courier.deliver("No file")

    async def browse(identifier: str):
        folder = await media_source.async_browse_media(hass, identifier)
        return folder.title, folder.children or []

    title, (account,) = await browse(f"media-source://{DOMAIN}")
    assert (title, account.title) == ("Signal Courier", "Home")
    _, (place,) = await browse(account.media_content_id)
    assert (place.title, place.identifier) == ("Echo Hill", f"{config_entry.entry_id}/in/{uuid_of(ECHO)}")
    title, (file,) = await browse(place.media_content_id)
    assert title == "Echo Hill"
    assert file.media_content_id == media_id(config_entry.entry_id, attachment)
    assert (file.media_content_type, file.can_play) == ("image/png", True)
    assert file.title.endswith(" · Echo Hill · door.png")


async def test_a_file_can_be_read_and_played(hass: HomeAssistant, received, config_entry, hass_client, hass_client_no_auth):
    attachment = await received(PICTURE, "door.png", "image/png")
    media = await media_source.async_resolve_media(hass, media_id(config_entry.entry_id, attachment), None)
    assert media.mime_type == "image/png"
    assert media.path is not None
    assert media.path.read_bytes() == PICTURE
    browser = await hass_client()
    answer = await browser.get(media.url)
    assert (answer.status, answer.content_type, await answer.read()) == (HTTPStatus.OK, "image/png", PICTURE)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    part = await browser.get(media.url, headers={"Range": "bytes=1-3"})
    assert (part.status, await part.read()) == (HTTPStatus.PARTIAL_CONTENT, b"PNG")
    small = await browser.get(f"{media.url}?thumbnail")
    assert (small.status, small.content_type) == (HTTPStatus.OK, "image/jpeg")
    stranger = await hass_client_no_auth()
    assert (await stranger.get(media.url)).status == HTTPStatus.UNAUTHORIZED


async def test_what_could_run_in_a_browser_is_saved_instead(hass: HomeAssistant, received, config_entry, hass_client):
    attachment = await received(PAGE, "page.html", "text/html")
    media = await media_source.async_resolve_media(hass, media_id(config_entry.entry_id, attachment), None)
    browser = await hass_client()
    answer = await browser.get(media.url)
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert (await browser.get(f"{media.url}?thumbnail")).status == HTTPStatus.NOT_FOUND


async def test_what_is_not_there_is_told(hass: HomeAssistant, received, config_entry, hass_client, courier):
    entry_id = config_entry.entry_id
    for identifier in (f"{entry_id}/file/nothing", "nobody/file/x", f"{entry_id}/in/x", f"{entry_id}/file/a/b", entry_id):
        with pytest.raises(Unresolvable):
            await media_source.async_resolve_media(hass, f"media-source://{DOMAIN}/{identifier}", None)
    for identifier in ("nobody", f"{entry_id}/file/x", f"{entry_id}/in"):
        with pytest.raises(BrowseError):
            await media_source.async_browse_media(hass, f"media-source://{DOMAIN}/{identifier}")
    browser = await hass_client()
    for path in (f"{entry_id}/nothing", "nobody/x"):
        assert (await browser.get(f"/api/{DOMAIN}/media/{path}")).status == HTTPStatus.NOT_FOUND
    await courier.stop()
    assert (await browser.get(f"/api/{DOMAIN}/media/{entry_id}/x")).status == HTTPStatus.BAD_GATEWAY
    with pytest.raises(BrowseError) as error:
        await media_source.async_browse_media(hass, f"media-source://{DOMAIN}/{entry_id}")
    assert error.value.translation_key == "cannot_connect"


async def test_files_go_when_there_are_too_many_and_with_the_account(
    hass: HomeAssistant, received, config_entry, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("custom_components.signal_courier.files.received._MOST", 100)
    files = async_received_files(hass)
    first = await files.async_get(config_entry, await received(PICTURE, "a.png", "image/png"))
    assert first.path.exists()
    attachment = await received(PICTURE, "b.png", "image/png")
    second = await files.async_get(config_entry, attachment)
    assert not first.path.exists()
    assert await files.async_get(config_entry, attachment) == second
    await hass.config_entries.async_remove(config_entry.entry_id)
    assert not second.path.exists()
