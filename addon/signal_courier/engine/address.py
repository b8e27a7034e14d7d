"""Where a signal-cli daemon listens: `unix:/path` or `tcp:host:port`."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import override

UNIX_PATH_LIMIT = 107
"""Bytes of path that fit in a `sockaddr_un` (108 with the closing NUL)."""


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A unix socket; the fast way (0.1 ms a call)."""

    path: Path

    @override
    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A TCP port, for a daemon on another machine or in another container."""

    host: str
    port: int

    @override
    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp:{host}:{self.port}"


type Address = UnixAddress | TcpAddress


def parse_address(text: str) -> Address:
    """Read `unix:/path` or `tcp:host:port` (IPv6 in brackets); raises `ValueError` that says what is wrong."""
    scheme, _, rest = text.partition(":")
    if scheme == "unix":
        if not rest.startswith("/"):
            raise ValueError(f"{text!r}: the path of a unix socket must be absolute, as in unix:/run/signal-cli/socket")
        if len(rest.encode()) > UNIX_PATH_LIMIT:
            raise ValueError(f"{text!r}: the path of a unix socket must not be longer than {UNIX_PATH_LIMIT} bytes")
        return UnixAddress(Path(rest))
    if scheme == "tcp":
        host, _, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
            return TcpAddress(host, int(port))
        raise ValueError(f"{text!r}: expected tcp:host:port, as in tcp:127.0.0.1:7583")
    raise ValueError(f"{text!r}: expected unix:/path or tcp:host:port")


async def open_connection[P: asyncio.BaseProtocol](address: Address, protocol: Callable[[], P]) -> P:
    """Connect; raises `OSError`. Has no deadline of its own."""
    loop = asyncio.get_running_loop()
    if isinstance(address, UnixAddress):
        _, connected = await loop.create_unix_connection(protocol, str(address.path))
    else:
        _, connected = await loop.create_connection(protocol, address.host, address.port)
    return connected


def peer_process(connection: int) -> int | None:
    """The process that listens at the other end of a unix socket, given its file descriptor; `None` where that cannot be told."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None or connection < 0:
        return None
    with socket.socket(fileno=os.dup(connection)) as same:
        if same.family != socket.AF_UNIX:
            return None
        (pid,) = struct.unpack_from("i", same.getsockopt(socket.SOL_SOCKET, option, 12))
    return int(pid) or None


def quick_ack(transport: asyncio.BaseTransport) -> Callable[[], None] | None:
    """What to call after each read so that the kernel acknowledges at once; `None` where it makes no difference.

    signal-cli writes an answer and its newline separately and leaves Nagle's algorithm on, so that over TCP the newline waits
    for our delayed acknowledgement: 44 ms a call without this, 0.4 ms with it. Linux forgets the option, hence after each read.
    """
    sock = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_QUICKACK", None)
    if sock is None or option is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None

    def acknowledge() -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, option, 1)

    acknowledge()
    return acknowledge
