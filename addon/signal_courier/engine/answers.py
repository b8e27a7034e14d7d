"""What signal-cli's commands answer, as types. Shapes: signal-cli's JSON output, 0.13.19 to 0.14.6.

Every field has a default, so that neither an older nor a newer signal-cli breaks the decoding. Timestamps are milliseconds since
1970 and name messages; `uuid` is the ACI of a person; ids of groups are the raw base64 form.
"""

import msgspec

from signal_courier.engine.errors import SendResult


class SendAnswer(msgspec.Struct, rename="camel"):
    """What became of a message. It counts as sent as soon as one recipient got it: look at `results`."""

    timestamp: int | None = None
    """The message's name from now on; `None` if nothing had to be sent."""
    results: list[SendResult] = []
    """One entry a recipient (for a group: a member)."""


class GroupAnswer(SendAnswer, rename="camel"):
    """What `joinGroup` and `updateGroup` answer."""

    group_id: str | None = None
    """The group that was created or joined."""
    only_requested: bool = False
    """An admin has to let us in first."""


class Number(msgspec.Struct):
    """An account, as `listAccounts` and `finishLink` name it."""

    number: str | None = None


class Person(msgspec.Struct):
    """A member of a group, in any of its lists."""

    number: str | None = None
    uuid: str | None = None


class Member(Person, rename="camel"):
    """A full member; the label since 0.14.1."""

    is_admin: bool = False
    label: str | None = None
    label_emoji: str | None = None


class Group(msgspec.Struct, rename="camel"):
    """One entry of `listGroups`. Permissions are EVERY_MEMBER or ONLY_ADMINS."""

    id: str = ""
    name: str | None = None
    description: str | None = None
    is_member: bool = False
    is_blocked: bool = False
    message_expiration_time: int = 0
    """Seconds, 0 = messages do not expire."""
    members: list[Member] = []
    pending_members: list[Person] = []
    requesting_members: list[Person] = []
    admins: list[Person] = []
    banned: list[Person] = []
    permission_add_member: str | None = None
    permission_edit_details: str | None = None
    permission_send_message: str | None = None
    group_invite_link: str | None = None


class Profile(msgspec.Struct, rename="camel"):
    """What a person says about themselves."""

    last_update_timestamp: int = 0
    given_name: str | None = None
    family_name: str | None = None
    about: str | None = None
    about_emoji: str | None = None
    has_avatar: bool = False
    mobile_coin_address: str | None = None


class ContactInternals(msgspec.Struct, rename="camel"):
    """`listContacts` with `internal`."""

    capabilities: list[str] = []
    unidentified_access_mode: str | None = None
    shares_phone_number: bool | None = None
    discoverable_by_phonenumber: bool | None = None


class Contact(msgspec.Struct, rename="camel"):
    """One entry of `listContacts`."""

    number: str | None = None
    uuid: str | None = None
    username: str | None = None
    name: str | None = None
    """The best name there is: as saved here, else the profile's."""
    given_name: str | None = None
    family_name: str | None = None
    nick_name: str | None = None
    nick_given_name: str | None = None
    nick_family_name: str | None = None
    note: str | None = None
    color: str | None = None
    is_archived: bool = False
    is_blocked: bool = False
    is_hidden: bool = False
    message_expiration_time: int = 0
    """Seconds, 0 = messages do not expire."""
    profile_sharing: bool = False
    unregistered: bool = False
    profile: Profile | None = None
    internal: ContactInternals | None = None


class Identity(msgspec.Struct, rename="camel"):
    """One entry of `listIdentities`."""

    number: str | None = None
    uuid: str | None = None
    fingerprint: str | None = None
    """Hex bytes with spaces between."""
    safety_number: str | None = None
    """60 digits, in twelve groups of five."""
    scannable_safety_number: str | None = None
    """Base64 of what the QR code holds."""
    trust_level: str | None = None
    """UNTRUSTED, TRUSTED_UNVERIFIED or TRUSTED_VERIFIED."""
    added_timestamp: int = 0


class Device(msgspec.Struct, rename="camel"):
    """One entry of `listDevices`; 1 is the phone."""

    id: int = 0
    name: str | None = None
    created_timestamp: int = 0
    last_seen_timestamp: int = 0


class Sticker(msgspec.Struct, rename="camel"):
    """One picture of a pack."""

    id: int = 0
    emoji: str | None = None
    content_type: str | None = None


class StickerPack(msgspec.Struct, rename="camel"):
    """One entry of `listStickerPacks`."""

    pack_id: str = ""
    url: str | None = None
    installed: bool = False
    title: str | None = None
    author: str | None = None
    cover: Sticker | None = None
    stickers: list[Sticker] = []


class UserStatus(msgspec.Struct, rename="camel"):
    """One entry of `getUserStatus`."""

    recipient: str | None = None
    """As it was asked for."""
    number: str | None = None
    username: str | None = None
    uuid: str | None = None
    is_registered: bool = False


class Call(msgspec.Struct, rename="camel"):
    """A voice call: an entry of `listCalls`, or the answer of `startCall` and `acceptCall`. `call_id` is an unsigned 64-bit number."""

    call_id: int = 0
    state: str | None = None
    number: str | None = None
    uuid: str | None = None
    is_outgoing: bool = False
    input_device_name: str | None = None
    output_device_name: str | None = None
    codec: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    ptime_ms: int | None = None


class Username(msgspec.Struct, rename="camel"):
    """What `updateAccount` answers once a username is set."""

    username: str | None = None
    username_link: str | None = None


class LinkUri(msgspec.Struct, rename="camel"):
    """What `startLink` answers; `finishLink` wants this exact string."""

    device_link_uri: str = ""


class Data(msgspec.Struct):
    """A file."""

    data: str = ""
    """Base64."""


class Uploaded(msgspec.Struct):
    """What `uploadStickerPack` answers."""

    url: str = ""


class Version(msgspec.Struct):
    """What `version` answers."""

    version: str = ""
