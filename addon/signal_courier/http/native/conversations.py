"""`/api/v2/conversations`: people and groups under one roof."""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.errors import NotFound
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import (
    ACCOUNT,
    GROUP,
    INVALID,
    MISSING,
    PERSON,
    PERSON_UUID,
    REFUSED,
    TIMESTAMP,
    AccountQuery,
    Seconds,
    account_of,
    recipient_in,
)
from signal_courier.http.native.pictures import picture
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.conversation_history import Activities
from signal_courier.messaging.conversations import Conversation
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.recipients import GroupId, Username, parse_recipient

routes = RouteTable("Conversations", face=Face.NATIVE)


class ConversationEntry(Conversation, kw_only=True):
    """A person or a group."""

    avatar: Annotated[str, msgspec.Meta(description="Address of the picture; 404 where there is none.")]
    unread: Annotated[int, msgspec.Meta(description="Received messages that were not read; 1000 = at least so many.")] = 0
    last_message_at: Annotated[
        int | None, msgspec.Meta(description="When the newest message was received or sent, as far as they are kept; ms since 1970.")
    ] = None


class ConversationList(msgspec.Struct):
    """The conversations of an account."""

    account: str
    conversations: list[ConversationEntry]


_ANNA = {
    "id": PERSON_UUID, "kind": "person", "name": "Anna", "number": PERSON, "blocked": False, "archived": False, "expires_in": 0,
    "avatar": f"/api/v2/conversations/{PERSON_UUID}/avatar", "unread": 2, "last_message_at": TIMESTAMP,
    "person": {
        "uuid": PERSON_UUID, "username": "anna.42", "profile_name": "Anna Example", "nickname": None, "about": "Hi", "about_emoji": "👋",
        "note": None, "hidden": False, "unregistered": False,
    },
    "group": None,
}  # fmt: skip
GROUP_EXAMPLE = {
    "id": GROUP, "kind": "group", "name": "Family", "number": None, "blocked": False, "archived": False, "expires_in": 0,
    "avatar": f"/api/v2/conversations/{GROUP}/avatar", "person": None,
    "group": {
        "description": "All of us", "member": True, "invite_link": None,
        "members": [{"uuid": PERSON_UUID, "number": PERSON, "name": "Anna", "admin": True, "label": None, "label_emoji": None}],
        "invited": [], "requesting": [], "banned": [],
        "add_members": "every-member", "edit_details": "only-admins", "send_messages": "every-member",
    },
}  # fmt: skip


async def entries[B, Q](call: Call[B, Q], account: str, conversations: Iterable[Conversation]) -> list[ConversationEntry]:
    """Conversations as the API tells them."""
    await call.services.outbox.noted()
    activities = await call.services.history.activity(account)
    return [_entry(one, activities) for one in conversations]


def _entry(conversation: Conversation, activities: Activities) -> ConversationEntry:
    person = conversation.person
    activity = activities.of((conversation.id, conversation.number, person.uuid if person is not None else None))
    return ConversationEntry(
        **{name: getattr(conversation, name) for name in Conversation.__struct_fields__},
        avatar=f"/api/v2/conversations/{conversation.id}/avatar",
        unread=activity.unread,
        last_message_at=activity.last_at or None,
    )


class ListQuery(AccountQuery):
    """Which conversations."""

    search: Annotated[str, msgspec.Meta(description="A part of a name or number; accents and case make no difference.")] = ""
    kind: Annotated[str, msgspec.Meta(description="`person`, `group` or `self`.", examples=["group"])] = ""
    all: Annotated[bool, msgspec.Meta(description="Everybody who is known, not only contacts.")] = False
    blocked: Annotated[bool, msgspec.Meta(description="Blocked ones too.")] = True
    recent: Annotated[bool, msgspec.Meta(description="Only where there were messages lately, contacts or not; the latest first.")] = False


@routes.add(
    "GET", "/api/v2/conversations", scope=Scope.CONTACTS, accounts=Reach.CHECKED, query=ListQuery,
    answers=[
        Answer(200, "By name.", ConversationList, example={"account": ACCOUNT, "conversations": [_ANNA, GROUP_EXAMPLE]}),
        INVALID,
    ],
)  # fmt: skip
async def list_conversations(call: Call[None, ListQuery]) -> web.StreamResponse:
    """List the people and groups that an account knows, or search for them by name.

    With what is unread and when the last message was. `recent` begins with the latest, `search` finds parts of names, whatever their
    accents.
    """
    query = call.query
    if query.kind not in ("", "person", "group", "self"):
        raise InvalidValue("kind", "kind: it can be 'person', 'group' or 'self'")
    account = await account_of(call, query.account)
    if query.search.strip():
        found = await call.services.conversations.search(account, query.search, everybody=query.all or query.recent)
    else:
        found = await call.services.conversations.of(account, everybody=query.all or query.recent)
    chosen = [one for one in found if query.kind in ("", one.kind) and (query.blocked or not one.blocked)]
    shown = await entries(call, account, chosen)
    if query.recent:
        shown = sorted((one for one in shown if one.last_message_at), key=lambda one: one.last_message_at or 0, reverse=True)
    return json_answer(ConversationList(account, shown))


