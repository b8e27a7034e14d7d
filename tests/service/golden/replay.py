"""All exchanges, one after the other, with one service: what it answered, and what it asked the backend for."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp
import msgspec
from yarl import URL

from signal_courier.courier import Courier
from signal_courier.settings import Settings
from tests.service.golden.backend import RecordedBackend
from tests.service.golden.reading import READ_ONLY
from tests.service.golden.recordings import BackendCall, Exchange, backend, exchanges

type Transport = Literal["unix", "tcp"]


@dataclass(frozen=True)
class Observed:
    """What became of one exchange."""

    exchange: Exchange
    status: int
    headers: Mapping[str, str]
    body: bytes
    calls: Sequence[BackendCall]
    spooled: Sequence[str]
    """Temporary files that were left behind."""


async def replay(transport: Transport) -> dict[str, Observed]:
    """Every exchange by its name."""
    recorded = backend()
    with tempfile.TemporaryDirectory() as folder:  # a short path: a unix socket's may have 107 characters
        root = Path(folder)
        received = root / "config" / "attachments"
        received.mkdir(parents=True)
        for attachment in recorded.initial_state.attachments:
            (received / attachment.name).write_bytes(attachment.base64)
        async with RecordedBackend(recorded) as daemon:
            address = await (daemon.listen_unix(root / "socket") if transport == "unix" else daemon.listen_tcp())
            courier = Courier(
                Settings(
                    port=0,
                    mode="json-rpc",
                    data_dir=root / "data",
                    signal_cli_config_dir=root / "config",
                    signal_cli_socket=address,
                    build_version=recorded.build_version,
                )
            )
            await courier.start()
            try:
                async with aiohttp.ClientSession(f"http://127.0.0.1:{courier.server.port}", auto_decompress=False) as client:
                    return {exchange.case: await _play(exchange, client, daemon, courier) for exchange in exchanges()}
            finally:
                await courier.stop()


async def _play(exchange: Exchange, client: aiohttp.ClientSession, daemon: RecordedBackend, courier: Courier) -> Observed:
    daemon.exceptions = exchange.override
    daemon.heard.clear()
    data, content_type = exchange.body, None
    if data is not None and not isinstance(data, str):
        data, content_type = msgspec.json.encode(data), "application/json"
    async with client.request(
        exchange.method,
        URL(exchange.path, encoded=True),
        data=data.encode() if isinstance(data, str) else data,
        headers={"Content-Type": content_type} if content_type else {},
        skip_auto_headers=["Content-Type"],
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=15),
    ) as answer:
        body = await answer.read()
    daemon.exceptions = {}
    await _settled(exchange, client, daemon)
    spool = courier.settings.spool_dir
    return Observed(exchange, answer.status, answer.headers, body, list(daemon.heard), [path.name for path in spool.rglob("*")])


async def _settled(exchange: Exchange, client: aiohttp.ClientSession, daemon: RecordedBackend) -> None:
    """Wait for calls that the service makes in the background; then one more call shows that nothing else was on its way."""
    await daemon.wait_heard((call.method for call in exchange.backend or [] if call.method not in READ_ONLY), seconds=1)
    async with client.get(f"/v1/devices/{backend().account}") as answer:
        assert answer.status == 200
