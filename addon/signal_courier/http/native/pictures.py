"""Pictures of people, groups and stickers, on their way in and out."""

import base64
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from signal_courier.engine.answers import Data
from signal_courier.http.answers import content
from signal_courier.http.services import Services
from signal_courier.model.attachments import HEAD, Content, Inline
from signal_courier.model.media import media_type

type Picture = Content
"""Base64, with or without a data header; or the id of an upload."""


@contextlib.asynccontextmanager
async def staged_picture(services: Services, account: str, given: Content | None, field: str = "avatar") -> AsyncIterator[str | None]:
    """The picture as signal-cli takes it for the time of a `with` block; `None` where there is none. Raises `InvalidValue`."""
    if given is None or given == Inline(""):
        yield None
        return
    async with services.staging.open(account) as stage:
        yield await stage.add(given, field)


def picture(data: Data) -> web.Response:
    """A picture from signal-cli, its type told from its bytes; a browser may keep it for a while."""
    raw = base64.b64decode(data.data)
    answer = content(raw, media_type(raw[:HEAD]))
    answer.headers["Cache-Control"] = "private, max-age=300"
    return answer
