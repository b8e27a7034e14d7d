"""Groups: create, change, join, leave. To look at them is in `conversations`."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

from .models import Conversation, JoinedGroup
from .transport import Transport, read, segment

_PATH = "/api/v2/groups"


class GroupSettings(TypedDict, total=False):
    """What both a new group and a changed one take; what is left out stays as it is."""

    description: str | None
    avatar: str | None
    """Base64, or the id of an upload."""
    expires_in: int | None
    link: str | None
    """enabled, enabled-with-approval or disabled."""
    add_members: str | None
    """every-member or only-admins, as the next two."""
    edit_details: str | None
    send_messages: str | None


class GroupChanges(GroupSettings, total=False):
    """What else can be changed."""

    name: str | None
    reset_link: bool | None
    add: Sequence[str] | None
    remove: Sequence[str] | None
    promote: Sequence[str] | None
    """Members who become admins."""
    demote: Sequence[str] | None
    ban: Sequence[str] | None
    unban: Sequence[str] | None
    label: str | None
    label_emoji: str | None


class Groups:
    """`/api/v2/groups`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self, name: str, *, members: Sequence[str] = (), admins: Sequence[str] = (), **more: Unpack[GroupSettings]
    ) -> Conversation:
        """Create a group; gives it."""
        body = {"name": name, "members": list(members), "admins": list(admins), **more, **self._transport.whose()}
        return read(Conversation, await self._transport.call("POST", _PATH, body))

    async def change(self, group: str, **changes: Unpack[GroupChanges]) -> Conversation:
        """Change details, rights, members, admins in one go; gives the group as it is then. Raises `NotFound`."""
        return read(Conversation, await self._transport.call("PATCH", self._path(group), changes, query=self._query()))

    async def leave(self, group: str, *, forget: bool = False, admin: str | None = None) -> None:
        """Leave a group. `admin`: who becomes admin where the last one leaves."""
        query = {"forget": forget or None, "admin": admin, **self._query()}
        await self._transport.call("DELETE", self._path(group), query=query)

    async def join(self, link: str) -> JoinedGroup:
        """Join by an invitation link."""
        body = {"link": link, **self._transport.whose()}
        return read(JoinedGroup, await self._transport.call("POST", _PATH + "/join", body))

    def _path(self, group: str) -> str:
        return f"{_PATH}/{segment(group)}"

    def _query(self) -> dict[str, str | int | bool | None]:
        return {"account": self._transport.account}
