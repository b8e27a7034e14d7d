"""A message in the hands of the outbox, and what signal-cli's answers mean for each of its recipients."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from signal_courier.engine import errors
from signal_courier.engine.answers import SendAnswer
from signal_courier.engine.errors import EngineError, SendResult, results_of
from signal_courier.messaging.sending.content import decode, encode, kind_of, named, target_in
from signal_courier.messaging.sending.delivery import IDENTITY_FAILURE, SUCCESS, Target, split
from signal_courier.model.messages import Sendable
from signal_courier.model.outbox import (
    GROUP_APPROVAL,
    RATE_LIMIT,
    UNTRUSTED,
    DeliveryState,
    MessageStatus,
    RecipientStatus,
    message_id,
    summary,
)
from signal_courier.model.recipients import GroupId, Recipient, Username, parse_recipient
from signal_courier.store.rows import MessageRow, RecipientRow

NETWORK: Final = "network"
ENGINE: Final = "engine"
"""Reasons for which a recipient is queued again."""
_NO_NETWORK: Final = "NETWORK_FAILURE"
_LIMITS: Final = frozenset({"RATE_LIMIT_FAILURE", "PROOF_REQUIRED_FAILURE"})
_LONGEST_REASON: Final = 500
EVERYBODY: Final = "contacts"
"""Stands for the recipients of a story that goes to all contacts."""


@dataclass(slots=True, eq=False)
class Entry:
    """One recipient. The fields are those of `RecipientRow`."""

    position: int
    recipient: Recipient | None
    """`None`: all contacts (stories)."""
    name: str
    state: DeliveryState
    changed_at: int
    via: str | None = None
    uuid: str | None = None
    number: str | None = None
    reason: str | None = None
    timestamp: int | None = None
    tokens: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    lane: str | None = None
    """The conversation in whose order it stands; not stored."""

    def move(self, state: DeliveryState, now: int, reason: str | None = None) -> None:
        """Enter a state."""
        self.state, self.reason, self.changed_at = state, reason, now
        self.tokens, self.until = (), None

    def row(self, message: int) -> RecipientRow:
        """What is stored."""
        conversation = None if self.via is not None else self.name if isinstance(self.recipient, GroupId) else self.uuid or self.name
        return RecipientRow(
            message, self.position, self.name, conversation, self.via, self.uuid, self.number, self.state.value, self.reason,
            self.timestamp, self.changed_at, " ".join(self.tokens) or None, self.since, self.until,
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class Outgoing:
    """One message."""

    number: int
    account: str
    what: Sendable
    created_at: int
    expires_at: int | None
    """ms since the epoch; `None`: its caller waits for it, and it is not tried again."""
    resend: bool
    entries: list[Entry]
    attempts: int = 0

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return any(entry.state.is_open for entry in self.entries)

    @property
    def once(self) -> bool:
        """Whether it is tried only once."""
        return self.expires_at is None or self.expires_at <= self.created_at

    def row(self, outcome: bytes | None = None, *, content: Sendable | None = None) -> MessageRow:
        """What is stored; `content`: instead of what is sent."""
        encoded = encode(content if content is not None else self.what)
        return MessageRow(
            self.number, self.account, kind_of(self.what), encoded, self.created_at, self.expires_at, self.resend,
            self.attempts, self.is_open, outcome, target_in(self.what),
        )  # fmt: skip

    def rows(self, entries: Iterable[Entry] | None = None) -> list[RecipientRow]:
        """Its recipients as stored."""
        return [entry.row(self.number) for entry in (self.entries if entries is None else entries)]


def new_entries(recipients: Sequence[Recipient], state: DeliveryState, now: int) -> list[Entry]:
    """An entry for each recipient; who is named twice has one."""
    unique: dict[str, Recipient | None] = {str(recipient): recipient for recipient in recipients} or {EVERYBODY: None}
    return [Entry(at, recipient, name, state, now, since=now) for at, (name, recipient) in enumerate(unique.items())]


def await_approval(entries: Iterable[Entry], groups: Collection[Recipient], now: int) -> None:
    """Those of these groups wait until an admin has let the account in."""
    for entry in entries:
        if entry.recipient in groups:
            entry.move(DeliveryState.PARKED, now, GROUP_APPROVAL)


def from_rows(message: MessageRow, rows: Iterable[RecipientRow]) -> Outgoing:
    """The message that was stored. Raises `InvalidValue` or `msgspec.MsgspecError` where it cannot be understood."""
    entries = [
        Entry(
            row.position,
            parse_recipient(row.recipient) if row.recipient != EVERYBODY else None,
            row.recipient,
            DeliveryState(row.state),
            row.changed_at,
            row.via,
            row.uuid,
            row.number,
            row.reason,
            row.timestamp,
            tuple((row.tokens or "").split()),
            row.since,
            row.until,
        )
        for row in rows
    ]
    what = decode(message.kind, message.content)
    return Outgoing(
        message.number, message.account, what, message.created_at, message.expires_at, bool(message.resend), entries, message.attempts
    )


def status_of(message: MessageRow, rows: Sequence[RecipientRow]) -> MessageStatus:
    """What is told about a message."""
    groups = {row.via for row in rows}
    recipients = [
        RecipientStatus(
            recipient=row.recipient,
            state=DeliveryState(row.state),
            reason=row.reason,
            timestamp=row.timestamp,
            changed_at=row.changed_at,
            group=row.via,
            uuid=row.uuid,
            number=row.number,
            tokens=(row.tokens or "").split(),
        )
        for row in rows
    ]
    states = [one.state for one in recipients if one.group is not None or one.recipient not in groups or one.state.is_open]
    timestamps = [row.timestamp for row in rows if row.timestamp is not None and DeliveryState(row.state).is_reached]
    waits = [row.until for row in rows if row.until is not None and DeliveryState(row.state).is_open]
    is_open = any(one.state.is_open for one in recipients)
    return MessageStatus(
        id=message_id(message.number),
        account=message.account,
        kind=message.kind,
        state=summary(states),
        created_at=message.created_at,
        recipients=recipients,
        content=msgspec.Raw(_shown(message)),
        timestamp=min(timestamps, default=None),
        expires_at=message.expires_at if is_open else None,
        attempts=message.attempts,
        next_attempt_at=min(waits, default=None),
    )


def _shown(message: MessageRow) -> bytes:
    if b"ttachment" not in message.content and b"preview" not in message.content:
        return message.content
    return encode(named(decode(message.kind, message.content)))


def target_of(entries: Sequence[Entry]) -> Target:
    """What one call is for; the entries are all of one kind."""
    return split([entry.recipient for entry in entries if entry.recipient is not None])[0]


def parts_of(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The entries of each call."""
    parts: dict[str, list[Entry]] = {}
    for entry in entries:
        kind = entry.name if isinstance(entry.recipient, GroupId) else "usernames" if isinstance(entry.recipient, Username) else "persons"
        parts.setdefault(kind, []).append(entry)
    return list(parts.values())


