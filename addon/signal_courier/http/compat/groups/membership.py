"""The account's own coming and going."""

from typing import Annotated
from urllib.parse import unquote

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.compat.dialects import deleted_group_answer
from signal_courier.http.compat.examples import INVITE_LINK, PERSON, refusal
from signal_courier.http.compat.groups.entries import INVALID, named_group, persons
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Groups")


class JoinGroup(msgspec.Struct):
    """How to get in."""

    group_link: Annotated[
        str, msgspec.Meta(description="Invitation link; without it an invitation is accepted.", examples=[INVITE_LINK])
    ] = ""


_NO_INVITE = "group_link: this is no invitation link, which begins with https://signal.group/#"
_JOINED = Answer(204, "Joined, or asked to be let in.")


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/join", scope=Scope.GROUPS, body=JoinGroup, body_optional=True, bodiless_upstream=True,
    body_example={"group_link": INVITE_LINK}, answers=[_JOINED, INVALID],
)  # fmt: skip
async def join_group(call: Call[JoinGroup, None]) -> web.StreamResponse:
    """Join a group.

    By its id a group that the account is invited to; by an invite link, in the path or in the body, any.
    """
    link = call.body.group_link or unquote(call.path["groupid"])
    if _is_invite(link):
        await call.services.commands.join_group(call.account, uri=link)
    elif call.body.group_link:
        raise InvalidValue("group_link", _NO_INVITE)
    else:
        await call.services.commands.update_group(call.account, group_id=named_group(call).internal)
    return empty()


@routes.add(
    "POST", "/v1/groups/{number}/join", scope=Scope.GROUPS, body=JoinGroup, body_example={"group_link": INVITE_LINK},
    answers=[_JOINED, refusal("The link is none.", _NO_INVITE)],
)  # fmt: skip
async def join_group_by_link(call: Call[JoinGroup, None]) -> web.StreamResponse:
    """Join a group by its invitation link.

    Where the group wants its administrators to agree, the account waits until one has.
    """
    if not _is_invite(call.body.group_link):
        raise InvalidValue("group_link", _NO_INVITE)
    await call.services.commands.join_group(call.account, uri=call.body.group_link)
    return empty()


def _is_invite(text: str) -> bool:
    return text.startswith(("https://signal.group/#", "sgnl://signal.group/#"))


class LeaveGroup(msgspec.Struct):
    """Who stays behind."""

    admins: Annotated[list[str] | None, msgspec.Meta(description="New admins, when the only one leaves.", examples=[[PERSON]])] = None


@routes.add(
    "POST", "/v1/groups/{number}/{groupid:path}/quit", scope=Scope.GROUPS, body=LeaveGroup, body_optional=True, bodiless_upstream=True,
    body_example={"admins": [PERSON]}, answers=[Answer(204, "Left."), INVALID],
)  # fmt: skip
async def quit_group(call: Call[LeaveGroup, None]) -> web.StreamResponse:
    """Leave a group.

    What was written stays; the group is listed with `member` false.
    """
    await call.services.commands.quit_group(
        call.account, group_id=named_group(call).internal, admin=persons(call.body.admins, "admins")
    )  # fmt: skip
    return empty()


@routes.add(
    "DELETE", "/v1/groups/{number}/{groupid:path}", scope=Scope.GROUPS, body=LeaveGroup, body_optional=True, bodiless_upstream=True,
    body_example={"admins": [PERSON]},
    answers=[Answer(200, "Left and deleted here."), Answer(204, "The same in the dialect morph027."), INVALID],
)  # fmt: skip
async def delete_group(call: Call[LeaveGroup, None]) -> web.StreamResponse:
    """Leave a group and delete what is here of it.

    The others' copies stay. An account that is no longer a member only forgets.
    """
    await call.services.commands.quit_group(
        call.account, group_id=named_group(call).internal, admin=persons(call.body.admins, "admins"), delete=True
    )
    return deleted_group_answer(call.dialect)


@routes.add("POST", "/v1/groups/{number}/{groupid:path}/block", scope=Scope.GROUPS, answers=[Answer(204, "Blocked."), INVALID])
async def block_group(call: Call[None, None]) -> web.StreamResponse:
    """Block a group: its messages are not taken any more.

    On all of the account's devices.
    """
    await call.services.commands.block(call.account, group_id=[named_group(call).internal])
    return empty()


@routes.add("POST", "/v1/groups/{number}/{groupid:path}/unblock", scope=Scope.GROUPS, answers=[Answer(204, "No longer blocked."), INVALID])
async def unblock_group(call: Call[None, None]) -> web.StreamResponse:
    """Unblock a group.

    What was sent in between does not come any more.
    """
    await call.services.commands.unblock(call.account, group_id=[named_group(call).internal])
    return empty()