@routes.add(
    "GET", "/api/v2/conversations/{conversation}", scope=Scope.CONTACTS, accounts=Reach.CHECKED, query=AccountQuery,
    answers=[Answer(200, "The conversation.", ConversationEntry, example=_ANNA), INVALID, MISSING],
)  # fmt: skip
async def get_conversation(call: Call[None, AccountQuery]) -> web.StreamResponse:
    """Show one person or group.

    By UUID, number, username or group id.
    """
    recipient = recipient_in(call)
    account = await account_of(call, call.query.account)
    found = await call.services.conversations.find(account, recipient)
    if found is None:
        raise MissingThing("conversation", "Nobody and no group is known by that name.")
    return json_answer((await entries(call, account, [found]))[0])


@routes.add(
    "GET", "/api/v2/conversations/{conversation}/avatar", scope=Scope.CONTACTS, accounts=Reach.CHECKED, query=AccountQuery,
    answers=[Answer(200, "The picture.", bytes, media="image/*"), INVALID, MISSING],
)  # fmt: skip
async def get_conversation_avatar(call: Call[None, AccountQuery]) -> web.StreamResponse:
    """Get the picture of a person or a group: of the contact, else of the profile.

    404 where there is none.
    """
    recipient = recipient_in(call)
    account = await account_of(call, call.query.account)
    commands = call.services.commands
    try:
        if isinstance(recipient, GroupId):
            return picture(await commands.get_avatar(account, group_id=recipient.internal))
        try:
            return picture(await commands.get_avatar(account, contact=str(recipient)))
        except NotFound:
            return picture(await commands.get_avatar(account, profile=str(recipient)))
    except NotFound as error:
        raise MissingThing("conversation", "There is no picture.") from error


class ConversationChange(msgspec.Struct, kw_only=True):
    """What to change; what is left out stays as it is. A group takes `blocked` and `expires_in` only; the rest is in `/api/v2/groups`."""

    name: Annotated[str | None, msgspec.Meta(description="As saved here; empty removes it.")] = None
    given_name: str | None = None
    family_name: str | None = None
    nickname: Annotated[str | None, msgspec.Meta(description="What only this account calls the person.")] = None
    note: str | None = None
    expires_in: Seconds | None = None
    blocked: Annotated[bool | None, msgspec.Meta(description="Whether nothing is taken from there.")] = None


@routes.add(
    "PATCH", "/api/v2/conversations/{conversation}", scope=Scope.CONTACTS, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    query=AccountQuery, body=ConversationChange,
    body_example={"name": "Anna", "expires_in": 604800},
    answers=[Answer(204, "Changed."), INVALID, REFUSED],
)  # fmt: skip
async def change_conversation(call: Call[ConversationChange, AccountQuery]) -> web.StreamResponse:
    """Change what is saved of a person, how long messages last, or block.

    Of a group it takes `blocked` and `expires_in` only, and wants the scope `groups` too. Names and notes are for this account
    alone; the timer holds for both sides.
    """
    recipient = recipient_in(call)
    call.check_recipients([recipient])
    if isinstance(recipient, GroupId):
        call.check_scope(Scope.GROUPS)
    account = await account_of(call, call.query.account)
    body, commands = call.body, call.services.commands
    names = (body.name, body.given_name, body.family_name, body.nickname, body.note)
    if isinstance(recipient, GroupId):
        if any(name is not None for name in names):
            raise InvalidValue("name", "name: a group is renamed with PATCH /api/v2/groups/{group}")
        if body.expires_in is not None:
            await commands.update_group(account, group_id=recipient.internal, expiration=body.expires_in)
        groups, people = [recipient.internal], []
    else:
        if body.expires_in is not None or any(name is not None for name in names):
            await commands.update_contact(
                account,
                recipient=str(recipient),
                name=body.name,
                given_name=body.given_name,
                family_name=body.family_name,
                nick_given_name=body.nickname,
                note=body.note,
                expiration=body.expires_in,
            )
        groups, people = [], [str(recipient)]
    if body.blocked is not None:
        change = commands.block if body.blocked else commands.unblock
        await change(account, recipient=people, group_id=groups)
    call.services.conversations.forget(account)
    return empty()


