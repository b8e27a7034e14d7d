"""`/api/v2/messages`: text, attachments, stickers, quotes, edits."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import PERSON, PERSON_UUID, TIMESTAMP, Account, ConversationId, Timestamp, account_of, person_of
from signal_courier.http.native.sending import ANSWERS, QUIET_ANSWERS, recipients_of, send, send_and_tell
from signal_courier.http.routing import RouteTable
from signal_courier.messaging.staging import Stage
from signal_courier.model.attachments import Content
from signal_courier.model.errors import InvalidValue
from signal_courier.model.messages import Deletion, LinkPreview, Mention, Message, Quote
from signal_courier.model.recipients import parse_recipient
from signal_courier.model.styles import parse_styled

routes = RouteTable("Messages", face=Face.NATIVE)

Position = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Style = Literal["BOLD", "ITALIC", "STRIKETHROUGH", "MONOSPACE", "SPOILER"]


class StyleBody(msgspec.Struct):
    """How a part of the text looks; positions in UTF-16 units."""

    start: Position
    length: Position
    style: Style


class MentionedBody(msgspec.Struct):
    """Somebody named in the text; positions in UTF-16 units. What stands there is replaced by the name."""

    start: Position
    length: Position
    recipient: str


class QuoteBody(msgspec.Struct, kw_only=True):
    """The message that is answered."""

    timestamp: Timestamp
    author: Annotated[str, msgspec.Meta(description="Who wrote it.", examples=[PERSON_UUID])]
    text: str | None = None
    mentions: list[MentionedBody] = []


class PreviewBody(msgspec.Struct, kw_only=True):
    """A card for an address that the text holds."""

    url: Annotated[str, msgspec.Meta(pattern="^https://")]
    title: Annotated[str, msgspec.Meta(min_length=1)]
    description: str = ""
    image: Annotated[Content | None, msgspec.Meta(description="The picture, as base64, or the id of an upload.")] = None


class StoryBody(msgspec.Struct):
    """The story that is answered."""

    timestamp: Timestamp
    author: str


class NewMessage(msgspec.Struct, kw_only=True):
    """A message. It needs a text, an attachment or a sticker."""

    recipients: Annotated[list[str], msgspec.Meta(description="Numbers, UUIDs, usernames and groups.", min_length=1, max_length=1000)]
    account: Account = None
    text: str = ""
    text_mode: Annotated[
        Literal["normal", "styled"] | None,
        msgspec.Meta(description="`styled`: `*italic*`, `**bold**`, `~struck~`, `||spoiler||`."),
    ] = None
    styles: list[StyleBody] = []
    mentions: list[MentionedBody] = []
    attachments: Annotated[
        list[Content],
        msgspec.Meta(description="Each base64 (with or without a data header), the id of an upload, or of a received attachment."),
    ] = []
    quote: QuoteBody | None = None
    preview: PreviewBody | None = None
    sticker: Annotated[str, msgspec.Meta(description="`pack:number`.", pattern="^[0-9a-fA-F]+:[0-9]+$")] | None = None
    edit: Annotated[Timestamp | None, msgspec.Meta(description="The message whose place it takes.")] = None
    story: StoryBody | None = None
    view_once: bool = False
    voice_note: Annotated[bool, msgspec.Meta(description="The (only) attachment was spoken (signal-cli 0.14.2).")] = False
    silent: Annotated[bool, msgspec.Meta(description="The phone is not woken (signal-cli 0.14.0).")] = False
    notify_self: bool = True


@routes.add(
    "POST", "/api/v2/messages", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=NewMessage,
    body_example={"recipients": [PERSON], "text": "Somebody is at the *door*", "text_mode": "styled"},
    answers=ANSWERS,
)  # fmt: skip
async def send_message(call: Call[NewMessage, None]) -> web.StreamResponse:
    """Send a message to any number of people and groups.

    The answer tells what became of it for each recipient; it is a problem only when nobody was reached.
    """
    body = call.body
    recipients = recipients_of(body.recipients)
    message = _message_of(body, call.services.settings.default_text_mode)
    account = await account_of(call, body.account)
    if not body.attachments and body.preview is None:
        return await send_and_tell(call, account, recipients, message)
    call.check_recipients(recipients)
    async with call.services.staging.open(account) as stage:
        return await send_and_tell(call, account, recipients, await _with_files(message, body, stage))


class DeletionBody(msgspec.Struct, kw_only=True):
    """Which message."""

    conversation: ConversationId
    timestamp: Timestamp
    account: Account = None


@routes.add(
    "POST", "/api/v2/deletions", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=DeletionBody,
    body_example={"conversation": PERSON_UUID, "timestamp": TIMESTAMP}, answers=QUIET_ANSWERS,
)  # fmt: skip
async def delete_for_everybody(call: Call[DeletionBody, None]) -> web.StreamResponse:
    """Delete an own message for everybody, within a day."""
    conversation = parse_recipient(call.body.conversation, field="conversation")
    await send(call, await account_of(call, call.body.account), [conversation], Deletion(timestamp=call.body.timestamp))
    return empty()


def _message_of(body: NewMessage, default_mode: str) -> Message:
    text, styles = body.text, [f"{one.start}:{one.length}:{one.style}" for one in body.styles]
    if not text and not body.attachments and body.sticker is None:
        raise InvalidValue("text", "text: a message needs a text, an attachment or a sticker")
    if (body.text_mode or default_mode) == "styled":
        if styles or body.mentions:
            raise InvalidValue("text_mode", "text_mode: `styled` moves positions, so `styles` and `mentions` need `normal`")
        styled = parse_styled(text)
        text, styles = styled.text, list(styled.styles)
    if body.view_once and not body.attachments:
        raise InvalidValue("view_once", "view_once: only an attachment can be shown once")
    quote, story = body.quote, body.story
    return Message(
        text=text,
        styles=styles,
        mentions=_mentions(body.mentions, "mentions"),
        quote=Quote(
            timestamp=quote.timestamp,
            author=str(person_of(quote.author, "quote.author")),
            message=quote.text,
            mentions=_mentions(quote.mentions, "quote.mentions"),
        )
        if quote is not None
        else None,
        sticker=body.sticker,
        edit_timestamp=body.edit,
        view_once=body.view_once,
        voice_note=body.voice_note,
        no_urgent=body.silent,
        notify_self=body.notify_self,
        story_timestamp=story.timestamp if story is not None else None,
        story_author=str(person_of(story.author, "story.author")) if story is not None else None,
    )


def _mentions(given: Sequence[MentionedBody], field: str) -> Sequence[Mention]:
    return [Mention(one.start, one.length, str(person_of(one.recipient, field))) for one in given]


async def _with_files(message: Message, body: NewMessage, stage: Stage) -> Message:
    preview = None
    if (given := body.preview) is not None:
        if given.url not in message.text:
            raise InvalidValue("preview", "preview: the text must hold its url")
        image = await stage.add(given.image, "preview.image") if given.image is not None else None
        preview = LinkPreview(url=given.url, title=given.title, description=given.description, image=image)
    files = await stage.add_all(body.attachments, "attachments", references_first=True)
    return msgspec.structs.replace(message, attachments=files, preview=preview)
