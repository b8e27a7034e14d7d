"""Commands about groups."""

from typing import Literal

import msgspec

from signal_courier.engine.answers import Group, GroupAnswer, SendAnswer
from signal_courier.engine.commands.asking import Asking, Strings

type GroupPermission = Literal["every-member", "only-admins"]
type GroupLinkState = Literal["enabled", "enabled-with-approval", "disabled"]

_send = msgspec.json.Decoder(SendAnswer)
_group_answer = msgspec.json.Decoder(GroupAnswer)
_groups = msgspec.json.Decoder(list[Group])


class GroupCommands(Asking):
    """What groups there are, and what they are like."""

    async def list_groups(self, account: str, *, group_id: Strings = ()) -> list[Group]:
        """The groups, all or those named; also those that the account has left."""
        return await self._ask("listGroups", _groups, account=account, groupId=group_id or None)

    async def update_group(
        self,
        account: str,
        *,
        group_id: str | None = None,
        name: str | None = None,
        description: str | None = None,
        avatar: str | None = None,
        member: Strings = (),
        remove_member: Strings = (),
        admin: Strings = (),
        remove_admin: Strings = (),
        ban: Strings = (),
        unban: Strings = (),
        reset_link: bool = False,
        link: GroupLinkState | None = None,
        set_permission_add_member: GroupPermission | None = None,
        set_permission_edit_details: GroupPermission | None = None,
        set_permission_send_messages: GroupPermission | None = None,
        expiration: int | None = None,
        member_label: str | None = None,
        member_label_emoji: str | None = None,
    ) -> GroupAnswer:
        """Change a group, or create one when `group_id` is left out.

        `avatar` is a path, `expiration` in seconds (0 = never). The labels are the account's own in that group (0.14.1).
        """
        return await self._ask(
            "updateGroup",
            _group_answer,
            account=account,
            groupId=group_id,
            name=name,
            description=description,
            avatar=avatar,
            member=member or None,
            removeMember=remove_member or None,
            admin=admin or None,
            removeAdmin=remove_admin or None,
            ban=ban or None,
            unban=unban or None,
            resetLink=reset_link or None,
            link=link,
            setPermissionAddMember=set_permission_add_member,
            setPermissionEditDetails=set_permission_edit_details,
            setPermissionSendMessages=set_permission_send_messages,
            expiration=expiration,
            memberLabel=member_label,
            memberLabelEmoji=member_label_emoji,
        )

    async def join_group(self, account: str, *, uri: str) -> GroupAnswer:
        """Join by invitation link, or ask to be let in."""
        return await self._ask("joinGroup", _group_answer, account=account, uri=uri)

    async def quit_group(self, account: str, *, group_id: str, admin: Strings = (), delete: bool = False) -> SendAnswer:
        """Leave, and forget the group with `delete`. The last admin has to name new ones in `admin`."""
        return await self._ask("quitGroup", _send, account=account, groupId=group_id, admin=admin or None, delete=delete or None)
