"""What signal-cli reports → events.

One envelope is one event, or none where it says nothing to anybody (an empty sync message, the parts of a call's connection, the end of a
session). Whatever is missing or of another type than expected never raises: then there is less in the event, or none.
"""

import logging
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from signal_courier.engine.reports import frames
from signal_courier.model import events
from signal_courier.model.errors import InvalidValue
from signal_courier.model.events import Event, EventType, MessageRef, Person
from signal_courier.model.recipients import parse_group_id

_LOGGER = logging.getLogger(__name__)

ATTACHMENTS = "/api/v2/attachments/"
"""Where this service serves a received file, by its id."""
LONG_TEXT = "text/x-signal-plain"
"""Media type of the attachment that signal-cli before 0.14 makes of a text of more than 2000 bytes."""


class Names(Protocol):
    """Knows what people and groups are called."""

    def person(self, account: str, uuid: str | None, number: str | None) -> Person | None:
        """Somebody by UUID or number, as far as known to the account."""

    def group(self, account: str, internal_id: str) -> str | None:
        """A group's name."""


_decode = msgspec.json.Decoder(frames.Frame, strict=False).decode


class EnvelopeReader:
    """Makes events of frames."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def __call__(self, number: int, frame: bytes) -> Event | None:
        """The event of a frame `{"envelope": …, "account": …}`, under this id; `None` where there is nothing to tell."""
        try:
            decoded = _decode(frame)
        except msgspec.MsgspecError as error:
            _LOGGER.warning("What was received as number %d is not understood and is no event: %s", number, error)
            return None
        if decoded.envelope is None:
            return None
        return _Reading(self._names, number, decoded.account, decoded.envelope).event(decoded.exception)


class _Reading:
    """One envelope on its way to an event."""

    def __init__(self, names: Names, number: int, account: str, envelope: frames.Envelope) -> None:
        self._names = names
        self._number = number
        self._account = account
        self._envelope = envelope

    def event(self, exception: frames.Failure | None) -> Event | None:
        envelope = self._envelope
        if envelope.data_message is not None:
            return self._data(envelope.data_message)
        if envelope.edit_message is not None:
            return self._edit(envelope.edit_message)
        if envelope.receipt_message is not None:
            return self._receipt(envelope.receipt_message)
        if envelope.typing_message is not None:
            return self._typing(envelope.typing_message)
        if envelope.sync_message is not None:
            return self._sync(envelope.sync_message)
        if envelope.story_message is not None:
            return self._story(envelope.story_message)
        if envelope.call_message is not None:
            return self._call(envelope.call_message)
        if exception is not None:
            return self._exception(exception)
        return None

    # --- who and where ---------------------------------------------------------------------------------------------------

    def _make(self, type_: EventType, place: events.Conversation | None, **payload: msgspec.Struct | None) -> Event:
        return Event(
            id=self._number,
            type=type_,
            account=self._account,
            time=self._envelope.timestamp,
            conversation=place,
            sender=self._sender(),
            **payload,  # type: ignore[arg-type]  # each member is named where its type is made
        )

    def _sender(self) -> events.Sender | None:
        envelope = self._envelope
        if envelope.source_uuid is None and envelope.source_number is None:
            return None
        person = self._person(envelope.source_uuid, envelope.source_number, envelope.source_name)
        return events.Sender(uuid=person.uuid, number=person.number, name=person.name, device=envelope.source_device)

    def _person(self, uuid: str | None, number: str | None, name: str | None = None) -> Person:
        """Somebody, with what else is known about them; a name that is only the number or the UUID is none."""
        if name in (number, uuid):
            name = None
        if uuid is None or number is None or not name:
            known = self._names.person(self._account, uuid, number)
            if known is not None:
                return Person(uuid=uuid or known.uuid, number=number or known.number, name=name or known.name)
        return Person(uuid=uuid, number=number, name=name or None)

    def _ref(self, timestamp: int, uuid: str | None, number: str | None) -> MessageRef:
        return MessageRef(timestamp=timestamp, author=self._person(uuid, number) if uuid or number else None)

    def _group(self, internal: str, name: str | None = None) -> events.Conversation | None:
        try:
            group = parse_group_id(internal)
        except InvalidValue:
            return None
        return events.Conversation(id=group.external, kind="group", name=name or self._names.group(self._account, group.internal))

    def _with(self, person: Person) -> events.Conversation | None:
        """The conversation with a person; with oneself it is the note to self."""
        key = person.uuid or person.number
        if key is None:
            return None
        kind: Literal["person", "self"] = "self" if person.number == self._account else "person"
        return events.Conversation(id=key, kind=kind, name=person.name, number=person.number)

    def _here(self, group: frames.GroupInfo | None) -> events.Conversation | None:
        if group is not None:
            return self._group(group.group_id, group.group_name)
        sender = self._sender()
        return self._with(sender) if sender is not None else None

    # --- kinds of messages -----------------------------------------------------------------------------------------------

    def _data(self, data: frames.Data, *, place: events.Conversation | None = None, sent: bool = False) -> Event | None:
        """The event of a data message; of one that another of our devices has `sent` to a `place`."""
        if place is None:
            place = self._here(data.group_info)

        def make(type_: EventType, **payload: msgspec.Struct | None) -> Event:
            return self._make(EventType.SENT if sent else type_, place, **payload)

        if data.reaction is not None:
            return make(EventType.REACTION, reaction=self._reaction(data.reaction))
        if data.remote_delete is not None:
            target = MessageRef(timestamp=data.remote_delete.timestamp, author=self._author_of_event())
            return make(EventType.DELETE, delete=events.Delete(target=target))
        if data.admin_delete is not None:
            return make(EventType.DELETE, delete=events.Delete(target=self._target(data.admin_delete), by_admin=True))
        if (poll := self._poll(data)) is not None:
            return make(EventType.POLL, poll=poll)
        if data.pin_message is not None:
            pin = data.pin_message
            change = events.GroupChange(change="pinned", target=self._target(pin), pinned_for=pin.pin_duration_seconds)
            return make(EventType.GROUP, group=change)
        if data.unpin_message is not None:
            return make(EventType.GROUP, group=events.GroupChange(change="unpinned", target=self._target(data.unpin_message)))
        if data.group_call_update is not None:
            return make(EventType.CALL, call=events.CallChange(action="group", era=data.group_call_update.era_id))
        if _says_something(data):
            return make(EventType.MESSAGE, message=self._content(data))
        info = data.group_info
        if info is not None and info.type == "UPDATE":
            return make(EventType.GROUP, group=events.GroupChange(change="updated", revision=info.revision))
        if data.is_expiration_update or (data.is_expiration_update is None and data.expires_in_seconds):
            return make(EventType.GROUP, group=events.GroupChange(change="timer", expires_in=data.expires_in_seconds or 0))
        return None  # the end of a session, a new profile key

    def _edit(self, edit: frames.Edit, *, place: events.Conversation | None = None, sent: bool = False) -> Event | None:
        data = edit.data_message
        if data is None:
            return None
        target = MessageRef(timestamp=edit.target_sent_timestamp, author=self._author_of_event())
        return self._make(
            EventType.SENT if sent else EventType.EDIT,
            place or self._here(data.group_info),
            message=self._content(data),
            edit=events.Edit(target=target),
        )

    def _receipt(self, receipt: frames.Receipt) -> Event | None:
        kind: Literal["delivered", "read", "viewed"] = "viewed" if receipt.is_viewed else "read" if receipt.is_read else "delivered"
        targets = [MessageRef(timestamp=timestamp) for timestamp in receipt.timestamps or ()]
        if not targets:
            return None
        return self._make(EventType.RECEIPT, self._here(None), receipt=events.Receipt(kind=kind, targets=targets))

    def _typing(self, typing: frames.Typing) -> Event:
        place = self._group(typing.group_id) if typing.group_id else self._here(None)
        return self._make(EventType.TYPING, place, typing=events.Typing(started=typing.action == "STARTED"))

    def _call(self, call: frames.Call) -> Event | None:
        place = self._here(None)
        if (offer := call.offer_message) is not None:
            media: Literal["audio", "video"] = "video" if "VIDEO" in (offer.type or "") else "audio"
            return self._make(EventType.CALL, place, call=events.CallChange(action="offered", call_id=_call_id(offer), media=media))
        if (part := call.answer_message) is not None:
            return self._make(EventType.CALL, place, call=events.CallChange(action="answered", call_id=_call_id(part)))
        if (part := call.busy_message) is not None:
            return self._make(EventType.CALL, place, call=events.CallChange(action="busy", call_id=_call_id(part)))
        if (part := call.hangup_message) is not None:
            reason = part.type.lower() if part.type else None
            return self._make(EventType.CALL, place, call=events.CallChange(action="ended", call_id=_call_id(part), reason=reason))
        return None  # how the two phones find each other

    def _story(self, story: frames.Story, *, sent: bool = False) -> Event:
        if story.group_id:
            place = self._group(story.group_id)
        elif sent:
            person = self._person(story.destination_uuid, story.destination_number)
            place = self._with(person)
        else:
            place = self._here(None)
        content = events.Content(
            timestamp=self._envelope.timestamp,
            text=story.text_attachment.text if story.text_attachment is not None else None,
            styles=(),
            mentions=(),
            attachments=(_attachment(story.file_attachment),) if story.file_attachment is not None else (),
            story=True,
        )
        return self._make(EventType.SENT if sent else EventType.MESSAGE, place, message=content)

    def _sync(self, sync: frames.Sync) -> Event | None:
        if sync.sent_message is not None:
            return self._sent(sync.sent_message)
        if sync.sent_story_message is not None:
            return self._story(sync.sent_story_message, sent=True)
        if sync.read_messages:
            targets = [self._ref(read.timestamp, read.sender_uuid, read.sender_number) for read in sync.read_messages]
            return self._make(EventType.SENT, None, receipt=events.Receipt(kind="read", targets=targets))
        if sync.blocked_numbers is not None or sync.blocked_group_ids is not None:
            return self._make(EventType.ACCOUNT, None, account_change=events.AccountChange(change="blocked"))
        if sync.type == "CONTACTS_SYNC":
            return self._make(EventType.ACCOUNT, None, account_change=events.AccountChange(change="contacts"))
        if sync.type == "GROUPS_SYNC":
            return self._make(EventType.ACCOUNT, None, account_change=events.AccountChange(change="groups"))
        return None

    def _sent(self, sent: frames.Sent) -> Event | None:
        edited = sent.edit_message
        group = sent.group_info or (edited.data_message.group_info if edited is not None and edited.data_message is not None else None)
        if group is not None:
            place = self._group(group.group_id, group.group_name)
        else:
            place = self._with(self._person(sent.destination_uuid, sent.destination_number))
        if edited is not None:
            return self._edit(edited, place=place, sent=True)
        return self._data(sent, place=place, sent=True)

    def _exception(self, exception: frames.Failure) -> Event:
        change: Literal["identity", "undecryptable"] = "identity" if exception.type == "UntrustedIdentityException" else "undecryptable"
        detail = ": ".join(part for part in (exception.type, exception.message) if part)
        return self._make(EventType.ACCOUNT, self._here(None), account_change=events.AccountChange(change=change, detail=detail or None))

    # --- parts of messages -----------------------------------------------------------------------------------------------

    def _author_of_event(self) -> Person | None:
        sender = self._sender()
        return Person(uuid=sender.uuid, number=sender.number, name=sender.name) if sender is not None else None

    def _target(self, target: frames.Target) -> MessageRef:
        return self._ref(target.target_sent_timestamp, target.target_author_uuid, target.target_author_number)

    def _reaction(self, reaction: frames.Reaction) -> events.Reaction:
        return events.Reaction(emoji=reaction.emoji or "", target=self._target(reaction), removed=reaction.is_remove)

    def _poll(self, data: frames.Data) -> events.Poll | None:
        if (created := data.poll_create) is not None:
            options = created.options or ()
            return events.Poll(
                action="created",
                target=MessageRef(timestamp=data.timestamp, author=self._author_of_event()),
                question=created.question,
                options=options,
                multiple=created.allow_multiple,
            )
        if (vote := data.poll_vote) is not None:
            target = self._ref(vote.target_sent_timestamp, vote.author_uuid, vote.author_number)
            return events.Poll(action="voted", target=target, votes=vote.option_indexes or (), vote_count=vote.vote_count)
        if (closed := data.poll_terminate) is not None:
            author = self._author_of_event()
            return events.Poll(action="closed", target=MessageRef(timestamp=closed.target_sent_timestamp, author=author))
        return None

    def _content(self, data: frames.Data) -> events.Content:
        text, styles, mentions = self._text(data.message, data.text_styles, data.mentions)
        story = data.story_context
        return events.Content(
            timestamp=data.timestamp,
            text=text,
            styles=styles,
            mentions=mentions,
            attachments=tuple(map(_attachment, data.attachments or ())),
            quote=self._quote(data.quote) if data.quote is not None else None,
            sticker=events.Sticker(data.sticker.pack_id, data.sticker.sticker_id) if data.sticker is not None else None,
            previews=tuple(map(_preview, data.previews or ())),
            contacts=tuple(map(_shared_contact, data.contacts or ())),
            payment=events.Payment(receipt=data.payment.receipt or "", note=data.payment.note) if data.payment is not None else None,
            view_once=bool(data.view_once),
            expires_in=data.expires_in_seconds or 0,
            story_reply=self._ref(story.sent_timestamp, story.author_uuid, story.author_number) if story is not None else None,
            truncated=any(attachment.content_type == LONG_TEXT for attachment in data.attachments or ()),
        )

    def _quote(self, quote: frames.Quote) -> events.Quoted:
        text, styles, mentions = self._text(quote.text, quote.text_styles, quote.mentions)
        return events.Quoted(
            timestamp=quote.id,
            author=self._person(quote.author_uuid, quote.author_number),
            text=text,
            styles=styles,
            mentions=mentions,
            attachments=tuple(map(_quoted_attachment, quote.attachments or ())),
        )

    def _text(
        self, text: str | None, styles: Sequence[frames.Style] | None, mentions: Sequence[frames.Mention] | None
    ) -> tuple[str | None, Sequence[events.TextStyle], Sequence[events.MentionedPerson]]:
        """A text with the names of those mentioned in their places, and styles and mentions moved along."""
        if not text:
            return None, (), ()
        if not mentions:
            return text, tuple(events.TextStyle(style.start, style.length, style.style) for style in styles or ()), ()
        people = [(mention, self._person(mention.uuid, mention.number, mention.name)) for mention in mentions]
        return resolve_mentions(
            text,
            [events.TextStyle(style.start, style.length, style.style) for style in styles or ()],
            [
                events.MentionedPerson(uuid=person.uuid, number=person.number, name=person.name, start=mention.start, length=mention.length)
                for mention, person in people
            ],
        )


def resolve_mentions(
    text: str, styles: Sequence[events.TextStyle], mentions: Sequence[events.MentionedPerson]
) -> tuple[str, Sequence[events.TextStyle], Sequence[events.MentionedPerson]]:
    """Put `@` and the name where Signal has a placeholder; positions (UTF-16 units) of what comes behind move along.

    A mention that lies outside the text or inside another one is left out.
    """
    raw = text.encode("utf-16-le", "surrogatepass")
    pieces: list[bytes] = []
    moves: list[tuple[int, int, int]] = []
    """Start and end of a placeholder, and the length of what stands there now."""
    placed: list[events.MentionedPerson] = []
    done = made = 0
    for mention in sorted(mentions, key=lambda one: one.start):
        start, stop = mention.start, mention.start + mention.length
        if start < done or mention.length < 0 or stop * 2 > len(raw):
            continue
        name = ("@" + (mention.name or mention.number or mention.uuid or "")).encode("utf-16-le", "surrogatepass")
        pieces += (raw[done * 2 : start * 2], name)
        made += start - done
        length = len(name) // 2
        placed.append(msgspec.structs.replace(mention, start=made, length=length))
        moves.append((start, stop, length))
        made += length
        done = stop
    pieces.append(raw[done * 2 :])

    def moved(position: int, *, end: bool) -> int:
        shift = 0
        for start, stop, length in moves:
            if position >= stop:
                shift += length - (stop - start)
            elif position > start:  # inside: whatever touches the placeholder has the whole name
                return start + shift + (length if end else 0)
        return position + shift

    shifted: list[events.TextStyle] = []
    for style in styles:
        start, stop = moved(style.start, end=False), moved(style.start + style.length, end=True)
        shifted.append(events.TextStyle(start, stop - start, style.style))
    return b"".join(pieces).decode("utf-16-le", "replace"), tuple(shifted), tuple(placed)


def _says_something(data: frames.Data) -> bool:
    return bool(
        data.message
        or data.attachments
        or data.sticker is not None
        or data.contacts
        or data.payment is not None
        or data.quote is not None
        or data.previews
        or data.story_context is not None
    )


def _call_id(part: frames.CallPart) -> str | None:
    """The id as text; signal-cli's JSON has it as a signed or unsigned number."""
    return None if part.id is None else str(part.id % (1 << 64))


