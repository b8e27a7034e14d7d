"""Profiles, usernames and pictures of people and groups."""

import base64
import re
import secrets

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator.dispatch import single
from signal_courier.engine.simulator.files import contents
from signal_courier.engine.simulator.network import Network, checked_group_id
from signal_courier.engine.simulator.refusals import IO_ERROR, Refusal, null_pointer, user_error
from signal_courier.engine.simulator.state import Account

_USERNAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{2,31}(\.\d{2,9})?")


class UpdateProfile(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `updateProfile`; `avatar` is a path."""

    given_name: str | None = None
    family_name: str | None = None
    about: str | None = None
    about_emoji: str | None = None
    mobile_coin_address: str | None = None
    avatar: str | None = None
    remove_avatar: bool = False


class UpdateAccount(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `updateAccount`."""

    device_name: str | None = None
    unrestricted_unidentified_sender: bool | None = None
    discoverable_by_number: bool | None = None
    number_sharing: bool | None = None
    username: str | None = None
    delete_username: bool = False


class GetAvatar(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `getAvatar`, one of the three."""

    contact: str | None = None
    profile: str | None = None
    group_id: str | None = None


@single("updateProfile", UpdateProfile)
def update_profile(network: Network, account: Account, params: UpdateProfile) -> Json:
    """Change what others see of the account."""
    person = network.owner(account)
    if params.avatar is not None:
        try:
            picture = contents(params.avatar)
        except OSError as error:
            raise Refusal(IO_ERROR, f"Update profile error: {params.avatar} ({error.strerror})") from error
        network.files.put_avatar("profile", person.address, picture)
        person.has_avatar = True
    elif params.remove_avatar:
        network.files.remove_avatar("profile", person.address)
        person.has_avatar = False
    for name in ("given_name", "family_name", "about", "about_emoji", "mobile_coin_address"):
        value = getattr(params, name)
        if value is not None:
            setattr(person, name, value)
    person.profile_updated = network.now()
    return {}


@single("updateAccount", UpdateAccount)
def update_account(network: Network, account: Account, params: UpdateAccount) -> Json:
    """Change the account's name for this device, what numbers reveal, and the username."""
    person = network.owner(account)
    if params.device_name is not None:
        for device in account.devices:
            if device.id == account.device_id:
                device.name = params.device_name
    account.discoverable = account.discoverable if params.discoverable_by_number is None else params.discoverable_by_number
    account.number_sharing = account.number_sharing if params.number_sharing is None else params.number_sharing
    network.changed()
    answer: Json = {}
    if params.username is not None:
        _set_username(network, account, params.username)
        answer = {"username": person.username, "usernameLink": account.username_link}
    if params.delete_username:
        person.username = account.username_link = None
    return answer


@single("getAvatar", GetAvatar)
def get_avatar(network: Network, account: Account, params: GetAvatar) -> Json:
    """The picture of a person or a group."""
    if params.contact is not None:
        kind, owner = "contact", network.known(account, params.contact).address
    elif params.profile is not None:
        kind, owner = "profile", network.known(account, params.profile).address
    elif params.group_id is not None:
        kind, owner = "group", checked_group_id(params.group_id)
    else:
        raise null_pointer("groupId")
    try:
        return {"data": base64.b64encode(network.files.avatar(kind, owner)).decode()}
    except OSError as error:
        raise user_error("Could not find avatar") from error


def _set_username(network: Network, account: Account, username: str) -> None:
    if not _USERNAME.fullmatch(username):
        raise user_error("Invalid username: Nickname contains invalid characters (BadNicknameCharacterException)")
    person = network.owner(account)
    whole = username if "." in username else f"{username}.{secrets.randbelow(90) + 10}"
    if any(other.username == whole and other.uuid != person.uuid for other in network.world.people.values()):
        raise Refusal(IO_ERROR, "Failed to set username: [409] ")
    person.username = whole
    account.username_link = f"https://signal.me/#eu/{secrets.token_urlsafe(48)}"
