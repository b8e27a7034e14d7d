"""A scriptable stand-in for signal-cli's multi-account daemon.

It speaks the real protocol over real sockets (unix or TCP): newline-delimited JSON-RPC, requests in parallel, answers in any
order, subscriptions, both notification wrappers. In a test:

    async with FakeDaemon() as daemon:
        address = await daemon.listen_unix(tmp_path / "socket")        # "unix:/…"; listen_tcp() gives "tcp:127.0.0.1:port"
        daemon.on("listGroups", [{"id": "…"}])                         # an answer
        daemon.on("send", Failure(-1, "Failed to send message"))       # an error
        daemon.on("version", Silence())                                # no answer at all
        daemon.on("send", lambda params: {"timestamp": params["x"]})   # computed; may be async, may raise Failure
        daemon.notify({"timestamp": 1, …}, account="+4915100000001")   # an envelope to whoever subscribed
        call = await daemon.next_call("send")                          # what arrived: call.method, call.params

As a process of its own: `python -m tests.fakes.daemon --socket PATH | --tcp HOST:PORT [--answers FILE.json] [--accounts N,N]`;
it prints one line with its address when it listens.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

DEFAULT_ACCOUNTS = ("+4915100000001", "+4915100000002")
DEFAULT_TIMESTAMP = 1700000000123
_RECIPIENT = {"uuid": "11111111-1111-4111-8111-111111111111", "number": "+4915100000002", "username": None}

_SENDING = frozenset(
    {"send", "sendReaction", "sendReceipt", "sendTyping", "remoteDelete", "sendPaymentNotification", "sendPinMessage", "sendUnpinMessage"}
    | {"sendPollCreate", "sendPollVote", "sendPollTerminate", "sendAdminDelete", "sendStory", "joinGroup", "quitGroup", "updateGroup"}
)
_LISTS = frozenset({"listContacts", "listGroups", "listIdentities", "listDevices", "listStickerPacks", "listCalls", "getUserStatus"})


class Failure(Exception):
    """An error object as answer."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": data}


@dataclass
class Silence:
    """Never answered."""


@dataclass
class HangUp:
    """The connection is dropped instead of an answer."""


@dataclass
class RawAnswer:
    """Exactly these bytes, with `%d` for the id."""

    line: bytes


@dataclass
class Delayed:
    """An answer after so many seconds."""

    seconds: float
    answer: object


