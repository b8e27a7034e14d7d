"""What the service tells about itself, its accounts, people and groups, and about what was sent. Events are in `events`.

Times are milliseconds since the epoch unless a name or a text says otherwise.
"""

from dataclasses import dataclass

from .errors import ProblemDetails

type Json = dict[str, object]


# -- status


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How signal-cli is."""

    state: str = "stopped"
    """stopped, idle (started by the next call), starting, ready."""
    version: str | None = None
    reason: str | None = None
    """Why it is not ready."""
    restarts: int = 0
    features: Json | None = None
    """What this version can do, where versions differ: `{"polls": true}`."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How much an account sends and receives; days begin at midnight where the service is."""

    queued: int = 0
    sending: int = 0
    parked: int = 0
    sent_today: int = 0
    failed_today: int = 0
    last_received_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account of the service."""

    number: str
    uuid: str | None = None
    """Its ACI, which stays when the number changes; `None` if unknown."""
    state: str = "ready"
    """ready, offline (not loaded now), unlinked (the phone has removed this device)."""
    linked: bool | None = None
    """Whether a phone is its master; `None` if unknown."""
    name: str | None = None
    """Of its profile."""
    trust: str | None = None
    """What happens when a safety number is new: on-first-use, always, never."""
    problems: tuple[ProblemDetails, ...] = ()
    """What a person should do something about."""
    link_expires_at: int | None = None
    """When Signal removes this linked device unless it is used before."""
    figures: Figures | None = None


@dataclass(frozen=True, kw_only=True)
class Queues:
    """What waits."""

    receiving: int = 0
    sending: Json | None = None
    """By account: for how many recipients something is queued, sending or parked."""

    def count(self, account: str, state: str) -> int:
        """For how many recipients of `account` something is in this state: queued, sending, parked."""
        states = (self.sending or {}).get(account)
        found = states.get(state) if isinstance(states, dict) else None
        return found if isinstance(found, int) else 0


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the service is."""

    version: str
    id: str | None = None
    """Names this service, for ever."""
    started: float = 0.0
    """Seconds since 1970."""
    engine: Engine = Engine()
    accounts: tuple[Account, ...] = ()
    queues: Queues = Queues()

    def account(self, number: str) -> Account | None:
        """One of the accounts."""
        return next((one for one in self.accounts if one.number == number), None)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who the service thinks is asking."""

    kind: str = "token"
    """token, loopback, ingress or open."""
    name: str = ""
    scopes: tuple[str, ...] = ()
    accounts: tuple[str, ...] | None = None
    """The only accounts that the token is for; all if `None`."""
    token_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device of an account; 1 is the phone."""

    id: int
    name: str | None = None
    created: int = 0
    last_seen: int = 0
    """To the day."""


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """Who follows the events under a name, and how far."""

    name: str
    position: int
    """Everything up to this id was acknowledged."""
    lag: int = 0
    """How many ids are behind it."""
    missed: int = 0
    """Those of them that were removed already."""

    @property
    def head(self) -> int:
        """Id of the newest event of the service."""
        return self.position + self.lag


# -- people and groups


@dataclass(frozen=True, kw_only=True)
class Member:
    """Somebody in a group. A number is `None` where it is hidden."""

    uuid: str | None = None
    number: str | None = None
    name: str | None = None
    admin: bool = False
    label: str | None = None
    label_emoji: str | None = None


@dataclass(frozen=True, kw_only=True)
class PersonDetails:
    """What is known of a person."""

    uuid: str | None = None
    username: str | None = None
    profile_name: str | None = None
    nickname: str | None = None
    about: str | None = None
    about_emoji: str | None = None
    note: str | None = None
    hidden: bool = False
    unregistered: bool = False
    """Not on Signal (any more)."""


