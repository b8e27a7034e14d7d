"""Received files in the media browser, and for everything that takes media: account → conversation → files, the newest first.

Ids are `<entry id>`, `<entry id>/in/<conversation id>` and `<entry id>/file/<attachment id>`. What is chosen is read from this machine's
disk, and told to browsers by a view that wants Home Assistant's own login; the service's token stays here.
"""

import io
from collections.abc import AsyncIterator
from typing import Final, override

from aiohttp import web  # noqa: TID251  # Home Assistant's views are made of it
from homeassistant.components.media_player.const import MediaClass
from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import BrowseMediaSource, MediaSource, MediaSourceItem, PlayMedia, Unresolvable
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import HomeAssistantView
from homeassistant.util import dt as dt_util

from .client import CourierError, NotFound
from .client.events import EventAttachment
from .client.history import HistoryMessage
from .const import DOMAIN, NAME
from .coordinator import SignalCourierConfigEntry
from .files.ids import FILE, IN
from .files.received import ReceivedFile, async_received_files
from .moments import moment

_VIEW: Final = f"/api/{DOMAIN}/media/{{entry_id}}/{{attachment}}"
_PAGE: Final = 500
_MOST_PAGES: Final = 10
_MOST_FILES: Final = 200
"""Files that one folder shows."""
_THUMBNAIL: Final = 256
"""Pixels of the longer side."""
_LARGEST_PICTURE: Final = 40 * 1024 * 1024
"""Bytes of a picture that a thumbnail is made of."""
_SHOWN: Final = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp", "audio/", "video/")
"""What a browser may show; anything else, such as HTML or SVG, is saved."""
_CLASSES: Final = {"image": MediaClass.IMAGE, "audio": MediaClass.MUSIC, "video": MediaClass.VIDEO}


async def async_get_media_source(hass: HomeAssistant) -> MediaSource:
    """Set the media source up."""
    hass.http.register_view(ReceivedFileView(hass))
    return ReceivedMedia(hass)


class ReceivedMedia(MediaSource):
    """What was received."""

    name = NAME

    def __init__(self, hass: HomeAssistant) -> None:
        super().__init__(DOMAIN)
        self._hass = hass

    @override
    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        entry_id, _, rest = item.identifier.partition("/")
        kind, _, attachment = rest.partition("/")
        entry = _loaded(self._hass, entry_id)
        if entry is None or kind != FILE or not attachment or "/" in attachment:
            raise _unknown(item)
        try:
            found = await async_received_files(self._hass).async_get(entry, attachment)
        except (CourierError, OSError) as error:
            raise _unknown(item) from error
        return PlayMedia(_address(entry_id, attachment), found.type, path=found.path)

    @override
    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        if not item.identifier:
            accounts = [_folder(one.entry_id, one.title) for one in self._hass.config_entries.async_loaded_entries(DOMAIN)]
            return _folder(None, NAME, accounts)
        entry_id, _, rest = item.identifier.partition("/")
        kind, _, conversation = rest.partition("/")
        entry = _loaded(self._hass, entry_id)
        if entry is None or (rest and (kind != IN or not conversation)):
            raise BrowseError(
                translation_domain=DOMAIN, translation_key="media_unknown", translation_placeholders={"media": item.identifier}
            )
        try:
            if rest:
                return await self._conversation(entry, conversation)
            return await self._account(entry)
        except CourierError as error:
            raise BrowseError(
                translation_domain=DOMAIN, translation_key="cannot_connect", translation_placeholders={"error": str(error)}
            ) from error

    async def _account(self, entry: SignalCourierConfigEntry) -> BrowseMediaSource:
        places: dict[str, str] = {}
        async for message in _with_files(entry, None):
            if (place := message.conversation) is not None:
                places.setdefault(place.id, place.name or place.number or place.id)
        folders = [_folder(f"{entry.entry_id}/{IN}/{place}", name) for place, name in places.items()]
        return _folder(entry.entry_id, entry.title, folders)

    async def _conversation(self, entry: SignalCourierConfigEntry, conversation: str) -> BrowseMediaSource:
        known = entry.runtime_data.conversations.get(conversation)
        files: list[BrowseMediaSource] = []
        async for message in _with_files(entry, conversation):
            files += [_file(entry.entry_id, message, one) for one in _files_of(message)]
            if len(files) >= _MOST_FILES:
                break
        title = known.name if known is not None else conversation
        return _folder(f"{entry.entry_id}/{IN}/{conversation}", title, files)


