"""`/v1/reactions`: emojis on messages."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.call import Call
from signal_courier.http.compat.dialects import TimestampNumber, reaction_answer
from signal_courier.http.compat.targets import INVALID_GROUP, missing, one_recipient, person
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.integers import Int64
from signal_courier.model.messages import Reaction

routes = RouteTable("Reactions")

_DEFAULT = "👍"
_EXAMPLE = {"recipient": "+4915100000002", "reaction": "👍", "target_author": "+4915100000002", "timestamp": 1700000000123}
_ANSWERS = [
    Answer(204, "Done."),
    Answer(200, "Done (dialect morph027).", TimestampNumber, example={"timestamp": 1700000000456}),
]


class ReactionBody(msgspec.Struct, kw_only=True):
    """An emoji and the message it is for."""

    recipient: Annotated[str | None, msgspec.Meta(description="The conversation: a person or a group.")] = None
    group_id: Annotated[str | None, msgspec.Meta(description="The conversation, when it is a group; wins over `recipient`.")] = None
    groupid: str | None = None
    reaction: Annotated[str | None, msgspec.Meta(description="The emoji.")] = None
    target_author: Annotated[str | None, msgspec.Meta(description="Who wrote the message.")] = None
    timestamp: Annotated[Int64 | None, msgspec.Meta(description="The message's timestamp.")] = None
    remove: Annotated[bool | None, msgspec.Meta(description="Take the reaction back instead.")] = None
    story: Annotated[bool | None, msgspec.Meta(description="The message is a story.")] = None


@routes.add(
    "POST", "/v1/reactions/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=ReactionBody, body_example=_EXAMPLE,
    answers=_ANSWERS,
)  # fmt: skip
async def send_reaction(call: Call[ReactionBody, None]) -> web.StreamResponse:
    """React to a message.

    One reaction a person: a new emoji takes the place of the old one. The message is named by its author and its timestamp.
    """
    return await _react(call, remove=call.body.remove or False)


@routes.add(
    "DELETE", "/v1/reactions/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=ReactionBody, body_example=_EXAMPLE,
    answers=_ANSWERS,
)  # fmt: skip
async def remove_reaction(call: Call[ReactionBody, None]) -> web.StreamResponse:
    """Take a reaction back.

    Which one need not be told: there is one a person and message.
    """
    return await _react(call, remove=True)


async def _react(call: Call[ReactionBody, None], *, remove: bool) -> web.StreamResponse:
    body = call.body
    recipient = one_recipient(body.recipient, body.group_id, body.groupid, bad_group=INVALID_GROUP)
    call.check_recipients([recipient])
    emoji = body.reaction or (_DEFAULT if remove else None)
    if not emoji:
        raise missing("reaction")
    author = person(body.target_author, "target_author")
    if not body.timestamp:
        raise missing("timestamp")
    reaction = Reaction(emoji=emoji, author=author, timestamp=body.timestamp, remove=remove, story=body.story or False)
    return reaction_answer(await call.send(call.account, [recipient], reaction), call.dialect)
