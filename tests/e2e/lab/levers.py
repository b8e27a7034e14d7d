"""What tests may do to the world outside: the levers of the stand-in servers, and their bodies as both sides know them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import aiohttp
import msgspec


class Load(msgspec.Struct, kw_only=True):
    """Makes the accounts of a signal-cli data folder known."""

    data_folder: str


class Target(msgspec.Struct, kw_only=True):
    """An account by its number, perhaps one of its devices."""

    account: str
    device: int = 1


class Demand(Target, kw_only=True):
    """A proof that the sender is no machine, due after so many more messages."""

    after: int = 0


class Outage(msgspec.Struct, kw_only=True):
    """Whether nothing answers."""

    on: bool


class Flood(msgspec.Struct, kw_only=True):
    """Many small messages for an account, in this order: the server's receipts for messages with these timestamps (ms)."""

    account: str
    sender: str
    timestamps: list[int]


class Weather(msgspec.Struct, kw_only=True):
    """How the way to Signal is. Everything is fine without arguments."""

    delay_seconds: float = 0
    """Every request is answered that much later."""
    drops_after_seconds: float | None = None
    """Every websocket is cut off so long after it was opened, in the middle of whatever it carries."""
    twice: bool = False
    """Every envelope is delivered twice."""
    swapped: bool = False
    """Envelopes come in pairs, the later one first."""
    refuses_files: int = 0
    """The content network refuses uploads with this status."""


class RawEnvelope(msgspec.Struct, kw_only=True):
    """An envelope as the server would hand it over."""

    account: str
    kind: int
    content: bytes = b""
    sender: str | None = None
    """Its ACI."""
    timestamp: int = 0
    """In ms; 0 = now."""


class AccountView(msgspec.Struct, kw_only=True):
    """An account as the servers know it."""

    number: str
    aci: str
    devices: list[int]
    waiting: int
    """Messages that no device has acknowledged yet."""
    connected: list[int]


class SeenRequest(msgspec.Struct, kw_only=True):
    """A request that the chat server has answered."""

    verb: str
    path: str
    status: int


class Levers:
    """Client of the levers. Use it as an async context manager."""

    NAMES: ClassVar[Sequence[str]] = (
        "load", "fault", "forget-faults", "outage", "weather", "demand-proof", "unlink", "unregister", "flood", "push", "account", "seen",
    )  # fmt: skip

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def load(self, data_folder: Path) -> None:
        """Makes all accounts of a data folder known, as if they had registered."""
        await self._pull("load", Load(data_folder=str(data_folder)))

    async def fail(
        self,
        path: str,
        *,
        status: int = 500,
        value: object = None,
        times: int = 1,
        delay_seconds: float = 0,
        headers: Mapping[str, str] | None = None,
        carried_out: bool = False,
    ) -> None:
        """The next `times` requests whose path contains `path` are answered with `status` and the JSON `value`.

        `carried_out`: what they ask is done all the same.
        """
        fault = {
            "path": path, "status": status, "value": value, "times": times, "delay_seconds": delay_seconds, "headers": headers or {},
            "carried_out": carried_out,
        }  # fmt: skip
        await self._pull("fault", fault)

    async def forget_faults(self) -> None:
        """Takes back what `fail` has not used up."""
        await self._pull("forget-faults", {})

    async def outage(self, *, on: bool) -> None:
        """Signal is away: open connections end, new ones are reset. Or it is back."""
        await self._pull("outage", Outage(on=on))

    async def weather(self, **how: Any) -> None:
        """How the way to Signal is from now on; see `Weather`."""
        await self._pull("weather", Weather(**how))

    async def demand_proof(self, account: str, *, after: int = 0) -> str:
        """Once it has sent `after` more, the account's messages are refused with 428 until it has solved the challenge: its token."""
        return msgspec.json.decode(await self._pull("demand-proof", Demand(account=account, after=after)), type=str)

    async def unlink(self, account: str, device: int) -> None:
        """The owner takes a device off the list."""
        await self._pull("unlink", Target(account=account, device=device))

    async def unregister(self, account: str) -> None:
        """The owner leaves Signal."""
        await self._pull("unregister", Target(account=account))

    async def flood(self, account: str, sender: str, timestamps: Sequence[int]) -> None:
        """Delivers one receipt for each of the timestamps, which a client reports as one envelope each."""
        await self._pull("flood", Flood(account=account, sender=sender, timestamps=list(timestamps)))

    async def push(self, account: str, kind: int, content: bytes = b"", *, sender: str | None = None, timestamp: int = 0) -> None:
        """Delivers an envelope with any content."""
        await self._pull("push", RawEnvelope(account=account, kind=kind, content=content, sender=sender, timestamp=timestamp))

    async def account(self, number: str) -> AccountView:
        """What the servers know of an account."""
        return msgspec.json.decode(await self._pull("account", Target(account=number)), type=AccountView)

    async def seen(self) -> list[SeenRequest]:
        """The requests to the chat server, oldest first (the last 50 000)."""
        return msgspec.json.decode(await self._pull("seen", {}), type=list[SeenRequest])

    async def _pull(self, name: str, body: object) -> bytes:
        if self._session is None:
            raise RuntimeError("enter the context first")
        async with self._session.post(f"{self._address}/{name}", data=msgspec.json.encode(body)) as answer:
            answer.raise_for_status()
            return await answer.read()
