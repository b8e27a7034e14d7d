"""`/api/v2/groups`: create, change, join, leave."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.errors import NotFound
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call, decode_again
from signal_courier.http.faces import Face
from signal_courier.http.native.common import (
    ACCOUNT,
    GROUP,
    INVALID,
    MISSING,
    PERSON,
    PICTURE,
    REFUSED,
    Account,
    AccountQuery,
    Seconds,
    account_of,
    group_of,
    person_of,
)
from signal_courier.http.native.conversations import GROUP_EXAMPLE, ConversationEntry, entries
from signal_courier.http.native.pictures import Picture, staged_picture
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.recipients import GroupId

routes = RouteTable("Groups", face=Face.NATIVE)

Permission = Literal["every-member", "only-admins"]
LinkState = Literal["enabled", "enabled-with-approval", "disabled"]
People = Annotated[list[str], msgspec.Meta(description="Numbers, UUIDs or usernames.", examples=[[PERSON]])]


class GroupList(msgspec.Struct):
    """The groups of an account."""

    account: str
    groups: list[ConversationEntry]


@routes.add(
    "GET", "/api/v2/groups", scope=Scope.GROUPS, accounts=Reach.CHECKED, query=AccountQuery,
    answers=[
        Answer(200, "By name; those too that the account has left.", GroupList, example={"account": ACCOUNT, "groups": [GROUP_EXAMPLE]}),
        INVALID,
    ],
)  # fmt: skip
async def list_all_groups(call: Call[None, AccountQuery]) -> web.StreamResponse:
    """List the groups that an account knows.

    As conversations, with members and rights.
    """
    account = await account_of(call, call.query.account)
    found = await call.services.conversations.of(account)
    return json_answer(GroupList(account, await entries(call, account, [one for one in found if one.kind == "group"])))


@routes.add(
    "GET", "/api/v2/groups/{group}", scope=Scope.GROUPS, accounts=Reach.CHECKED, query=AccountQuery,
    answers=[Answer(200, "The group.", ConversationEntry, example=GROUP_EXAMPLE), INVALID, MISSING],
)  # fmt: skip
async def show_group(call: Call[None, AccountQuery]) -> web.StreamResponse:
    """Show one group.

    By its id in any of its forms.
    """
    group = _group(call)
    account = await account_of(call, call.query.account)
    return json_answer(await _shown(call, account, group))


class NewGroup(msgspec.Struct, kw_only=True):
    """A new group."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    account: Account = None
    members: People = []
    admins: People = []
    description: str | None = None
    avatar: Annotated[Picture | None, msgspec.Meta(description="The picture, as base64, or the id of an upload.")] = None
    expires_in: Seconds | None = None
    link: LinkState | None = None
    add_members: Permission | None = None
    edit_details: Permission | None = None
    send_messages: Permission | None = None


@routes.add(
    "POST", "/api/v2/groups", scope=Scope.GROUPS, accounts=Reach.CHECKED, body=NewGroup,
    body_example={"name": "Family", "members": [PERSON], "description": "All of us", "link": "disabled", "edit_details": "only-admins"},
    answers=[Answer(201, "The group.", ConversationEntry, example=GROUP_EXAMPLE), INVALID, REFUSED],
)  # fmt: skip
async def make_group(call: Call[NewGroup, None]) -> web.StreamResponse:
    """Create a group.

    The account is its first administrator. People who do not know the account are invited, and have to accept.
    """
    body = call.body
    members, admins = _persons(body.members, "members"), _persons(body.admins, "admins")
    account = await account_of(call, body.account)
    async with staged_picture(call.services, account, body.avatar) as avatar:
        answer = await call.services.commands.update_group(
            account,
            name=body.name,
            description=body.description,
            avatar=avatar,
            member=members,
            admin=admins,
            link=body.link,
            set_permission_add_member=body.add_members,
            set_permission_edit_details=body.edit_details,
            set_permission_send_messages=body.send_messages,
            expiration=body.expires_in,
        )
    call.services.conversations.forget(account)
    return json_answer(await _shown(call, account, GroupId(answer.group_id or "")), 201)


class GroupUpdate(msgspec.Struct, kw_only=True):
    """What to change, in one go; what is left out stays as it is."""

    name: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    description: Annotated[str | None, msgspec.Meta(description="Empty removes it.")] = None
    avatar: Annotated[Picture | None, msgspec.Meta(description="The picture, as base64, or the id of an upload.")] = None
    expires_in: Seconds | None = None
    link: LinkState | None = None
    reset_link: Annotated[bool, msgspec.Meta(description="The old link no longer works.")] = False
    add_members: Permission | None = None
    edit_details: Permission | None = None
    send_messages: Permission | None = None
    add: Annotated[People, msgspec.Meta(description="Members to add, or to let in.")] = []
    remove: Annotated[People, msgspec.Meta(description="Members to remove.")] = []
    promote: Annotated[People, msgspec.Meta(description="Members to make admins.")] = []
    demote: Annotated[People, msgspec.Meta(description="Admins to make members.")] = []
    ban: People = []
    unban: People = []
    label: Annotated[str | None, msgspec.Meta(description="What this account is in the group (signal-cli 0.14.1).")] = None
    label_emoji: str | None = None