class RemoveQuery(AccountQuery):
    """How thoroughly."""

    hide: Annotated[bool, msgspec.Meta(description="Only take the person off the list.")] = False
    forget: Annotated[bool, msgspec.Meta(description="Delete keys and sessions too: the next message begins anew.")] = False


@routes.add(
    "DELETE", "/api/v2/conversations/{conversation}", scope=Scope.CONTACTS, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    query=RemoveQuery,
    answers=[Answer(204, "Removed."), INVALID, REFUSED],
)  # fmt: skip
async def remove_conversation(call: Call[None, RemoveQuery]) -> web.StreamResponse:
    """Remove a contact; a group is left with `DELETE /api/v2/groups/{group}`.

    Only from this account's list: the person is not told, and messages that were stored stay.
    """
    recipient = recipient_in(call)
    call.check_recipients([recipient])
    if isinstance(recipient, GroupId):
        raise InvalidValue("conversation", "conversation: a group is left with DELETE /api/v2/groups/{group}")
    if call.query.hide and call.query.forget:
        raise InvalidValue("forget", "forget: hide and forget exclude each other")
    account = await account_of(call, call.query.account)
    await call.services.commands.remove_contact(account, recipient=str(recipient), hide=call.query.hide, forget=call.query.forget)
    call.services.conversations.forget(account)
    return empty()


class RequestAnswer(msgspec.Struct):
    """What to do with somebody's first message."""

    answer: Literal["accept", "delete"]


@routes.add(
    "POST", "/api/v2/conversations/{conversation}/request", scope=Scope.CONTACTS, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    query=AccountQuery, body=RequestAnswer,
    body_example={"answer": "accept"}, answers=[Answer(204, "Done."), INVALID, REFUSED],
)  # fmt: skip
async def answer_request(call: Call[RequestAnswer, AccountQuery]) -> web.StreamResponse:
    """Accept or delete the message request of somebody new.

    Until it is accepted the sender does not see whether messages were read. Deleting one does not block the person. For a group
    it wants the scope `groups` too.
    """
    recipient = recipient_in(call)
    call.check_recipients([recipient])
    if isinstance(recipient, GroupId):
        call.check_scope(Scope.GROUPS)
    account = await account_of(call, call.query.account)
    await call.services.commands.send_message_request_response(
        account,
        type=call.body.answer,
        recipient=() if isinstance(recipient, GroupId | Username) else [str(recipient)],
        group_id=[recipient.internal] if isinstance(recipient, GroupId) else (),
        username=[recipient.name] if isinstance(recipient, Username) else (),
    )
    call.services.conversations.forget(account)
    return empty()


class LookUp(msgspec.Struct):
    """Whom to look for."""

    recipients: Annotated[list[str], msgspec.Meta(description="Numbers or usernames.", min_length=1, max_length=1000, examples=[[PERSON]])]
    account: str | None = None


class FoundPerson(msgspec.Struct):
    """Whether somebody is on Signal."""

    recipient: Annotated[str, msgspec.Meta(description="As it was asked for.")]
    registered: bool
    uuid: str | None
    number: str | None
    username: str | None


class FoundPeople(msgspec.Struct):
    """Everybody who was asked for."""

    people: list[FoundPerson]


@routes.add(
    "POST", "/api/v2/lookups", scope=Scope.CONTACTS, accounts=Reach.CHECKED, recipients=Reach.FREE,
    body=LookUp, body_example={"recipients": [PERSON]},
    answers=[
        Answer(
            200, "Everybody who was asked for.", FoundPeople,
            example={
                "people": [{"recipient": PERSON, "registered": True, "uuid": PERSON_UUID, "number": PERSON, "username": None}],
            },
        ),
        INVALID, REFUSED,
    ],
)  # fmt: skip
async def look_people_up(call: Call[LookUp, None]) -> web.StreamResponse:
    """Tell who is on Signal.

    Numbers and usernames; the answer has a UUID for each who is there. Signal limits how often it tells.
    """
    people, usernames = [], []
    for text in call.body.recipients:
        recipient = parse_recipient(text, field="recipients")
        if isinstance(recipient, GroupId):
            raise InvalidValue("recipients", "recipients: a group cannot be looked up")
        if isinstance(recipient, Username):
            usernames.append(recipient.name)
        else:
            people.append(str(recipient))
    account = await account_of(call, call.body.account)
    found = await call.services.commands.get_user_status(account, recipient=people, username=usernames)
    return json_answer(
        FoundPeople(
            [
                FoundPerson(one.recipient or one.username or one.number or "", one.is_registered, one.uuid, one.number, one.username)
                for one in found
            ]
        )
    )
