"""Webhooks over a real database and real sockets, with a clock that is turned by hand, and receivers that answer as told."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from signal_courier.engine.reports.envelopes import EnvelopeReader
from signal_courier.messaging.clock import GuardedClock
from signal_courier.messaging.receiving.events import EventLog
from signal_courier.messaging.webhooks.bodies import Bodies
from signal_courier.messaging.webhooks.endpoint import Endpoint, Means
from signal_courier.messaging.webhooks.posting import Poster
from signal_courier.messaging.webhooks.registry import Webhooks
from signal_courier.model.events import EngineChange, Event, EventType, Person
from signal_courier.store.database import Database
from signal_courier.store.events import EventTable
from signal_courier.store.inbox import InboxTable, NewEnvelope
from signal_courier.store.webhooks import WebhookTable

ANN, BEN = "+4915100000001", "+4915100000002"
PATIENCE = 30.0


class HandClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._waits = asyncio.Event()

    def now_ms(self) -> int:
        return self.now

    async def until(self, due_ms: int) -> None:
        if due_ms <= self.now:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (due_ms, future)
        self._waiting.append(entry)
        self._waits.set()
        try:
            await future
        finally:
            self._waiting.remove(entry)

    async def waits(self) -> int:
        """Until somebody waits; gives the time that is waited for first."""
        async with asyncio.timeout(PATIENCE):
            while not self._waiting:
                self._waits.clear()
                await self._waits.wait()
        return min(due for due, _ in self._waiting)

    async def turn(self) -> float:
        """To the next time that somebody waits for; gives how many seconds that are."""
        due = await self.waits()
        passed = (due - self.now) / 1000
        self.set(due)
        return passed

    def set(self, now: int) -> None:
        self.now = max(now, self.now)
        for due, future in self._waiting:
            if due <= self.now and not future.done():
                future.set_result(None)


@dataclass
class Post:
    """What a receiver got."""

    headers: Mapping[str, str]
    body: bytes
    at: float
    """Seconds, by the clock that is turned by hand."""

    @property
    def json(self):
        return msgspec.json.decode(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def text(self) -> str:
        """Of a native message event."""
        return self.json["data"]["message"]["text"]


class Receiver:
    """A web server. `answers` are given one after the other, then 204."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.posts: asyncio.Queue[Post] = asyncio.Queue()
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.hold: asyncio.Event | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        self.posts.put_nowait(Post(dict(request.headers), body, self._clock.now / 1000))
        if self.hold is not None:
            await self.hold.wait()
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return web.Response(status=status, headers=headers)

    async def take(self, count: int = 1) -> list[Post]:
        return [await asyncio.wait_for(self.posts.get(), PATIENCE) for _ in range(count)]

    async def taken(self) -> Post:
        return (await self.take())[0]

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Receiver"]:
        runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = int(runner.addresses[0][1])
        try:
            yield self
        finally:
            await runner.cleanup()


class People:
    """Whom the accounts know."""

    def __init__(self) -> None:
        self.contacts: dict[str, str] = {}

    def person(self, account: str, uuid: str | None, number: str | None) -> Person | None:
        return None

    def group(self, account: str, internal_id: str) -> str | None:
        return None

    def contact_name(self, account: str, uuid: str | None, number: str | None) -> str | None:
        return self.contacts.get(number or "")


class NameServer:
    """Names that a test gives to addresses."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}

    async def look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[tuple[socket.AddressFamily, int, str]]:
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET6 if ":" in address else socket.AF_INET, 6, address) for address in self.names[host]]


class ToldTable(WebhookTable):
    """Tells when something was noted."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.noted = asyncio.Event()

    async def change(self, *given, **named) -> None:
        await super().change(*given, **named)
        asyncio.get_running_loop().call_soon(self.noted.set)  # when the endpoint has it in memory too


class Stack:
    """The log and the webhooks, fed as the inbox feeds them."""

    def __init__(self, folder: Path, *, deadline: float = 5.0) -> None:
        self.clock = HandClock()
        self.people = People()
        self.dns = NameServer()
        self.revoked: set[str] = set()
        self.folder = folder
        self._deadline = deadline
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Also again, as after the death of the service."""
        self.database = await Database(self.folder / "courier.db").open()
        self.inbox = InboxTable(self.database)
        events = EventTable(self.database)
        self.log = EventLog(events, EnvelopeReader(self.people), GuardedClock())
        await self.log.start()
        self._task = asyncio.create_task(self.log.run())
        self.table = ToldTable(self.database)
        self.webhooks = Webhooks(
            Means(
                log=self.log,
                table=self.table,
                bodies=Bodies(self.folder, self.people),
                poster=Poster(wall=lambda: self.clock.now / 1000, lookup=self.dns.look_up, deadline=self._deadline),
                clock=self.clock,
                may_receive=lambda owner: owner not in self.revoked,
            ),
            events,
        )
        await self.webhooks.start()

    async def stop(self) -> None:
        self.log.close()
        await self.webhooks.stop()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.database.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def hook(self, url: str, **how: Any) -> Endpoint:
        given: dict[str, Any] = {"owner": "", "local": True} | how
        made = await self.webhooks.create(url, **given)
        return self.webhooks.get(made.webhook.id)

    async def receive(self, *texts: str, account: str = ANN, sender: str = BEN, at: int = 1) -> int:
        return await self.receive_frames(*(frame(text, account, sender) for text in texts), account=account, at=at)

    async def receive_frames(self, *frames: bytes, account: str = ANN, at: int = 1) -> int:
        envelopes = [NewEnvelope(account, at, data) for data in frames]
        first = await self.inbox.insert_many(envelopes)
        self.log.received(first, envelopes)
        return first

    async def say(self, state: str) -> None:
        self.log.publish(Event(id=0, type=EventType.ENGINE, account=None, time=1, engine=EngineChange(state=state)))
        await self.log.drain(PATIENCE)

    async def until_attempted(self, endpoint: Endpoint) -> None:
        """Until the attempt that is due was made and noted: the endpoint waits again, or is switched off."""
        async with asyncio.timeout(PATIENCE):
            while endpoint.webhook.off is None and (endpoint.webhook.pending is None or endpoint.webhook.pending.next_at <= self.clock.now):
                self.table.noted.clear()
                await self.table.noted.wait()

    async def until(self, endpoint: Endpoint, **values: object) -> None:
        """Until an endpoint's members have these values: they are noted right after a post was answered."""
        async with asyncio.timeout(PATIENCE):
            while any(getattr(endpoint.webhook, name) != value for name, value in values.items()):
                self.table.noted.clear()
                await self.table.noted.wait()


def frame(text: str, account: str = ANN, sender: str = BEN, **data: object) -> bytes:
    return msgspec.json.encode(
        {
            "envelope": {
                "source": sender, "sourceNumber": sender, "sourceName": "Ben", "timestamp": 1,
                "dataMessage": {"timestamp": 1, "message": text, **data},
            },
            "account": account,
        }
    )  # fmt: skip


@contextlib.asynccontextmanager
async def hooked(folder: Path, **how) -> AsyncIterator[Stack]:
    stack = Stack(folder, **how)
    await stack.start()
    try:
        yield stack
    finally:
        await stack.stop()
