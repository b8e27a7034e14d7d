"""`/api/v2/messages`: text, attachments, stickers, quotes, edits."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import (
    ACCOUNT,
    INVALID,
    MISSING,
    PERSON,
    PERSON_UUID,
    TIMESTAMP,
    Account,
    AccountQuery,
    Timestamp,
    account_of,
    person_of,
    trouble,
)
from signal_courier.http.native.sending import (
    ANSWERS,
    LONGEST_WAIT,
    QUIET_ANSWERS,
    InConversation,
    Waiting,
    recipients_of,
    send_and_tell,
    send_quietly,
    terms_of,
)
from signal_courier.http.problems import NotAllowed
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.streaming.leaving import end_with_client
from signal_courier.messaging.files.staging import Stage
from signal_courier.model.attachments import Content
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.integers import Int64
from signal_courier.model.messages import Deletion, LinkPreview, Mention, Message, Quote
from signal_courier.model.outbox import DeliveryState, MessageStatus, RecipientStatus
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
    text: Annotated[str | None, msgspec.Meta(description="What it says; what this service knows of it unless given.")] = None
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


class NewMessage(Waiting, kw_only=True):
    """A message. It needs a text, an attachment or a sticker."""

    recipients: Annotated[list[str], msgspec.Meta(description="Numbers, UUIDs, usernames and groups.", min_length=1, max_length=1000)]
    account: Account = None
    text: str = ""
    text_mode: Annotated[
        Literal["normal", "styled"] | None,
        msgspec.Meta(description="`styled`: `*italic*`, `**bold**`, `~struck~`, `||spoiler||`."),
    ] = None
    styles: Sequence[StyleBody] = ()
    mentions: Sequence[MentionedBody] = ()
    attachments: Annotated[
        Sequence[Content],
        msgspec.Meta(description="Each base64 (with or without a data header), the id of an upload, or of a received attachment."),
    ] = ()
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

    With `wait` the message is on disk first, and then tried until it is sent or `expires_in` is over, through outages and restarts.
    With the header `Idempotency-Key` the same request never sends twice.
    """
    body = call.body
    terms_of(call)
    recipients = recipients_of(body.recipients)
    message = _message_of(body, call.services.settings.default_text_mode)
    account = await account_of(call, body.account)
    if (quote := message.quote) is not None and quote.message is None and quote.author is not None and quote.timestamp is not None:
        text = await call.services.history.text_of(account, quote.author, quote.timestamp)
        message = msgspec.structs.replace(message, quote=msgspec.structs.replace(quote, message=text))
    if not body.attachments and body.preview is None:
        return await send_and_tell(call, account, recipients, message)
    call.check_recipients(recipients)
    async with call.services.staging.open(account) as stage:
        return await send_and_tell(call, account, recipients, await _with_files(message, body, stage))


# -- what became of them


