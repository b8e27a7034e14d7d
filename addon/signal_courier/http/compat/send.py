"""`/v1/send` and `/v2/send`: text, attachments, stickers, quotes, edits."""

from collections.abc import Coroutine, Sequence
from typing import Annotated, TypeIs

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.errors import RateLimited
from signal_courier.http.call import Call, decode_again
from signal_courier.http.compat.dialects import SEND_EXAMPLE, SENT_OBJECT_EXAMPLE, SentMessage, SentObject, sent_answer, sent_object
from signal_courier.http.compat.targets import all_recipients
from signal_courier.http.problems import Problem, rate_limited
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.files.staging import Stage
from signal_courier.messaging.sending.delivery import Outcome
from signal_courier.model.attachments import Content, Inline
from signal_courier.model.errors import InvalidValue
from signal_courier.model.integers import Int64
from signal_courier.model.messages import LinkPreview, Mention, Message, Quote
from signal_courier.model.recipients import Recipient, parse_group_id, parse_recipient
from signal_courier.model.styles import parse_styled

routes = RouteTable("Messages")

Number = Annotated[
    str | None,
    msgspec.Meta(description="Sender; may be left out where there is a default account or only one.", examples=["+4915100000001"]),
]
Files = Annotated[
    list[Content] | None,
    msgspec.Meta(
        description="Files: base64, `data:<mime>;base64,<base64>`, `data:<mime>;filename=<name>;base64,<base64>`, the id of an upload "
        "or of a received attachment, or (where the server allows it) an https address.",
        examples=[["data:text/plain;filename=hello.txt;base64,aGVsbG8="]],
    ),
]


class MentionBody(msgspec.Struct):
    """A person named in the text; positions in UTF-16 units of the text as sent. One that was received can be sent as it is."""

    start: Int64 = 0
    length: Int64 = 0
    author: Annotated[str | None, msgspec.Meta(description="Who is meant; `uuid` or `number` will do, as in received messages.")] = ""
    uuid: str | None = None
    number: str | None = None


class LinkPreviewBody(msgspec.Struct):
    """A card for an address in the text."""

    url: str = ""
    title: str = ""
    description: str = ""
    base64_thumbnail: Content | None = None


class SendMessage(msgspec.Struct, kw_only=True):
    """A message. Recipients of different kinds may be mixed: each kind, and each group, is one message of its own."""

    message: str | None = None
    number: Number = None
    account: Annotated[str | None, msgspec.Meta(description="The same as `number`.")] = None
    recipients: Annotated[
        list[str] | str | None,
        msgspec.Meta(
            description="Numbers, UUIDs, `PNI:` UUIDs, usernames, group ids in any form.", examples=[["+4915100000002", "name.01"]]
        ),
    ] = None
    recipient: Annotated[list[str] | str | None, msgspec.Meta(description="One more recipient.")] = None
    group_id: Annotated[str | None, msgspec.Meta(description="One more recipient: a group, by its id in any form.")] = None
    groupid: str | None = None
    base64_attachments: Files = None
    attachments: Files = None
    text_mode: Annotated[
        str | None, msgspec.Meta(description="`normal`, or `styled` for `**bold**`, `*italic*`, `~struck~`, `||spoiler||`, `` `mono` ``.")
    ] = None
    mentions: Annotated[
        list[MentionBody | str] | None,
        msgspec.Meta(description="Objects, or texts like `start:length:author`.", examples=[["0:1:+4915100000002"]]),
    ] = None
    quote_timestamp: Int64 | None = None
    quote_author: str | None = None
    quote_message: str | None = None
    quote_mentions: list[MentionBody | str] | None = None
    sticker: Annotated[str | None, msgspec.Meta(description="`packId:stickerId`.")] = None
    edit_timestamp: Annotated[Int64 | None, msgspec.Meta(description="Timestamp of the own message that this one replaces.")] = None
    link_preview: LinkPreviewBody | None = None
    view_once: Annotated[bool | None, msgspec.Meta(description="The attachment can be opened once.")] = None
    notify_self: Annotated[bool | None, msgspec.Meta(description="Whether an own recipient is notified; true unless given.")] = None
    voice_note: Annotated[bool | None, msgspec.Meta(description="The attachment is shown as a voice message (signal-cli 0.14.2).")] = None
    no_urgent: Annotated[bool | None, msgspec.Meta(description="Do not wake the phone (signal-cli 0.14.0).")] = None
    story_timestamp: Annotated[Int64 | None, msgspec.Meta(description="Timestamp of the story that this answers.")] = None
    story_author: Annotated[str | None, msgspec.Meta(description="Author of the story that this answers.")] = None


