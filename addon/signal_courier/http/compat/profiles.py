"""`/v1/profiles`: what others see of an account."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.compat.avatars import Avatar, staged_avatar
from signal_courier.http.compat.examples import PICTURE, refusal
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.attachments import Inline
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Profiles")


class UpdateProfile(msgspec.Struct):
    """A profile; what is left out stays as it is."""

    name: Annotated[str, msgspec.Meta(description="Given name.")] = ""
    family_name: str | None = None
    about: Annotated[str | None, msgspec.Meta(description="A line about oneself; empty removes it.")] = None
    about_emoji: Annotated[str | None, msgspec.Meta(description="The emoji before that line; empty removes it.", examples=["👋"])] = None
    base64_avatar: Annotated[Avatar | None, msgspec.Meta(description="The picture, as base64; empty removes it.")] = None
    remove_avatar: bool = False


@routes.add(
    "PUT", "/v1/profiles/{number}", scope=Scope.ACCOUNTS, body=UpdateProfile,
    body_example={"name": "Home", "family_name": "Assistant", "about": "I am a house.", "about_emoji": "🏠", "base64_avatar": PICTURE},
    answers=[Answer(204, "Changed."), refusal("No name was given.", "Couldn't process request - profile name missing")],
)  # fmt: skip
async def update_profile(call: Call[UpdateProfile, None]) -> web.StreamResponse:
    """Change an account's profile.

    Name, a line of text, picture: what everybody sees who is written to. What is left out stays as it is, the picture too.
    """
    body = call.body
    if not body.name:
        raise InvalidValue("name", "Couldn't process request - profile name missing")
    async with staged_avatar(call, body.base64_avatar) as avatar:
        await call.services.commands.update_profile(
            call.account,
            given_name=body.name,
            family_name=body.family_name,
            about=body.about,
            about_emoji=body.about_emoji,
            avatar=avatar,
            remove_avatar=avatar is None and (body.remove_avatar or body.base64_avatar == Inline("")),
        )
    return empty()
