"""Sending: text with everything around it, and what refers to an earlier message."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import envelopes
from signal_courier.engine.simulator.actors import Sent
from signal_courier.engine.simulator.delivery import Audience, Content, Occasion, Targets, audience, may_speak, own_group, send
from signal_courier.engine.simulator.dispatch import Integer, Long, single
from signal_courier.engine.simulator.files import NotReadable, Upload, attachment_failure
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import INTERNAL_ERROR, Refusal, null_pointer, user_error
from signal_courier.engine.simulator.state import Account, Person

_STYLES = frozenset({"NONE", "BOLD", "ITALIC", "SPOILER", "STRIKETHROUGH", "MONOSPACE"})
_QUOTED = re.compile(r"([^:]+)(?::([^:]+)(?::(.+))?)?", re.DOTALL)
_RANGE = re.compile(r"(\d+):(\d+):(.+)", re.DOTALL)


class Send(Targets, rename="camel", kw_only=True):
    """Parameters of `send`."""

    no_urgent: bool = False
    end_session: bool = False
    sticker: str | None = None
    message: str | None = None
    message_from_stdin: bool = False
    attachment: list[str] = msgspec.field(default_factory=list)
    view_once: bool = False
    voice_note: bool = False
    mention: list[str] = msgspec.field(default_factory=list)
    text_style: list[str] = msgspec.field(default_factory=list)
    quote_timestamp: Long | None = None
    quote_author: str | None = None
    quote_message: str | None = None
    quote_mention: list[str] = msgspec.field(default_factory=list)
    quote_text_style: list[str] = msgspec.field(default_factory=list)
    quote_attachment: list[str] = msgspec.field(default_factory=list)
    preview_url: str | None = None
    preview_title: str | None = None
    preview_description: str | None = None
    preview_image: str | None = None
    story_timestamp: Long | None = None
    story_author: str | None = None
    edit_timestamp: Long | None = None


class Reaction(Targets, rename="camel", kw_only=True):
    """Parameters of `sendReaction`."""

    emoji: str
    remove: bool = False
    target_author: str | None = None
    target_timestamp: Long
    story: bool = False


class RemoteDelete(Targets, rename="camel", kw_only=True):
    """Parameters of `remoteDelete`."""

    target_timestamp: Long


class AdminDelete(Targets, rename="camel", kw_only=True):
    """Parameters of `sendAdminDelete`."""

    target_author: str
    target_timestamp: Long
    story: bool = False


class Pin(Targets, rename="camel", kw_only=True):
    """Parameters of `sendPinMessage`; the duration is in seconds, -1 = for ever."""

    pin_duration: Integer
    target_author: str | None = None
    target_timestamp: Long
    story: bool = False


class Unpin(Targets, rename="camel", kw_only=True):
    """Parameters of `sendUnpinMessage`."""

    target_author: str | None = None
    target_timestamp: Long
    story: bool = False


class Receipt(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `sendReceipt`."""

    recipient: str
    target_timestamp: list[Long]
    type: str = "read"