class MessageEntry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A message of the outbox. Times in milliseconds since 1970; what does not apply is missing."""

    id: str
    account: str
    kind: Annotated[str, msgspec.Meta(description="`message`, `edit`, `delete`, `reaction`, `receipt`, `poll`, `vote` …")]
    state: Annotated[DeliveryState, msgspec.Meta(description="In one word: open states first, then whether anybody was reached.")]
    created_at: int
    recipients: list[RecipientStatus]
    content: Annotated[
        dict[str, object] | None,
        msgspec.Meta(description="What is sent, for callers with the scope `receive`; files by their names."),
    ] = None
    timestamp: Annotated[int | None, msgspec.Meta(description="Its name in Signal, once it was sent.")] = None
    expires_at: Annotated[int | None, msgspec.Meta(description="When it is given up, while it is open.")] = None
    attempts: int = 0
    next_attempt_at: int | None = None


class MessageList(msgspec.Struct):
    """What was sent, or is to be; the newest first."""

    messages: list[MessageEntry]


_NO_CONTENT = msgspec.Raw(b"null")


class _Found(msgspec.Struct):
    """The same, its contents as they are stored."""

    messages: list[MessageStatus]


_STATUS = {
    "id": "msg_42", "account": ACCOUNT, "kind": "message", "state": "delivered", "created_at": TIMESTAMP, "timestamp": TIMESTAMP,
    "recipients": [{"recipient": PERSON, "state": "delivered", "timestamp": TIMESTAMP, "changed_at": TIMESTAMP, "uuid": PERSON_UUID}],
    "content": {"text": "Somebody is at the door"}, "attempts": 1,
}  # fmt: skip


class OutboxQuery(AccountQuery):
    """Which messages."""

    conversation: Annotated[str, msgspec.Meta(description="Only to this person or group.", examples=[PERSON_UUID])] = ""
    before: Annotated[str, msgspec.Meta(description="Only older ones than this.", examples=["msg_42"])] = ""
    limit: Annotated[int, msgspec.Meta(description="At most 1000.")] = 50
    open: Annotated[bool, msgspec.Meta(description="Only what is still to be sent.")] = False


@routes.add(
    "GET", "/api/v2/outbox", scope=Scope.SEND, accounts=Reach.CHECKED, query=OutboxQuery,
    answers=[Answer(200, "The newest first.", MessageList, example={"messages": [_STATUS]}), INVALID, MISSING],
)  # fmt: skip
async def list_outbox(call: Call[None, OutboxQuery]) -> web.StreamResponse:
    """List what this service has sent, and what waits to be sent.

    Everything is in it, reactions and deletions too. `GET /api/v2/messages` is what was said, in both directions. A token that may write
    to some people only is told of what goes to them alone: a page may hold fewer messages than `limit`.
    """
    query = call.query
    if not 1 <= query.limit <= 1000:
        raise InvalidValue("limit", "limit: between 1 and 1000")
    names: list[str] = []
    account = await account_of(call, query.account)
    if query.conversation:
        recipient = parse_recipient(query.conversation, field="conversation")
        names.append(str(recipient))
        known = await call.services.conversations.find(account, recipient)
        if known is not None:
            names += [name for name in (known.id, known.number) if name is not None]
    found = await call.services.outbox.list(
        account=account, conversation=names, before=query.before or None, limit=query.limit, open_only=query.open
    )
    return json_answer(_Found([_shown(call, status) for status in found if _is_theirs(call, status)]))


class WaitQuery(msgspec.Struct):
    """How long to wait, and for what."""

    wait: Annotated[Int64, msgspec.Meta(description="Seconds, at most 600.")] = 0
    until: Annotated[
        str, msgspec.Meta(description="`sent`, `delivered` or `read`: by everybody whom it reaches at all.", examples=["delivered"])
    ] = "sent"


@routes.add(
    "GET", "/api/v2/messages/{message}", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, query=WaitQuery,
    answers=[Answer(200, "Where it is, for each recipient.", MessageEntry, example=_STATUS), INVALID, MISSING],
)  # fmt: skip
async def get_message(call: Call[None, WaitQuery]) -> web.StreamResponse:
    """Show what became of a message, with `wait` as soon as it has come so far.

    The answer comes when everybody has it (or nothing more can come of it), or when the time is over: look at `state`.
    """
    wait, until = call.query.wait, call.query.until
    if not 0 <= wait <= LONGEST_WAIT:
        raise InvalidValue("wait", f"wait: between 0 and {LONGEST_WAIT} seconds")
    if until not in ("sent", "delivered", "read"):
        raise InvalidValue("until", "until: it can be 'sent', 'delivered' or 'read'")
    status = await _status(call)
    if wait:
        end_with_client(call.request)
        status = await call.services.outbox.waiting.until(status.id, DeliveryState(until), float(wait))
    return json_answer(_shown(call, status))


@routes.add(
    "DELETE", "/api/v2/messages/{message}", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    answers=[Answer(200, "What was not being sent yet is cancelled.", MessageEntry, example=_STATUS | {"state": "cancelled"}), MISSING],
)  # fmt: skip
async def cancel_message(call: Call[None, None]) -> web.StreamResponse:
    """Take back what is not being sent yet.

    For the recipients to whom it is being sent, or has been, nothing changes. To delete it from their phones there is
    `POST /api/v2/deletions`.
    """
    return json_answer(_shown(call, await call.services.outbox.cancel((await _status(call)).id)))


@routes.add(
    "POST", "/api/v2/messages/{message}/retry", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED,
    answers=[
        Answer(200, "It is tried now.", MessageEntry, example=_STATUS | {"state": "queued"}),
        trouble("invalid-value", "message: it has reached everybody", field="message"),
        MISSING,
    ],
)  # fmt: skip
async def retry_message(call: Call[None, None]) -> web.StreamResponse:
    """Try again, for all whom it did not reach.

    At once, whatever it waited for: after a captcha, a trusted safety number, a network that is back.
    """
    status = await _status(call)
    return json_answer(_shown(call, await call.services.outbox.retry(status.id)))


async def _status[B, Q](call: Call[B, Q]) -> MessageStatus:
    """The message that the path names; one of another account is none. Raises `MissingThing`, `NotAllowed`."""
    status = await call.services.outbox.get(call.path["message"])
    if not call.caller.may_use(status.account):
        raise MissingThing("message", "There is no such message.")
    call.check_account(status.account)
    if not _is_theirs(call, status):
        raise NotAllowed
    return status


def _is_theirs[B, Q](call: Call[B, Q], status: MessageStatus) -> bool:
    """Whether the caller may know of a message: not where it goes to somebody whom they may not write to."""
    try:
        return call.caller.recipients is None or (
            len(status.recipients) > 0
            and all(call.caller.may_reach(parse_recipient(one.group or one.recipient)) for one in status.recipients)
        )
    except InvalidValue:
        return False


def _shown[B, Q](call: Call[B, Q], status: MessageStatus) -> MessageStatus:
    """What the caller gets to see: what was written only with the scope to read it, as somebody else may have written it."""
    return status if call.caller.may(Scope.RECEIVE) else msgspec.structs.replace(status, content=_NO_CONTENT)


class DeletionBody(InConversation, kw_only=True):
    """Which message."""

    timestamp: Timestamp


@routes.add(
    "POST", "/api/v2/deletions", scope=Scope.SEND, accounts=Reach.CHECKED, recipients=Reach.CHECKED, body=DeletionBody,
    body_example={"conversation": PERSON_UUID, "timestamp": TIMESTAMP}, answers=QUIET_ANSWERS,
)  # fmt: skip
async def delete_for_everybody(call: Call[DeletionBody, None]) -> web.StreamResponse:
    """Delete an own message for everybody, within a day.

    Phones take it away where they can; that something was deleted stays visible. The message is named by its timestamp.
    """
    return await send_quietly(call, Deletion(timestamp=call.body.timestamp))


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
