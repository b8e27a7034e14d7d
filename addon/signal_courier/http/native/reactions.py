"""`/api/v2/reactions`, `receipts` and `typing`: the small signs."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import PERSON_UUID, TIMESTAMP, Account, ConversationId, Timestamp, account_of, person_of
from signal_courier.http.native.sending import ANSWERS, QUIET_ANSWERS, InConversation, Waiting, send, send_and_tell, send_quietly
from signal_courier.http.routing import RouteTable
from signal_courier.model.messages import Reaction, Receipt, ReceiptKind, Typing
from signal_courier.model.recipients import parse_recipient

routes = RouteTable("Messages", face=Face.NATIVE)


class NewReaction(Waiting, kw_only=True):
    """An emoji for a message."""

    conversation: ConversationId
    emoji: Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["👍"])]
    author: Annotated[str, msgspec.Meta(description="Who wrote the message.", examples=[PERSON_UUID])]
    timestamp: Timestamp
    remove: Annotated[bool, msgspec.Meta(description="Take it back.")] = False
    story: Annotated[bool, msgspec.Meta(description="It is a story that the emoji is for.")] = False
    account: Account = None


@routes.add(
    "POST", "/api/v2/reactions", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=NewReaction,
    body_example={"conversation": PERSON_UUID, "emoji": "👍", "author": PERSON_UUID, "timestamp": TIMESTAMP}, answers=ANSWERS,
)  # fmt: skip
async def react(call: Call[NewReaction, None]) -> web.StreamResponse:
    """React to a message, or take the reaction back.

    One reaction a person: a new emoji takes the place of the old one. The message is named by its author and its timestamp, as events tell
    them.
    """
    body = call.body
    conversation, author = parse_recipient(body.conversation, field="conversation"), person_of(body.author, "author")
    reaction = Reaction(emoji=body.emoji, author=author, timestamp=body.timestamp, remove=body.remove, story=body.story)
    return await send_and_tell(call, await account_of(call, body.account), [conversation], reaction)


class ReceiptsBody(Waiting, kw_only=True):
    """What was read, and of whom."""

    author: Annotated[str, msgspec.Meta(description="Who wrote the messages.", examples=[PERSON_UUID])]
    timestamps: Annotated[list[Timestamp], msgspec.Meta(min_length=1, max_length=1000)]
    kind: Annotated[ReceiptKind, msgspec.Meta(description="`viewed` is for what was played or opened.")] = ReceiptKind.READ
    account: Account = None


@routes.add(
    "POST", "/api/v2/receipts", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=ReceiptsBody,
    body_example={"author": PERSON_UUID, "timestamps": [TIMESTAMP], "kind": "read"}, answers=QUIET_ANSWERS,
)  # fmt: skip
async def send_receipts(call: Call[ReceiptsBody, None]) -> web.StreamResponse:
    """Tell somebody that their messages were read or viewed.

    The sender sees it, unless receipts are switched off on either side. `POST /api/v2/conversations/{conversation}/read` does so for all
    that is unread.
    """
    body = call.body
    author = person_of(body.author, "author")
    await send(call, await account_of(call, body.account), [author], Receipt(kind=body.kind, timestamps=body.timestamps))
    return empty()


class TypingBody(InConversation, kw_only=True):
    """Where something is being typed."""

    stop: Annotated[bool, msgspec.Meta(description="Not any more; else it ends by itself after 15 seconds.")] = False


@routes.add(
    "POST", "/api/v2/typing", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=TypingBody,
    body_example={"conversation": PERSON_UUID}, answers=QUIET_ANSWERS,
)  # fmt: skip
async def show_typing(call: Call[TypingBody, None]) -> web.StreamResponse:
    """Show that something is being typed, or no longer.

    It goes by itself after 15 seconds, or when a message comes.
    """
    return await send_quietly(call, Typing(stop=call.body.stop))
