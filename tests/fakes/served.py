"""The whole service on a free port, before a fake daemon or the simulator, and a client that talks to it.

async with served(tmp_path) as service:                      # a fake daemon behind it: service.daemon
    answer = await service.put("/v1/profiles/+49…", {"name": "Me"})
    assert (answer.status, answer.json) == (204, None)
"""

import asyncio
import contextlib
import io
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from signal_courier.courier import Courier
from signal_courier.settings import Settings
from tests.fakes.daemon import FakeDaemon

ACCOUNT = "+4915100000001"


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body, `None` when it is empty."""
        return msgspec.json.decode(self.body) if self.body else None

    @property
    def error(self) -> str:
        """The text of an error answer."""
        return str(self.json["error"])


class Service:
    """The running service."""

    def __init__(self, courier: Courier, daemon: FakeDaemon | None, session: aiohttp.ClientSession) -> None:
        self.courier = courier
        self._daemon = daemon
        self._session = session

    @property
    def daemon(self) -> FakeDaemon:
        """The fake that is behind it."""
        assert self._daemon is not None
        return self._daemon

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """What signal-cli was asked for, without the engine's own questions and without the account."""
        own = {"version", "listAccounts", "subscribeReceive", "unsubscribeReceive"}
        return [
            (call.method, {key: value for key, value in call.params.items() if key != "account"})
            for call in self.daemon.calls
            if call.method not in own
        ]

    def asked(self, method: str = "send") -> list[dict[str, Any]]:
        """The parameters of every call of one method, the account too, in order."""
        return [call.params for call in self.daemon.calls if call.method == method]

    def spooled(self) -> list[Path]:
        """What lies in the folder for temporary files."""
        return sorted(self.courier.settings.spool_dir.rglob("*"))

    async def request(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """One request; `body`: bytes and forms as they are, anything else as JSON. The path is sent as it is spelled."""
        if isinstance(body, bytes) and len(body) > 2**20:
            body = io.BytesIO(body)
        data = body if isinstance(body, bytes | io.BytesIO | aiohttp.FormData | None) else msgspec.json.encode(body)
        url = URL(f"http://127.0.0.1:{self.courier.server.port}{path}", encoded=True)
        async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.request("GET", path, **headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Reply:
        return await self.request("POST", path, body, **headers)

    async def put(self, path: str, body: object = None) -> Reply:
        return await self.request("PUT", path, body)

    async def patch(self, path: str, body: object = None) -> Reply:
        return await self.request("PATCH", path, body)

    async def delete(self, path: str, body: object = None) -> Reply:
        return await self.request("DELETE", path, body)


@contextlib.asynccontextmanager
async def served(
    folder: Path, answers: Mapping[str, object] | None = None, *, accounts: tuple[str, ...] = (ACCOUNT,), **settings: Any
) -> AsyncIterator[Service]:
    """The service before a fake daemon that answers so."""
    with tempfile.TemporaryDirectory() as short:  # the path of a unix socket has 107 characters at most
        async with FakeDaemon(answers, accounts=accounts) as daemon:
            address = await daemon.listen_unix(Path(short) / "socket")
            async with _running(folder, daemon, signal_cli_socket=address, **settings) as service:
                await daemon.wait_subscribed()
                yield service


@contextlib.asynccontextmanager
async def simulated(folder: Path, **settings: Any) -> AsyncIterator[Service]:
    """The service before the simulator."""
    async with _running(folder, None, engine="simulator", **settings) as service:
        yield service


@contextlib.contextmanager
def simulated_on_a_thread(folder: Path, **settings: Any) -> Iterator[str]:
    """The same on a thread of its own, for clients that wait for its answers; gives its address."""
    loop = asyncio.new_event_loop()
    started: Future[str] = Future()
    stop = asyncio.Event()

    async def run() -> None:
        async with simulated(folder, **settings) as service:
            started.set_result(f"http://127.0.0.1:{service.courier.server.port}")
            await stop.wait()

    def work() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield started.result(timeout=10)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)


@contextlib.asynccontextmanager
async def _running(folder: Path, daemon: FakeDaemon | None, **settings: Any) -> AsyncIterator[Service]:
    given: dict[str, Any] = {
        "port": 0,
        "data_dir": folder / "data",
        "signal_cli_config_dir": folder / "config",
        "mode": "json-rpc",
    } | settings
    courier = Courier(Settings(**given))
    (folder / "config").mkdir(parents=True, exist_ok=True)
    await courier.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Service(courier, daemon, session)
    finally:
        await courier.stop()