@routes.add(
    "PATCH", "/api/v2/groups/{group}", scope=Scope.GROUPS, accounts=Reach.CHECKED, query=AccountQuery, body=GroupUpdate,
    body_example={"description": "All of us", "add": [PERSON], "avatar": PICTURE},
    answers=[Answer(200, "The group as it is now.", ConversationEntry, example=GROUP_EXAMPLE), INVALID, MISSING, REFUSED],
)  # fmt: skip
async def change_group(call: Call[GroupUpdate, AccountQuery]) -> web.StreamResponse:
    """Change a group: details, rights, members, admins.

    All in one go; what is left out stays as it is. Most changes want an administrator, as the group's permissions say.
    """
    body, group = call.body, _group(call)
    people = {field: _persons(getattr(body, field), field) for field in ("add", "remove", "promote", "demote", "ban", "unban")}
    account = await account_of(call, call.query.account)
    async with staged_picture(call.services, account, body.avatar) as avatar:
        try:
            await call.services.commands.update_group(
                account,
                group_id=group.internal,
                name=body.name,
                description=body.description,
                avatar=avatar,
                member=people["add"],
                remove_member=people["remove"],
                admin=people["promote"],
                remove_admin=people["demote"],
                ban=people["ban"],
                unban=people["unban"],
                reset_link=body.reset_link,
                link=body.link,
                set_permission_add_member=body.add_members,
                set_permission_edit_details=body.edit_details,
                set_permission_send_messages=body.send_messages,
                expiration=body.expires_in,
                member_label=body.label,
                member_label_emoji=body.label_emoji,
            )
        except NotFound as error:
            raise MissingThing("group", "There is no such group.") from error
    call.services.conversations.forget(account)
    return json_answer(await _shown(call, account, group))


class LeaveQuery(AccountQuery):
    """How to leave."""

    forget: Annotated[bool, msgspec.Meta(description="Forget the group too.")] = False
    admin: Annotated[list[str], msgspec.Meta(description="Who becomes admin, where the last one leaves.", examples=[[PERSON]])] = []  # noqa: RUF012  # msgspec copies it


@routes.add(
    "DELETE", "/api/v2/groups/{group}", scope=Scope.GROUPS, accounts=Reach.CHECKED, query=LeaveQuery,
    answers=[Answer(204, "Left."), INVALID, MISSING, REFUSED],
)  # fmt: skip
async def leave_group(call: Call[None, LeaveQuery]) -> web.StreamResponse:
    """Leave a group.

    The last administrator has to name another (`admin`). What was written stays, unless `forget` is said.
    """
    group, admins = _group(call), _persons(call.query.admin, "admin")
    account = await account_of(call, call.query.account)
    try:
        await call.services.commands.quit_group(account, group_id=group.internal, admin=admins, delete=call.query.forget)
    except NotFound as error:
        raise MissingThing("group", "There is no such group.") from error
    finally:
        call.services.conversations.forget(account)
    return empty()


class Invitation(msgspec.Struct):
    """Which group."""

    link: Annotated[str, msgspec.Meta(description="The invitation.", examples=["https://signal.group/#…"])]
    account: Account = None


class Joined(msgspec.Struct):
    """What came of it."""

    id: str
    waiting: Annotated[bool, msgspec.Meta(description="An admin has to let the account in first.")]


@routes.add(
    "POST", "/api/v2/groups/join", scope=Scope.GROUPS, accounts=Reach.CHECKED, body=Invitation, body_example={"link": "https://signal.group/#CjQKIAEC…"},
    answers=[Answer(200, "Joined, or asked to be let in.", Joined, example={"id": GROUP, "waiting": False}), INVALID, REFUSED],
)  # fmt: skip
async def accept_invitation(call: Call[Invitation, None]) -> web.StreamResponse:
    """Join a group by its invitation link.

    `waiting` tells that an administrator has to agree first.
    """
    if not call.body.link.startswith(("https://signal.group/#", "sgnl://signal.group/#")):
        raise InvalidValue("link", "link: it begins with https://signal.group/#")
    account = await account_of(call, call.body.account)
    answer = await call.services.commands.join_group(account, uri=call.body.link)
    call.services.conversations.forget(account)
    return json_answer(Joined(GroupId(answer.group_id or "").external, answer.only_requested))


def _group[B, Q](call: Call[B, Q]) -> GroupId:
    return group_of(decode_again(call.path["group"]), "group")


def _persons(texts: Sequence[str], field: str) -> list[str]:
    return [str(person_of(text, field)) for text in texts]


async def _shown[B, Q](call: Call[B, Q], account: str, group: GroupId) -> ConversationEntry:
    found = await call.services.conversations.find(account, group)
    if found is None:
        raise MissingThing("group", "There is no such group.")
    return (await entries(call, account, [found]))[0]
