"""People and groups under one roof, as an account knows them: named, pictured, searchable.

signal-cli answers from its own database in a few milliseconds; the answers are kept for a moment, as pages and bots ask often. Whoever
changes something here calls `forget`.
"""

import asyncio
import time
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from signal_courier.engine.answers import Contact, Group, Profile
from signal_courier.engine.answers import Person as GroupPerson
from signal_courier.engine.commands import Commands
from signal_courier.model.recipients import Aci, GroupId, Number, Recipient, Username

_FRESH: Final = 15.0
"""Seconds for which an answer of signal-cli is believed."""
_MOST_ACCOUNTS: Final = 64

type ConversationKind = Literal["person", "group", "self"]


class Member(msgspec.Struct, kw_only=True):
    """Somebody in a group. A number is `None` where it is hidden."""

    uuid: str | None = None
    number: str | None = None
    name: str | None = None
    """As the account knows the person."""
    admin: bool = False
    label: str | None = None
    label_emoji: str | None = None


class PersonDetails(msgspec.Struct, kw_only=True):
    """What is known of a person."""

    uuid: str | None = None
    username: str | None = None
    profile_name: str | None = None
    """As they call themselves."""
    nickname: str | None = None
    """As the account calls them."""
    about: str | None = None
    about_emoji: str | None = None
    note: str | None = None
    hidden: bool = False
    """Taken off the list, but not forgotten."""
    unregistered: bool = False
    """Not on Signal (any more)."""


class GroupDetails(msgspec.Struct, kw_only=True):
    """What is known of a group."""

    description: str | None = None
    member: bool = False
    """Whether the account (still) belongs to it."""
    members: Sequence[Member] = ()
    invited: Sequence[Member] = ()
    requesting: Sequence[Member] = ()
    """Who asks to be let in."""
    banned: Sequence[Member] = ()
    invite_link: str | None = None
    add_members: str | None = None
    """Who may: `every-member` or `only-admins`, as the next two."""
    edit_details: str | None = None
    send_messages: str | None = None


class Conversation(msgspec.Struct, kw_only=True):
    """A person or a group."""

    id: str
    """UUID of the person (number or username where none is known), or `group.…`; can be used as a recipient."""
    kind: ConversationKind
    name: str
    """The best there is; never empty."""
    number: str | None = None
    blocked: bool = False
    archived: bool = False
    expires_in: int = 0
    """Seconds after which messages vanish, 0 = never."""
    person: PersonDetails | None = None
    group: GroupDetails | None = None


@dataclass(slots=True)
class _Known:
    until: float
    conversations: Sequence[Conversation]


class Conversations:
    """What the accounts know."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._known: dict[tuple[str, bool], _Known] = {}
        self._asking: dict[tuple[str, bool], asyncio.Task[Sequence[Conversation]]] = {}

    def forget(self, account: str) -> None:
        """Something has changed: ask anew."""
        for everybody in (False, True):
            self._known.pop((account, everybody), None)
            self._asking.pop((account, everybody), None)

    async def of(self, account: str, *, everybody: bool = False) -> Sequence[Conversation]:
        """The conversations of an account by name; with `everybody` also people who are known without being contacts.

        Raises an `EngineError`.
        """
        key = (account, everybody)
        known = self._known.get(key)
        if known is not None and known.until > time.monotonic():
            return known.conversations
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.get_running_loop().create_task(self._ask(key))
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)

    async def find(self, account: str, recipient: Recipient) -> Conversation | None:
        """The conversation with somebody, or of a group; `None` where nothing is known. Raises an `EngineError`."""
        for conversation in await self.of(account, everybody=True):
            if _is(conversation, recipient):
                return conversation
        return None

    async def search(self, account: str, text: str, *, everybody: bool = False) -> Sequence[Conversation]:
        """Those in one of whose names or numbers the text occurs; accents and case make no difference. Raises an `EngineError`."""
        wanted = folded(text)
        return [one for one in await self.of(account, everybody=everybody) if any(wanted in folded(name) for name in _names(one))]

    async def _ask(self, key: tuple[str, bool]) -> Sequence[Conversation]:
        account, everybody = key
        contacts = await self._commands.list_contacts(account, all_recipients=everybody)
        groups = await self._commands.list_groups(account)
        known = contacts if everybody or not groups else await self._commands.list_contacts(account, all_recipients=True)
        names = {contact.uuid or contact.number: name for contact in known if (name := _name_of(contact))}
        found = [_of_person(contact, account) for contact in contacts]
        found += [_of_group(entry, names) for entry in groups]
        return sorted(found, key=lambda one: (folded(one.name), one.id))

    def _answered(self, key: tuple[str, bool], task: asyncio.Task[Sequence[Conversation]]) -> None:
        current = self._asking.get(key) is task
        if current:
            del self._asking[key]
        if task.cancelled() or task.exception() is not None or not current:
            return  # what was forgotten meanwhile is not kept
        if len(self._known) >= _MOST_ACCOUNTS:
            self._known.clear()
        self._known[key] = _Known(time.monotonic() + _FRESH, task.result())


def folded(text: str) -> str:
    """A text as it is compared in a search: without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character)).strip()


