"""`/v1/sticker-packs`: stickers that an account can send."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import refusal
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Sticker Packs")

_ID = "9a32eda01a7a28574f2eb48668ae0dc4"


class StickerPackEntry(msgspec.Struct):
    """A sticker pack."""

    pack_id: str
    url: str
    installed: bool
    title: str
    author: str


@routes.add(
    "GET", "/v1/sticker-packs/{number}", scope=Scope.ACCOUNTS,
    answers=[
        Answer(
            200, "The packs.", list[StickerPackEntry],
            example=[{"pack_id": _ID, "url": "https://signal.art/addstickers/#…", "installed": True, "title": "Cats", "author": "Anna"}],
        )
    ],
)  # fmt: skip
async def list_sticker_packs(call: Call[None, None]) -> web.StreamResponse:
    """List the sticker packs that an account knows.

    Installed ones, and others that it has met; `installed` tells which is which.
    """
    return json_answer(
        [
            StickerPackEntry(pack.pack_id, pack.url or "", pack.installed, pack.title or "", pack.author or "")
            for pack in await call.services.commands.list_sticker_packs(call.account)
        ]
    )


class AddStickerPack(msgspec.Struct):
    """Which pack; both are in its signal.art link."""

    pack_id: Annotated[str, msgspec.Meta(examples=[_ID])] = ""
    pack_key: Annotated[str, msgspec.Meta(examples=["19546e18eba0ff69dea78eb591465289d39e16f35e58389ae779d4f9455aff3a"])] = ""


@routes.add(
    "POST", "/v1/sticker-packs/{number}", scope=Scope.ACCOUNTS, body=AddStickerPack, body_example={"pack_id": _ID, "pack_key": "19546e18…"},
    answers=[Answer(201, "Installed."), refusal("Something is missing.", "Couldn't process request - pack_id missing")],
)  # fmt: skip
async def add_sticker_pack(call: Call[AddStickerPack, None]) -> web.StreamResponse:
    """Install a sticker pack.

    Id and key are both in the pack's link, https://signal.art/addstickers/#…
    """
    pack_id, pack_key = call.body.pack_id, call.body.pack_key
    for name, value in (("pack_id", pack_id), ("pack_key", pack_key)):
        if not value:
            raise InvalidValue(name, f"Couldn't process request - {name} missing")
        if not value.isalnum():
            raise InvalidValue(name, f"Couldn't process request - {name} is not hexadecimal")
    await call.services.commands.add_sticker_pack(
        call.account, uri=[f"https://signal.art/addstickers/#pack_id={pack_id}&pack_key={pack_key}"]
    )
    return empty(201)