_EXAMPLE = {"number": "+4915100000001", "recipients": ["+4915100000002"], "message": "Hello"}
_RATE_LIMITED = Answer(
    429, "Signal wants fewer messages; a solved challenge lifts the limit.", Problem,
    example={
        "error": "Failed to send message due to rate limiting. Use the attached challenge tokens …", "message": "…",
        "description": "Too Many Requests", "status": 429, "challenge_tokens": ["08f7ac6c"], "account": "+4915100000001",
    },
)  # fmt: skip


@routes.add(
    "POST", "/v2/send", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=SendMessage, body_example=_EXAMPLE,
    answers=[
        Answer(
            201, "Sent. A list since dialect 0.101, one object before.", list[SentMessage] | SentObject, example=SEND_EXAMPLE,
        ),
        _RATE_LIMITED,
    ],
)  # fmt: skip
async def send_v2(call: Call[SendMessage, None]) -> web.StreamResponse:
    """Send a message.

    To persons, usernames and groups, mixed as you like. Who was not reached is named in `errors`; nobody reached is an error.
    """
    body = call.body
    recipients = all_recipients(body.recipients, body.recipient, body.group_id, body.groupid)
    account = await call.account_meant(body.number or body.account)
    call.check_recipients(recipients)
    try:
        return sent_answer(await _send(call, account, recipients, body), call.dialect)
    except RateLimited as error:
        return rate_limited(error, account)


class SendMessageV1(msgspec.Struct, kw_only=True):
    """A message, as `/v1/send` takes it."""

    message: str | None = None
    number: Number = None
    recipients: list[str] | str | None = None
    recipient: list[str] | str | None = None
    base64_attachment: Annotated[Content | None, msgspec.Meta(description="One file, as in `base64_attachments` of `/v2/send`.")] = None
    base64_attachments: Files = None
    is_group: Annotated[bool | None, msgspec.Meta(description="The only recipient is a group.")] = None


@routes.add(
    "POST", "/v1/send", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=SendMessageV1, body_example=_EXAMPLE,
    answers=[Answer(201, "Sent.", SentObject, example=SENT_OBJECT_EXAMPLE)],
)  # fmt: skip
async def send_v1(call: Call[SendMessageV1, None]) -> web.StreamResponse:
    """Send a message (the older way).

    New clients use `/v2/send`.
    """
    body = call.body
    if body.is_group:
        ids = [body.recipients] if isinstance(body.recipients, str) else body.recipients or []
        if not ids:
            raise InvalidValue("recipients", "Please specify at least one recipient")
        if len(ids) > 1:
            raise InvalidValue("recipients", "More than one recipient is currently not allowed")
        recipients: list[Recipient] = [parse_group_id(ids[0], field="recipients")]
    else:
        recipients = all_recipients(body.recipients, body.recipient, missing="Please specify at least one recipient")
    account = await call.account_meant(body.number)
    call.check_recipients(recipients)
    files = [body.base64_attachment] if _is_given(body.base64_attachment) else []
    message = SendMessage(message=body.message, base64_attachments=[*files, *(body.base64_attachments or [])])
    return sent_object(await _send(call, account, recipients, message))


class SendToOne(msgspec.Struct, kw_only=True):
    """A message for the recipient in the path."""

    message: str | None = None
    number: Number = None
    account: str | None = None
    base64_attachments: Files = None
    attachments: Files = None
    text_mode: str | None = None


@routes.add(
    "POST", "/v1/send/{recipient:path}", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    body=SendToOne, body_example={"message": "Hello"},
    answers=[Answer(201, "Sent.", SentObject, example=SENT_OBJECT_EXAMPLE)],
)  # fmt: skip
async def send_to_one(call: Call[SendToOne, None]) -> web.StreamResponse:
    """Send a message to the recipient in the path.

    A group id may be in any form; `_` may stand for its `/`.
    """
    body = call.body
    recipient = parse_recipient(decode_again(call.path["recipient"]))
    account = await call.account_meant(body.number or body.account)
    call.check_recipients([recipient])
    message = SendMessage(
        message=body.message, base64_attachments=body.base64_attachments, attachments=body.attachments, text_mode=body.text_mode
    )
    return sent_object(await _send(call, account, [recipient], message))


