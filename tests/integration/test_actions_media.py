"""What can be attached, where it comes from, and what is refused."""

import base64
from pathlib import Path

import pytest
from aiohttp import web
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component

from custom_components.signal_courier.media_ids import media_id
from tests.integration.courier import ECHO
from tests.integration.waiting import wait_for

PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAAAABJRU5ErkJggg==")


@pytest.fixture
def echoed(act, events, client):
    """Sends a message to Echo, and gives the message that comes back."""

    async def send(**data: object):
        before = len(events)
        await act("send_message", conversation=ECHO, **data)
        event = await wait_for(lambda: next((one for one in events[before:] if one.type == "message"), None))
        return event.message

    return send


@pytest.fixture
def folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """A folder that Home Assistant may use."""
    allowed = tmp_path / "media"
    allowed.mkdir()
    hass.config.allowlist_external_dirs = {str(allowed)}
    return allowed


@pytest.fixture
async def site(hass: HomeAssistant, aiohttp_server):
    """A web server with files, some of them guarded; on the allow-list."""

    async def guarded(request: web.Request) -> web.Response:
        good = (f"Basic {base64.b64encode(b'me:secret').decode()}", "Bearer secret")
        return web.Response(body=PICTURE, content_type="image/png") if request.headers.get("Authorization") in good else _refused()

    async def named(_: web.Request) -> web.Response:
        return web.Response(body=PICTURE, content_type="image/png", headers={"Content-Disposition": 'attachment; filename="x/door.png"'})

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if "told" in request.query:
            response.content_length = 2000
        await response.prepare(request)
        await response.write(bytes(2000))
        return response

    app = web.Application()
    app.add_routes([web.get("/guarded", guarded), web.get("/named", named), web.get("/moved", moved), web.get("/large", large)])
    server = await aiohttp_server(app)
    address = f"http://127.0.0.1:{server.port}"
    hass.config.allowlist_external_urls = {f"{address}/"}
    return address


def _refused() -> web.Response:
    return web.Response(status=401)


async def test_a_file_is_sent_from_a_folder_that_is_allowed(echoed, act, folder: Path):
    (folder / "door.png").write_bytes(PICTURE)
    message = await echoed(message="Look", files=str(folder / "door.png"))
    assert [(one.name, one.type, one.size) for one in message.attachments] == [("door.png", "image/png", len(PICTURE))]
    message = await echoed(attachments=[str(folder / "door.png"), str(folder / "door.png")])
    assert len(message.attachments) == 2
    for path, key in ((folder.parent / "secret", "path_not_allowed"), (folder / "nothing", "no_file"), (folder, "no_file")):
        with pytest.raises(ServiceValidationError) as error:
            await act("send_message", conversation=ECHO, files=[str(path)])
        assert error.value.translation_key == key


async def test_a_link_does_not_lead_out_of_the_folder(act, folder: Path):
    (folder.parent / "secret").write_text("secret")
    (folder / "link").symlink_to(folder.parent / "secret")
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", conversation=ECHO, files=[str(folder / "link")])
    assert error.value.translation_key == "path_not_allowed"


@pytest.mark.parametrize("login", [{"authentication": "basic", "username": "me"}, {"authentication": "bearer"}])
async def test_addresses_are_fetched_with_a_login(echoed, site, login):
    message = await echoed(message="Look", urls=[f"{site}/guarded"], password="secret", **login)
    assert [(one.name, one.type) for one in message.attachments] == [("guarded.png", "image/png")]


async def test_names_and_redirects_of_addresses_are_followed(echoed, site):
    message = await echoed(attachments=[f"{site}/moved?to=/named"])
    assert [one.name for one in message.attachments] == ["door.png"]


