"""A fast stand-in for the signal-cli daemon: answers at once, and can flood. Run as `python -m tests.bench.backend SOCKET|PORT`.

One JSON-RPC request a line. The figures it makes possible are those of the service in front of it, not its own. Besides signal-cli's
methods it takes `flood {count}`: that many notifications to everybody connected, as fast as they are taken; and `tick {count}`: that many,
one every 10 ms, each with the time at which it was written.
"""

import asyncio
import json
import re
import sys
import time
from typing import override

ACCOUNT = "+4915100000001"
RECIPIENT = "+4915100000002"
SOCIABLE = "+4915100000003"
"""An account with 100 groups; every other has three."""
TICKS_PER_SECOND = 100
_ID = re.compile(rb'"id"\s*:\s*("[^"]*"|\d+)')
_METHOD = re.compile(rb'"method"\s*:\s*"(\w+)"')
_COUNT = re.compile(rb'"count"\s*:\s*(\d+)')


def _member(group: int, member: int) -> dict[str, str]:
    return {"number": f"+49151{group:04}{member:04}", "uuid": f"{group:08x}-0000-4000-8000-{member:012x}"}


def _groups(count: int) -> list[dict[str, object]]:
    return [
        {
            "id": f"{group:043}=",
            "name": f"Group {group}",
            "description": "A group for measuring",
            "isMember": True,
            "isBlocked": False,
            "messageExpirationTime": 0,
            "members": [_member(group, member) for member in range(10)],
            "pendingMembers": [],
            "requestingMembers": [],
            "admins": [_member(group, 0)],
            "banned": [],
            "permissionAddMember": "EVERY_MEMBER",
            "permissionEditDetails": "EVERY_MEMBER",
            "permissionSendMessage": "EVERY_MEMBER",
            "groupInviteLink": None,
        }
        for group in range(count)
    ]


def _bytes(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_RESULTS = {
    b"send": _bytes(
        {
            "timestamp": 1700000000123,
            "results": [{"recipientAddress": {"uuid": "11111111-1111-4111-8111-111111111111", "number": RECIPIENT}, "type": "SUCCESS"}],
        }
    ),
    b"listAccounts": _bytes([{"number": ACCOUNT}]),
    b"listGroups": _bytes(_groups(3)),
    b"getUserStatus": _bytes([{"recipient": RECIPIENT, "number": RECIPIENT, "uuid": None, "isRegistered": True}]),
    b"version": _bytes({"version": "0.14.6"}),
    b"subscribeReceive": b"0",
}


_MANY_GROUPS = _bytes(_groups(100))


def notification(number: int, text: str = "message") -> bytes:
    """One received message as a line; its timestamp is `number`, so that order and loss can be seen."""
    return _bytes(
        {
            "jsonrpc": "2.0",
            "method": "receive",
            "params": {
                "envelope": {
                    "source": RECIPIENT,
                    "sourceNumber": RECIPIENT,
                    "sourceUuid": "11111111-1111-4111-8111-111111111111",
                    "sourceName": "Bench",
                    "sourceDevice": 1,
                    "timestamp": 1700000000000 + number,
                    "serverReceivedTimestamp": 1700000000000 + number,
                    "serverDeliveredTimestamp": 1700000000000 + number,
                    "dataMessage": {"timestamp": 1700000000000 + number, "message": f"{text} {number}", "expiresInSeconds": 0},
                },
                "account": ACCOUNT,
            },
        }
    )


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._rest = b""
        self._writable = asyncio.Event()
        self._writable.set()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _everybody.add(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        _everybody.discard(self)
        self._writable.set()

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    @override
    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        answers = []
        for line in lines:
            if not (found := _ID.search(line)) or not (method := _METHOD.search(line)):
                continue
            if (push := _PUSHES.get(method[1])) and (count := _COUNT.search(line)):
                task = asyncio.get_running_loop().create_task(push(int(count[1])))
                _pushing.add(task)
                task.add_done_callback(_pushing.discard)
            result = _RESULTS.get(method[1], b"{}")
            if method[1] == b"listGroups" and SOCIABLE.encode() in line:
                result = _MANY_GROUPS
            answers.append(b'{"jsonrpc":"2.0","result":%b,"id":%b}\n' % (result, found[1]))
        self._transport.write(b"".join(answers))

    @override
    def eof_received(self) -> bool:
        """A client that asks once ends its line by ending what it writes."""
        if self._rest:
            self.data_received(b"\n")
            self._transport.close()
        return False

    async def push(self, lines: bytes) -> None:
        self._transport.write(lines)
        await self._writable.wait()


_everybody: set[_Connection] = set()
_pushing: set[asyncio.Task[None]] = set()


async def _flood(count: int) -> None:
    for first in range(0, count, 200):
        lines = b"".join(notification(number) + b"\n" for number in range(first, min(first + 200, count)))
        await asyncio.gather(*(connection.push(lines) for connection in list(_everybody)))


async def _tick(count: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / TICKS_PER_SECOND - loop.time()))
        line = notification(number, f"sent {time.monotonic_ns()} as") + b"\n"
        await asyncio.gather(*(connection.push(line) for connection in list(_everybody)))


_PUSHES = {b"flood": _flood, b"tick": _tick}


async def _serve(address: str) -> None:
    loop = asyncio.get_running_loop()
    if address.isdigit():
        server = await loop.create_server(_Connection, "127.0.0.1", int(address))
    else:
        server = await loop.create_unix_server(_Connection, address)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
