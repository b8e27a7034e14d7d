"""`/v1/contacts`: the people whom an account knows."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.answers import Contact, Profile
from signal_courier.engine.errors import NotFound
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call, decode_again
from signal_courier.http.compat.avatars import picture
from signal_courier.http.compat.examples import PERSON, PERSON_UUID, refusal
from signal_courier.http.compat.targets import person
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue, MissingThing

routes = RouteTable("Contacts")


class ContactProfile(msgspec.Struct):
    """What a person says about themselves."""

    given_name: str = ""
    lastname: str = ""
    about: str = ""
    about_emoji: str = ""
    has_avatar: bool = False
    last_updated_timestamp: int = 0
    """Milliseconds since 1970."""


class Nickname(msgspec.Struct):
    """What this account calls a person."""

    name: str = ""
    given_name: str = ""
    family_name: str = ""


class ContactEntry(msgspec.Struct, kw_only=True):
    """A person. Texts are empty where nothing is known."""

    number: str
    uuid: str
    name: str
    """As saved here, else as in the profile."""
    profile_name: str
    username: str
    color: str
    blocked: bool
    message_expiration: str
    """Seconds after which messages vanish, as text; `0` = never."""
    note: str
    profile: ContactProfile
    given_name: str
    family_name: str
    nickname: Nickname
    hidden: bool
    """Removed from the list, but not forgotten."""
    unregistered: bool


_EXAMPLE = {
    "number": PERSON, "uuid": PERSON_UUID, "name": "Anna", "profile_name": "Anna Example", "username": "anna.42", "color": "",
    "blocked": False, "message_expiration": "0", "note": "", "given_name": "Anna", "family_name": "",
    "hidden": False, "unregistered": False,
    "profile": {
        "given_name": "Anna", "lastname": "Example", "about": "Hi", "about_emoji": "👋", "has_avatar": True,
        "last_updated_timestamp": 1700000000000,
    },
    "nickname": {"name": "", "given_name": "", "family_name": ""},
}  # fmt: skip
_NOBODY = "No user with that id ({}) found"


class ContactsQuery(msgspec.Struct):
    """Whom to list."""

    all_recipients: Annotated[bool, msgspec.Meta(description="Everybody who is known, not only contacts.")] = False


@routes.add(
    "GET", "/v1/contacts/{number}", scope=Scope.CONTACTS, query=ContactsQuery,
    answers=[Answer(200, "The contacts.", list[ContactEntry], example=[_EXAMPLE])],
)  # fmt: skip
async def list_contacts(call: Call[None, ContactsQuery]) -> web.StreamResponse:
    """List an account's contacts.

    People who are saved on the phone or here; with `all_recipients` everybody who was ever written to or has written.
    """
    contacts = await call.services.commands.list_contacts(call.account, all_recipients=call.query.all_recipients)
    return json_answer([_entry(contact) for contact in contacts])


@routes.add(
    "GET", "/v1/contacts/{number}/{uuid}", scope=Scope.CONTACTS, query=ContactsQuery,
    answers=[
        Answer(200, "The contact.", ContactEntry, example=_EXAMPLE),
        refusal("Nobody is known by that UUID.", _NOBODY.format(PERSON_UUID), 404),
    ],
)  # fmt: skip
async def list_contact(call: Call[None, ContactsQuery]) -> web.StreamResponse:
    """Show one contact, by UUID or number.

    404 where nobody is known by that name; `all_recipients` looks beyond the contacts.
    """
    named = _named(call)
    contacts = await call.services.commands.list_contacts(
        call.account, recipient=[named], all_recipients=call.query.all_recipients
    )  # fmt: skip
    for contact in contacts:  # signal-cli may list others too
        if named in (contact.uuid, contact.number, f"u:{contact.username}"):
            return json_answer(_entry(contact))
    raise MissingThing("uuid", _NOBODY.format(call.path["uuid"]))


@routes.add(
    "GET", "/v1/contacts/{number}/{uuid}/avatar", scope=Scope.CONTACTS,
    answers=[Answer(200, "The picture.", bytes, media="image/*"), refusal("There is none.", "No avatar found.")],
)  # fmt: skip
async def get_profile_avatar(call: Call[None, None]) -> web.StreamResponse:
    """Get the picture of a contact's profile.

    The one that they have chosen themselves.
    """
    try:
        return picture(await call.services.commands.get_avatar(call.account, profile=_named(call)))
    except NotFound as error:
        raise InvalidValue("uuid", "No avatar found.") from error


class UpdateContact(msgspec.Struct, kw_only=True):
    """What to change of a contact; what is left out stays as it is."""

    recipient: Annotated[str, msgspec.Meta(description="Number, UUID or username.", examples=[PERSON])] = ""
    name: Annotated[str | None, msgspec.Meta(description="Empty removes it.")] = None
    given_name: str | None = None
    family_name: str | None = None
    nick_given_name: str | None = None
    nick_family_name: str | None = None
    note: str | None = None
    expiration_in_seconds: (
        Annotated[int, msgspec.Meta(description="Seconds after which messages vanish; 0 = never.", ge=0, le=2**31 - 1)] | None
    ) = None


_NO_RECIPIENT = refusal("Nobody is named.", "Couldn't process request - recipient missing")


@routes.add(
    "PUT", "/v1/contacts/{number}", scope=Scope.CONTACTS, recipients=Reach.CHECKED, body=UpdateContact,
    body_example={"recipient": PERSON, "name": "Anna", "expiration_in_seconds": 604800},
    answers=[Answer(204, "Changed."), _NO_RECIPIENT],
)  # fmt: skip
async def update_contact(call: Call[UpdateContact, None]) -> web.StreamResponse:
    """Change what is saved of a contact, or how long messages to them last.

    Names and notes are for this account and its devices alone. The timer (`expiration_in_seconds`) is seen by both sides, and holds for
    both.
    """
    body = call.body
    recipient = person(body.recipient, "recipient")
    call.check_recipients([recipient])
    await call.services.commands.update_contact(
        call.account,
        recipient=str(recipient),
        name=body.name,
        given_name=body.given_name,
        family_name=body.family_name,
        nick_given_name=body.nick_given_name,
        nick_family_name=body.nick_family_name,
        note=body.note,
        expiration=body.expiration_in_seconds,
    )
    return empty()


@routes.add(
    "POST", "/v1/contacts/{number}/sync", scope=Scope.CONTACTS, answers=[Answer(204, "Sent.")],
)  # fmt: skip
async def send_contacts(call: Call[None, None]) -> web.StreamResponse:
    """Send the contacts to the account's other devices.

    Only from the main device; others ask it for them.
    """
    await call.services.commands.send_contacts(call.account)
    return empty()


@routes.add("POST", "/v1/contacts/{number}/{uuid}/block", scope=Scope.CONTACTS, answers=[Answer(204, "Blocked.")])
async def block_contact(call: Call[None, None]) -> web.StreamResponse:
    """Block a person.

    Their messages are not taken any more.
    """
    await call.services.commands.block(call.account, recipient=[_named(call)])
    return empty()


@routes.add("POST", "/v1/contacts/{number}/{uuid}/unblock", scope=Scope.CONTACTS, answers=[Answer(204, "No longer blocked.")])
async def unblock_contact(call: Call[None, None]) -> web.StreamResponse:
    """Unblock a person.

    What they have sent in between does not come any more.
    """
    await call.services.commands.unblock(call.account, recipient=[_named(call)])
    return empty()


class RemoveQuery(msgspec.Struct):
    """How thoroughly."""

    hide: Annotated[bool, msgspec.Meta(description="Only take the contact off the list.")] = False
    forget: Annotated[bool, msgspec.Meta(description="Delete keys and sessions too: the next message begins anew.")] = False


@routes.add(
    "DELETE", "/v1/contacts/{number}/{uuid}", scope=Scope.CONTACTS, query=RemoveQuery,
    answers=[
        Answer(204, "Removed."),
        refusal("Both were asked for.", "Couldn't process request - hide and forget cannot both be set"),
    ],
)  # fmt: skip
async def remove_contact(call: Call[None, RemoveQuery]) -> web.StreamResponse:
    """Remove a contact, by UUID, number or username.

    Only from this account's list: they are not told. `hide` keeps what is known, `forget` deletes the keys too.
    """
    if call.query.hide and call.query.forget:
        raise InvalidValue("forget", "Couldn't process request - hide and forget cannot both be set")
    await call.services.commands.remove_contact(call.account, recipient=_named(call), hide=call.query.hide, forget=call.query.forget)
    return empty()


def _named[B, Q](call: Call[B, Q]) -> str:
    """The person named in the path, as signal-cli spells it. Raises `InvalidValue`."""
    return str(person(decode_again(call.path["uuid"]), "uuid"))


def _entry(contact: Contact) -> ContactEntry:
    profile = contact.profile or Profile()
    return ContactEntry(
        number=contact.number or "",
        uuid=contact.uuid or "",
        name=contact.name or "",
        profile_name=" ".join(filter(None, (profile.given_name, profile.family_name))),
        username=contact.username or "",
        color=contact.color or "",
        blocked=contact.is_blocked,
        message_expiration=str(contact.message_expiration_time),
        note=contact.note or "",
        profile=ContactProfile(
            given_name=profile.given_name or "",
            lastname=profile.family_name or "",
            about=profile.about or "",
            about_emoji=profile.about_emoji or "",
            has_avatar=profile.has_avatar,
            last_updated_timestamp=profile.last_update_timestamp,
        ),
        given_name=contact.given_name or "",
        family_name=contact.family_name or "",
        nickname=Nickname(contact.nick_name or "", contact.nick_given_name or "", contact.nick_family_name or ""),
        hidden=contact.is_hidden,
        unregistered=contact.unregistered,
    )
