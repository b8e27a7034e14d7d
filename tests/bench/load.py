"""Load: wrk for requests, raw sockets for uploads and WebSockets."""

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
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import override

from tests.bench.backend import ACCOUNT, RECIPIENT
from tests.bench.candidates import Server

SEND_BODY = json.dumps({"message": "The washing machine is done", "number": ACCOUNT, "recipients": [RECIPIENT]})
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_MARK = b'"serverDeliveredTimestamp"'
_SENT = re.compile(rb"sent (\d+) as")


@dataclass(frozen=True)
class Requests:
    """What a load of requests showed. Times in ms, CPU in µs a request."""

    rate: float
    p50: float
    p99: float
    tail: float
    """p99 as a multiple of p50."""
    cpu: float
    errors: int


def wrk_is_there() -> bool:
    """Whether the load generator can be had."""
    return shutil.which("wrk") is not None


def requests(server: Server, path: str, *, connections: int, seconds: float, body: str | None = None) -> Requests:
    """Ask as fast as answers come."""
    script = 'wrk.headers["Content-Type"] = "application/json"\n'
    if server.token is not None:
        script += f'wrk.headers["Authorization"] = "Bearer {server.token}"\n'
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
    p50, p99 = (_duration(_find(rf"^ +{percent}% +(\S+)", run.stdout)) for percent in (50, 99))
    return Requests(
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", run.stdout)),
        p50=p50,
        p99=p99,
        tail=p99 / p50 if p50 else 0.0,
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
    """What large attachments cost. Memory in MiB."""

    seconds: float
    """Until the last of them was answered."""
    cpu_seconds: float
    peak: float
    after: float


def upload(server: Server, mebibytes: int, *, at_once: int = 1) -> Upload:
    """Send one attachment of that size in one message; `at_once`: as many of them side by side."""
    data = base64.b64encode(os.urandom(mebibytes << 20)).decode()
    body = json.dumps({"message": "picture", "number": ACCOUNT, "recipients": [RECIPIENT], "base64_attachments": [data]}).encode()
    server.forget_peak()
    before, began = server.cpu(), time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        for answer in threads.map(lambda _: _post(server, body), range(at_once)):
            if b" 201 " not in answer.partition(b"\r\n")[0]:
                raise RuntimeError(f"{server.name} answered {answer[:200]!r}")
    seconds = time.perf_counter() - began
    peak, used = server.peak(), server.cpu() - before
    time.sleep(1)
    return Upload(seconds, used, peak, server.memory())


def _post(server: Server, body: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = f"POST /v2/send HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        connection.sendall(body)
        return connection.recv(65536)


def asked(server: Server, path: str) -> float:
    """Seconds until one request was answered."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"{server.base}{path}", timeout=120) as answer:
        answer.read()
    return time.perf_counter() - began


@dataclass(frozen=True)
class Flood:
    """What became of a flood of received messages."""

    rate: float
    """Frames a second over all clients."""
    lost: int
    cpu: float
    """CPU µs a frame."""
    memory: float


@dataclass(frozen=True)
class Latency:
    """Milliseconds from the daemon's write to a client's read; lost frames; CPU µs a frame."""

    p50: float
    p99: float
    lost: int
    cpu: float


class _Listener(asyncio.Protocol):
    """A WebSocket client that only counts."""

    def __init__(self, expected: int) -> None:
        self.count = 0
        self._expected = expected
        self._tail = b""
        self.delays: list[int] = []
        """Nanoseconds, of messages that say when they were sent."""
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
        if times := _SENT.findall(data):
            now = time.monotonic_ns()
            self.delays += [now - int(sent) for sent in times]
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
    """Push `messages` through to `clients` WebSockets as fast as they are taken, and count what arrives."""
    frames = clients * messages
    seconds, cpu, listeners = asyncio.run(_push(server, "flood", clients, messages, deadline))
    delivered = sum(listener.count for listener in listeners)
    return Flood(delivered / seconds, frames - delivered, cpu / frames * 1e6, server.memory())


def latency(server: Server, *, clients: int, messages: int, deadline: float = 60) -> Latency:
    """Push a message every 10 ms to `clients` WebSockets, and measure how long each takes."""
    frames = clients * messages
    _, cpu, listeners = asyncio.run(_push(server, "tick", clients, messages, deadline))
    delays = sorted(delay / 1e6 for listener in listeners for delay in listener.delays)
    return Latency(delays[len(delays) // 2], delays[len(delays) * 99 // 100], frames - len(delays), cpu / frames * 1e6)


async def _push(server: Server, method: str, clients: int, messages: int, deadline: float) -> tuple[float, float, list[_Listener]]:
    """Seconds, CPU seconds and the clients once all have everything, or at the deadline."""
    loop = asyncio.get_running_loop()
    listeners = [
        (await loop.create_connection(lambda: _Listener(messages), "127.0.0.1", server.port))[1] for _ in range(clients)
    ]  # fmt: skip
    await asyncio.wait_for(asyncio.gather(*(listener.upgraded for listener in listeners)), 20)
    before, began = server.cpu(), time.perf_counter()
    reader, writer = await asyncio.open_unix_connection(server.backend, limit=1 << 24)
    writer.write(b'{"jsonrpc":"2.0","method":"%b","params":{"count":%d},"id":"push"}\n' % (method.encode(), messages))

    async def swallow() -> None:
        while await reader.read(1 << 20):
            pass

    swallower = asyncio.create_task(swallow())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(listener.done for listener in listeners)), deadline)
    seconds, used = time.perf_counter() - began, server.cpu() - before
    swallower.cancel()
    writer.close()
    for listener in listeners:
        listener.transport.abort()
    return seconds, used, listeners


def temporary_folder() -> Path:
    """A folder for sockets and data, with a short path."""
    return Path(tempfile.mkdtemp(prefix="bench-"))