@dataclass(frozen=True, kw_only=True)
class GroupDetails:
    """What is known of a group."""

    description: str | None = None
    member: bool = False
    """Whether the account (still) belongs to it."""
    members: tuple[Member, ...] = ()
    invited: tuple[Member, ...] = ()
    requesting: tuple[Member, ...] = ()
    banned: tuple[Member, ...] = ()
    invite_link: str | None = None
    add_members: str | None = None
    """Who may: every-member or only-admins, as the next two."""
    edit_details: str | None = None
    send_messages: str | None = None


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A person or a group."""

    id: str
    """UUID of the person (number or username where none is known), or `group.…`; can be used as a recipient."""
    kind: str = "person"
    """person, group or self."""
    name: str = ""
    """The best there is; never empty in an answer of the service."""
    number: str | None = None
    blocked: bool = False
    archived: bool = False
    expires_in: int = 0
    """Seconds after which messages vanish, 0 = never."""
    unread: int | None = None
    """How many messages nobody has read, where the service tells it."""
    last_message_at: int | None = None
    """When the newest message was received or sent, as far as they are kept."""
    avatar: str | None = None
    """Path of the picture on the service; 404 where there is none."""
    person: PersonDetails | None = None
    group: GroupDetails | None = None

    @property
    def is_group(self) -> bool:
        """Whether it is a group."""
        return self.kind == "group"


@dataclass(frozen=True, kw_only=True)
class FoundPerson:
    """Whether somebody is on Signal."""

    recipient: str
    """As it was asked for."""
    registered: bool = False
    uuid: str | None = None
    number: str | None = None
    username: str | None = None


@dataclass(frozen=True, kw_only=True)
class JoinedGroup:
    """What came of an invitation."""

    id: str
    waiting: bool = False
    """An admin has to let the account in first."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A safety number."""

    uuid: str | None = None
    number: str | None = None
    trust: str = "untrusted"
    """untrusted, trusted or verified."""
    safety_number: str | None = None
    scannable: str | None = None
    """Base64 of what the QR code to compare holds."""
    fingerprint: str | None = None
    added: int = 0


# -- messages


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """What became of a message for one recipient; the members of a group follow each for themselves."""

    recipient: str
    state: str = "sent"
    """queued, sending, sent, delivered, read, parked, failed, expired, unknown, cancelled."""
    uuid: str | None = None
    number: str | None = None
    group: str | None = None
    reason: str | None = None
    timestamp: int | None = None
    changed_at: int | None = None
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Something that was sent (or, with `wait`, waits on the service's disk)."""

    timestamp: int | None = None
    """Its name in Signal, for edits, reactions and deletion; `None` while it waits."""
    id: str | None = None
    """Its name in the outbox, `msg_…`, where it has one."""
    account: str | None = None
    recipients: tuple[Recipient, ...] = ()
    challenge_tokens: tuple[str, ...] = ()

    @property
    def is_waiting(self) -> bool:
        """Whether it is not sent yet: follow it by `Messages.get`, or by `status` events."""
        return self.timestamp is None


@dataclass(frozen=True, kw_only=True)
class OutboxMessage:
    """A message of the outbox."""

    id: str
    account: str = ""
    kind: str = "message"
    state: str = "queued"
    created_at: int = 0
    timestamp: int | None = None
    expires_at: int | None = None
    attempts: int = 0
    next_attempt_at: int | None = None
    recipients: tuple[Recipient, ...] = ()
    content: Json | None = None


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that the service keeps."""

    id: str
    url: str = ""
    kind: str = "upload"
    """upload or received."""
    name: str = ""
    type: str = "application/octet-stream"
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Sticker:
    """A picture of a pack."""

    id: int
    emoji: str | None = None
    url: str = ""
    sticker: str = ""
    """For `sticker` of a message."""


@dataclass(frozen=True, kw_only=True)
class StickerPack:
    """A sticker pack."""

    id: str
    title: str | None = None
    author: str | None = None
    installed: bool = False
    link: str | None = None
    stickers: tuple[Sticker, ...] = ()


# -- becoming an account


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link on its way: a code to be scanned by a phone."""

    id: str
    state: str = "waiting"
    """waiting, linked, expired, failed."""
    uri: str | None = None
    """What the picture holds now."""
    qr: str | None = None
    """Path of the picture on the service."""
    version: int = 0
    """Grows when the code or the state changes."""
    device_name: str = ""
    account: str | None = None
    """The number, once it is linked."""
    problem: ProblemDetails | None = None
    started: float = 0.0
    """Seconds since 1970, as the next."""
    expires: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Where a registration stands; `state` is the next step."""

    number: str
    state: str
    """captcha_required, voice_required, code_sent, pin_required, registered."""
    captcha_url: str | None = None
    voice_after: int | None = None
    """From when on a call can be asked for: ms since 1970."""
    lock_hours: int | None = None
    problem: ProblemDetails | None = None
