"""`/v1/polls`: asking, voting, closing."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.compat.dialects import Timestamp, timestamp_answer
from signal_courier.http.compat.targets import missing, one_recipient, person
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue
from signal_courier.model.integers import Int64
from signal_courier.model.messages import Poll, PollEnd, Vote

routes = RouteTable("Polls")

Conversation = Annotated[str | None, msgspec.Meta(description="The conversation: a person or a group.")]
PollTimestamp = Annotated[
    str | Int64 | None, msgspec.Meta(description="The poll's timestamp, as text or number.", examples=["1700000000123"])
]


class CreatePoll(msgspec.Struct, kw_only=True):
    """A question and what can be answered."""

    recipient: Conversation = None
    group_id: str | None = None
    question: str | None = None
    answers: list[str] | None = None
    allow_multiple_selections: Annotated[
        bool | None, msgspec.Meta(description="Whether several answers can be chosen; true unless given.")
    ] = None


@routes.add(
    "POST", "/v1/polls/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=CreatePoll,
    body_example={"recipient": "+4915100000002", "question": "Tea?", "answers": ["Yes", "No"], "allow_multiple_selections": False},
    answers=[Answer(201, "Asked.", Timestamp, example={"timestamp": "1700000000123"})],
)  # fmt: skip
async def create_poll(call: Call[CreatePoll, None]) -> web.StreamResponse:
    """Ask a question with a choice of answers.

    At least two answers. Its timestamp, which is answered, names it when it is voted in or closed.
    """
    body = call.body
    recipient = one_recipient(body.recipient, body.group_id)
    call.check_recipients([recipient])
    if not body.question:
        raise missing("question")
    if not body.answers:
        raise missing("answers")
    poll = Poll(question=body.question, answers=body.answers, several=body.allow_multiple_selections is not False)
    return timestamp_answer(await call.send(call.account, [recipient], poll))


class VoteInPoll(msgspec.Struct, kw_only=True):
    """Which answers are chosen."""

    recipient: Conversation = None
    group_id: str | None = None
    poll_author: Annotated[str | None, msgspec.Meta(description="Who asked.")] = None
    poll_timestamp: PollTimestamp = None
    selected_answers: Annotated[list[Int64] | None, msgspec.Meta(description="Numbers of the answers, the first is 1.", examples=[[1]])] = (
        None
    )
    vote_count: Annotated[
        Int64 | None, msgspec.Meta(description="How often this account has voted in this poll, this vote included; counted unless given.")
    ] = None


@routes.add(
    "POST", "/v1/polls/{number}/vote", scope=Scope.SEND, recipients=Reach.CHECKED, body=VoteInPoll,
    body_example={
        "recipient": "+4915100000002", "poll_author": "+4915100000002", "poll_timestamp": "1700000000123", "selected_answers": [1],
    },
    answers=[Answer(204, "Voted.")],
)  # fmt: skip
async def vote_in_poll(call: Call[VoteInPoll, None]) -> web.StreamResponse:
    """Vote, or change the vote.

    The poll is named by its author and timestamp, answers by their position, the first is 0. A new vote replaces the one before.
    """
    body = call.body
    timestamp = _timestamp(body.poll_timestamp)
    author = person(body.poll_author, "poll_author")
    if not body.selected_answers:
        raise missing("selected_answers")
    recipient = one_recipient(body.recipient, body.group_id)
    call.check_recipients([recipient])
    if min(body.selected_answers) < 1:
        raise InvalidValue("selected_answers", "Invalid index in selected_answers specified, index needs to be >= 1!")
    account, choices = call.account, [number - 1 for number in body.selected_answers]
    count = body.vote_count or await call.services.votes.number(account, str(recipient), str(author), timestamp, choices)
    vote = Vote(author=author, timestamp=timestamp, choices=choices, count=count)
    await call.send(account, [recipient], vote)
    return empty()


class ClosePoll(msgspec.Struct, kw_only=True):
    """Which poll ends."""

    recipient: Conversation = None
    group_id: str | None = None
    poll_timestamp: PollTimestamp = None


@routes.add(
    "DELETE", "/v1/polls/{number}", scope=Scope.SEND, recipients=Reach.CHECKED, body=ClosePoll,
    body_example={"recipient": "+4915100000002", "poll_timestamp": "1700000000123"},
    answers=[Answer(204, "Closed.")],
)  # fmt: skip
async def close_poll(call: Call[ClosePoll, None]) -> web.StreamResponse:
    """Close an own poll.

    Nobody can vote in it any more. It is named by the timestamp that creating it has answered.
    """
    body = call.body
    end = PollEnd(timestamp=_timestamp(body.poll_timestamp))
    recipient = one_recipient(body.recipient, body.group_id)
    call.check_recipients([recipient])
    await call.send(call.account, [recipient], end)
    return empty()


def _timestamp(given: str | int | None) -> int:
    if given is None or given == "":
        raise missing("poll_timestamp")
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidValue("poll_timestamp", "Couldn't process request - invalid timestamp")
    return int(text)
