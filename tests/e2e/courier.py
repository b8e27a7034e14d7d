"""The service under test: a process of its own with the lab's signal-cli behind it, and a client for it."""

import asyncio
import contextlib
import io
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from tests.e2e.lab.datafolder import write_accounts
from tests.e2e.lab.laboratory import ROOT, Lab
from tests.e2e.lab.person import Person, until_delivered
from tests.e2e.lab.reports import Json, Reports
from tests.fakes.sse import EventSource

_START_SECONDS = 120
_STOP_SECONDS = 20
_CALL_SECONDS = 120
_LISTENS = re.compile(rb"listens on (http://\S+)")


class ServiceEnded(Exception):
    """It was not there any more when it should have been stopped."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str
    call: str
    """What was asked, for messages of failed tests."""

    def json(self) -> Any:
        """The body as JSON, None when it is empty."""
        return msgspec.json.decode(self.body) if self.body else None

    def expect(self, *statuses: int) -> Any:
        """The JSON of an answer with one of these statuses (of an answer that is not JSON: None)."""
        assert self.status in statuses, f"{self.call} -> {self.status} {self.body[:1000]!r}"
        return self.json() if "json" in self.content_type else None


class Courier:
    """A running service."""

    def __init__(self, process: asyncio.subprocess.Process, base: str, session: aiohttp.ClientSession, home: Path, log: Path) -> None:
        self.process = process
        self.base = base
        self.home = home
        """signal-cli's data folder."""
        self.log = log
        self.session = session

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """A request; `body` is sent as JSON unless it is None, `raw` as it is."""
        data = io.BytesIO(msgspec.json.encode(body) if raw is None else raw) if body is not None or raw is not None else None
        address = URL(self.base + path, encoded=True).update_query(query or {})
        async with self.session.request(method, address, data=data, headers=headers) as answer:
            return Reply(answer.status, await answer.read(), answer.content_type, f"{method} {path} {str(body)[:300]}")

    @contextlib.asynccontextmanager
    async def stream(self, number: str) -> AsyncIterator[Reports]:
        """What `GET /v1/receive/{number}` sends over a WebSocket."""
        reports = Reports()
        async with self.session.ws_connect(f"{self.base}/v1/receive/{number}", max_msg_size=0) as socket:
            reading = asyncio.create_task(_read(socket, reports))
            try:
                yield reports
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def events(self, **query: str) -> AsyncIterator[Reports]:
        """What `GET /api/v2/events` tells as server-sent events, from now on."""
        reports = Reports()
        async with EventSource.connect(self.session, str(URL(f"{self.base}/api/v2/events").with_query(query))) as source:
            reading = asyncio.create_task(_follow(source, reports))
            try:
                yield reports
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def ready(self, *numbers: str) -> None:
        """Waits until signal-cli answers and has these accounts."""
        reply = None
        try:
            async with asyncio.timeout(_START_SECONDS):
                while True:
                    reply = await self.call("GET", "/v1/accounts")
                    if reply.status == 200 and set(numbers) <= set(reply.json()):
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise TimeoutError(f"not ready; the last answer was {reply}; the log ends:\n{self.log_end()}") from None

    def log_end(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:])

    def signal_cli(self) -> int | None:
        """The process id of its signal-cli, None while there is none."""
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and b"org.asamk.signal.Main" in (folder / "cmdline").read_bytes():
                    return int(folder.name)
        return None

    def kill_signal_cli(self) -> bool:
        """Kills its signal-cli without a warning; whether there was one."""
        pid = self.signal_cli()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid is not None


@dataclass(frozen=True, slots=True)
class House:
    """A service with one registered account that knows all people, and listens."""

    courier: Courier
    number: str
    aci: str
    inbox: Reports

    async def call(self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None) -> Reply:
        """A request; `{n}` in the path stands for the account's number."""
        return await self.courier.call(method, path.replace("{n}", self.number), body, query=query)

    async def send(self, *recipients: str, **fields: object) -> int:
        """`POST /v2/send` from the account; gives the timestamp in ms."""
        reply = await self.call("POST", "/v2/send", {"number": self.number, "recipients": list(recipients), **fields})
        (sent,) = reply.expect(201)
        assert isinstance(sent["timestamp"], str)
        return int(sent["timestamp"])

    async def native(self, method: str, path: str, body: Mapping[str, object] | None = None, **query: str) -> Reply:
        """A request to `/api/v2` for the account: it is named in the body where there is one, else in the query."""
        if body is not None and method == "POST":
            return await self.call(method, f"/api/v2{path}", {"account": self.number, **body}, query=query)
        return await self.call(method, f"/api/v2{path}", body, query={"account": self.number, **query})

    async def receives(self, wanted: Callable[[Json], bool], *, within: float = 60) -> Json:
        """The first envelope that is wanted."""
        report = await self.inbox.take(lambda report: wanted(report["envelope"]), within=within)
        assert report["account"] == self.number
        envelope: Json = report["envelope"]
        return envelope

    async def greets(self, person: Person) -> None:
        """Sends a first message until it was delivered; see `Person.greets`."""

        async def say() -> int | None:
            greeting = {"number": self.number, "recipients": [person.aci], "message": "I am a house"}
            reply = await self.call("POST", "/v2/send", greeting)
            return int(reply.json()[0]["timestamp"]) if reply.status == 201 else None

        await until_delivered(say, self.receives)

    async def receives_data(self, wanted: Callable[[Json], bool], *, within: float = 60) -> Json:
        """The first `dataMessage` that is wanted."""
        envelope = await self.receives(lambda envelope: wanted(envelope.get("dataMessage") or {}), within=within)
        message: Json = envelope["dataMessage"]
        return message

    async def receives_text(self, text: str, *, within: float = 60) -> Json:
        """The `dataMessage` with this text."""
        return await self.receives_data(lambda message: message.get("message") == text, within=within)


