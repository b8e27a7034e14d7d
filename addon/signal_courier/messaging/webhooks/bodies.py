"""What is posted for an event, in each of the three forms. An event may be none, one, or (gateway) several posts."""

import asyncio
import base64
import datetime as dt
import mimetypes
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from signal_courier.messaging.files.received import check_name, is_plain_file
from signal_courier.messaging.receiving.events import Entry
from signal_courier.model.errors import InvalidValue
from signal_courier.model.events import Event, EventAttachment, EventType, Person
from signal_courier.model.message_ids import message_id
from signal_courier.model.webhooks import BodyForm, Webhook

INLINE_LIMIT: Final = 10 * 2**20
"""Bytes of a file that the gateway's form carries; of a larger one only the facts and the address are told."""
_TEST_TEXT: Final = "This is a test of a webhook of Signal Courier."
_UNITS: Final = {"image": "m.image", "video": "m.video", "audio": "m.audio"}

_encode = msgspec.json.Encoder().encode


class Contacts(Protocol):
    """Knows who is in an account's contacts."""

    def contact_name(self, account: str, uuid: str | None, number: str | None) -> str | None:
        """The name under which somebody is saved; `None` for others, or where it is not known (yet)."""


class _Envelope(msgspec.Struct):
    """The payload that Standard Webhooks recommends."""

    type: str
    timestamp: str
    data: object


class _Info(msgspec.Struct):
    size: int = 0
    mime_type: str = ""
    width: int = 0
    height: int = 0
    blur_hash: str = ""


class _Media(msgspec.Struct, omit_defaults=True):
    content: str | None
    info: _Info
    url: str | None = None
    """Beyond the gateway's contract: path on this service."""
    name: str | None = None


class _GatewayMessage(msgspec.Struct, rename={"from_": "from"}, kw_only=True):
    """The gateway's payload, and what Signal has beyond it: the group."""

    id: str
    is_contact: bool
    type: str
    from_: str
    to: str
    message: str
    device_id: str
    media: _Media | None
    group_id: str | None


class Bodies:
    """Makes posts of events. `folder` is where received files lie."""

    def __init__(self, folder: Path, contacts: Contacts) -> None:
        self._folder = folder
        self._contacts = contacts

    def count(self, webhook: Webhook, entry: Entry) -> int:
        """How many posts an event is."""
        event = entry.event
        if event is None or (webhook.form is BodyForm.RPC and entry.frame is None):
            return 0
        if webhook.form is BodyForm.GATEWAY:
            return len(_gateway_parts(event))
        return 1

    async def make(self, webhook: Webhook, entry: Entry, part: int) -> bytes:
        """The bytes of one of the posts."""
        if webhook.form is BodyForm.RPC:
            return _rpc(entry.frame or b"{}")
        assert entry.event is not None
        if webhook.form is BodyForm.GATEWAY:
            return _encode(await self._gateway(entry.event, part, links=webhook.links))
        return _encode(_Envelope(entry.event.type, _iso(entry.event.time), msgspec.Raw(entry.json)))

    def test(self, webhook: Webhook) -> bytes:
        """A post that says that it is a test, in the form that the endpoint wants."""
        now = time.time_ns() // 1_000_000
        account = next(iter(webhook.selection.accounts or ()), "")
        match webhook.form:
            case BodyForm.EVENT:
                return _encode(_Envelope("test", _iso(now), {"webhook": webhook.id, "text": _TEST_TEXT}))
            case BodyForm.RPC:
                envelope = {
                    "source": account, "sourceNumber": account or None, "sourceUuid": None, "sourceName": "Signal Courier",
                    "sourceDevice": 1, "timestamp": now, "serverReceivedTimestamp": now, "serverDeliveredTimestamp": now,
                    "dataMessage": {"timestamp": now, "message": _TEST_TEXT, "expiresInSeconds": 0, "viewOnce": False},
                }  # fmt: skip
                return _rpc(_encode({"envelope": envelope, "account": account}))
            case BodyForm.GATEWAY:
                device = account.removeprefix("+")
                return _encode(
                    _GatewayMessage(
                        id=message_id("", now), is_contact=False, type="m.text", from_="Signal Courier", to=account, message=_TEST_TEXT,
                        device_id=device, media=_NOTHING, group_id=None,
                    )
                )  # fmt: skip

    async def _gateway(self, event: Event, part: int, *, links: bool) -> _GatewayMessage:
        text, attachment = _gateway_parts(event)[part]
        assert event.message is not None
        account = event.account or ""
        sender = event.sender or Person()
        name = self._contacts.contact_name(account, sender.uuid, sender.number)
        place = event.conversation
        return _GatewayMessage(
            id=message_id(sender.uuid or sender.number or "", event.message.timestamp),
            is_contact=name is not None,
            type=_kind(attachment),
            from_=name or sender.number or sender.uuid or "",
            to=account,
            message=text,
            device_id=account.removeprefix("+"),
            media=await self._media(attachment, links=links) if attachment is not None else _NOTHING,
            group_id=place.id if place is not None and place.kind == "group" else None,
        )

    async def _media(self, attachment: EventAttachment, *, links: bool) -> _Media:
        info = _Info(
            size=attachment.size or 0, mime_type=_type_of(attachment), width=attachment.width or 0, height=attachment.height or 0
        )  # fmt: skip
        content = None if links or attachment.id is None else await asyncio.to_thread(_read, self._folder, attachment.id)
        return _Media(content, info, attachment.url, attachment.name)


_NOTHING: Final = _Media(None, _Info())


def _gateway_parts(event: Event) -> Sequence[tuple[str, EventAttachment | None]]:
    """The gateway knows texts and files of others; a message with several files becomes several, the text comes with the first."""
    message = event.message
    if event.type is not EventType.MESSAGE or message is None:
        return ()
    text = message.text or ""
    if not message.attachments:
        return ((text, None),) if text else ()
    return [(text if at == 0 else "", attachment) for at, attachment in enumerate(message.attachments)]


def _kind(attachment: EventAttachment | None) -> str:
    if attachment is None:
        return "m.text"
    return _UNITS.get(_type_of(attachment).partition("/")[0], "m.file")


def _type_of(attachment: EventAttachment) -> str:
    return attachment.type or mimetypes.guess_type(attachment.name or "")[0] or "application/octet-stream"


def _read(folder: Path, name: str) -> str | None:
    """A file as base64; `None` when it is not there (any more) or too large."""
    try:
        path = folder / check_name(name)
        if not is_plain_file(path) or path.stat().st_size > INLINE_LIMIT:
            return None
        return base64.b64encode(path.read_bytes()).decode()
    except (OSError, InvalidValue):
        return None


def _rpc(params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":"receive","params":' + params + b"}\n"


def _iso(time_ms: int) -> str:
    try:
        moment = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
    except (OverflowError, OSError, ValueError):  # a sender's phone may claim any time
        moment = dt.datetime.fromtimestamp(0, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