def apply_answer(message: Outgoing, entries: Sequence[Entry], answer: SendAnswer, now: int) -> list[Entry]:
    """Note what signal-cli answered to the call for these entries; gives those that changed, members of groups included.

    Those that can be reached later are queued (`network`) or parked, as if there were no limit to trying.
    """
    if isinstance(entries[0].recipient, GroupId):
        return _apply_group(message, entries[0], answer, now)
    results = list(answer.results)
    for entry in entries:
        result = _result_for(entry, results, alone=len(entries) == 1)
        if result is not None:
            _take(entry, result, answer.timestamp, now)
        else:
            entry.move(DeliveryState.SENT, now)
            entry.timestamp = answer.timestamp
    return list(entries)


def apply_error(message: Outgoing, entries: Sequence[Entry], error: EngineError, now: int) -> list[Entry]:
    """Note that the call for these entries failed; gives those that changed."""
    results = results_of(error)
    if results and not isinstance(entries[0].recipient, GroupId):
        for entry in entries:
            result = _result_for(entry, results, alone=len(entries) == 1)
            if result is None or result.type == SUCCESS:
                _fail(entry, error, now)
            else:
                _take(entry, result, None, now)
                _note_tokens(entry, error)
    elif isinstance(error, errors.Rejected) and any(result.type == _NO_NETWORK for result in results):
        for entry in entries:  # a group: some of its members will never be reached, the others may be
            entry.move(DeliveryState.QUEUED, now, NETWORK)
    else:
        for entry in entries:
            _fail(entry, error, now)
    return list(entries)


def give_up(entries: Iterable[Entry], now: int) -> None:
    """There is only one attempt: who was not reached by it has failed. What lifts a limit is still told."""
    for entry in entries:
        if entry.state.is_open:
            tokens = entry.tokens
            entry.move(DeliveryState.FAILED, now, entry.reason)
            entry.tokens = tokens


