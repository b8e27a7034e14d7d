"""What Home Assistant has as pictures, sounds and files, turned into uploads at the service.

    uploads = await MediaUploader(hass, entry).async_file("/media/door.jpg")       # a path, where Home Assistant may read
    …async_url("https://…", UrlAccess(…)) …async_media("media-source://…") …async_snapshot("camera.door") …async_speech("Hello")

Files and addresses flow through in pieces; nothing is larger in memory than a camera's picture or a spoken text.
"""

import base64
import mimetypes
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import aiohttp
from homeassistant.components.media_player.browse_media import async_process_play_media_url
from homeassistant.components.media_source import Unresolvable, async_resolve_media
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from yarl import URL

from ..client import CourierError
from ..const import DOMAIN
from .ids import media_id
from .voice import VOICE_TYPE, async_voice_note

if TYPE_CHECKING:
    from ..coordinator import SignalCourierConfigEntry

SIZE_LIMIT: Final = 100 * 1024 * 1024
"""Bytes of a file; Signal takes no more."""
_PIECE: Final = 256 * 1024
_DEADLINE: Final = 300.0
"""Seconds for what is fetched from an address."""
_MEDIA: Final = "media-source://"
_TTS: Final = "media-source://tts/"
_SNAPSHOTS: Final = ("media-source://camera/", "media-source://image/")


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlAccess:
    """How an address is fetched."""

    verify_ssl: bool = True
    authentication: str | None = None
    """basic or bearer."""
    username: str = ""
    password: str = ""
    """Or the token."""

    def header(self) -> dict[str, str]:
        """What the request carries."""
        if self.authentication == "basic":
            login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {login}"}
        if self.authentication == "bearer":
            return {"Authorization": f"Bearer {self.password}"}
        return {}


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file at the service."""

    id: str
    voice_note: bool = False
    """It was spoken."""


class MediaUploader:
    """Uploads for one account. Everything raises translated `HomeAssistantError`s, and `CourierError` where the service refuses."""

    def __init__(self, hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._client = entry.runtime_data.client

    async def async_any(self, item: str | dict[str, str], access: UrlAccess | None = None) -> Uploaded:
        """What a user gave: the value of a media selector, a path, an address, `media-source://…`, the entity id of a camera or image."""
        text = item if isinstance(item, str) else item["media_content_id"]
        if text.startswith(_MEDIA):
            return await self.async_media(text)
        if text.startswith(("http://", "https://")):
            return await self.async_url(text, access or UrlAccess())
        if text.startswith(("camera.", "image.")):
            return await self.async_snapshot(text)
        return await self.async_file(text)

    async def async_file(self, path: str, *, anywhere: bool = False) -> Uploaded:
        """A file of this machine. Raises `ServiceValidationError` where it is none, or (unless `anywhere`) may not be read."""
        if not anywhere and not await self._hass.async_add_executor_job(self._hass.config.is_allowed_path, path):
            raise _invalid("path_not_allowed", path=path)
        return await self._send_file(Path(path))

    async def async_url(self, address: str, access: UrlAccess) -> Uploaded:
        """What is at an address that is on the allow-list. Redirects are followed on the allow-list too."""
        if not self._hass.config.is_allowed_external_url(address):
            raise _invalid("url_not_allowed", url=address)
        return await self._fetch(address, access, guarded=True)

    async def async_snapshot(self, entity_id: str) -> Uploaded:
        """The picture that a camera or image entity shows now."""
        domain = entity_id.partition(".")[0]
        try:
            if domain == "camera":
                from homeassistant.components.camera import async_get_image  # noqa: PLC0415  # only where there is one

                shown = await async_get_image(self._hass, entity_id)
                content, kind = shown.content, shown.content_type
            else:
                from homeassistant.components.image import async_get_image as async_get_still  # noqa: PLC0415  # the same

                still = await async_get_still(self._hass, entity_id)
                content, kind = still.content, still.content_type
        except (HomeAssistantError, KeyError) as error:
            raise _failed("snapshot_failed", entity_id=entity_id, error=error) from error
        name = f"{entity_id.partition('.')[2]}{mimetypes.guess_extension(kind) or '.jpg'}"
        return await self._send(content, name, kind)

    async def async_speech(self, text: str, engine: str | None = None, language: str | None = None) -> Uploaded:
        """A text, spoken by a text-to-speech engine, as a voice note."""
        self._check_speech()
        from homeassistant.components.tts.media_source import generate_media_source_id  # noqa: PLC0415  # only where it is

        try:
            media = generate_media_source_id(self._hass, text, engine=engine, language=language)
        except HomeAssistantError as error:
            raise _failed("tts_failed", error=error) from error
        return await self.async_media(media)

    async def async_media(self, media: str) -> Uploaded:
        """A media source. What is spoken becomes a voice note."""
        if media.startswith(_TTS):
            return await self._speech(media)
        if media.startswith(_SNAPSHOTS):
            return await self.async_snapshot(media.rpartition("/")[2])
        if media.startswith(own := media_id(self._entry.entry_id, "")):  # the service has it already
            return Uploaded(media.removeprefix(own))
        try:
            found = await async_resolve_media(self._hass, media, None)
        except Unresolvable as error:
            raise _failed("media_failed", media=media, error=error) from error
        if found.path is not None:
            return await self._send_file(found.path)
        address = async_process_play_media_url(self._hass, found.url)
        return await self._fetch(address, UrlAccess(), guarded=False)

    def _check_speech(self) -> None:
        if "tts" not in self._hass.config.components:
            raise _invalid("no_tts")

    async def _speech(self, media: str) -> Uploaded:
        self._check_speech()
        from homeassistant.components.tts import async_get_media_source_audio  # noqa: PLC0415  # only where it is

        try:
            extension, spoken = await async_get_media_source_audio(self._hass, media)
        except (HomeAssistantError, ValueError, KeyError) as error:
            raise _failed("tts_failed", error=error) from error
        note = await async_voice_note(self._hass, spoken, extension)
        sent = await self._send(note.data, f"voice-note.{note.extension}", VOICE_TYPE.get(note.extension, "audio/mpeg"))
        return Uploaded(sent.id, voice_note=True)

    async def _send_file(self, path: Path) -> Uploaded:
        size = await self._hass.async_add_executor_job(_size_of, path)
        if size is None:
            raise _invalid("no_file", path=str(path))
        if size > SIZE_LIMIT:
            raise _too_large(path.name)
        return await self._send(self._pieces(path), path.name, mimetypes.guess_type(path.name)[0])

    async def _pieces(self, path: Path) -> AsyncIterator[bytes]:
        file = await self._hass.async_add_executor_job(path.open, "rb")
        try:
            while piece := await self._hass.async_add_executor_job(file.read, _PIECE):
                yield piece
        finally:
            await self._hass.async_add_executor_job(file.close)

    async def _fetch(self, address: str, access: UrlAccess, *, guarded: bool) -> Uploaded:
        session = async_get_clientsession(self._hass, verify_ssl=access.verify_ssl)
        timeout = aiohttp.ClientTimeout(total=_DEADLINE, connect=10)
        try:
            async with session.get(address, headers=access.header(), timeout=timeout, allow_redirects=False) as response:
                if response.status in (301, 302, 303, 307, 308) and (target := response.headers.get("Location")):
                    onward = str(response.url.join(URL(target)))
                else:
                    return await self._send_response(response)
            if guarded and not self._hass.config.is_allowed_external_url(onward):
                raise _invalid("url_not_allowed", url=onward)
            same_place = URL(onward).origin() == URL(address).origin()
            again = access if same_place else UrlAccess(verify_ssl=access.verify_ssl)
            async with session.get(onward, headers=again.header(), timeout=timeout, allow_redirects=False) as response:
                return await self._send_response(response)
        except TimeoutError as error:
            raise _failed("url_failed", url=address, error="no answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failed("url_failed", url=address, error=error) from error

    async def _send_response(self, response: aiohttp.ClientResponse) -> Uploaded:
        if response.status != 200:
            raise _failed("url_failed", url=str(response.url.with_query(None)), error=f"HTTP {response.status}")
        name = unquote(response.url.path.rpartition("/")[2])
        if response.content_disposition is not None and response.content_disposition.filename:
            name = response.content_disposition.filename.replace("\\", "/").rpartition("/")[2]
        if response.content_length is not None and response.content_length > SIZE_LIMIT:
            raise _too_large(name)
        if "." not in name:
            name = (name or "file") + (mimetypes.guess_extension(response.content_type) or "")
        source = _Source(response.content.iter_chunked(_PIECE), name)
        try:
            return await self._send(source.pieces(), name, response.content_type)
        except CourierError:
            if source.failure is not None:
                raise source.failure from None
            raise

    async def _send(self, data: bytes | AsyncIterator[bytes], name: str, kind: str | None) -> Uploaded:
        kept = await self._client.attachments.upload(data, name or "file", type=kind or "application/octet-stream")
        return Uploaded(kept.id)


class _Source:
    """A body that flows through; why it ended early is kept, as the upload only knows that it broke off."""

    def __init__(self, pieces: AsyncIterator[bytes], name: str) -> None:
        self.failure: HomeAssistantError | None = None
        self._pieces = pieces
        self._name = name

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body. Raises where it is too large, or breaks off."""
        size = 0
        try:
            async for piece in self._pieces:
                size += len(piece)
                if size > SIZE_LIMIT:
                    self.failure = _too_large(self._name)
                    raise self.failure
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            self.failure = _failed("url_failed", url=self._name, error=error)
            raise


def _size_of(path: Path) -> int | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:  # it may be read, too
            return os.fstat(file.fileno()).st_size
    except OSError:
        return None


def _too_large(name: str) -> ServiceValidationError:
    return _invalid("file_too_large", name=name, limit=str(SIZE_LIMIT // 1024 // 1024))


def _invalid(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)


def _failed(key: str, **placeholders: object) -> HomeAssistantError:
    texts = {name: str(value) for name, value in placeholders.items()}
    return HomeAssistantError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=texts)
