"""Groups: create, change, members, admins, link, join, leave."""

from collections.abc import Mapping
from typing import Any, Final, Unpack

import probatio
from homeassistant.core import ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv

from ..client import Problem
from ..client.groups import GroupChanges, GroupSettings
from ..client.models import Conversation
from ..const import DOMAIN
from ..files.outgoing import MediaUploader
from .action import Aim, Call, action
from .answers import conversation_answer
from .fields import TARGETS, seconds

_WHO: Final = probatio.In(["every-member", "only-admins"])
_LINK: Final = probatio.In(["enabled", "enabled-with-approval", "disabled"])
_MEMBERS: Final[Mapping[Any, Any]] = {probatio.Required("members"): TARGETS}
_SETTINGS: Final[Mapping[Any, Any]] = {
    probatio.Optional("description"): cv.string,
    probatio.Optional("avatar"): probatio.Any(str, dict),
    probatio.Optional("expires_in"): seconds,
    probatio.Optional("link"): _LINK,
    probatio.Optional("add_members"): _WHO,
    probatio.Optional("edit_details"): _WHO,
    probatio.Optional("send_messages"): _WHO,
}


@action(
    "create_group",
    {
        probatio.Required("name"): cv.string,
        probatio.Optional("members", default=list): TARGETS,
        probatio.Optional("admins", default=list): TARGETS,
        **_SETTINGS,
    },
    aim=Aim.ACCOUNT,
)
async def create_group(call: Call) -> ServiceResponse:
    """Create a group."""
    group = await call.client.groups.create(
        call.data["name"],
        members=await call.addresses("members") or (),
        admins=await call.addresses("admins") or (),
        **await _settings(call),
    )
    return await _told(call, group)


@action(
    "update_group",
    {probatio.Optional("name"): cv.string, probatio.Optional("reset_link", default=False): cv.boolean, **_SETTINGS},
    aim=Aim.ONE,
)
async def update_group(call: Call) -> ServiceResponse:
    """Change what a group is called, how it looks, who may do what, and its invitation link."""
    return await _change(call, name=call.data.get("name"), reset_link=call.data["reset_link"] or None, **await _settings(call))


@action("add_group_members", _MEMBERS, aim=Aim.ONE)
async def add_group_members(call: Call) -> ServiceResponse:
    """Add people to a group, or let those in who have asked."""
    return await _change(call, add=await call.addresses("members"))


@action("remove_group_members", {**_MEMBERS, probatio.Optional("ban", default=False): cv.boolean}, aim=Aim.ONE)
async def remove_group_members(call: Call) -> ServiceResponse:
    """Remove people from a group; with `ban` they cannot come back by the link."""
    people = await call.addresses("members")
    return await _change(call, ban=people) if call.data["ban"] else await _change(call, remove=people)


@action("add_group_admins", _MEMBERS, aim=Aim.ONE)
async def add_group_admins(call: Call) -> ServiceResponse:
    """Make members admins."""
    return await _change(call, promote=await call.addresses("members"))


@action("remove_group_admins", _MEMBERS, aim=Aim.ONE)
async def remove_group_admins(call: Call) -> ServiceResponse:
    """Make admins members."""
    return await _change(call, demote=await call.addresses("members"))


@action("join_group", {probatio.Required("link"): cv.string}, aim=Aim.ACCOUNT)
async def join_group(call: Call) -> ServiceResponse:
    """Join a group by its invitation link."""
    joined = await call.client.groups.join(call.data["link"])
    await call.entry.runtime_data.conversations.async_refresh()
    return {"conversation_id": joined.id, "waiting": joined.waiting}


@action(
    "leave_group",
    {probatio.Optional("new_admin"): TARGETS, probatio.Optional("forget", default=False): cv.boolean},
    aim=Aim.ONE,
)
async def leave_group(call: Call) -> ServiceResponse:
    """Leave a group."""
    group = _group(call)
    admins = await call.addresses("new_admin")
    try:
        await call.client.groups.leave(group.id, forget=call.data["forget"], admin=admins[0] if admins else None)
    except Problem as error:
        if error.kind == "refused" and not admins and _is_only_admin(call, group):
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="group_needs_admin", translation_placeholders={"name": group.name}
            ) from error
        raise
    await call.entry.runtime_data.conversations.async_refresh()
    return {"conversation_id": group.id}


def _is_only_admin(call: Call, group: Conversation) -> bool:
    admins = [one for one in group.group.members if one.admin] if group.group is not None else []
    return len(admins) == 1 and call.entry.runtime_data.account_id in (admins[0].uuid, admins[0].number)


def _group(call: Call) -> Conversation:
    """The conversation, if it is a group."""
    if not call.conversation.is_group:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="not_a_group", translation_placeholders={"name": call.conversation.name}
        )
    return call.conversation


async def _change(call: Call, **changes: Unpack[GroupChanges]) -> ServiceResponse:
    return await _told(call, await call.client.groups.change(_group(call).id, **changes))


async def _settings(call: Call) -> GroupSettings:
    """What both a new and a changed group take."""
    data = call.data
    settings: GroupSettings = {}
    for name in ("description", "link", "add_members", "edit_details", "send_messages"):
        if name in data:
            settings[name] = data[name]
    if "expires_in" in data:
        settings["expires_in"] = int(data["expires_in"])
    if (avatar := data.get("avatar")) is not None:
        settings["avatar"] = (await MediaUploader(call.hass, call.entry).async_any(avatar)).id
    return settings


async def _told(call: Call, group: Conversation) -> ServiceResponse:
    await call.entry.runtime_data.conversations.async_refresh()
    return conversation_answer(group)
