"""One connection to a signal-cli daemon: lines out, lines in, a future for each call.

The protocol is signal-cli's JSON-RPC: one JSON document a line, UTF-8, requests worked on in parallel, answers in any order.
"""

import asyncio
import contextlib
import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, override

import msgspec

from signal_courier.engine.address import Address, open_connection, quick_ack
from signal_courier.engine.base import AlreadyStored, EnvelopeSink, Json, Params
from signal_courier.engine.deadlines import deadline_of
from signal_courier.engine.errors import (
    EngineError,
    EngineFault,
    EngineTimeout,
    EngineUnavailable,
    Rejected,
    RpcError,
    error_of,
    lost_answer,
)
from signal_courier.engine.journal import Journal

_log = logging.getLogger(__name__)

LONGEST_STRING: Final = 20_000_000
"""UTF-16 units; one more in any JSON string and signal-cli drops the connection without an answer."""
LONGEST_LINE: Final = 144 * 1024 * 1024
"""Bytes; a daemon that writes a longer line is not to be trusted with our memory. The longest that is meant is an answer of
`getAttachment`: Signal's largest file, 100 MiB, in base64."""
MOST_CALLS: Final = 4096
"""Calls in flight at the same time."""
_LAST_GASP: Final = 16 * 1024 * 1024
_READ_SIZE: Final = 256 * 1024
_NULL: Final = msgspec.Raw(b"null")


class _Request(msgspec.Struct):
    id: int
    method: str
    params: Params
    jsonrpc: str = "2.0"


class _Line(msgspec.Struct):
    """An answer or a notification. Everything that may be large or strange stays raw until it is known to be wanted."""

    id: int | str | None = None
    result: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL
    method: str | None = None
    params: msgspec.Raw = _NULL


class _Params(msgspec.Struct):
    """Parameters of a notification; `result` is there with `--receive-mode manual` only, the others without it."""

    result: msgspec.Raw = _NULL
    envelope: msgspec.Raw = _NULL
    exception: msgspec.Raw = _NULL


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_params = msgspec.json.Decoder(_Params).decode
_decode_error = msgspec.json.Decoder(RpcError | None).decode
_ID = re.compile(rb'"id"\s*:\s*"?(\d{1,15})')
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
"""An escape in JSON, a pair of surrogates as one; the group is a surrogate without its other half."""