def _names(conversation: Conversation) -> Iterable[str]:
    yield conversation.name
    yield conversation.id
    yield conversation.number or ""
    if (person := conversation.person) is not None:
        yield from filter(None, (person.profile_name, person.nickname, person.username))
    if (group := conversation.group) is not None:
        yield group.description or ""


def _is(conversation: Conversation, recipient: Recipient) -> bool:
    person = conversation.person
    match recipient:
        case GroupId():
            return conversation.id == recipient.external
        case Number(number):
            return conversation.number == number
        case Aci(uuid):
            return person is not None and person.uuid == uuid
        case Username(name):
            return person is not None and person.username == name
    return conversation.id == str(recipient)


def _name_of(contact: Contact) -> str | None:
    profile = contact.profile or Profile()
    return (
        _joined(contact.nick_given_name, contact.nick_family_name)
        or contact.nick_name
        or contact.name
        or _joined(profile.given_name, profile.family_name)
        or contact.username
        or contact.number
    )


def _joined(*names: str | None) -> str | None:
    return " ".join(filter(None, names)) or None


def _of_person(contact: Contact, account: str) -> Conversation:
    profile = contact.profile or Profile()
    identifier = contact.uuid or contact.number or (f"u:{contact.username}" if contact.username else "")
    return Conversation(
        id=identifier,
        kind="self" if contact.number == account else "person",
        name=_name_of(contact) or identifier,
        number=contact.number,
        blocked=contact.is_blocked,
        archived=contact.is_archived,
        expires_in=contact.message_expiration_time,
        person=PersonDetails(
            uuid=contact.uuid,
            username=contact.username,
            profile_name=_joined(profile.given_name, profile.family_name),
            nickname=_joined(contact.nick_given_name, contact.nick_family_name) or contact.nick_name or None,
            about=profile.about or None,
            about_emoji=profile.about_emoji or None,
            note=contact.note or None,
            hidden=contact.is_hidden,
            unregistered=contact.unregistered,
        ),
    )


_MAY = {"EVERY_MEMBER": "every-member", "ONLY_ADMINS": "only-admins"}


def _of_group(group: Group, names: dict[str | None, str]) -> Conversation:
    identifier = GroupId(group.id).external
    admins = {admin.uuid or admin.number for admin in group.admins}

    def people(listed: Iterable[GroupPerson]) -> list[Member]:
        return [
            Member(
                uuid=one.uuid,
                number=one.number,
                name=names.get(one.uuid or one.number) or names.get(one.number),
                admin=(one.uuid or one.number) in admins,
                label=getattr(one, "label", None),
                label_emoji=getattr(one, "label_emoji", None),
            )
            for one in listed
        ]

    return Conversation(
        id=identifier,
        kind="group",
        name=group.name or identifier,
        blocked=group.is_blocked,
        expires_in=group.message_expiration_time,
        group=GroupDetails(
            description=group.description or None,
            member=group.is_member,
            members=people(group.members),
            invited=people(group.pending_members),
            requesting=people(group.requesting_members),
            banned=people(group.banned),
            invite_link=group.group_invite_link or None,
            add_members=_MAY.get(group.permission_add_member or ""),
            edit_details=_MAY.get(group.permission_edit_details or ""),
            send_messages=_MAY.get(group.permission_send_message or ""),
        ),
    )
