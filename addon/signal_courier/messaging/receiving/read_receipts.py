"""Tells the senders that their messages were read, where a client asks for that."""

import logging
from collections.abc import Iterable

import msgspec

from signal_courier.engine.base import Engine
from signal_courier.engine.errors import EngineError

_LOGGER = logging.getLogger(__name__)


class _DataMessage(msgspec.Struct):
    timestamp: int | None = None


class _EditMessage(msgspec.Struct, rename="camel"):
    data_message: _DataMessage | None = None


class _Envelope(msgspec.Struct, rename="camel"):
    source_uuid: str | None = None
    source_number: str | None = None
    source: str | None = None
    data_message: _DataMessage | None = None
    edit_message: _EditMessage | None = None


class _Frame(msgspec.Struct):
    envelope: _Envelope | None = None


_decode = msgspec.json.Decoder(_Frame).decode


async def send_read_receipts(engine: Engine, account: str, frames: Iterable[bytes]) -> None:
    """One receipt a sender for all data messages and edits among the frames (signal-cli JsonRpc: `sendReceipt`, type `read`).

    Trouble is logged, not raised: the messages themselves have been delivered.
    """
    read: dict[str, list[int]] = {}
    for frame in frames:
        try:
            envelope = _decode(frame).envelope
        except msgspec.MsgspecError:
            continue
        if envelope is None:
            continue
        message = envelope.data_message or (envelope.edit_message.data_message if envelope.edit_message else None)
        sender = envelope.source_uuid or envelope.source_number or envelope.source
        if sender and message is not None and message.timestamp is not None:
            read.setdefault(sender, []).append(message.timestamp)
    for sender, timestamps in read.items():
        try:
            await engine.call("sendReceipt", {"account": account, "recipient": sender, "targetTimestamp": timestamps, "type": "read"})
        except EngineError as error:
            _LOGGER.warning("A read receipt could not be sent: %s", error)