@contextlib.asynccontextmanager
async def running_courier(
    lab: Lab,
    name: str,
    numbers: list[str],
    *,
    program: Sequence[str] = ("signal_courier", "serve"),
    at_once: bool = False,
    **settings: str,
) -> AsyncIterator[Courier]:
    """Starts the service over the lab's signal-cli with registered accounts; stops it, and looks whether that was clean.

    Args:
        lab: where.
        name: of its folder in the lab; short, for sockets are in there too.
        numbers: the accounts to write to signal-cli's data folder first; none when the folder is there already.
        program: the module to run, and its arguments.
        at_once: as soon as it listens, without waiting for signal-cli.
        settings: environment variables beside the necessary ones.
    """
    folder = lab.folder / name
    home, log = folder / "home", folder / "log"
    folder.mkdir(exist_ok=True)
    if numbers:
        write_accounts(home, numbers)
        await lab.levers.load(home)
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'addon'}:{ROOT}",
        "PORT": "0",
        "MODE": "json-rpc",
        "LOG_LEVEL": "debug",
        "COURIER_DATA_DIR": str(folder / "data"),
        "SIGNAL_CLI": str(lab.launcher),
        "SIGNAL_CLI_CONFIG_DIR": str(home),
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
    with log.open("ab") as output:
        before = output.tell()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *program, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        base = await _address(process, log, before)
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            courier = Courier(process, base, session, home, log)
            if not at_once:
                await courier.ready(*numbers)
            yield courier
    except BaseException:
        await _stop(process)
        raise
    if process.returncode is not None:
        raise ServiceEnded(f"the service ended with {process.returncode}; its log ends:\n{courier.log_end()}")
    assert await _stop(process) == 0, f"the service did not stop cleanly; its log ends:\n{courier.log_end()}"


@contextlib.asynccontextmanager
async def running_house(lab: Lab, name: str, number: str, **settings: str) -> AsyncIterator[House]:
    """Starts the service with one account that is known to all people and knows them, and listens to what it receives."""
    async with running_courier(lab, name, [number], at_once=False, **settings) as courier, courier.stream(number) as inbox:
        house = House(courier, number, (await lab.levers.account(number)).aci, inbox)
        (await house.call("PUT", "/v1/profiles/{n}", {"name": name})).expect(204)
        for person in lab.people.values():
            await person.greets(house.aci, f"I am {person.name}")
            await house.greets(person)
        yield house


async def _follow(source: EventSource, reports: Reports) -> None:
    with contextlib.suppress(EOFError):
        while True:
            reports.add((await source.next(timeout=_CALL_SECONDS)).json)
    reports.close()


async def _read(socket: aiohttp.ClientWebSocketResponse, reports: Reports) -> None:
    async for frame in socket:
        if frame.type is aiohttp.WSMsgType.TEXT:
            reports.add(msgspec.json.decode(frame.data))
    reports.close()


async def _address(process: asyncio.subprocess.Process, log: Path, before: int) -> str:
    """Where it listens; it says so in its first lines, which go to the log."""
    async with asyncio.timeout(_START_SECONDS):
        while process.returncode is None:
            if said := _LISTENS.search(_read_log(log), before):
                return said[1].decode()
            await asyncio.sleep(0.05)
    raise RuntimeError(f"the service ended with {process.returncode}: {_read_log(log)[-2000:].decode(errors='replace')}")


def _read_log(log: Path) -> bytes:
    return log.read_bytes()


async def _stop(process: asyncio.subprocess.Process) -> int:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
    return process.returncode if process.returncode is not None else -1
