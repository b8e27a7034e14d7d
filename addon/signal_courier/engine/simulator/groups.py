"""Groups: listed, made, changed, joined, left."""

import base64
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import envelopes
from signal_courier.engine.simulator.delivery import Content, own_group, to_group
from signal_courier.engine.simulator.dispatch import Integer, single
from signal_courier.engine.simulator.files import contents
from signal_courier.engine.simulator.network import Network, checked_group_id
from signal_courier.engine.simulator.refusals import INTERNAL_ERROR, Refusal, user_error
from signal_courier.engine.simulator.state import Account, Group, Member

_LINK = "https://signal.group/#"
_PERMISSIONS = {"every-member": "EVERY_MEMBER", "everyMember": "EVERY_MEMBER", "only-admins": "ONLY_ADMINS", "onlyAdmins": "ONLY_ADMINS"}
_LINK_STATES = {"enabled": False, "enabled-with-approval": True, "enabledWithApproval": True, "disabled": None}
"""Whether joining by link needs an approval; `None`: there is no link."""


class ListGroups(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `listGroups`."""

    group_id: list[str] = []
    detailed: bool = False


class UpdateGroup(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `updateGroup`; without a group id a group is made. Expiration in seconds."""

    group_id: str | None = None
    name: str | None = None
    description: str | None = None
    member: list[str] = []
    remove_member: list[str] = []
    admin: list[str] = []
    remove_admin: list[str] = []
    ban: list[str] = []
    unban: list[str] = []
    avatar: str | None = None
    reset_link: bool = False
    link: str | None = None
    expiration: Integer | None = None
    set_permission_add_member: str | None = None
    set_permission_edit_details: str | None = None
    set_permission_send_messages: str | None = None
    member_label_emoji: str | None = None
    member_label: str | None = None


class JoinGroup(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `joinGroup`."""

    uri: str


class QuitGroup(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `quitGroup`."""

    group_id: str
    admin: list[str] = []
    delete: bool = False


@dataclass
class _Changes:
    """What one `updateGroup` does to a group: every step makes a revision and a message of its own."""

    steps: list[Callable[[], None]] = field(default_factory=list)
    goodbye: set[str] = field(default_factory=set)
    """Those who are told although they are members no more."""


@single("listGroups", ListGroups)
def list_groups(network: Network, account: Account, params: ListGroups) -> Json:
    """The groups that the account is or was in."""
    wanted = {checked_group_id(group_id) for group_id in params.group_id}
    return [
        _json(network, account, group)
        for group in network.world.groups.values()
        if (not wanted or group.id in wanted) and _sees(account, group)
    ]


@single("updateGroup", UpdateGroup)
def update_group(network: Network, account: Account, params: UpdateGroup) -> Json:
    """Make a group, or change one."""
    if params.group_id is None:
        group = Group(id=base64.b64encode(secrets.token_bytes(32)).decode(), members={account.uuid: Member(admin=True)})
        changes = _changes(network, account, group, params)
        network.world.groups[group.id] = group
        for step in changes.steps:
            step()
        group.revision = 1 if len(group.members) > 1 else 0
        timestamp, results = _announce(network, account, group, set())
        return {"timestamp": timestamp, "results": results, "groupId": group.id}
    group = own_group(network, account, params.group_id)
    changes = _changes(network, account, group, params)
    answer: dict[str, Json] = {}
    collected: list[dict[str, Json]] = []
    for step in changes.steps:
        step()
        group.revision += 1
        timestamp, results = _announce(network, account, group, changes.goodbye)
        collected.extend(results)
        answer = {"timestamp": timestamp, "results": collected}
    return answer


@single("joinGroup", JoinGroup)
def join_group(network: Network, account: Account, params: JoinGroup) -> Json:
    """Join by an invitation link."""
    if not params.uri.startswith(_LINK):
        raise user_error("Link is not a signal group invitation link")
    group = next((candidate for candidate in network.world.groups.values() if _link(candidate) == params.uri), None)
    if group is None:
        raise user_error("Group link is not valid: Group link inactive (reason: UNKNOWN)")
    if account.uuid in group.banned:
        raise user_error("Group link is not valid: Group link inactive (reason: BANNED)")
    requested = group.link_approval and account.uuid not in group.members
    if requested:
        if account.uuid in group.requesting:
            raise user_error("Pending admin approval: You have already requested to join the group.")
        group.requesting.append(account.uuid)
    else:
        group.members.setdefault(account.uuid, Member())
        group.pending = [uuid for uuid in group.pending if uuid != account.uuid]
    group.revision += 1
    timestamp, results = _announce(network, account, group, set())
    answer: dict[str, Json] = {"timestamp": timestamp, "results": results, "groupId": group.id}
    return answer | {"onlyRequested": True} if requested else answer


@single("quitGroup", QuitGroup)
def quit_group(network: Network, account: Account, params: QuitGroup) -> Json:
    """Leave a group."""
    try:
        group = network.group(params.group_id)
    except Refusal as refusal:
        if refusal.message.startswith("Group not found"):
            raise user_error(f"Failed to send to group: {refusal.message}") from refusal
        raise
    answer: dict[str, Json] = {}
    if account.uuid in group.members:
        others = [uuid for uuid in group.members if uuid != account.uuid]
        for text in params.admin:
            person = network.known(account, text)
            if person.uuid in group.members:
                group.members[person.uuid].admin = True
        if others and group.admins == [account.uuid]:
            raise user_error(f"You need to specify a new admin with --admin: User is last admin in group: {group.name} ({group.id})")
        del group.members[account.uuid]
        group.revision += 1
        timestamp, results = _announce(network, account, group, set())
        answer = {"timestamp": timestamp, "results": results}
    if params.delete:
        account.blocked_groups.discard(group.id)
        if not any(uuid in network.world.accounts for uuid in group.members):
            network.world.groups.pop(group.id, None)
    network.changed()
    return answer


def _changes(network: Network, account: Account, group: Group, params: UpdateGroup) -> _Changes:
    """Check everything before anything is changed.

    Raises:
        Refusal: a value is wrong, or the account may not do this.
    """
    changes = _Changes()
    link = _choice(params.link, _LINK_STATES, "Invalid group link state")
    permissions = {
        "permission_add_member": _choice(params.set_permission_add_member, _PERMISSIONS, "Invalid group permission"),
        "permission_edit_details": _choice(params.set_permission_edit_details, _PERMISSIONS, "Invalid group permission"),
        "permission_send_message": _choice(params.set_permission_send_messages, _PERMISSIONS, "Invalid group permission"),
    }
    people = {
        name: [network.known(account, text).uuid for text in texts]
        for name, texts in (
            ("member", params.member), ("remove", params.remove_member), ("admin", params.admin), ("demote", params.remove_admin),
            ("ban", params.ban), ("unban", params.unban),
        )
    }  # fmt: skip
    people["remove"] = [uuid for uuid in people["remove"] if uuid != account.uuid]  # who wants to leave, quits
    avatar = _picture(params.avatar) if params.avatar is not None else None
    details = params.name is not None or params.description is not None or avatar is not None
    _check_rights(account, group, params, details=details)

    if details:
        changes.steps.append(lambda: _set_details(network, group, params, avatar))
    if people["member"]:
        changes.steps.append(lambda: _add(group, people["member"]))
    if gone := people["remove"] + people["ban"]:
        changes.goodbye.update(uuid for uuid in gone if uuid in group.members)
        changes.steps.append(lambda: _remove(group, gone, banned=people["ban"]))
    if people["unban"]:
        changes.steps.append(lambda: _unban(group, people["unban"]))
    for name, admin in (("admin", True), ("demote", False)):
        if people[name]:
            changes.steps.append(partial(_set_admin, group, people[name], admin=admin))
    if params.link is not None:
        changes.steps.append(lambda: _set_link(group, approval=link))
    if params.reset_link:
        changes.steps.append(lambda: setattr(group, "link_password", _password()))
    for name, permission in permissions.items():
        if permission is not None:
            changes.steps.append(partial(setattr, group, name, permission))
    if params.expiration is not None:
        changes.steps.append(lambda: setattr(group, "expiration", params.expiration))
    if params.member_label is not None or params.member_label_emoji is not None:
        changes.steps.append(lambda: _set_label(group.members[account.uuid], params))
    return changes


def _check_rights(account: Account, group: Group, params: UpdateGroup, *, details: bool) -> None:
    if group.members[account.uuid].admin:
        return
    administers = (
        params.remove_member or params.admin or params.remove_admin or params.ban or params.unban or params.reset_link
        or params.link is not None or params.set_permission_add_member or params.set_permission_edit_details
        or params.set_permission_send_messages
    )  # fmt: skip
    edits = (details or params.expiration is not None) and group.permission_edit_details == "ONLY_ADMINS"
    adds = params.member and group.permission_add_member == "ONLY_ADMINS"
    if administers or edits or adds:
        text = "Failed to send message: [403] Authorization failed! (AuthorizationFailedException) (UnexpectedErrorException)"
        raise Refusal(INTERNAL_ERROR, text)


def _choice[V](value: str | None, choices: dict[str, V], complaint: str) -> V | None:
    if value is None:
        return None
    if value not in choices:
        raise user_error(f"{complaint}: {value}")
    return choices[value]


def _picture(path: str) -> bytes:
    try:
        return contents(path)
    except OSError as error:
        text = f"Failed to send message: {path} ({error.strerror}) (FileNotFoundException) (UnexpectedErrorException)"
        raise Refusal(INTERNAL_ERROR, text) from error


def _set_details(network: Network, group: Group, params: UpdateGroup, avatar: bytes | None) -> None:
    group.name = params.name if params.name is not None else group.name
    group.description = params.description if params.description is not None else group.description
    if avatar is not None:
        group.has_avatar = True
        network.files.put_avatar("group", group.id, avatar)


def _add(group: Group, uuids: list[str]) -> None:
    for uuid in uuids:
        group.members.setdefault(uuid, Member())
    group.pending = [uuid for uuid in group.pending if uuid not in uuids]
    group.requesting = [uuid for uuid in group.requesting if uuid not in uuids]


def _remove(group: Group, uuids: list[str], *, banned: list[str]) -> None:
    for uuid in uuids:
        group.members.pop(uuid, None)
    group.pending = [uuid for uuid in group.pending if uuid not in uuids]
    group.requesting = [uuid for uuid in group.requesting if uuid not in uuids]
    group.banned.extend(uuid for uuid in banned if uuid not in group.banned)


def _unban(group: Group, uuids: list[str]) -> None:
    group.banned = [uuid for uuid in group.banned if uuid not in uuids]


def _set_admin(group: Group, uuids: list[str], *, admin: bool) -> None:
    for uuid in uuids:
        if uuid in group.members:
            group.members[uuid].admin = admin


def _set_link(group: Group, *, approval: bool | None) -> None:
    if approval is None:
        group.link_password = None
    else:
        group.link_password = group.link_password or _password()
        group.link_approval = approval


def _set_label(member: Member, params: UpdateGroup) -> None:
    if params.member_label is not None:
        member.label = params.member_label or None
    if params.member_label_emoji is not None:
        member.label_emoji = params.member_label_emoji or None


def _password() -> str:
    return secrets.token_urlsafe(16)


def _announce(network: Network, account: Account, group: Group, also: set[str]) -> tuple[int, list[dict[str, Json]]]:
    timestamp = network.now()
    made = envelopes.data_message(timestamp, None, group, {}, expires=group.expiration, group_update=True)
    content: Content = lambda _: {"dataMessage": made}  # noqa: E731  # typed, and used once
    results = to_group(network, account, group, timestamp, content, also=sorted(also))
    return timestamp, [{key: value for key, value in result.items() if key != "groupId"} for result in results]


def _link(group: Group) -> str | None:
    if group.link_password is None:
        return None
    return _LINK + re.sub(r"=+$", "", base64.urlsafe_b64encode(f"{group.id[:24]}{group.link_password}".encode()).decode())


def _sees(account: Account, group: Group) -> bool:
    return account.uuid in (*group.members, *group.pending, *group.requesting) or group.id in account.blocked_groups


def _json(network: Network, account: Account, group: Group) -> dict[str, Json]:
    def address(uuid: str) -> dict[str, Json]:
        return {"number": network.person(uuid).number, "uuid": uuid}

    def member(uuid: str) -> dict[str, Json]:
        noted = group.members[uuid]
        made = address(uuid) | {"isAdmin": noted.admin}
        if noted.label_emoji is not None:
            made["labelEmoji"] = noted.label_emoji
        if noted.label is not None:
            made["label"] = noted.label
        return made

    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "isMember": account.uuid in group.members,
        "isBlocked": group.id in account.blocked_groups,
        "messageExpirationTime": group.expiration,
        "members": [member(uuid) for uuid in group.members],
        "pendingMembers": [address(uuid) for uuid in group.pending],
        "requestingMembers": [address(uuid) for uuid in group.requesting],
        "admins": [address(uuid) for uuid in group.admins],
        "banned": [address(uuid) for uuid in group.banned],
        "permissionAddMember": group.permission_add_member,
        "permissionEditDetails": group.permission_edit_details,
        "permissionSendMessage": group.permission_send_message,
        "groupInviteLink": _link(group),
    }
