"""Groups as they are."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.engine.errors import NotFound
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.avatars import picture
from signal_courier.http.compat.examples import refusal
from signal_courier.http.compat.groups.entries import ENTRY, INVALID, UNKNOWN, GroupEntry, entry_of, listed_group, named_group
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import MissingThing

routes = RouteTable("Groups")


class GroupsQuery(msgspec.Struct):
    """How much to tell."""

    expand: Annotated[bool, msgspec.Meta(description="Tell people as `{number, uuid}`.")] = False


@routes.add(
    "GET", "/v1/groups/{number}", scope=Scope.GROUPS, query=GroupsQuery,
    answers=[Answer(200, "The groups.", list[GroupEntry], example=[ENTRY])],
)  # fmt: skip
async def get_groups(call: Call[None, GroupsQuery]) -> web.StreamResponse:
    """List an account's groups.

    Those too that the account has left (`member` is false). With `expand` people are told with number and UUID.
    """
    groups = await call.services.commands.list_groups(call.account)
    return json_answer([entry_of(group, expand=call.query.expand) for group in groups])


@routes.add(
    "GET", "/v1/groups/{number}/{groupid:path}", scope=Scope.GROUPS, query=GroupsQuery,
    answers=[Answer(200, "The group.", GroupEntry, example=ENTRY), UNKNOWN],
)  # fmt: skip
async def get_group(call: Call[None, GroupsQuery]) -> web.StreamResponse:
    """Show one group.

    By its id in any of its forms.
    """
    return json_answer(entry_of(await listed_group(call), expand=call.query.expand))


@routes.add(
    "GET", "/v1/groups/{number}/{groupid:path}/avatar", scope=Scope.GROUPS,
    answers=[Answer(200, "The picture.", bytes, media="image/*"), INVALID, refusal("There is none.", "No avatar found.", 404)],
)  # fmt: skip
async def get_group_avatar(call: Call[None, None]) -> web.StreamResponse:
    """Get a group's picture.

    404 where there is none.
    """
    try:
        return picture(await call.services.commands.get_avatar(call.account, group_id=named_group(call).internal))
    except NotFound as error:
        raise MissingThing("groupid", "No avatar found.") from error
