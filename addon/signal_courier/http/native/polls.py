"""`/api/v2/polls`: asking, voting, closing (signal-cli 0.13.22)."""

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
from signal_courier.model.integers import Int64
from signal_courier.model.messages import Poll, PollEnd, Vote
from signal_courier.model.recipients import parse_recipient

routes = RouteTable("Polls", face=Face.NATIVE)


class NewPoll(Waiting, kw_only=True):
    """A question and what can be answered."""

    conversation: ConversationId
    question: Annotated[str, msgspec.Meta(min_length=1)]
    options: Annotated[list[Annotated[str, msgspec.Meta(min_length=1)]], msgspec.Meta(min_length=2, max_length=100)]
    multiple: Annotated[bool, msgspec.Meta(description="Whether several options can be chosen.")] = False
    account: Account = None


@routes.add(
    "POST", "/api/v2/polls", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=NewPoll,
    body_example={"conversation": PERSON_UUID, "question": "Tea?", "options": ["Yes", "No"]}, answers=ANSWERS,
)  # fmt: skip
async def ask_poll(call: Call[NewPoll, None]) -> web.StreamResponse:
    """Ask a question with a choice of options.

    Its timestamp, which is answered, names it when it is voted in or closed. Votes come as events of the type `poll`.
    """
    body = call.body
    conversation = parse_recipient(body.conversation, field="conversation")
    poll = Poll(question=body.question, answers=body.options, several=body.multiple)
    return await send_and_tell(call, await account_of(call, body.account), [conversation], poll)


class VoteBody(Waiting, kw_only=True):
    """Which options are chosen."""

    conversation: ConversationId
    author: Annotated[str, msgspec.Meta(description="Who asked.", examples=[PERSON_UUID])]
    timestamp: Timestamp
    options: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0, le=10_000)]],
        msgspec.Meta(description="Their numbers, the first is 0; none takes the vote back.", max_length=100),
    ]
    count: Annotated[
        Int64 | None, msgspec.Meta(description="How often this account has voted in this poll, this vote included; counted unless given.")
    ] = None
    account: Account = None


@routes.add(
    "POST", "/api/v2/polls/votes", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=VoteBody,
    body_example={"conversation": PERSON_UUID, "author": PERSON_UUID, "timestamp": TIMESTAMP, "options": [0]}, answers=QUIET_ANSWERS,
)  # fmt: skip
async def cast_vote(call: Call[VoteBody, None]) -> web.StreamResponse:
    """Vote, or change the vote.

    Options are numbered, the first is 0; none takes the vote back. The poll is named by its author and its timestamp.
    """
    body, votes = call.body, call.services.votes
    conversation, author = parse_recipient(body.conversation, field="conversation"), person_of(body.author, "author")
    account = await account_of(call, body.account)
    call.check_recipients([conversation])
    count = body.count or await votes.number(account, str(conversation), str(author), body.timestamp, body.options)
    await send(call, account, [conversation], Vote(author=author, timestamp=body.timestamp, choices=body.options, count=count))
    return empty()


class PollEndBody(InConversation, kw_only=True):
    """Which poll ends."""

    timestamp: Timestamp


@routes.add(
    "POST", "/api/v2/polls/end", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=PollEndBody,
    body_example={"conversation": PERSON_UUID, "timestamp": TIMESTAMP}, answers=QUIET_ANSWERS,
)  # fmt: skip
async def end_poll(call: Call[PollEndBody, None]) -> web.StreamResponse:
    """Close an own poll.

    Nobody can vote in it any more. It is named by the timestamp that asking it has answered.
    """
    return await send_quietly(call, PollEnd(timestamp=call.body.timestamp))
