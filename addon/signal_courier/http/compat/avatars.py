"""Pictures of people and groups, on their way in and out."""

import base64
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from signal_courier.engine.answers import Data
from signal_courier.engine.errors import EngineFault
from signal_courier.http.answers import content
from signal_courier.http.call import Call
from signal_courier.model.attachments import HEAD, Content, Inline
from signal_courier.model.errors import InvalidValue
from signal_courier.model.media import media_type

type Avatar = Content
"""Plain base64."""


@contextlib.asynccontextmanager
async def staged_avatar[B, Q](call: Call[B, Q], avatar: Content | None) -> AsyncIterator[str | None]:
    """The picture as signal-cli takes it (a path) for the time of a `with` block; `None` where there is none, or an empty one.

    Raises:
        InvalidValue: It is no base64, in upstream's words.
    """
    if avatar is None or avatar == Inline(""):
        yield None
        return
    async with call.services.staging.open(call.account) as stage:
        try:
            staged = await stage.add_plain(avatar, "base64_avatar")
        except InvalidValue as error:
            raise InvalidValue("base64_avatar", f"Couldn't decode base64 encoded avatar: {error.message}") from error
        yield staged


def picture(data: Data) -> web.Response:
    """A picture from signal-cli, its type told from its bytes."""
    try:
        raw = base64.b64decode(data.data, validate=True)
    except ValueError as error:
        raise EngineFault(f"Couldn't decode base64 encoded avatar: {error}") from error
    return content(raw, media_type(raw[:HEAD]))
