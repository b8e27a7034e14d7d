"""What can be attached, where it comes from, and what is refused."""

import base64
from pathlib import Path
from typing import BinaryIO

import pytest
from aiohttp import web
from homeassistant.components import camera, image, tts
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component

from custom_components.signal_courier.actions import reading
from custom_components.signal_courier.files.ids import media_id
from custom_components.signal_courier.files.voice import VoiceNote, async_voice_note
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

    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 900
        await response.prepare(request)
        await response.write(bytes(100))
        assert request.transport is not None
        request.transport.abort()
        return response

    app = web.Application()
    app.add_routes(
        [
            web.get("/guarded", guarded),
            web.get("/named", named),
            web.get("/moved", moved),
            web.get("/large", large),
            web.get("/broken", broken),
        ]
    )
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
    monkeypatch.setattr("custom_components.signal_courier.files.outgoing.SIZE_LIMIT", 1000)
    for address, key in (
        ("https://example.org/x.png", "url_not_allowed"),
        (f"{site}/moved?to=http://127.0.0.2/x", "url_not_allowed"),
        (f"{site}/guarded", "url_failed"),
        (f"{site}/nothing", "url_failed"),
        (f"{site}/broken", "url_failed"),
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
    monkeypatch.setattr("custom_components.signal_courier.files.outgoing.SIZE_LIMIT", 10)
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
    with pytest.raises(HomeAssistantError) as failed:
        await act("download_attachment", attachment=attachment, path=str(folder / "file" / "x"))
    assert failed.value.translation_key == "not_saved"


async def test_a_file_that_finds_no_room_is_not_half_saved(act, echoed, folder: Path, monkeypatch):
    (folder / "door.png").write_bytes(PICTURE)
    message = await echoed(files=[str(folder / "door.png")])

    def on_a_full_disk(partial: Path) -> BinaryIO:
        partial.touch()
        return Path("/dev/full").open("wb", buffering=0)

    monkeypatch.setattr(reading, "_create", on_a_full_disk)
    with pytest.raises(HomeAssistantError) as error:
        await act("download_attachment", attachment=message.attachments[0].id, path=str(folder / "x.png"))
    assert error.value.translation_key == "not_saved"
    assert not list(folder.glob("*x.png*"))  # noqa: ASYNC240  # nothing else is going on


class Speaker(tts.TextToSpeechEntity):
    """Says everything in a few bytes that begin like MP3."""

    _attr_name = "Speaker"
    _attr_supported_languages = ["en", "de"]  # noqa: RUF012  # as its base has it
    _attr_default_language = "en"

    async def async_get_tts_audio(self, message: str, language: str, options: dict) -> tts.TtsAudioType:
        return (None, None) if message == "Nothing" else ("mp3", b"ID3" + f"{language}: {message}".encode())


FFMPEG = """#!/bin/sh
# Stands for the program: tells what it was asked for, and gives back what it got behind the mark of AAC.
[ "$1" = -version ] && {{ echo "ffmpeg version 7"; exit 0; }}
echo "$@" > {folder}/asked
[ -e {folder}/broken ] && {{ echo "Invalid data" >&2; exit 1; }}
printf '\\377\\361'
exec cat
"""


@pytest.fixture
async def voice(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Home Assistant has a text-to-speech engine; the folder in which ffmpeg may be put."""
    programs = tmp_path / "programs"
    programs.mkdir()
    assert await async_setup_component(hass, "ffmpeg", {"ffmpeg": {"ffmpeg_bin": str(programs / "ffmpeg")}})
    hass.config.media_dirs = {"local": str(tmp_path)}
    hass.config.config_dir = str(tmp_path)  # where spoken texts are kept
    assert await async_setup_component(hass, "tts", {})
    await hass.data[tts.const.DATA_COMPONENT].async_add_entities([Speaker()])
    return programs


@pytest.fixture
def is_voice_note(client):
    """Tells whether what was sent last was a voice note."""

    async def tell() -> bool:
        sent = (await client.messages.history(direction="sent", limit=1)).messages[0]
        content = (await client.messages.get(sent.id)).content
        return bool(content.get("voice_note"))

    return tell


def install_ffmpeg(programs: Path) -> None:
    (programs / "ffmpeg").write_text(FFMPEG.format(folder=programs))
    (programs / "ffmpeg").chmod(0o755)


async def test_a_text_is_spoken_as_a_voice_message(voice: Path, echoed, is_voice_note):
    install_ffmpeg(voice)
    message = await echoed(voice_message="Dinner is ready")
    assert [(one.name, one.type) for one in message.attachments] == [("voice-note.aac", "audio/aac")]
    assert await is_voice_note()
    assert "-c:a aac" in (voice / "asked").read_text()
    message = await echoed(voice_message="Essen ist fertig", tts_entity="tts.speaker", tts_language="de")
    assert message.attachments[0].size == 2 + len(b"ID3de: Essen ist fertig")


async def test_speech_from_the_media_browser_is_a_voice_message_too(voice: Path, echoed, is_voice_note):
    install_ffmpeg(voice)
    media = {"media_content_id": "media-source://tts/tts.speaker?message=Hello", "media_content_type": "provider", "metadata": {}}
    message = await echoed(attachments=[media])
    assert message.attachments[0].type == "audio/aac"
    assert await is_voice_note()


async def test_without_ffmpeg_speech_is_sent_as_it_is(voice: Path, echoed):
    message = await echoed(voice_message="Dinner is ready")
    assert [one.name for one in message.attachments] == ["voice-note.mp3"]


@pytest.mark.parametrize(
    ("data", "form"),
    [(b"RIFF....WAVE", "wav"), (b"OggS", "ogg"), (b"fLaC", "flac"), (b"....ftypM4A ", "m4a"), (b"\xff\xf1", "aac"), (b"?", "mp3")],
)
async def test_the_form_of_sound_is_told_by_its_content(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, data: bytes, form: str):
    monkeypatch.setenv("PATH", "")
    assert await async_voice_note(hass, data, "mp3") == VoiceNote(data, form)


async def test_what_goes_wrong_with_speech_is_told(voice: Path, act):
    install_ffmpeg(voice)
    (voice / "broken").touch()
    for data, key in (
        ({"voice_message": "Hello"}, "ffmpeg_failed"),
        ({"voice_message": "Nothing"}, "tts_failed"),
        ({"voice_message": "Hello", "tts_entity": "tts.nobody"}, "tts_failed"),
        ({"attachments": ["media-source://tts/tts.nobody?message=Hello"]}, "tts_failed"),
    ):
        with pytest.raises(HomeAssistantError) as error:
            await act("send_message", conversation=ECHO, **data)
        assert error.value.translation_key == key, data


async def test_without_an_engine_nothing_is_spoken(act):
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", conversation=ECHO, voice_message="Hello")
    assert error.value.translation_key == "no_tts"
    with pytest.raises(ServiceValidationError) as error:
        await act("send_message", conversation=ECHO, attachments=["media-source://tts/tts.nobody?message=Hello"])
    assert error.value.translation_key == "no_tts"


class Door(camera.Camera):
    """A camera with one picture."""

    _attr_name = "Door"

    async def async_camera_image(self, width: int | None = None, height: int | None = None) -> bytes | None:
        return PICTURE


class Map(image.ImageEntity):
    """An image entity with one picture."""

    _attr_name = "Map"
    _attr_content_type = "image/png"

    async def async_image(self) -> bytes | None:
        return PICTURE


async def test_pictures_of_entities_are_sent(hass: HomeAssistant, echoed, act):
    assert await async_setup_component(hass, "camera", {})
    assert await async_setup_component(hass, "image", {})
    await hass.data[camera.const.DATA_COMPONENT].async_add_entities([Door()])
    await hass.data[image.const.DATA_COMPONENT].async_add_entities([Map(hass)])
    message = await echoed(message="Look", snapshots=["camera.door", "image.map"])
    assert [(one.name, one.size) for one in message.attachments] == [("door.jpg", len(PICTURE)), ("map.png", len(PICTURE))]
    message = await echoed(attachments=[{"media_content_id": "media-source://camera/camera.door"}, "image.map"])
    assert len(message.attachments) == 2
    for entity_id in ("camera.nobody", "image.nobody"):
        with pytest.raises(HomeAssistantError) as error:
            await act("send_message", conversation=ECHO, snapshots=[entity_id])
        assert error.value.translation_key == "snapshot_failed"


async def test_a_message_has_to_say_something(act):
    for data, key in (
        ({}, "message_without_content"),
        ({"message": ""}, "message_without_content"),
        ({"voice_message": "Hello", "files": ["/x"]}, "voice_message_alone"),
    ):
        with pytest.raises(ServiceValidationError) as error:
            await act("send_message", conversation=ECHO, **data)
        assert error.value.translation_key == key


async def test_a_program_that_does_not_end_is_ended(voice: Path, hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("custom_components.signal_courier.files.voice._DEADLINE", 0.2)
    (voice / "ffmpeg").write_text("#!/bin/sh\nexec sleep 60\n")
    (voice / "ffmpeg").chmod(0o755)
    with pytest.raises(HomeAssistantError) as error:
        await async_voice_note(hass, b"ID3", "mp3")
    assert (error.value.translation_placeholders or {})["error"] == "it took too long"
