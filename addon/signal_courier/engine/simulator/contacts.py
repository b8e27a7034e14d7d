"""What an account notes about people and groups: names, blocks, expiration, and what it knows of who is registered."""

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import envelopes
from signal_courier.engine.simulator.delivery import Audience, Occasion, send
from signal_courier.engine.simulator.dispatch import Integer, NoParams, single
from signal_courier.engine.simulator.network import Network, checked_group_id
from signal_courier.engine.simulator.refusals import Refusal, user_error
from signal_courier.engine.simulator.state import Account, Contact, Person

_LINKED = "This command doesn't work on linked devices."


class ListContacts(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `listContacts`."""

    all_recipients: bool = False
    blocked: bool | None = None
    recipient: list[str] = []
    name: str | None = None
    detailed: bool = False
    internal: bool = False


class UpdateContact(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `updateContact`; expiration in seconds."""

    recipient: str
    expiration: Integer | None = None
    given_name: str | None = None
    family_name: str | None = None
    name: str | None = None
    nick_given_name: str | None = None
    nick_family_name: str | None = None
    note: str | None = None


class RemoveContact(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `removeContact`."""

    recipient: str
    hide: bool = False
    forget: bool = False


class Block(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `block` and `unblock`."""

    recipient: list[str] = []
    group_id: list[str] = []


class UserStatus(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `getUserStatus`."""

    recipient: list[str] = []
    username: list[str] = []


class RequestResponse(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `sendMessageRequestResponse`."""

    recipient: list[str] = []
    group_id: list[str] = []
    username: list[str] = []
    type: str


@single("listContacts", ListContacts)
def list_contacts(network: Network, account: Account, params: ListContacts) -> Json:
    """The address book; among all recipients is the account itself."""
    known = account.contacts
    if params.all_recipients and account.uuid not in known:
        known = known | {account.uuid: Contact(listed=False)}
    wanted = {network.recipient(account, text).uuid for text in params.recipient}
    made: list[dict[str, Json]] = []
    for uuid, contact in known.items():
        person = network.person(uuid)
        shown = params.all_recipients or (contact.listed and not contact.hidden)
        named = params.name is None or params.name in {contact.name, person.name}
        if shown and named and (not wanted or uuid in wanted) and params.blocked in {None, contact.blocked}:
            made.append(_json(person, contact, internal=params.internal))
    return made


@single("updateContact", UpdateContact)
def update_contact(network: Network, account: Account, params: UpdateContact) -> Json:
    """Change what is noted; a new expiration is told to the person."""
    person = network.known(account, params.recipient)
    contact = network.contact(account, person)
    if params.expiration is not None and params.expiration != contact.expiration:
        contact.expiration = params.expiration
        _tell_expiration(network, account, person)
    given = params.given_name if params.given_name is not None else params.name
    if given is not None:
        contact.given_name = given
        contact.family_name = params.family_name or None
        contact.listed, contact.hidden = True, False
    elif params.family_name is not None:
        contact.family_name = params.family_name
    contact.nick_given_name = params.nick_given_name if params.nick_given_name is not None else contact.nick_given_name
    contact.nick_family_name = params.nick_family_name if params.nick_family_name is not None else contact.nick_family_name
    contact.note = params.note if params.note is not None else contact.note
    network.changed()
    return {}


@single("removeContact", RemoveContact)
def remove_contact(network: Network, account: Account, params: RemoveContact) -> Json:
    """Hide a person, forget everything about one, or only the name."""
    person = network.recipient(account, params.recipient)
    if params.hide:
        network.contact(account, person).hidden = True
    elif params.forget:
        account.contacts.pop(person.uuid, None)
        account.identities.pop(person.uuid, None)
    else:
        account.contacts[person.uuid] = Contact(listed=False)
    network.changed()
    return {}


@single("block", Block)
def block(network: Network, account: Account, params: Block) -> Json:
    """Take no more messages from people or groups."""
    return _set_blocked(network, account, params, blocked=True)


@single("unblock", Block)
def unblock(network: Network, account: Account, params: Block) -> Json:
    """Take messages again."""
    return _set_blocked(network, account, params, blocked=False)


@single("getUserStatus", UserStatus)
def user_status(network: Network, account: Account, params: UserStatus) -> Json:
    """Who is registered."""
    made: list[dict[str, Json]] = []
    for text in params.recipient:
        row: dict[str, Json] = {"recipient": text}
        try:
            person = network.recipient(account, text)
        except Refusal:  # whatever it may be, it is not registered
            made.append(row | {"uuid": None, "isRegistered": False})
            continue
        if person.number is not None:
            row["number"] = person.number
        found = person.registered and bool(person.uuid)
        made.append(row | {"uuid": person.uuid if found else None, "isRegistered": found})
    for text in params.username:
        person = network.by_username(text)
        found = person.registered and bool(person.uuid)
        made.append({"recipient": text, "username": text, "uuid": person.uuid if found else None, "isRegistered": found})
    return made


@single("sendContacts", NoParams)
def send_contacts(_network: Network, _account: Account, _params: NoParams) -> Json:
    """Send the address book to the other devices."""
    return {}


@single("sendMessageRequestResponse", RequestResponse)
def message_request_response(network: Network, account: Account, params: RequestResponse) -> Json:
    """Accept or refuse to be written to."""
    if params.type not in {"accept", "delete"}:
        raise Refusal(-32603, f"No enum constant MessageRequestResponseType.{params.type} (IllegalArgumentException)")
    if not (params.recipient or params.group_id or params.username):
        raise user_error("No recipients given")
    people = [network.recipient(account, text) for text in params.recipient] + [network.by_username(text) for text in params.username]
    for group_id in params.group_id:
        network.group(group_id)
    for person in people:
        if person.uuid:
            network.contact(account, person).listed = params.type == "accept"
    network.changed()
    return {}


def _set_blocked(network: Network, account: Account, params: Block, *, blocked: bool) -> Json:
    if account.is_linked:
        raise user_error(_LINKED)
    people = [network.known(account, text) for text in params.recipient]
    groups = [network.group(checked_group_id(group_id)) for group_id in params.group_id]
    for person in people:
        network.contact(account, person).blocked = blocked
    for group in groups:
        if blocked:
            account.blocked_groups.add(group.id)
        else:
            account.blocked_groups.discard(group.id)
    network.changed()
    return {}


def _tell_expiration(network: Network, account: Account, person: Person) -> None:
    def content(at: Occasion) -> dict[str, Json]:
        return {"dataMessage": envelopes.data_message(at.timestamp, None, None, {}, expires=at.expires, expiration_update=True)}

    send(network, account, Audience(people=[person]), content)


def _json(person: Person, contact: Contact, *, internal: bool) -> dict[str, Json]:
    made: dict[str, Json] = {
        "number": person.number,
        "uuid": person.uuid,
        "username": person.username if person.number is None else None,
        "name": contact.name,
        "givenName": contact.given_name,
        "familyName": contact.family_name,
        "nickName": contact.nick_name,
        "nickGivenName": contact.nick_given_name,
        "nickFamilyName": contact.nick_family_name,
        "note": contact.note,
        "color": None,
        "isArchived": False,
        "isBlocked": contact.blocked,
        "isHidden": contact.hidden,
        "messageExpirationTime": contact.expiration,
        "profileSharing": contact.listed,
        "unregistered": not person.registered,
        "profile": {
            "lastUpdateTimestamp": person.profile_updated,
            "givenName": person.given_name,
            "familyName": person.family_name,
            "about": person.about,
            "aboutEmoji": person.about_emoji,
            "hasAvatar": person.has_avatar,
            "mobileCoinAddress": person.mobile_coin_address,
        },
    }
    if internal:
        made["internal"] = {
            "capabilities": ["storage"],
            "unidentifiedAccessMode": "ENABLED",
            "sharesPhoneNumber": person.number is not None,
            "discoverableByPhonenumber": person.number is not None,
        }
    return made