def _send[B](call: Call[B, None], account: str, recipients: Sequence[Recipient], body: SendMessage) -> Coroutine[None, None, Outcome]:
    message = _message_of(body, call.services.settings.default_text_mode)
    if not (body.base64_attachments or body.attachments or body.link_preview):
        return call.send(account, recipients, message)
    return _send_with_files(call, account, recipients, body, message)


async def _send_with_files[B](
    call: Call[B, None], account: str, recipients: Sequence[Recipient], body: SendMessage, message: Message
) -> Outcome:
    async with call.services.staging.open(account) as stage:
        return await call.send(account, recipients, await _with_files(message, body, stage))


def _message_of(body: SendMessage, default_mode: str) -> Message:
    text, styles = body.message or "", []
    if _is_styled(body.text_mode, default_mode):
        styled = parse_styled(text)
        text, styles = styled.text, styled.styles
    if body.sticker and ":" not in body.sticker:
        raise InvalidValue("sticker", "Couldn't process request - please provide valid sticker delimiter")
    if body.view_once and not (body.base64_attachments or body.attachments):
        raise InvalidValue("view_once", "'view_once' can only be set for image attachments!")
    return Message(
        text=text,
        styles=styles,
        mentions=_mentions(body.mentions, "mentions"),
        quote=_quote_of(body),
        sticker=body.sticker or None,
        edit_timestamp=body.edit_timestamp,
        view_once=body.view_once or False,
        voice_note=body.voice_note or False,
        no_urgent=body.no_urgent or False,
        notify_self=body.notify_self is not False,
        story_timestamp=body.story_timestamp,
        story_author=body.story_author,
    )


def _is_styled(mode: str | None, default: str) -> bool:
    mode = mode or default
    if mode not in ("normal", "styled"):
        raise InvalidValue("text_mode", f"text_mode: '{mode}' is unknown, it can be 'normal' or 'styled'")
    return mode == "styled"


def _quote_of(body: SendMessage) -> Quote | None:
    if body.quote_timestamp is None:  # a quote is found by it: as upstream and signal-cli do, the message goes without
        return None
    return Quote(
        timestamp=body.quote_timestamp,
        author=str(parse_recipient(body.quote_author, field="quote_author")) if body.quote_author else None,
        message=body.quote_message,
        mentions=_mentions(body.quote_mentions, "quote_mentions"),
    )


def _mentions(given: Sequence[MentionBody | str] | None, field: str) -> Sequence[Mention]:
    return [_mention(mention, field) for mention in given] if given else ()


def _mention(given: MentionBody | str, field: str) -> Mention:
    if isinstance(given, MentionBody):
        start, length, author = given.start, given.length, given.author or given.uuid or given.number or ""
    else:
        parts = given.split(":", 2)
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts[:2]):
            raise InvalidValue(field, f"{field}: '{given}' is not of the form start:length:author")
        start, length, author = int(parts[0]), int(parts[1]), parts[2]
    if start < 0 or length < 0:
        raise InvalidValue(field, f"{field}: start and length cannot be negative")
    return Mention(start, length, str(parse_recipient(author, field=field)))


def _is_given(content: Content | None) -> TypeIs[Content]:
    """Whether there is something: an empty text is what many clients send for nothing."""
    return content is not None and content != Inline("")


async def _with_files(message: Message, body: SendMessage, stage: Stage) -> Message:
    preview = await _preview_of(body.link_preview, message.text, stage) if body.link_preview is not None else None
    files = await stage.add_all(body.base64_attachments or (), "base64_attachments")
    files += await stage.add_all(body.attachments or (), "attachments", references_first=True)
    return msgspec.structs.replace(message, attachments=files, preview=preview)


async def _preview_of(given: LinkPreviewBody, text: str, stage: Stage) -> LinkPreview:
    if not given.url:
        raise InvalidValue("link_preview", "Please provide a valid Link Preview URL")
    if not given.url.startswith("https"):
        raise InvalidValue("link_preview", "Link Preview URL must start with https://..")
    if not given.title:
        raise InvalidValue("link_preview", "Please provide a valid Link Preview Title")
    if given.url not in text:
        raise InvalidValue("link_preview", "Link Preview URL is missing in the message!")
    image = await stage.add(given.base64_thumbnail, "base64_thumbnail") if _is_given(given.base64_thumbnail) else None
    return LinkPreview(url=given.url, title=given.title, description=given.description, image=image)