class RpcConnection(asyncio.BufferedProtocol):
    """Calls and notifications over one open connection; of no use any more once it is lost.

    Make one with `connect`. Not thread-safe; everything happens on the event loop. With a journal, what comes is looked at first and taken
    from the socket once it is noted: a kill at any moment finds it in one of the two places.
    """

    def __init__(self, sink: EnvelopeSink, journal: Journal | None = None) -> None:
        self._sink = sink
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._quick_ack: Callable[[], None] | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._last_id = 0
        self._calls: dict[int, tuple[asyncio.Future[msgspec.Raw], float, str]] = {}
        self._space = memoryview(bytearray(_READ_SIZE))
        self._peeking: socket.socket | None = None
        """A second handle of the connection, to look at what comes."""
        self._peeked = b""
        """What was looked at, and is taken from the socket next."""
        self._noting = False
        """Whether what was looked at is in the journal."""
        self._outgoing: list[bytes] = []
        self._writable = asyncio.Event()
        self._writable.set()
        self._incoming: list[bytes] = []
        self._incoming_size = 0
        self._alarm: asyncio.TimerHandle | None = None
        self.reports_by_itself = False
        """Whether the daemon reports without being asked (it runs with another receive mode): a subscription would double all."""

    # -- calls

    async def call(self, method: str, params: Params, timeout: float | None = None) -> msgspec.Raw:
        """Ask and wait for the bytes of `result`; `timeout` in seconds, `None` = the method's own deadline.

        Raises `EngineUnavailable` when the connection is or gets lost, `EngineTimeout` when nobody answers, `Rejected` for what
        signal-cli could not read, and whatever `error_of` makes of an error object.
        """
        loop = self._loop
        deadline = loop.time() + (deadline_of(method, params) if timeout is None else timeout)
        if not self._writable.is_set():
            await self._until_writable(method, deadline)
        if self._lost.done():
            raise EngineUnavailable("The connection to signal-cli is lost")
        if len(self._calls) >= MOST_CALLS:
            raise EngineUnavailable(f"signal-cli has {MOST_CALLS} calls to answer already")
        self._last_id = number = self._last_id + 1
        line = _encode(_Request(number, method, params))
        if len(line) > LONGEST_STRING:
            _refuse_long_strings(params)
        future: asyncio.Future[msgspec.Raw] = loop.create_future()
        self._calls[number] = (future, deadline, method)
        if self._alarm is None or deadline < self._alarm.when():
            self._set_alarm(deadline)
        if not self._outgoing:
            loop.call_soon(self._flush)
        self._outgoing.append(line)
        try:
            return await future
        finally:
            self._calls.pop(number, None)

    async def _until_writable(self, method: str, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._writable.wait()
        except TimeoutError:
            unsent = EngineTimeout(f"signal-cli does not read what is written to it; {method} was not sent")
            unsent.uncertain = False
            raise unsent from None

    def _flush(self) -> None:
        lines = self._outgoing
        if not lines:
            return
        self._outgoing = []
        if self._transport is None or self._lost.done():
            return
        lines.append(b"")
        self._transport.write(b"\n".join(lines))

    def _set_alarm(self, when: float) -> None:
        """One timer for all calls, at the earliest deadline; a timer for each would cost more than the call."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._alarm = None
        now = self._loop.time()
        for future, deadline, method in self._calls.values():
            if deadline <= now and not future.done():
                future.set_exception(EngineTimeout(f"signal-cli did not answer {method} in time"))
        waiting = [deadline for future, deadline, _ in self._calls.values() if not future.done()]
        if waiting:
            self._set_alarm(min(waiting))

    # -- life of the connection

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return self._transport is not None and not self._lost.done()

    async def wait_lost(self) -> None:
        """Return once the connection is gone, for whatever reason."""
        await asyncio.shield(self._lost)

    def close(self) -> None:
        """Hang up; calls in flight fail with `EngineUnavailable`."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up without waiting for the daemon to take what is still to be written."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._quick_ack = quick_ack(transport)
        if self._journal is not None:
            self._journal.begin()
            sock = transport.get_extra_info("socket")
            self._peeking = socket.socket(fileno=os.dup(sock.fileno())) if sock is not None else None

    @override
    def pause_writing(self) -> None:
        """Called by asyncio: the daemon reads more slowly than we write."""
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        """Called by asyncio."""
        self._writable.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio: take what the daemon managed to write, then fail everything that waits."""
        if self._peeking is not None:
            self._peeking.close()
            self._peeking = None
        for data in self._last_gasp():
            self.take(data)
        if self._incoming and self._incoming[-1].endswith(b"}"):
            self.take(b"\n")  # signal-cli writes the newline by itself, and did not come to it any more
        if not self._lost.done():
            self._lost.set_result(None)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._writable.set()
        reason = f": {exc}" if exc else ""
        for future, _, method in self._calls.values():
            if not future.done():
                lost = EngineUnavailable(f"The connection to signal-cli dropped before it answered {method}{reason}")
                future.set_exception(lost_answer(lost))
        self._incoming.clear()

    def _last_gasp(self) -> Iterator[bytes]:
        """What is still in the kernel. asyncio drops it when a write fails, which is what happens when the daemon is killed."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is None:
            return
        taken = 0
        while taken < _LAST_GASP:
            try:
                data = os.read(sock.fileno(), _READ_SIZE)
            except OSError:
                return
            if not data:
                return
            taken += len(data)
            yield data

    # -- what comes in

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by asyncio before it reads: where to, and not more than was noted."""
        if self._peeking is None:
            return self._space
        try:
            data = bytes(self._space[: self._peeking.recv_into(self._space, 0, socket.MSG_PEEK)])
        except OSError:  # asyncio meets the same when it reads
            return self._space
        if not data:
            return self._space[:1]
        self._peeked = data
        self._note(data)
        return self._space[: len(data)]

    @override
    def buffer_updated(self, nbytes: int) -> None:
        """Called by asyncio when it has read."""
        peeked, self._peeked = self._peeked, b""
        if not peeked:
            self.take(bytes(self._space[:nbytes]))
            return
        if nbytes < len(peeked) and self._noting and self._journal is not None:
            self._journal.forget(len(peeked) - nbytes)
        self._read(peeked[:nbytes])

    def take(self, data: bytes) -> None:
        """Take a piece of the stream, of any size, that is out of the socket already."""
        self._note(data)
        self._read(data)

    def _note(self, data: bytes) -> None:
        """Keep a piece in the journal. Answers that came whole need none; whoever asked is gone with us."""
        self._noting = self._journal is not None and (bool(self._incoming) or b'"receive"' in data or not data.endswith(b"\n"))
        if self._noting and self._journal is not None:
            self._journal.append(data)

    def _read(self, data: bytes) -> None:
        if self._quick_ack is not None:
            self._quick_ack()
        end = data.rfind(b"\n")
        journal = self._journal if self._noting else None
        if end < 0:
            self._keep(data)
            return
        if self._incoming:
            self._incoming.append(data[:end])
            whole = b"".join(self._incoming)
            self._incoming.clear()
            self._incoming_size = 0
        else:
            whole = data[:end]
        for line in whole.split(b"\n"):
            reported = bool(line) and self._take(line)
            if journal is not None:
                journal.took(len(line) + 1, report=reported)
        if end + 1 < len(data):
            self._keep(data[end + 1 :])

    def _keep(self, piece: bytes) -> None:
        self._incoming.append(piece)
        self._incoming_size += len(piece)
        if self._incoming_size > LONGEST_LINE:
            _log.error("signal-cli wrote a line of more than %d bytes; hanging up", LONGEST_LINE)
            self._incoming.clear()
            self._incoming_size = 0
            self.abort()

    def _take(self, line: bytes) -> bool:
        """Give a line to whom it belongs; whether it was a report that is to be stored."""
        try:
            message = _decode_line(line) if line.isascii() else _decode_line(_readable(line))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            try:
                message = _decode_line(_without_halves(line))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self._take_unreadable(line)
                return False
        if message.method is not None:
            return self._take_notification(message.method, message.params)
        self._take_answer(message)
        return False

    def _take_answer(self, message: _Line) -> None:
        call = self._calls.get(_number(message.id))
        if call is None:
            if message.id is None:
                _log.warning("signal-cli could not read a request: %s", bytes(message.error)[:500].decode(errors="replace"))
            return
        future = call[0]
        if future.done():
            return
        if message.error is _NULL or message.error == _NULL:
            future.set_result(message.result)
        else:
            future.set_exception(_error(message.error))

    def _take_unreadable(self, line: bytes) -> None:
        """Fail the call whose answer this is, as far as that can be told."""
        _log.error("signal-cli wrote a line of %d bytes that is not JSON-RPC", len(line))
        _log.debug("The line begins %r", line[:200])
        found = _ID.search(line)
        call = self._calls.get(int(found[1])) if found else None
        if call is not None and not call[0].done():
            call[0].set_exception(lost_answer(EngineFault(f"signal-cli answered {call[2]} with something that is not JSON-RPC")))

    def _take_notification(self, method: str, params: msgspec.Raw) -> bool:
        if method != "receive":
            _log.debug("signal-cli reported %s, which nobody asked for", method)
            return False
        try:
            given = _decode_params(params)
        except msgspec.MsgspecError:
            _log.error("signal-cli reported an envelope that is not an object")
            return False
        if (result := given.result) is _NULL:
            if given.envelope is not _NULL or given.exception is not _NULL:
                self.reports_by_itself = True
            frame = params
        elif self.reports_by_itself:
            return False
        else:
            frame = result
        try:
            self._sink(bytes(frame))
        except AlreadyStored:
            return False
        except Exception:  # noqa: BLE001 - a failure in the sink, whatever it is, must not cost the envelopes behind this one
            _log.exception("An envelope could not be taken in")
            return False
        return True

    def replay(self, lines: Iterable[bytes]) -> int:
        """Take lines of an earlier connection that the journal has kept; gives how many reports were among them."""
        count = 0
        for line in lines:
            reported = bool(line) and self._take(line)
            count += reported
            if self._journal is not None:
                self._journal.took(len(line) + 1, report=reported)
        return count

    def fileno(self) -> int:
        """The connection's file descriptor, -1 when there is none."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        return -1 if sock is None else int(sock.fileno())


async def connect(address: Address, sink: EnvelopeSink, *, deadline: float = 5.0, journal: Journal | None = None) -> RpcConnection:
    """Open a connection within `deadline` seconds; raises `EngineUnavailable`."""
    try:
        async with asyncio.timeout(deadline):
            return await open_connection(address, lambda: RpcConnection(sink, journal))
    except TimeoutError:
        raise EngineUnavailable(f"signal-cli does not accept connections at {address}") from None
    except OSError as error:
        raise EngineUnavailable(f"signal-cli cannot be reached at {address}: {error.strerror or error}") from error


def _readable(line: bytes) -> bytes:
    """The line with a replacement character for what is no UTF-8: a client would hang up on it, a text with a hole it can show."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode(errors="replace").encode()
    return line


def _without_halves(line: bytes) -> bytes:
    """The line, readable, with a replacement character for each escaped surrogate that has no other half."""
    return _ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], _readable(line))


def _number(answered: int | str | None) -> int:
    """The id as we gave it; some daemons give it back as a string."""
    if isinstance(answered, int):
        return answered
    with contextlib.suppress(ValueError):
        return int(answered or 0)
    return 0


def _error(raw: msgspec.Raw) -> EngineError:
    try:
        error = _decode_error(raw)
    except msgspec.MsgspecError:
        error = None
    if error is None:
        return EngineFault("signal-cli answered with an error that cannot be read")
    return error_of(error)


def _refuse_long_strings(params: Params) -> None:
    for name, value in params.items():
        if _longest(value) > LONGEST_STRING:
            raise Rejected(f"{name} is longer than {LONGEST_STRING} characters, which is the most that signal-cli takes")


def _longest(value: Json) -> int:
    """Length of the longest string in it, as Java counts."""
    if isinstance(value, str):
        return len(value) if len(value) > LONGEST_STRING or value.isascii() else len(value.encode("utf-16-le", "surrogatepass")) // 2
    if isinstance(value, Mapping):
        return max((max(_longest(key), _longest(entry)) for key, entry in value.items()), default=0)
    if isinstance(value, (list, tuple)):
        return max(map(_longest, value), default=0)
    return 0
