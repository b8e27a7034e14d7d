"""What was said in conversations: the inbox and the outbox laid side by side, with what changed a message later in it."""

import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from signal_courier.engine.reports.envelopes import EnvelopeReader, resolve_mentions
from signal_courier.messaging.conversations import folded
from signal_courier.messaging.people import People
from signal_courier.messaging.sending.message import from_rows, status_of
from signal_courier.model import events
from signal_courier.model.errors import InvalidValue
from signal_courier.model.events import Event, Person
from signal_courier.model.messages import Deletion, Message, Poll, PollEnd, Reaction, Sendable, Vote
from signal_courier.model.outbox import MessageStatus, message_id
from signal_courier.model.recipients import Aci, GroupId, Number, Recipient, parse_recipient
from signal_courier.store.database import Database
from signal_courier.store.history import Activity, HistoryTable, ReceivedRow, SentRow

_SCAN: Final = 5000
"""Messages of each direction that one search looks at."""
_START: Final = 1 << 62
_CURSOR: Final = re.compile(r"(\d{1,19})-(\d{1,19})")
_ESCAPED: Final = frozenset('"\\\n\t')

type Direction = Literal["received", "sent"]


class GivenReaction(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji that somebody has given a message."""

    emoji: str
    by: Person
    time: int
    """ms since the epoch, as all times."""


class GivenVote(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has chosen in a poll."""

    by: Person
    options: Sequence[int]
    time: int


class HistoryEntry(msgspec.Struct, kw_only=True):
    """A message, as it is now."""

    id: str
    """`evt_…` with the number of its event, or `msg_…` of the outbox."""
    direction: Direction
    account: str
    time: int
    """When it was received here, or given to be sent."""
    timestamp: int | None
    """Names the message, together with its author; `None` until it is sent."""
    conversation: events.Conversation | None
    """`None` for what was sent to several."""
    sender: Person
    message: events.Content | None = None
    """The latest version; `None` for a poll, and for what was taken back."""
    poll: events.Poll | None = None
    reactions: list[GivenReaction] = []
    votes: list[GivenVote] = []
    closed: bool = False
    """The poll is."""
    edited_at: int | None = None
    deleted_at: int | None = None
    """When it was taken back."""
    status: MessageStatus | None = None
    """How far it has come, where this service has sent it."""


class HistoryPage(msgspec.Struct, kw_only=True):
    """Some of the history, the newest first."""

    messages: list[HistoryEntry]
    next: str | None
    """What to ask for older ones with; `None` at the end."""


@dataclass(slots=True)
class _Line:
    """An entry while it is put together."""

    time: int
    position: int
    sent: bool
    row: ReceivedRow | SentRow


@dataclass(slots=True)
class _Change:
    time: int
    names: frozenset[str]
    event: Event | None
    what: Sendable | None


class ConversationHistory:
    """Reads the history."""

    def __init__(self, database: Database, people: People) -> None:
        self._table = HistoryTable(database)
        self._people = people
        self._read = EnvelopeReader(people)

    async def page(
        self,
        account: str,
        names: Sequence[str] | None,
        *,
        before: str | None,
        limit: int,
        direction: Direction | None = None,
        search: str = "",
    ) -> HistoryPage:
        """A page of one conversation (`names`: whatever it is called), or of all. A search may find less than there is: follow `next`.

        Raises `InvalidValue` for a cursor that is none.
        """
        below_id, below_number = _position(before)
        await self._people.known(account)
        matches, most = (_matcher(search), _SCAN) if search.strip() else (None, limit + 1)
        lines: list[_Line] = []
        ends = [below_id, below_number]
        more = False
        inbox_names, outbox_names = (_inbox_names(names), _outbox_names(names)) if names is not None else (None, None)
        own = None if direction is None else direction == "sent"
        received = await self._table.received(account, inbox_names, below_id, rows=limit + 1, own=own, matches=matches, most=most)
        lines += [_Line(row.received_at, row.id, False, row) for row in received.rows]
        ends[0], more = received.last, received.more
        if direction != "received":
            sent = await self._table.sent(account, outbox_names, below_number, rows=limit + 1, matches=matches, most=most)
            lines += [_Line(row.message.created_at, row.message.number, True, row) for row in sent.rows]
            ends[1], more = sent.last, more or sent.more
        lines.sort(key=lambda line: (line.time, line.position), reverse=True)
        if len(lines) > limit:
            lines, more = lines[:limit], True
            ends = [below_id, below_number]
            for line in lines:
                ends[line.sent] = min(ends[line.sent], line.position)
        entries = await self._entries(account, lines)
        return HistoryPage(messages=entries, next=f"{ends[0]}-{ends[1]}" if more else None)

    async def activity(self, account: str) -> "Activities":
        """How each conversation of an account stands."""
        return Activities(await self._table.activity(account))

    async def unread(self, account: str, names: Sequence[str], limit: int) -> list[tuple[int, str, Event]]:
        """What was received and not read yet: id, key of the conversation, event; the newest first."""
        rows = await self._table.unread(account, _inbox_names(names), limit)
        return [(row.id, row.conversation, event) for row in rows if (event := self._read(row.id, row.frame)) is not None]

    async def text_of(self, account: str, author: str, timestamp: int) -> str | None:
        """What a message says, as far as it is known here; its first version."""
        for row in await self._table.named(account, timestamp):
            event = self._read(row.id, row.frame)
            if event is None or event.message is None or event.message.timestamp != timestamp:
                continue
            if row.own or (event.sender is not None and author in (event.sender.uuid, event.sender.number)):
                return event.message.text
        for sent in await self._table.sent_as(account, timestamp):
            try:
                what = from_rows(sent.message, sent.recipients).what
            except (InvalidValue, msgspec.MsgspecError, KeyError):
                continue
            if isinstance(what, Message):
                return self._content(account, what, timestamp).text
        return None

    async def mark_read(self, account: str, conversation: str, upto: int) -> None:
        """Note that a conversation (by its key in the inbox) was read up to this id."""
        await self._table.mark_read(account, conversation, upto)

    # -- making entries

    async def _entries(self, account: str, lines: Sequence[_Line]) -> list[HistoryEntry]:
        made: list[tuple[HistoryEntry, frozenset[str]]] = []
        for line in lines:
            found = self._sent(account, line.row) if isinstance(line.row, SentRow) else self._received(account, line.row)
            if found is not None:
                made.append(found)
        by_time: dict[int, list[tuple[HistoryEntry, frozenset[str]]]] = {}
        for entry, names in made:
            if entry.timestamp is not None:
                by_time.setdefault(entry.timestamp, []).append((entry, names))
        received, sent = await self._table.changes(account, list(by_time))
        changes = [
            _Change(row.received_at, frozenset((row.conversation,)), event, None)
            for row in received
            if (event := self._read(row.id, row.frame)) is not None
        ]
        changes += [change for row in sent if (change := _change_of(row)) is not None]
        for change in sorted(changes, key=lambda one: one.time):
            for entry, names in by_time.get(_target(change), ()):
                if names & change.names:
                    self._apply(account, entry, change)
        return [entry for entry, _ in made]

    def _received(self, account: str, row: ReceivedRow) -> tuple[HistoryEntry, frozenset[str]] | None:
        event = self._read(row.id, row.frame)
        if event is None or (event.message is None and event.poll is None):
            return None
        timestamp = event.message.timestamp if event.message is not None else event.time
        entry = HistoryEntry(
            id=f"evt_{row.id}",
            direction="sent" if row.own else "received",
            account=account,
            time=row.received_at,
            timestamp=timestamp,
            conversation=event.conversation,
            sender=_plain(event.sender) or Person(),
            message=event.message,
            poll=event.poll,
        )
        return entry, frozenset((row.conversation,))

    def _sent(self, account: str, row: SentRow) -> tuple[HistoryEntry, frozenset[str]] | None:
        try:
            outgoing = from_rows(row.message, row.recipients)
        except (InvalidValue, msgspec.MsgspecError, KeyError):  # of another version
            return None
        status = status_of(row.message, row.recipients)
        status.content = msgspec.Raw(b"null")
        timestamp, what = status.timestamp, outgoing.what
        asked = [one for one in row.recipients if one.via is None]
        names = _names_of(row)
        entry = HistoryEntry(
            id=message_id(row.message.number),
            direction="sent",
            account=account,
            time=row.message.created_at,
            timestamp=timestamp,
            conversation=self._place(account, asked[0].recipient, asked[0].uuid, asked[0].number) if len(asked) == 1 else None,
            sender=self._own(account),
            status=status,
        )
        if isinstance(what, Message):
            entry.message = self._content(account, what, timestamp or 0)
        elif isinstance(what, Poll):
            entry.poll = events.Poll(action="created", question=what.question, options=what.answers, multiple=what.several)
        return entry, names

    def _apply(self, account: str, entry: HistoryEntry, change: _Change) -> None:
        event, what = change.event, change.what
        if event is not None:
            by = _plain(event.sender) or Person()
            if event.reaction is not None and _is_by(event.reaction.target.author, entry.sender):
                _react(entry, event.reaction.emoji, by, change.time, removed=event.reaction.removed)
            elif event.edit is not None and event.message is not None and _is_by(by, entry.sender):
                entry.message, entry.edited_at = event.message, change.time
            elif event.delete is not None and (event.delete.by_admin or _is_by(by, entry.sender)):
                _delete(entry, change.time)
            elif event.poll is not None and event.poll.action == "voted":
                _vote(entry, by, event.poll.votes, change.time)
            elif event.poll is not None and event.poll.action == "closed" and _is_by(by, entry.sender):
                entry.closed = True
            return
        me = self._own(account)
        match what:
            case Reaction():
                _react(entry, what.emoji, me, change.time, removed=what.remove)
            case Message() if entry.direction == "sent":
                entry.message, entry.edited_at = self._content(account, what, entry.timestamp or 0), change.time
            case Deletion() if entry.direction == "sent":
                _delete(entry, change.time)
            case Vote():
                _vote(entry, me, what.choices, change.time)
            case PollEnd() if entry.direction == "sent":
                entry.closed = True

    def _own(self, account: str) -> Person:
        return self._people.person(account, None, account) or Person(number=account)

    def _person(self, account: str, name: str) -> Person:
        try:
            recipient = parse_recipient(name)
        except InvalidValue:
            return Person(name=name)
        uuid = recipient.uuid if isinstance(recipient, Aci) else None
        number = recipient.e164 if isinstance(recipient, Number) else None
        return self._people.person(account, uuid, number) or Person(uuid=uuid, number=number)

    def _place(self, account: str, name: str, uuid: str | None, number: str | None) -> events.Conversation | None:
        try:
            recipient: Recipient = parse_recipient(name)
        except InvalidValue:  # all contacts
            return None
        if isinstance(recipient, GroupId):
            return events.Conversation(id=recipient.external, kind="group", name=self._people.group(account, recipient.internal))
        uuid = uuid or (recipient.uuid if isinstance(recipient, Aci) else None)
        number = number or (recipient.e164 if isinstance(recipient, Number) else None)
        known = self._people.person(account, uuid, number) or Person(uuid=uuid, number=number)
        kind: Literal["person", "self"] = "self" if known.number == account else "person"
        return events.Conversation(id=known.uuid or uuid or number or name, kind=kind, name=known.name, number=known.number or number)

    def _content(self, account: str, message: Message, timestamp: int) -> events.Content:
        mentions = [
            events.MentionedPerson(uuid=person.uuid, number=person.number, name=person.name, start=one.start, length=one.length)
            for one in message.mentions
            if (person := self._person(account, one.author))
        ]
        text, styles, placed = resolve_mentions(message.text, _styles(message.styles), mentions)
        quote, preview = message.quote, message.preview
        pack, _, number = (message.sticker or "").partition(":")
        return events.Content(
            timestamp=timestamp,
            text=text or None,
            styles=styles,
            mentions=placed,
            attachments=[
                events.EventAttachment(name=name, type=mimetypes.guess_type(name)[0], voice_note=message.voice_note)
                for name in (file.rpartition("/")[2] for file in message.attachments)
            ],
            quote=events.Quoted(timestamp=quote.timestamp or 0, author=self._person(account, quote.author), text=quote.message)
            if quote is not None and quote.author is not None
            else None,
            sticker=events.Sticker(pack, int(number)) if message.sticker and number.isdigit() else None,
            previews=[events.Preview(url=preview.url, title=preview.title, description=preview.description or None)]
            if preview is not None
            else (),
            view_once=message.view_once,
        )


class Activities:
    """How the conversations of an account stand."""

    def __init__(self, known: Mapping[str, Activity]) -> None:
        self._known = known

    def of(self, names: Iterable[str | None]) -> Activity:
        """The activity of a conversation, whatever it is called."""
        keys = [name for name in names if name]
        found = [self._known[key] for key in {*_inbox_names(keys), *_outbox_names(keys)} if key in self._known]
        return Activity(max((one.last_at for one in found), default=0), sum(one.unread for one in found))


def _position(before: str | None) -> tuple[int, int]:
    if not before:
        return _START, _START
    match = _CURSOR.fullmatch(before)
    if match is None:
        raise InvalidValue("before", "before: it is what `next` said")
    return min(int(match[1]), _START), min(int(match[2]), _START)


def _matcher(search: str) -> Callable[[bytes], bool]:
    """Looks for a text in what is stored, which is JSON, without caring for case and accents. The parts between escapes must all occur."""
    parts = [part for part in "".join("\0" if letter in _ESCAPED else letter for letter in folded(search)).split("\0") if part]

    def matches(stored: bytes) -> bool:
        text = folded(stored.decode(errors="replace"))
        return all(part in text for part in parts)

    return matches


def _inbox_names(names: Sequence[str]) -> list[str]:
    """Groups by their internal ids."""
    return list(dict.fromkeys(group.internal if (group := _group(name)) else name for name in names))


def _outbox_names(names: Sequence[str]) -> list[str]:
    """Groups by their external ids."""
    return list(dict.fromkeys(group.external if (group := _group(name)) else name for name in names))


def _group(name: str) -> GroupId | None:
    try:
        recipient = parse_recipient(name)
    except InvalidValue:
        return None
    return recipient if isinstance(recipient, GroupId) else None


def _names_of(row: SentRow) -> frozenset[str]:
    names = {name for one in row.recipients for name in (one.recipient, one.uuid, one.number) if name and one.via is None}
    return frozenset({*names, *_inbox_names(list(names))})


def _change_of(row: SentRow) -> _Change | None:
    """What this service has sent, if it has."""
    try:
        outgoing = from_rows(row.message, row.recipients)
    except (InvalidValue, msgspec.MsgspecError, KeyError):
        return None
    if not any(entry.state.is_reached for entry in outgoing.entries):
        return None
    return _Change(row.message.created_at, _names_of(row), None, outgoing.what)


def _target(change: _Change) -> int:
    event, what = change.event, change.what
    if event is not None:
        for part in (event.reaction, event.edit, event.delete, event.poll):
            if part is not None and part.target is not None:
                return part.target.timestamp
    match what:
        case Message():
            return what.edit_timestamp or 0
        case Deletion() | Reaction() | Vote() | PollEnd():
            return what.timestamp
    return 0


def _plain(sender: events.Sender | None) -> Person | None:
    return Person(uuid=sender.uuid, number=sender.number, name=sender.name) if sender is not None else None


def _is_by(author: Person | None, sender: Person) -> bool:
    """Whether they may be the same: what is not known speaks against nothing."""
    if author is None:
        return True
    if author.uuid and sender.uuid:
        return author.uuid == sender.uuid
    return not (author.number and sender.number) or author.number == sender.number


def _key(person: Person) -> str:
    return person.uuid or person.number or ""


def _react(entry: HistoryEntry, emoji: str, by: Person, time: int, *, removed: bool) -> None:
    entry.reactions = [one for one in entry.reactions if _key(one.by) != _key(by)]
    if not removed:
        entry.reactions.append(GivenReaction(emoji=emoji, by=by, time=time))


def _vote(entry: HistoryEntry, by: Person, options: Sequence[int], time: int) -> None:
    entry.votes = [one for one in entry.votes if _key(one.by) != _key(by)]
    if options:
        entry.votes.append(GivenVote(by=by, options=options, time=time))


def _delete(entry: HistoryEntry, time: int) -> None:
    entry.message, entry.poll, entry.deleted_at = None, None, time


def _styles(styles: Sequence[str]) -> list[events.TextStyle]:
    found = []
    for style in styles:
        start, _, rest = style.partition(":")
        length, _, name = rest.partition(":")
        if start.isdigit() and length.isdigit():
            found.append(events.TextStyle(int(start), int(length), name))
    return found
