"""What the native routes share: which account is meant, whom a name means, and the problems that the documentation tells."""

from typing import Annotated, Final

import msgspec

from signal_courier.http.call import Call, decode_again
from signal_courier.http.native.problems import MEDIA, ProblemDetails, problem
from signal_courier.http.routing import Answer
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import GroupId, Recipient, parse_number, parse_recipient

ACCOUNT: Final = "+4915100000001"
PERSON: Final = "+4915100000002"
PERSON_UUID: Final = "11111111-1111-4111-8111-111111111111"
GROUP: Final = "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="
TIMESTAMP: Final = 1700000000123
PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII="

Account = Annotated[
    str | None, msgspec.Meta(description="The account that acts; may be left out where only one is meant.", examples=[ACCOUNT])
]
ConversationId = Annotated[str, msgspec.Meta(description="A UUID, number, username or `group.…`.", examples=[PERSON_UUID])]
Timestamp = Annotated[int, msgspec.Meta(description="Names the message together with its author: ms since 1970.", ge=2**31, le=2**53)]
Seconds = Annotated[int, msgspec.Meta(description="Seconds after which messages vanish; 0 = never.", ge=0, le=2**31 - 1)]


class AccountQuery(msgspec.Struct):
    """Who asks."""

    account: Annotated[str, msgspec.Meta(description="The account; may be left out where only one is meant.", examples=[ACCOUNT])] = ""


def trouble(kind: str, detail: str = "", **members: object) -> Answer:
    """A problem that a route can answer, with an example."""
    example = msgspec.to_builtins(problem(kind, detail, **members))
    return Answer(example["status"], example["title"] + ".", ProblemDetails, media=MEDIA, example=example)


INVALID: Final = trouble("invalid-value", "recipient: 'x' is no phone number, UUID, username or group id", field="recipient")
MISSING: Final = trouble("not-found")
REFUSED: Final = trouble("refused", "Failed to send message", account=ACCOUNT)


async def account_of[B, Q](call: Call[B, Q], named: str | None) -> str:
    """The account that a body or a query means: the one named; else the only one that the caller may use; else the default.

    Raises:
        InvalidValue: It is no number; or none was named, and there are several.
        NotAllowed: The caller may not use it.
    """
    try:
        return await call.account_meant(named)
    except InvalidValue as error:
        text = f"account: '{named}' is no phone number (like {ACCOUNT})" if named else "account: there is none, or more than one: name it"
        raise InvalidValue("account", text) from error


def number_in[B, Q](call: Call[B, Q]) -> str:
    """The account that the path names. Raises `InvalidValue`."""
    return parse_number(decode_again(call.path["number"]), field="number").e164


def recipient_in[B, Q](call: Call[B, Q], name: str = "conversation") -> Recipient:
    """The person or group that the path names. Raises `InvalidValue`."""
    return parse_recipient(decode_again(call.path[name]), field=name)


def person_of(text: str, field: str) -> Recipient:
    """A single person. Raises `InvalidValue`."""
    found = parse_recipient(text, field=field)
    if isinstance(found, GroupId):
        raise InvalidValue(field, f"{field}: '{text}' is a group, not a person")
    return found


def group_of(text: str, field: str) -> GroupId:
    """A group. Raises `InvalidValue`."""
    found = parse_recipient(text, field=field)
    if not isinstance(found, GroupId):
        raise InvalidValue(field, f"{field}: '{text}' is no group")
    return found
