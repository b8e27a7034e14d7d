"""Load: wrk for requests, raw sockets for WebSocket floods."""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import override

from tests.bench.backend import ACCOUNT, RECIPIENT
from tests.bench.candidates import Server

SEND_BODY = json.dumps({"message": "The washing machine is done", "number": ACCOUNT, "recipients": [RECIPIENT]})
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_MARK = b'"serverDeliveredTimestamp"'


@dataclass(frozen=True)
class Requests:
    """What a load of requests showed. Times in ms, CPU in µs a request."""

    rate: float
    p50: float
    p99: float
    cpu: float
    errors: int


def wrk_is_there() -> bool:
    """Whether the load generator can be had."""
    return shutil.which("wrk") is not None


def requests(server: Server, path: str, *, connections: int, seconds: float, body: str | None = None) -> Requests:
    """Ask as fast as answers come."""
    script = 'wrk.headers["Content-Type"] = "application/json"\n'
    if body is not None:
        script += f'wrk.method = "POST"\nwrk.body = {json.dumps(body)}\n'
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        before = server.cpu()
        run = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", file.name, f"{server.base}{path}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 30,
        )
        used = server.cpu() - before
    count = int(_find(r"(\d+) requests in", run.stdout))
    errors = sum(int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", run.stdout))
    errors += int(_find(r"Non-2xx or 3xx responses: (\d+)", run.stdout, "0"))
    return Requests(
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", run.stdout)),
        p50=_duration(_find(r"^ +50% +(\S+)", run.stdout)),
        p99=_duration(_find(r"^ +99% +(\S+)", run.stdout)),
        cpu=used / count * 1e6 if count else 0.0,
        errors=errors,
    )


def _find(pattern: str, text: str, default: str | None = None) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        if default is None:
            raise RuntimeError(f"wrk said nothing like {pattern}: {text}")
        return default
    return found[1]


def _duration(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    assert found is not None
    return float(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True)
class Upload:
    """What one large attachment cost. Memory in MiB."""

    seconds: float
    cpu_seconds: float
    peak: float
    after: float


def upload(server: Server, mebibytes: int) -> Upload:
    """Send one attachment of that size in one message."""
    data = base64.b64encode(os.urandom(mebibytes << 20)).decode()
    body = json.dumps({"message": "picture", "number": ACCOUNT, "recipients": [RECIPIENT], "base64_attachments": [data]}).encode()
    server.forget_peak()
    before, began = server.cpu(), time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = f"POST /v2/send HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        connection.sendall(body)
        answer = connection.recv(65536)
    seconds = time.perf_counter() - began
    if b" 201 " not in answer.partition(b"\r\n")[0]:
        raise RuntimeError(f"{server.name} answered {answer[:200]!r}")
    peak, used = server.peak(), server.cpu() - before
    time.sleep(1)
    return Upload(seconds, used, peak, server.memory())


@dataclass(frozen=True)
class Flood:
    """What became of a flood of received messages."""

    seconds: float
    rate: float
    """Frames a second over all clients."""
    lost: int
    cpu_seconds: float
    memory: float


class _Listener(asyncio.Protocol):
    """A WebSocket client that only counts."""

    def __init__(self, expected: int) -> None:
        self.count = 0
        self._expected = expected
        self._tail = b""
        self.upgraded = asyncio.get_running_loop().create_future()
        self.done = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /v1/receive/{ACCOUNT} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    @override
    def data_received(self, data: bytes) -> None:
        if not self.upgraded.done():
            self.upgraded.set_result(None)
        data = self._tail + data
        self.count += data.count(_MARK)
        # what lies behind the last mark may hold the beginning of the next
        self._tail = data[max(data.rfind(_MARK) + len(_MARK), len(data) - len(_MARK) + 1) :]
        if self.count >= self._expected and not self.done.done():
            self.done.set_result(None)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.upgraded, self.done):
            if not future.done():
                future.set_result(None)


def flood(server: Server, *, clients: int, messages: int, deadline: float = 60) -> Flood:
    """Push `messages` through to `clients` WebSockets and count what arrives."""
    return asyncio.run(_flood(server, clients, messages, deadline))


async def _flood(server: Server, clients: int, messages: int, deadline: float) -> Flood:
    loop = asyncio.get_running_loop()
    listeners = [
        (await loop.create_connection(lambda: _Listener(messages), "127.0.0.1", server.port))[1] for _ in range(clients)
    ]  # fmt: skip
    await asyncio.wait_for(asyncio.gather(*(listener.upgraded for listener in listeners)), 20)
    before, began = server.cpu(), time.perf_counter()
    reader, writer = await asyncio.open_unix_connection(server.backend, limit=1 << 24)
    writer.write(b'{"jsonrpc":"2.0","method":"flood","params":{"count":%d},"id":"flood"}\n' % messages)

    async def swallow() -> None:
        while await reader.read(1 << 20):
            pass

    swallower = asyncio.create_task(swallow())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(listener.done for listener in listeners)), deadline)
    seconds = time.perf_counter() - began
    delivered = sum(listener.count for listener in listeners)
    result = Flood(seconds, delivered / seconds, clients * messages - delivered, server.cpu() - before, server.memory())
    swallower.cancel()
    writer.close()
    for listener in listeners:
        listener.transport.abort()
    return result


def temporary_folder() -> Path:
    """A folder for sockets and data, with a short path."""
    return Path(tempfile.mkdtemp(prefix="bench-"))