def _apply_group(message: Outgoing, group: Entry, answer: SendAnswer, now: int) -> list[Entry]:
    members = {entry.name: entry for entry in message.entries if entry.via == group.name}
    group.move(DeliveryState.SENT, now)
    group.timestamp = answer.timestamp
    for result in answer.results:
        address = result.recipient_address
        name = (address.uuid or address.number or address.username) if address is not None else None
        if name is None:
            continue
        member = members.get(name)
        if member is None:
            try:
                recipient = parse_recipient(name)
            except ValueError:
                continue
            member = members[name] = Entry(len(message.entries), recipient, name, DeliveryState.SENT, now, via=group.name)
            message.entries.append(member)
        _take(member, result, answer.timestamp, now)
        if not member.state.is_reached:  # one member cannot be sent to alone
            tokens = member.tokens
            member.move(DeliveryState.FAILED, now, result.type)
            member.tokens = tokens
    return [group, *members.values()]


def _result_for(entry: Entry, results: Sequence[SendResult], *, alone: bool) -> SendResult | None:
    """The result of one recipient. A person may have several (a note to self): one that succeeded counts."""
    mine = [result for result in results if alone or _is_for(entry, result)]
    return next((result for result in mine if result.type == SUCCESS), mine[0] if mine else None)


def _is_for(entry: Entry, result: SendResult) -> bool:
    address = result.recipient_address
    if address is None:
        return False
    bare = entry.name.removeprefix("PNI:").removeprefix("u:")
    return bare in (address.number, address.uuid, address.username)


def _take(entry: Entry, result: SendResult, timestamp: int | None, now: int) -> None:
    address = result.recipient_address
    if address is not None:
        entry.uuid, entry.number = address.uuid or entry.uuid, address.number or entry.number
    if result.type == SUCCESS:
        entry.move(DeliveryState.SENT, now)
        entry.timestamp = timestamp
    elif result.type == _NO_NETWORK:
        entry.move(DeliveryState.QUEUED, now, NETWORK)
    elif result.type in _LIMITS:
        entry.move(DeliveryState.PARKED, now, RATE_LIMIT)
        entry.tokens = (result.token,) if result.token else ()
        if result.retry_after_seconds and result.retry_after_seconds > 0:
            entry.until = now + result.retry_after_seconds * 1000
    elif result.type == IDENTITY_FAILURE:
        entry.move(DeliveryState.PARKED, now, UNTRUSTED)
    else:
        entry.move(DeliveryState.FAILED, now, result.type)


def _fail(entry: Entry, error: EngineError, now: int) -> None:
    match error:
        case errors.RateLimited():
            entry.move(DeliveryState.PARKED, now, RATE_LIMIT)
            _note_tokens(entry, error)
        case errors.UntrustedIdentity():
            entry.move(DeliveryState.PARKED, now, UNTRUSTED)
        case errors.NetworkTrouble():
            entry.move(DeliveryState.QUEUED, now, NETWORK)
        case errors.EngineUnavailable() | errors.EngineTimeout():
            entry.move(DeliveryState.QUEUED, now, ENGINE)
        case _:
            entry.move(DeliveryState.FAILED, now, error.message[:_LONGEST_REASON])


def _note_tokens(entry: Entry, error: EngineError) -> None:
    if isinstance(error, errors.RateLimited) and entry.state is DeliveryState.PARKED:
        entry.tokens = entry.tokens or error.tokens
        if entry.until is None and error.retry_after is not None:
            entry.until = entry.changed_at + error.retry_after * 1000


class StoredError(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error of the engine, to be raised again for the same request."""

    kind: str
    message: str
    code: int | None = None
    response: str | None = None
    tokens: tuple[str, ...] = ()
    retry_after: int | None = None

    @classmethod
    def of(cls, error: EngineError) -> "StoredError":
        """Keep an error."""
        response = bytes(error.response).decode() if error.response is not None else None
        kept = cls(kind=type(error).__name__, message=error.message, code=error.code, response=response)
        if isinstance(error, errors.RateLimited):
            kept.tokens, kept.retry_after = error.tokens, error.retry_after
        return kept

    def again(self) -> EngineError:
        """The same error."""
        kind = getattr(errors, self.kind, EngineError)
        response = msgspec.Raw(self.response.encode()) if self.response is not None else None
        error: EngineError = kind(self.message, code=self.code, response=response)
        if isinstance(error, errors.RateLimited):
            error.tokens, error.retry_after = self.tokens, self.retry_after
        return error
