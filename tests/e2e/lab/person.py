"""Somebody with a phone: what other people do in a test."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.lab.daemon import CallFailed, Daemon
from tests.e2e.lab.reports import Json

_CODE = "123456"
_ATTEMPTS = 15
"""How often a first message is tried."""
_PATIENCE = 4
"""Seconds to wait for its receipt."""


@dataclass(slots=True)
class Person:
    """An account of the lab's second signal-cli, on its first device: the phone."""

    name: str
    number: str
    aci: str
    daemon: Daemon = field(repr=False)

    async def call(self, method: str, /, **parameters: object) -> Any:
        """A JSON-RPC call for this account."""
        return await self.daemon.call(method, account=self.number, **parameters)

    async def send(self, to: str | None = None, message: str | None = None, **more: object) -> int:
        """Sends to a person's ACI (or with `groupId=` to a group); gives the message's timestamp in ms.

        `more` are parameters of signal-cli's `send`: attachments, sticker, quoteTimestamp, textStyle, …
        """
        for attempt in range(_ATTEMPTS):
            try:
                sent = await self.call("send", recipient=None if to is None else [to], message=message, **more)
                break
            except CallFailed as error:  # 0.13.19 may fail a first contact so; a person presses "send" again
                if "NETWORK_FAILURE" not in str(error.data) or attempt == _ATTEMPTS - 1:
                    raise
        return int(sent["timestamp"])

    async def react(self, to: str, emoji: str, author: str, timestamp: int) -> None:
        """Reacts to a message of `author`."""
        await self.call("sendReaction", recipient=[to], emoji=emoji, targetAuthor=author, targetTimestamp=timestamp)

    async def has_read(self, to: str, timestamp: int) -> None:
        """Says that a message was read."""
        await self.call("sendReceipt", recipient=to, targetTimestamp=[timestamp], type="read")

    async def types(self, to: str, *, stopped: bool = False) -> None:
        """Begins to type, or stops."""
        await self.call("sendTyping", recipient=[to], stop=stopped or None)

    async def deletes(self, to: str, timestamp: int) -> None:
        """Deletes a message for everyone."""
        await self.call("remoteDelete", recipient=[to], targetTimestamp=timestamp)

    async def creates_group(self, title: str, members: list[str]) -> str:
        """Makes a group with people by their ACI; gives its id as signal-cli prints it."""
        return str((await self.call("updateGroup", name=title, member=members))["groupId"])

    async def uploads_stickers(self, manifest: Path) -> str:
        """Uploads the pack whose `manifest.json` this is; gives the pack's link."""
        return str((await self.call("uploadStickerPack", path=str(manifest)))["url"])

    async def scans(self, link: str) -> None:
        """Scans a QR code: the device that shows it becomes one of the person's."""
        await self.call("addDevice", uri=link)

    async def gets_a_new_phone(self) -> None:
        """Registers anew with new keys, as after losing the phone: for everybody else the safety number changes."""
        await self.call("unregister")
        await self.call("deleteLocalAccountData")
        await self.daemon.call("register", account=self.number, captcha="solved")
        await self.daemon.call("verify", account=self.number, verificationCode=_CODE)
        await self.call("subscribeReceive")  # for this account alone: the others are subscribed, and would report everything twice
        await self.call("updateProfile", givenName=self.name)

    async def receives(self, wanted: Callable[[Json], bool], *, within: float = 60) -> Json:
        """The first envelope to this account that is wanted; messages received while it waits are kept.

        Raises:
            TimeoutError: none came.
        """

        def is_wanted(report: Json) -> bool:
            return report.get("account") == self.number and wanted(report.get("envelope", {}))

        envelope: Json = (await self.daemon.reports.take(is_wanted, within=within))["envelope"]
        return envelope

    async def greets(self, to: str, message: str) -> None:
        """Sends a first message, until the other side's client has said by itself that it was delivered.

        When clients of this release meet for the first time, what one sends while it still answers the other may find the session half
        made: the message then fails, or its receipt is never sent. So it is said again.
        """

        async def say() -> int | None:
            with contextlib.suppress(CallFailed):
                return await self.send(to, message)
            return None

        await until_delivered(say, self.receives)

    async def receives_data(self, wanted: Callable[[Json], bool], *, within: float = 60) -> Json:
        """The first `dataMessage` that is wanted."""
        envelope = await self.receives(lambda envelope: wanted(envelope.get("dataMessage") or {}), within=within)
        message: Json = envelope["dataMessage"]
        return message

    async def receives_text(self, text: str, *, within: float = 60) -> Json:
        """The `dataMessage` with this text."""
        return await self.receives_data(lambda message: message.get("message") == text, within=within)


async def until_delivered(say: Callable[[], Awaitable[int | None]], receives: Callable[..., Awaitable[Json]]) -> None:
    """Says something (which gives its timestamp, None when it failed) until a receipt for one of the attempts is received.

    Raises:
        TimeoutError: none came.
    """
    said: set[int] = set()

    def is_receipt(envelope: Json) -> bool:
        return not said.isdisjoint((envelope.get("receiptMessage") or {}).get("timestamps", []))

    for _ in range(_ATTEMPTS):
        timestamp = await say()
        if timestamp is not None:
            said.add(timestamp)
        with contextlib.suppress(TimeoutError):
            await receives(is_receipt, within=_PATIENCE)
            return
    raise TimeoutError(f"no receipt for {said}")