@dataclass
class Held:
    """An answer that waits until the test calls `release()`."""

    answer: object
    _gate: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let it go, and all later ones."""
        self._gate.set()

    async def wait(self) -> None:
        """Wait for `release`."""
        await self._gate.wait()


@dataclass
class Call:
    """One request as it arrived."""

    method: str
    params: dict[str, Any]
    id: int | str | None


class _Connection:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.subscriptions: dict[int, str | None] = {}

    def wants(self, account: str) -> list[int]:
        return [number for number, wanted in self.subscriptions.items() if wanted is None or wanted == account]


class FakeDaemon:
    """See the module's text. `string_ids`: answers carry the id as a string. `direct`: as `--receive-mode on-start` does."""

    def __init__(
        self,
        answers: Mapping[str, object] | None = None,
        *,
        accounts: Iterable[str] = DEFAULT_ACCOUNTS,
        version: str = "0.14.6",
        direct: bool = False,
        string_ids: bool = False,
    ) -> None:
        self.accounts = list(accounts)
        self.version = version
        self.direct = direct
        self.string_ids = string_ids
        self.calls: list[Call] = []
        self.waiting: deque[tuple[str, bytes]] = deque()
        """Envelopes (account, JSON) that nobody has subscribed to yet, as Signal's server would keep them."""
        self._first_answers = dict(answers or {})
        self._answers: dict[str, object] = dict(self._first_answers)
        self._connections: set[_Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription_ids = itertools.count()
        self._changed = asyncio.Condition()
        self._seen: dict[str, int] = {}

    # -- life

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def listen_unix(self, path: Path) -> str:
        """Listen there; gives the address as the service's setting wants it."""
        self._servers.append(await asyncio.start_unix_server(self._serve, str(path), limit=64 * 1024 * 1024))
        return f"unix:{path}"

    async def listen_tcp(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen on a port (0: any)."""
        server = await asyncio.start_server(self._serve, host, port, limit=64 * 1024 * 1024)
        self._servers.append(server)
        return f"tcp:{host}:{server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening, drop all connections."""
        for server in self._servers:
            server.close()
        self.drop_connections()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def drop_connections(self) -> None:
        """As a crash would: everybody is cut off at once."""
        for connection in list(self._connections):
            self._connections.discard(connection)
            connection.writer.transport.abort()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    # -- script

    def on(self, method: str, answer: object) -> None:
        """Answer this method so from now on: JSON, a function of the parameters, or one of this module's classes."""
        self._answers[method] = answer

    def forget(self) -> None:
        """Answer as in the beginning, and know of no calls."""
        self._answers = dict(self._first_answers)
        self.calls.clear()
        self._seen.clear()

    async def next_call(self, method: str, timeout: float = 30) -> Call:
        """The first call of this method that no earlier `next_call` has given."""
        async with asyncio.timeout(timeout), self._changed:
            while True:
                matching = [call for call in self.calls if call.method == method]
                seen = self._seen.get(method, 0)
                if len(matching) > seen:
                    self._seen[method] = seen + 1
                    return matching[seen]
                await self._changed.wait()

    async def wait_subscribed(self, timeout: float = 30) -> None:
        """Until somebody wants envelopes."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(self.is_subscribed)

    async def wait_unsubscribed(self, timeout: float = 30) -> None:
        """Until nobody wants envelopes."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: not self.is_subscribed())

    def is_subscribed(self) -> bool:
        """Whether anybody wants envelopes."""
        return any(connection.subscriptions for connection in self._connections)

    def notify(self, envelope: Mapping[str, object], account: str = DEFAULT_ACCOUNTS[0]) -> None:
        """Report an envelope to all who subscribed; kept for the next subscriber when there is none."""
        self.notify_raw(msgspec.json.encode({"envelope": envelope, "account": account}), account)

    def notify_raw(self, frame: bytes, account: str = DEFAULT_ACCOUNTS[0]) -> None:
        """The same with the exact bytes of the `{"envelope", "account"}` object."""
        sent = False
        for connection in self._connections:
            if self.direct:
                connection.writer.write(b'{"jsonrpc":"2.0","method":"receive","params":' + frame + b"}\n")
                sent = True
                continue
            for number in connection.wants(account):
                head = b'{"jsonrpc":"2.0","method":"receive","params":{"subscription":%d,"result":' % number
                connection.writer.write(head + frame + b"}}\n")
                sent = True
        if not sent:
            self.waiting.append((account, frame))

    def write_raw(self, data: bytes) -> None:
        """Anything at all, to every client."""
        for connection in self._connections:
            connection.writer.write(data)

    async def drain(self) -> None:
        """Until the clients have read what was written."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                await connection.writer.drain()

    async def flushed(self) -> None:
        """Until the kernel has everything that was written."""
        for connection in list(self._connections):
            connection.writer.transport.set_write_buffer_limits(0)
            with contextlib.suppress(OSError):
                await connection.writer.drain()

    # -- protocol

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = _Connection(writer)
        self._connections.add(connection)
        sock = writer.get_extra_info("socket")
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with asyncio.TaskGroup() as answers:
                await self._read_all(connection, reader, answers)
        except* (_Gone, OSError, asyncio.IncompleteReadError):
            pass
        except* asyncio.CancelledError:
            pass
        finally:
            self._connections.discard(connection)
            self._tasks.discard(task)
            writer.close()
            async with self._changed:
                self._changed.notify_all()

    async def _read_all(self, connection: _Connection, reader: asyncio.StreamReader, answers: asyncio.TaskGroup) -> None:
        while line := await reader.readline():
            if len(line) > 20_000_000 and _has_huge_string(line):
                break
            self._read(connection, line, answers)
        raise _Gone

    def _read(self, connection: _Connection, line: bytes, answers: asyncio.TaskGroup) -> None:
        try:
            request = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            self._reply(connection, {"jsonrpc": "2.0", "error": {"code": -32700, "message": str(error), "data": None}, "id": None})
            return
        call = Call(request["method"], request.get("params") or {}, request.get("id"))
        self.calls.append(call)
        answer = self._answers.get(call.method, _UNSET)
        if answer is _UNSET:
            answer = self._default(connection, call)
        if isinstance(answer, Failure) or not (callable(answer) or isinstance(answer, (Delayed, Held, Silence, HangUp, RawAnswer))):
            self._answer(connection, call, answer)
        else:
            answers.create_task(self._answer_later(connection, call, answer))
        answers.create_task(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _answer_later(self, connection: _Connection, call: Call, answer: object) -> None:
        while True:
            if isinstance(answer, Silence):
                return
            if isinstance(answer, HangUp):
                connection.writer.transport.abort()
                return
            if isinstance(answer, RawAnswer):
                connection.writer.write(answer.line.replace(b"%d", str(call.id).encode()) + b"\n")
                return
            if isinstance(answer, Delayed):
                await asyncio.sleep(answer.seconds)
                answer = answer.answer
            elif isinstance(answer, Held):
                await answer.wait()
                answer = answer.answer
            elif callable(answer):
                try:
                    answer = answer(call.params)
                    if isinstance(answer, Awaitable):
                        answer = await answer
                except Failure as failure:
                    answer = failure
            else:
                self._answer(connection, call, answer)
                return

    def _answer(self, connection: _Connection, call: Call, answer: object) -> None:
        number = str(call.id) if self.string_ids else call.id
        if isinstance(answer, Failure):
            self._reply(connection, {"jsonrpc": "2.0", "error": answer.error, "id": number})
        else:
            self._reply(connection, {"jsonrpc": "2.0", "result": answer, "id": number})

    @staticmethod
    def _reply(connection: _Connection, message: Mapping[str, object]) -> None:
        connection.writer.write(msgspec.json.encode(message) + b"\n")

    def _default(self, connection: _Connection, call: Call) -> object:
        """What a healthy daemon would say."""
        method, params = call.method, call.params
        if method == "version":
            return {"version": self.version}
        if method == "listAccounts":
            return [{"number": number} for number in self.accounts]
        if method == "subscribeReceive":
            return self._subscribe(connection, params.get("account"))
        if method == "unsubscribeReceive":
            subscription = params.get("subscription") if isinstance(params, dict) else params[0]
            connection.subscriptions.pop(int(subscription or 0), None)
            return {}
        account = params.get("account")
        if account is not None and account not in self.accounts and method not in {"register", "verify", "deleteLocalAccountData"}:
            return Failure(-32602, "Specified account does not exist")
        if method in _SENDING:
            return {"timestamp": DEFAULT_TIMESTAMP, "results": [{"recipientAddress": _RECIPIENT, "type": "SUCCESS"}]}
        if method in _LISTS:
            return []
        if method == "startLink":
            return {"deviceLinkUri": "sgnl://linkdevice?uuid=AAAAAAAAAAAAAAAAAAAAAA&pub_key=BQ"}
        return {}

    def _subscribe(self, connection: _Connection, account: str | None) -> int:
        number = next(self._subscription_ids)
        connection.subscriptions[number] = account
        kept, self.waiting = self.waiting, deque()
        # After the answer, as the real one does.
        asyncio.get_running_loop().call_soon(self._deliver, kept)
        return number

    def _deliver(self, kept: Iterable[tuple[str, bytes]]) -> None:
        for account, frame in kept:
            self.notify_raw(frame, account)


class _Gone(Exception):
    """The client has left; ends the tasks that would still answer it."""


_UNSET = object()


def _has_huge_string(line: bytes) -> bool:
    """Whether the real one's JSON reader would give up."""

    def longest(value: object) -> int:
        if isinstance(value, str):
            return len(value)
        if isinstance(value, dict):
            return max((longest(entry) for entry in value.values()), default=0)
        if isinstance(value, list):
            return max(map(longest, value), default=0)
        return 0

    return longest(json.loads(line)) > 20_000_000


@contextlib.asynccontextmanager
async def daemon_process(*arguments: str, python: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The fake in a process of its own, for tests that kill or measure; gives the process and the address."""
    process = await asyncio.create_subprocess_exec(python, "-m", "tests.fakes.daemon", *arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        address = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
        yield process, address
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _main(arguments: argparse.Namespace) -> None:
    daemon = FakeDaemon(arguments.answers, accounts=arguments.accounts.split(","), version=arguments.version, direct=arguments.direct)
    async with daemon:
        if arguments.socket:
            address = await daemon.listen_unix(Path(arguments.socket))
        else:
            host, _, port = arguments.tcp.rpartition(":")
            address = await daemon.listen_tcp(host, int(port))
        print(address, flush=True)
        await asyncio.get_running_loop().create_future()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--socket")
    parser.add_argument("--tcp", default="127.0.0.1:0")
    parser.add_argument("--answers", type=lambda name: json.loads(Path(name).read_text()), help="JSON file: method → result")
    parser.add_argument("--accounts", default=",".join(DEFAULT_ACCOUNTS))
    parser.add_argument("--version", default="0.14.6")
    parser.add_argument("--direct", action="store_true", help="notifications as with --receive-mode on-start")
    return parser.parse_args()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(_parse()))