class ReceivedFileView(HomeAssistantView):
    """Gives a received file to who is logged in to Home Assistant; with `?thumbnail` a small picture of it."""

    url = _VIEW
    name = f"api:{DOMAIN}:media"

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass

    async def get(self, request: web.Request, entry_id: str, attachment: str) -> web.StreamResponse:
        """The file; `Range` is understood."""
        entry = _loaded(self._hass, entry_id)
        if entry is None:
            raise web.HTTPNotFound
        try:
            found = await async_received_files(self._hass).async_get(entry, attachment)
        except NotFound as error:
            raise web.HTTPNotFound from error
        except (CourierError, OSError) as error:
            raise web.HTTPBadGateway from error
        headers = {
            "Cache-Control": "private, max-age=3600",
            "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
        }
        if "thumbnail" in request.query:
            small = await self._hass.async_add_executor_job(_thumbnail, found)
            if small is None:
                raise web.HTTPNotFound
            return web.Response(body=small, content_type="image/jpeg", headers=headers)
        if not found.type.startswith(_SHOWN):
            headers["Content-Disposition"] = "attachment"
        return web.FileResponse(found.path, headers={**headers, "Content-Type": found.type})


async def _with_files(entry: SignalCourierConfigEntry, conversation: str | None) -> AsyncIterator[HistoryMessage]:
    """Received messages with files, the newest first, as far back as some thousand messages."""
    before: str | None = None
    for _ in range(_MOST_PAGES):
        page = await entry.runtime_data.client.messages.history(conversation=conversation, direction="received", before=before, limit=_PAGE)
        for message in page.messages:
            if _files_of(message):
                yield message
        before = page.next
        if before is None:
            return


def _files_of(message: HistoryMessage) -> list[EventAttachment]:
    """What can be shown again: nothing that was meant to be seen once."""
    content = message.message
    if content is None or content.view_once:
        return []
    return [one for one in content.attachments if one.id is not None]


def _loaded(hass: HomeAssistant, entry_id: str) -> SignalCourierConfigEntry | None:
    entry = hass.config_entries.async_get_entry(entry_id)
    return entry if entry is not None and entry.domain == DOMAIN and entry.state is ConfigEntryState.LOADED else None


def _address(entry_id: str, attachment: str) -> str:
    return _VIEW.format(entry_id=entry_id, attachment=attachment)


def _folder(identifier: str | None, title: str, children: list[BrowseMediaSource] | None = None) -> BrowseMediaSource:
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=MediaClass.DIRECTORY,
        media_content_type="",
        title=title,
        can_play=False,
        can_expand=True,
        children=children,
    )


def _file(entry_id: str, message: HistoryMessage, one: EventAttachment) -> BrowseMediaSource:
    kind = one.type or "application/octet-stream"
    when = dt_util.as_local(moment(message.timestamp or message.time))
    who = message.sender.name or message.sender.number
    said = (message.message.text or "").strip() if message.message is not None else ""
    parts = (f"{when:%Y-%m-%d %H:%M}", who, one.name or said.partition("\n")[0][:60])
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=f"{entry_id}/{FILE}/{one.id}",
        media_class=_CLASSES.get(kind.partition("/")[0], MediaClass.URL),
        media_content_type=kind,
        title=" · ".join(part for part in parts if part),
        can_play=True,
        can_expand=False,
        thumbnail=f"{_address(entry_id, one.id or '')}?thumbnail" if kind.startswith("image/") else None,
    )


def _thumbnail(found: ReceivedFile) -> bytes | None:
    """A small JPEG; `None` for what is no picture."""
    from PIL import Image, ImageOps  # noqa: PLC0415  # large, and only needed here

    try:
        if found.path.stat().st_size > _LARGEST_PICTURE:
            return None
        with Image.open(found.path) as picture:
            picture.draft("RGB", (_THUMBNAIL, _THUMBNAIL))
            turned = ImageOps.exif_transpose(picture).convert("RGB")
            turned.thumbnail((_THUMBNAIL, _THUMBNAIL))
            made = io.BytesIO()
            turned.save(made, "JPEG")
    except OSError, ValueError, Image.DecompressionBombError:
        return None
    return made.getvalue()


def _unknown(item: MediaSourceItem) -> Unresolvable:
    return Unresolvable(translation_domain=DOMAIN, translation_key="media_unknown", translation_placeholders={"media": item.identifier})
