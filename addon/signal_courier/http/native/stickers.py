"""`/api/v2/stickers`: packs, and their pictures."""

import re
from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.errors import NotFound
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import ACCOUNT, INVALID, MISSING, REFUSED, Account, AccountQuery, account_of
from signal_courier.http.native.pictures import picture
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue, MissingThing

routes = RouteTable("Stickers", face=Face.NATIVE)

_ID = "9a32eda01a7a28574f2eb48668ae0dc4"
_LINK = re.compile(r"(?:https://signal\.art/addstickers/|sgnl://addstickers/?)[#?]pack_id=[0-9a-fA-F]{32}&pack_key=[0-9a-fA-F]{64}")


class StickerItem(msgspec.Struct):
    """A picture of a pack."""

    id: int
    emoji: str | None
    url: Annotated[str, msgspec.Meta(description="Address of the picture.")]
    sticker: Annotated[str, msgspec.Meta(description="For `sticker` of a message.")]


class PackItem(msgspec.Struct):
    """A sticker pack."""

    id: str
    title: str | None
    author: str | None
    installed: bool
    link: Annotated[str | None, msgspec.Meta(description="To share it.")]
    stickers: list[StickerItem]


class Packs(msgspec.Struct):
    """The packs that an account knows."""

    account: str
    packs: list[PackItem]


@routes.add(
    "GET", "/api/v2/stickers", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, query=AccountQuery,
    answers=[
        Answer(
            200, "The packs.", Packs,
            example={
                "account": ACCOUNT,
                "packs": [
                    {"id": _ID, "title": "Cats", "author": "Anna", "installed": True, "link": "https://signal.art/addstickers/#…",
                     "stickers": [{"id": 0, "emoji": "🐱", "url": f"/api/v2/stickers/{_ID}/0", "sticker": f"{_ID}:0"}]}
                ],
            },
        ),
        INVALID,
    ],
)  # fmt: skip
async def list_packs(call: Call[None, AccountQuery]) -> web.StreamResponse:
    """List the sticker packs that an account knows.

    Installed ones, and others that it has met; `installed` tells which is which.
    """
    account = await account_of(call, call.query.account)
    packs = [
        PackItem(
            id=pack.pack_id,
            title=pack.title,
            author=pack.author,
            installed=pack.installed,
            link=pack.url,
            stickers=[
                StickerItem(one.id, one.emoji, f"/api/v2/stickers/{pack.pack_id}/{one.id}", f"{pack.pack_id}:{one.id}")
                for one in pack.stickers
            ],
        )
        for pack in await call.services.commands.list_sticker_packs(account)
    ]
    return json_answer(Packs(account, packs))


class NewPack(msgspec.Struct):
    """Which pack."""

    link: Annotated[str, msgspec.Meta(description="https://signal.art/addstickers/#pack_id=…&pack_key=…")]
    account: Account = None


@routes.add(
    "POST", "/api/v2/stickers", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, body=NewPack,
    body_example={"link": f"https://signal.art/addstickers/#pack_id={_ID}&pack_key={'0a' * 32}"},
    answers=[Answer(204, "Installed."), INVALID, REFUSED],
)  # fmt: skip
async def install_pack(call: Call[NewPack, None]) -> web.StreamResponse:
    """Install a sticker pack by its link.

    By the link with which packs are passed on, https://signal.art/addstickers/#…
    """
    if not _LINK.fullmatch(call.body.link):
        raise InvalidValue("link", "link: it is of the form https://signal.art/addstickers/#pack_id=…&pack_key=…")
    await call.services.commands.add_sticker_pack(await account_of(call, call.body.account), uri=[call.body.link])
    return empty()


@routes.add(
    "GET", "/api/v2/stickers/{pack}/{sticker}", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, query=AccountQuery,
    answers=[Answer(200, "The picture.", bytes, media="image/*"), INVALID, MISSING],
)  # fmt: skip
async def get_sticker_picture(call: Call[None, AccountQuery]) -> web.StreamResponse:
    """Get one picture of a pack.

    Its bytes, with the type that they have.
    """
    pack, number = call.path["pack"], call.path["sticker"]
    if not re.fullmatch(r"[0-9a-fA-F]{32}", pack) or not re.fullmatch(r"[0-9]{1,9}", number):
        raise MissingThing("sticker", "There is no such sticker.")
    account = await account_of(call, call.query.account)
    try:
        return picture(await call.services.commands.get_sticker(account, pack_id=pack, sticker_id=int(number)))
    except NotFound as error:
        raise MissingThing("sticker", "There is no such sticker.") from error
