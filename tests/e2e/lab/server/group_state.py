"""The state of one group, and what actions do to it (field numbers of Signal's Groups.proto)."""

from dataclasses import dataclass, field
from typing import Self

from tests.e2e.lab import protobuf
from tests.e2e.lab.protobuf import Message
from tests.e2e.lab.server.network import now_ms
from tests.e2e.lab.server.zk import ZkServer

_MEMBER = 1


@dataclass(slots=True)
class Member:
    """Somebody who is in."""

    role: int
    profile_key: bytes
    joined: int
    """The revision since which."""


@dataclass(slots=True)
class Pending:
    """Somebody who was invited."""

    role: int
    invited_by: bytes
    timestamp: int


@dataclass(slots=True)
class Requesting:
    """Somebody who has asked to be let in."""

    profile_key: bytes
    timestamp: int


@dataclass(slots=True)
class Access:
    """Who may do what (AccessControl.AccessRequired)."""

    attributes: int = 0
    members: int = 0
    link: int = 0


@dataclass(slots=True)
class GroupState:
    """What the server knows. Everybody is known by the ciphertext of their id, texts are encrypted."""

    public_parameters: bytes
    title: bytes = b""
    avatar: bytes = b""
    timer: bytes = b""
    description: bytes = b""
    link_password: bytes = b""
    announcements_only: bool = False
    revision: int = 0
    access: Access = field(default_factory=Access)
    members: dict[bytes, Member] = field(default_factory=dict)
    pending: dict[bytes, Pending] = field(default_factory=dict)
    requesting: dict[bytes, Requesting] = field(default_factory=dict)
    banned: dict[bytes, int] = field(default_factory=dict)

    @classmethod
    def created(cls, group: Message, creator: bytes, zk: ZkServer) -> Self:
        """The state a client asks for when it makes a group (message Group)."""
        access = group.message(5)
        state = cls(
            public_parameters=group.data(1),
            title=group.data(2),
            avatar=group.data(3),
            timer=group.data(4),
            description=group.data(11),
            link_password=group.data(10),
            announcements_only=bool(group.integer(12)),
            access=Access(access.integer(1), access.integer(2), access.integer(3)),
        )
        for member in group.all_messages(7):
            state._admit(member, 0, zk)
        for invited in group.all_messages(8):
            state._invite(invited.message(1), creator)
        return state

    def knows(self, user: bytes) -> bool:
        """Whether somebody is in or invited."""
        return user in self.members or user in self.pending

    def encoded(self) -> bytes:
        """Message Group."""
        access = protobuf.message((1, self.access.attributes), (2, self.access.members), (3, self.access.link))
        out = protobuf.message(
            (1, self.public_parameters),
            (2, self.title),
            (3, self.avatar or None),
            (4, self.timer or None),
            (5, access),
            (6, self.revision or None),
        )
        out += b"".join(protobuf.field(7, _encoded_member(user, member)) for user, member in self.members.items())
        out += b"".join(protobuf.field(8, _encoded_pending(user, pending)) for user, pending in self.pending.items())
        out += b"".join(
            protobuf.field(9, protobuf.message((1, user), (2, request.profile_key), (4, request.timestamp)))
            for user, request in self.requesting.items()
        )
        out += protobuf.message((10, self.link_password or None), (11, self.description or None), (12, self.announcements_only or None))
        return out + b"".join(protobuf.field(13, protobuf.message((1, user), (2, since))) for user, since in self.banned.items())

    def preview(self, caller: bytes) -> bytes:
        """Message GroupJoinInfo."""
        return protobuf.message(
            (1, self.public_parameters),
            (2, self.title),
            (3, self.avatar or None),
            (4, len(self.members)),
            (5, self.access.link),
            (6, self.revision or None),
            (7, True if caller in self.requesting else None),
            (8, self.description or None),
        )

    def apply(self, actions: Message, actor: bytes, zk: ZkServer) -> bytes:
        """Does what a client asks for; gives the message Actions as all members are to see it: without proofs, with the group's id."""
        self.revision = actions.integer(2)
        out = protobuf.message((1, actor), (2, self.revision))
        out += self._add_members(actions, zk)
        out += self._remove_people(actions)
        out += self._change_roles(actions)
        out += self._present_keys(actions, zk)
        out += self._change_invitations(actions, actor)
        out += self._change_attributes(actions)
        out += self._change_requests(actions, zk)
        out += self._change_bans(actions)
        return out + protobuf.field(25, zk.group_id(self.public_parameters))

    def _admit(self, member: Message, revision: int, zk: ZkServer) -> bytes:
        """Message Member, perhaps with a presentation instead of the ciphertexts; gives the user."""
        user, profile_key = zk.member_of(member.data(4)) if 4 in member else (member.data(1), member.data(3))
        self.members[user] = Member(member.integer(2, _MEMBER), profile_key, revision)
        self.pending.pop(user, None)
        self.requesting.pop(user, None)
        return user

    def _invite(self, member: Message, inviter: bytes) -> bytes:
        """Message Member inside a MemberPendingProfileKey; gives the user."""
        user = member.data(1)
        self.pending[user] = Pending(member.integer(2, _MEMBER), inviter, now_ms())
        return user

    def _add_members(self, actions: Message, zk: ZkServer) -> bytes:
        out = b""
        for action in actions.all_messages(3):
            user = self._admit(action.message(1), self.revision, zk)
            added = _encoded_member(user, self.members[user])
            out += protobuf.field(3, protobuf.message((1, added), (2, action.integer(2) or None)))
        return out

    def _remove_people(self, actions: Message) -> bytes:
        out = b""
        people: tuple[tuple[int, dict[bytes, Member] | dict[bytes, Pending] | dict[bytes, Requesting]], ...] = (
            (4, self.members),
            (8, self.pending),
            (17, self.requesting),
        )
        for number, group in people:
            for action in actions.all_messages(number):
                group.pop(action.data(1), None)
                out += protobuf.field(number, protobuf.field(1, action.data(1)))
        return out

    def _change_roles(self, actions: Message) -> bytes:
        for action in actions.all_messages(5):
            self.members[action.data(1)].role = action.integer(2)
        return _unchanged(actions, 5)

    def _present_keys(self, actions: Message, zk: ZkServer) -> bytes:
        out = b""
        for action in actions.all_messages(6):
            user, profile_key = zk.member_of(action.data(1))
            self.members[user].profile_key = profile_key
            out += protobuf.field(6, protobuf.message((2, user), (3, profile_key)))
        for action in actions.all_messages(9):
            user, profile_key = zk.member_of(action.data(1))
            invitation = self.pending.pop(user, None)
            self.members[user] = Member(invitation.role if invitation else _MEMBER, profile_key, self.revision)
            out += protobuf.field(9, protobuf.message((2, user), (3, profile_key)))
        return out

    def _change_invitations(self, actions: Message, actor: bytes) -> bytes:
        out = b""
        for action in actions.all_messages(7):
            user = self._invite(action.message(1).message(1), actor)
            out += protobuf.field(7, protobuf.field(1, _encoded_pending(user, self.pending[user])))
        return out

    def _change_attributes(self, actions: Message) -> bytes:
        for action in actions.all_messages(10):
            self.title = action.data(1)
        for action in actions.all_messages(11):
            self.avatar = action.data(1)
        for action in actions.all_messages(12):
            self.timer = action.data(1)
        for action in actions.all_messages(13):
            self.access.attributes = action.integer(1)
        for action in actions.all_messages(14):
            self.access.members = action.integer(1)
        for action in actions.all_messages(15):
            self.access.link = action.integer(1)
        for action in actions.all_messages(19):
            self.link_password = action.data(1)
        for action in actions.all_messages(20):
            self.description = action.data(1)
        for action in actions.all_messages(21):
            self.announcements_only = bool(action.integer(1))
        return b"".join(_unchanged(actions, number) for number in (10, 11, 12, 13, 14, 15, 19, 20, 21))

    def _change_requests(self, actions: Message, zk: ZkServer) -> bytes:
        out = b""
        for action in actions.all_messages(16):
            user, profile_key = zk.member_of(action.message(1).data(3))
            request = self.requesting[user] = Requesting(profile_key, now_ms())
            out += protobuf.field(16, protobuf.field(1, protobuf.message((1, user), (2, profile_key), (4, request.timestamp))))
        for action in actions.all_messages(18):
            user = action.data(1)
            self.members[user] = Member(action.integer(2, _MEMBER), self.requesting.pop(user).profile_key, self.revision)
        return out + _unchanged(actions, 18)

    def _change_bans(self, actions: Message) -> bytes:
        out = b""
        for action in actions.all_messages(22):
            user = action.message(1).data(1)
            self.banned[user] = now_ms()
            out += protobuf.field(22, protobuf.field(1, protobuf.message((1, user), (2, self.banned[user]))))
        for action in actions.all_messages(23):
            self.banned.pop(action.data(1), None)
            out += protobuf.field(23, protobuf.field(1, action.data(1)))
        return out


def _encoded_member(user: bytes, member: Member) -> bytes:
    return protobuf.message((1, user), (2, member.role), (3, member.profile_key), (5, member.joined or None))


def _encoded_pending(user: bytes, pending: Pending) -> bytes:
    member = protobuf.message((1, user), (2, pending.role))
    return protobuf.message((1, member), (2, pending.invited_by), (3, pending.timestamp))


def _unchanged(actions: Message, number: int) -> bytes:
    return b"".join(protobuf.field(number, action) for action in actions.all_data(number))