def _attachment(attachment: frames.Attachment) -> events.EventAttachment:
    return events.EventAttachment(
        id=attachment.id,
        url=ATTACHMENTS + attachment.id if attachment.id else None,
        type=attachment.content_type,
        name=attachment.filename,
        size=attachment.size,
        width=attachment.width,
        height=attachment.height,
        caption=attachment.caption or None,
        voice_note=bool(attachment.is_voice_note),
    )


def _preview(preview: frames.Preview) -> events.Preview:
    return events.Preview(
        url=preview.url or "",
        title=preview.title or None,
        description=preview.description or None,
        image=_attachment(preview.image) if preview.image is not None else None,
    )


def _quoted_attachment(attachment: frames.QuotedAttachment) -> events.EventAttachment:
    """A quoted file is not there itself; what is there is a small picture of it."""
    thumbnail = attachment.thumbnail
    identity = thumbnail.id if thumbnail is not None else None
    return events.EventAttachment(
        id=identity,
        url=ATTACHMENTS + identity if identity else None,
        type=attachment.content_type,
        name=attachment.filename,
    )


def _shared_contact(card: frames.Card) -> events.SharedContact:
    name = card.name
    avatar = card.avatar.attachment if card.avatar is not None else None
    parts = (name.given, name.middle, name.family) if name is not None else ()
    return events.SharedContact(
        name=" ".join(part for part in parts if part) or (name.nickname if name is not None else None),
        organization=card.organization,
        phones=tuple(phone.value for phone in card.phone or () if phone.value),
        emails=tuple(email.value for email in card.email or () if email.value),
        addresses=tuple(map(_address, card.address or ())),
        avatar=_attachment(avatar) if avatar is not None else None,
    )


def _address(address: frames.CardAddress) -> str:
    town = " ".join(part for part in (address.postcode, address.city) if part)
    lines = (address.street, address.pobox, address.neighborhood, town, address.region, address.country)
    return ", ".join(line for line in lines if line)
