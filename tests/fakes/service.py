"""The whole service for a test: on a free port, with everything in a temporary folder, attached to a fake signal-cli or simulated.

async with attached(tmp_path) as service:
service.daemon.on("send", Failure(-4, "…"))
reply = await service.post("/v2/send", {"message": "Hello", …})
assert (reply.status, reply.json) == (201, …)
"""

import io
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from multidict import CIMultiDictProxy
from yarl import URL

from signal_courier.courier import Courier
from signal_courier.settings import Settings
from tests.fakes.daemon import FakeDaemon

ANN, BEN = "+4915100000001", "+4915100000002"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes
    headers: CIMultiDictProxy[str]

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


@dataclass(frozen=True, slots=True)
class Service:
    """A running service and a client of it."""

    courier: Courier
    http: aiohttp.ClientSession
    daemon: FakeDaemon

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.courier.server.port}"

    async def ask(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Reply:
        """A request; bytes and forms go as they are, everything else as JSON. The path is taken as it is written."""
        if isinstance(body, bytes) and len(body) > 2**20:
            body = io.BytesIO(body)
        data = body if body is None or isinstance(body, bytes | io.BytesIO | aiohttp.FormData) else msgspec.json.encode(body)
        async with self.http.request(
            method, URL(self.base + path, encoded=True), data=data, headers=headers, allow_redirects=False
        ) as answer:
            return Reply(answer.status, await answer.read(), answer.headers)

    async def get(self, path: str) -> Reply:
        return await self.ask("GET", path)

    async def post(self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.ask("POST", path, body, headers=headers)

    async def delete(self, path: str, body: object = None) -> Reply:
        return await self.ask("DELETE", path, body)

    def calls(self, method: str = "send") -> list[dict[str, Any]]:
        """The parameters of every call of a method that signal-cli got, in order."""
        return [call.params for call in self.daemon.calls if call.method == method]

    def spooled(self) -> list[Path]:
        """What lies in the folder for temporary files."""
        return sorted(self.courier.settings.spool_dir.rglob("*"))


@asynccontextmanager
async def attached(folder: Path, daemon: FakeDaemon | None = None, **settings: Any) -> AsyncIterator[Service]:
    """The service attached to a fake daemon."""
    with tempfile.TemporaryDirectory() as short:  # a unix socket's path has 108 bytes at most
        async with daemon or FakeDaemon() as running:
            address = await running.listen_unix(Path(short) / "socket")
            async with _started(_settings(folder, signal_cli_socket=address, **settings), running) as service:
                yield service


@asynccontextmanager
async def simulated(folder: Path, **settings: Any) -> AsyncIterator[Service]:
    """The service with the simulator."""
    async with _started(_settings(folder, engine="simulator", **settings), FakeDaemon()) as service:
        yield service


def _settings(folder: Path, **settings: Any) -> Settings:
    usual: dict[str, Any] = {"port": 0, "mode": "json-rpc", "data_dir": folder / "data", "signal_cli_config_dir": folder / "config"}
    return Settings(**usual | settings)


@asynccontextmanager
async def _started(settings: Settings, daemon: FakeDaemon) -> AsyncIterator[Service]:
    settings.signal_cli_config_dir.mkdir(exist_ok=True)
    courier = Courier(settings)
    await courier.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Service(courier, http, daemon)
    finally:
        await courier.stop()