async def test_addresses_that_are_not_allowed_or_do_not_answer_are_told(hass: HomeAssistant, act, site, monkeypatch):
    monkeypatch.setattr("custom_components.signal_courier.media.SIZE_LIMIT", 1000)
    for address, key in (
        ("https://example.org/x.png", "url_not_allowed"),
        (f"{site}/moved?to=http://127.0.0.2/x", "url_not_allowed"),
        (f"{site}/guarded", "url_failed"),
        (f"{site}/nothing", "url_failed"),
        (f"{site}/large?told=1", "file_too_large"),
        (f"{site}/large", "file_too_large"),
    ):
        with pytest.raises(HomeAssistantError) as error:
            await act("send_message", conversation=ECHO, urls=[address])
        assert error.value.translation_key == key, address
    hass.config.allowlist_external_urls = {"http://127.0.0.1:1/"}
    with pytest.raises(HomeAssistantError) as error:
        await act("send_message", conversation=ECHO, urls=["http://127.0.0.1:1/"])
    assert error.value.translation_key == "url_failed"


async def test_a_file_that_is_too_large_is_told(act, folder: Path, monkeypatch):
    monkeypatch.setattr("custom_components.signal_courier.media.SIZE_LIMIT", 10)
    (folder / "door.png").write_bytes(PICTURE)
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", conversation=ECHO, files=[str(folder / "door.png")])
    assert error.value.translation_key == "file_too_large"


async def test_media_sources_are_sent_and_received_files_sent_on(hass: HomeAssistant, echoed, act, folder: Path, config_entry):
    hass.config.media_dirs = {"local": str(folder)}
    await async_setup_component(hass, "media_source", {})
    (folder / "door.png").write_bytes(PICTURE)
    media = {"media_content_id": "media-source://media_source/local/door.png", "media_content_type": "image/png", "metadata": {}}
    message = await echoed(attachments=[media])
    assert [one.name for one in message.attachments] == ["door.png"]
    again = await echoed(attachments=media_id(config_entry.entry_id, message.attachments[0].id))
    assert [one.size for one in again.attachments] == [len(PICTURE)]
    with pytest.raises(HomeAssistantError) as error:
        await act("send_message", conversation=ECHO, attachments=["media-source://nobody/x"])
    assert error.value.translation_key == "media_failed"


async def test_view_once_and_previews_and_stickers_arrive(echoed, client, folder: Path):
    (folder / "door.png").write_bytes(PICTURE)
    await echoed(files=[str(folder / "door.png")], view_once=True)
    assert (await client.messages.history(direction="sent", limit=1)).messages[0].message.view_once
    preview = {"url": "https://example.org", "title": "Example", "image": str(folder / "door.png")}
    message = await echoed(message="See https://example.org", link_preview=preview, silent=True)
    assert [one.title for one in message.previews] == ["Example"]
    (pack, *_) = await client.stickers.packs()
    message = await echoed(sticker=pack.stickers[1].sticker)
    assert (message.sticker.pack_id, message.sticker.sticker_id) == (pack.id, 1)


async def test_attachments_are_saved_where_it_is_allowed(act, echoed, folder: Path):
    (folder / "door.png").write_bytes(PICTURE)
    message = await echoed(files=[str(folder / "door.png")])
    attachment = message.attachments[0].id
    saved = await act("download_attachment", attachment=attachment, path=f"{folder}/")
    assert (folder / attachment).read_bytes() == PICTURE
    assert saved["path"] == str(folder / attachment)
    assert (saved["size"], saved["type"]) == (len(PICTURE), "image/png")
    for path, key in ((folder / "door.png", "file_exists"), (folder.parent / "elsewhere.png", "path_not_allowed")):
        with pytest.raises(ServiceValidationError) as error:
            await act("download_attachment", attachment=attachment, path=str(path))
        assert error.value.translation_key == key
    await act("download_attachment", attachment=attachment, path=str(folder / "door.png"), overwrite=True)
    with pytest.raises(ServiceValidationError) as error:
        await act("download_attachment", attachment="nothing", path=str(folder / "x"))
    assert error.value.translation_key == "problem_not_found"
    assert not {one.name for one in folder.iterdir()} - {"door.png", attachment}  # noqa: ASYNC240  # nothing else is going on
    (folder / "file").write_text("no folder")
    with pytest.raises(HomeAssistantError):
        await act("download_attachment", attachment=attachment, path=str(folder / "file" / "x"))