class Typing(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `sendTyping`."""

    recipient: list[str] = []
    group_id: list[str] = []
    stop: bool = False


class Payment(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `sendPaymentNotification`."""

    recipient: str
    receipt: str
    note: str | None = None


class Story(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `sendStory`."""

    attachment: str | None = None
    no_replies: bool = False
    group_id: str | None = None


@single("send", Send)
async def send_message(network: Network, account: Account, params: Send) -> Json:
    """Send a message, or a new text for an earlier one."""
    to = audience(network, account, params)
    if params.end_session:
        return send(network, account, to, data_content(None, dict))
    text = params.message or ""
    parts: dict[str, Json] = {
        "sticker": _sticker(network, account, params.sticker),
        "mentions": _mentions(network, account, params.mention) or None,
        "textStyles": _styles(params.text_style) or None,
        "storyContext": _story_context(network, account, params),
    }
    quote, quote_end = _quote(network, account, params)
    if not (text or params.attachment or params.sticker or params.quote_timestamp is not None):
        raise user_error("Sending empty message is not allowed, either a message, attachment or sticker must be given.")
    for group in to.groups:
        may_speak(account, group)
    uploads = await _upload(network, params.attachment)
    picture = await _upload(network, [params.preview_image] if params.preview_url and params.preview_image else [])
    thumbnails = await _thumbnails(network, params.quote_attachment)

    def with_files() -> dict[str, Json]:
        made = dict(parts)
        if quote is not None:
            made["quote"] = quote | {"attachments": [_quoted(network, quoted) for quoted in thumbnails], **quote_end}
        if uploads:
            made["attachments"] = [network.files.download(upload) for upload in uploads]
        if params.preview_url:
            preview: dict[str, Json] = {
                "url": params.preview_url,
                "title": params.preview_title or "",
                "description": params.preview_description or "",
                "image": network.files.download(picture[0]) if picture else None,
            }
            made["previews"] = [preview]
        return made

    message = text or None
    content = data_content(message, with_files, view_once=params.view_once)
    if params.edit_timestamp is not None:
        content = _edit(content, params.edit_timestamp)
    return send(network, account, to, content, reaction=Sent(text=message, parts=with_files, echoes=params.edit_timestamp is None))


@single("sendReaction", Reaction)
def send_reaction(network: Network, account: Account, params: Reaction) -> Json:
    """React to a message, or take the reaction back."""
    to = audience(network, account, params)
    reaction: dict[str, Json] = {
        "emoji": params.emoji,
        **envelopes.author("targetAuthor", _author(network, account, to, params.target_author)),
        "targetSentTimestamp": params.target_timestamp,
        "isRemove": params.remove,
    }
    return send_part(network, account, to, "reaction", reaction)


@single("remoteDelete", RemoteDelete)
def remote_delete(network: Network, account: Account, params: RemoteDelete) -> Json:
    """Delete an own message for everybody."""
    return send_part(network, account, audience(network, account, params), "remoteDelete", {"timestamp": params.target_timestamp})


@single("sendAdminDelete", AdminDelete)
def admin_delete(network: Network, account: Account, params: AdminDelete) -> Json:
    """Delete somebody's message in a group."""
    if not params.group_id:
        raise user_error("Admin delete requires group IDs")
    to = audience(network, account, params)
    author = network.known(account, params.target_author)
    part: dict[str, Json] = {**envelopes.author("targetAuthor", author), "targetSentTimestamp": params.target_timestamp}
    return send_part(network, account, to, "adminDelete", part)


@single("sendPinMessage", Pin)
def pin_message(network: Network, account: Account, params: Pin) -> Json:
    """Pin a message."""
    to = audience(network, account, params)
    part: dict[str, Json] = {
        **envelopes.author("targetAuthor", _author(network, account, to, params.target_author)),
        "targetSentTimestamp": params.target_timestamp,
        "pinDurationSeconds": params.pin_duration,
    }
    return send_part(network, account, to, "pinMessage", part)


@single("sendUnpinMessage", Unpin)
def unpin_message(network: Network, account: Account, params: Unpin) -> Json:
    """Unpin a message."""
    to = audience(network, account, params)
    author = _author(network, account, to, params.target_author)
    part: dict[str, Json] = {**envelopes.author("targetAuthor", author), "targetSentTimestamp": params.target_timestamp}
    return send_part(network, account, to, "unpinMessage", part)


@single("sendReceipt", Receipt)
def send_receipt(network: Network, account: Account, params: Receipt) -> Json:
    """Tell that messages were read or viewed."""
    if params.type not in {"read", "viewed"}:
        raise user_error(f"Unknown receipt type: {params.type}")
    to = Audience(people=[network.recipient(account, params.recipient)])
    timestamps = list(params.target_timestamp)
    return send(network, account, to, lambda at: envelopes.receipt(at.timestamp, params.type, timestamps))


@single("sendTyping", Typing)
def send_typing(network: Network, account: Account, params: Typing) -> Json:
    """Tell that somebody is typing, or has stopped."""
    try:
        to = audience(network, account, Targets(recipient=params.recipient, group_id=params.group_id))
    except Refusal as refusal:
        if refusal.message.startswith(("Group not found", "User is not")):
            raise user_error(f"Failed to send to group: {refusal.message}") from refusal
        raise
    return send(network, account, to, lambda at: envelopes.typing(at.timestamp, at.group, started=not params.stop))


@single("sendPaymentNotification", Payment)
def send_payment(network: Network, account: Account, params: Payment) -> Json:
    """Tell that money was sent."""
    to = Audience(people=[network.recipient(account, params.recipient)])
    return send_part(network, account, to, "payment", {"note": params.note or "", "receipt": params.receipt})


@single("sendStory", Story)
async def send_story(network: Network, account: Account, params: Story) -> Json:
    """Show a picture to a group, or to all contacts."""
    if params.attachment is None:
        raise user_error("An attachment is required for sending a story.")
    to = Audience()
    if params.group_id is not None:
        to.groups.append(own_group(network, account, params.group_id))
    else:
        to.people.extend(network.person(uuid) for uuid, contact in account.contacts.items() if contact.listed and not contact.blocked)
    uploads = await _upload(network, [params.attachment])

    def content(at: Occasion) -> dict[str, Json]:
        story: dict[str, Json] = {"allowsReplies": not params.no_replies}
        if at.group is not None:
            story["groupId"] = at.group.id
        story["fileAttachment"] = network.files.download(uploads[0])
        return {"storyMessage": story}

    return send(network, account, to, content)


def send_part(network: Network, account: Account, to: Audience, name: str, part: Json) -> Json:
    """Send a message that is nothing but one member of `dataMessage`."""
    content = data_content(None, lambda: {name: part})
    return send(network, account, to, content, reaction=Sent())


def data_content(text: str | None, parts: Callable[[], dict[str, Json]], *, view_once: bool = False) -> Content:
    """The content of a message: its text, and what `parts` makes for each receiver."""

    def content(at: Occasion) -> dict[str, Json]:
        return {"dataMessage": envelopes.data_message(at.timestamp, text, at.group, parts(), expires=at.expires, view_once=view_once)}

    return content


def _edit(content: Content, target: int) -> Content:
    return lambda at: {"editMessage": {"targetSentTimestamp": target, **content(at)}}


async def _upload(network: Network, attachments: list[str]) -> list[Upload]:
    try:
        return [await asyncio.to_thread(network.files.upload, attachment) for attachment in attachments]
    except NotReadable as error:
        raise attachment_failure(error) from error


def _author(network: Network, account: Account, to: Audience, author: str | None) -> Person:
    if author is not None:
        return network.known(account, author)
    if len(to.people) == 1 and not to.groups:
        return to.people[0]
    raise null_pointer("targetAuthor")


def _java_int(digits: str) -> int:
    if len(digits) > 9:
        raise Refusal(INTERNAL_ERROR, f'For input string: "{digits[:20]}" (NumberFormatException)')
    return int(digits)


def _mentions(network: Network, account: Account, texts: list[str]) -> list[dict[str, Json]]:
    made: list[dict[str, Json]] = []
    for text in texts:
        found = _RANGE.fullmatch(text)
        if found is None:
            raise user_error(f"Invalid mention syntax ({text}) expected 'start:length:recipientNumber'")
        person = network.known(account, found[3])
        made.append(
            {
                "name": person.address,
                "number": person.number,
                "uuid": person.uuid,
                "start": _java_int(found[1]),
                "length": _java_int(found[2]),
            }
        )
    return made


def _styles(texts: list[str]) -> list[dict[str, Json]]:
    made: list[dict[str, Json]] = []
    for text in texts:
        found = _RANGE.fullmatch(text)
        if found is None:
            raise user_error(f"Invalid textStyle syntax ({text}) expected 'start:length:STYLE'")
        if found[3] not in _STYLES:
            raise user_error(f"Invalid style: {found[3]}")
        made.append({"style": found[3], "start": _java_int(found[1]), "length": _java_int(found[2])})
    return made


def _sticker(network: Network, account: Account, text: str | None) -> Json:
    if text is None:
        return None
    found = re.fullmatch(r"([\da-f]+):(\d+)", text)
    if found is None:
        raise user_error(f"Invalid sticker syntax ({text}) expected 'stickerPackId:stickerId'")
    pack = network.world.packs.get(found[1])
    if pack is None or pack.id not in account.packs:
        raise user_error("Failed to send sticker: Sticker pack not found")
    number = _java_int(found[2])
    if number not in {sticker.id for sticker in pack.stickers}:
        raise user_error("Failed to send sticker: Sticker id not part of this pack")
    return {"packId": pack.id, "stickerId": number}


def _quote(network: Network, account: Account, params: Send) -> tuple[dict[str, Json] | None, dict[str, Json]]:
    """The members of a quote before and after its attachments."""
    if params.quote_timestamp is None:
        return None, {}
    if params.quote_author is None:
        raise user_error("Quote author parameter is missing")
    quote: dict[str, Json] = {
        "id": params.quote_timestamp,
        **envelopes.author("author", network.known(account, params.quote_author)),
        "text": params.quote_message or "",
    }
    if mentions := _mentions(network, account, params.quote_mention):
        quote["mentions"] = mentions
    styles = _styles(params.quote_text_style)
    return quote, {"textStyles": styles} if styles else {}


@dataclass(frozen=True)
class _Quoted:
    """An attachment of the message that is quoted."""

    content_type: str
    filename: str | None
    preview: Upload | None


async def _thumbnails(network: Network, texts: list[str]) -> list[_Quoted]:
    made: list[_Quoted] = []
    for text in texts:
        found = _QUOTED.fullmatch(text)
        if found is None:
            raise user_error(f"Invalid attachment syntax ({text}) expected 'contentType[:filename[:previewFile]]'")
        content_type, filename, preview = found.groups()
        uploads = await _upload(network, [preview] if preview else [])
        made.append(_Quoted(content_type, filename, uploads[0] if uploads else None))
    return made


def _quoted(network: Network, quoted: _Quoted) -> dict[str, Json]:
    made: dict[str, Json] = {"contentType": quoted.content_type, "filename": quoted.filename}
    if quoted.preview is not None:
        made["thumbnail"] = network.files.download(quoted.preview)
    return made


def _story_context(network: Network, account: Account, params: Send) -> Json:
    if params.story_timestamp is None:
        return None
    if params.story_author is None:
        raise null_pointer("storyAuthor")
    author = network.known(account, params.story_author)
    return {"authorNumber": author.number, "authorUuid": author.uuid, "sentTimestamp": params.story_timestamp}
