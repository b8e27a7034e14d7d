"""What the JSON-RPC client promises, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from signal_courier.engine.address import parse_address
from signal_courier.engine.errors import AccountUnknown, EngineFault, EngineTimeout, EngineUnavailable, RateLimited, Rejected
from signal_courier.engine.rpc import LONGEST_STRING, RpcConnection, connect
from tests.fakes.daemon import Failure, FakeDaemon, HangUp, Held, RawAnswer, Silence

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
async def daemon() -> AsyncIterator[FakeDaemon]:
    async with FakeDaemon() as fake:
        yield fake


class Sink(list[bytes]):
    """Keeps envelopes, and lets a test wait for a number of them."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def __call__(self, frame: bytes) -> None:
        self.append(frame)
        self._more.set()

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self) < count:
                self._more.clear()
                await self._more.wait()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture(params=["unix", "tcp"])
async def connection(request: pytest.FixtureRequest, daemon: FakeDaemon, sink: Sink, tmp_path: Path) -> AsyncIterator[RpcConnection]:
    text = await (daemon.listen_unix(tmp_path / "s") if request.param == "unix" else daemon.listen_tcp())
    rpc = await connect(parse_address(text), sink)
    yield rpc
    rpc.close()
    await rpc.wait_lost()


async def test_an_answer_comes_back_as_the_bytes_of_its_result(daemon: FakeDaemon, connection: RpcConnection) -> None:
    daemon.on("listGroups", [{"id": "g", "name": "Grüße 👋"}])
    assert msgspec.json.decode(await connection.call("listGroups", {"account": "+4915100000001"})) == [{"id": "g", "name": "Grüße 👋"}]
    assert daemon.calls[0].params == {"account": "+4915100000001"}


async def test_answers_out_of_order_reach_the_calls_they_belong_to(daemon: FakeDaemon, connection: RpcConnection) -> None:
    gates: list[asyncio.Event] = [asyncio.Event() for _ in range(100)]
    order: list[int] = []

    async def answer(params: dict[str, int]) -> int:
        await gates[params["n"]].wait()
        order.append(params["n"])
        if params["n"]:
            gates[params["n"] - 1].set()
        return params["n"] * 7

    daemon.on("echo", answer)
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(connection.call("echo", {"n": n})) for n in range(100)]
        gates[99].set()
    assert [int(bytes(call.result())) for call in calls] == [n * 7 for n in range(100)]
    assert order == list(range(99, -1, -1))


async def test_a_daemon_that_gives_ids_back_as_strings_is_understood(sink: Sink, tmp_path: Path) -> None:
    async with FakeDaemon(string_ids=True) as daemon:
        rpc = await connect(parse_address(await daemon.listen_unix(tmp_path / "s")), sink)
        assert msgspec.json.decode(await rpc.call("version", {})) == {"version": "0.14.6"}
        rpc.close()


async def test_calls_in_flight_fail_at_once_when_the_connection_drops(daemon: FakeDaemon, connection: RpcConnection) -> None:
    daemon.on("send", Silence())
    async with asyncio.timeout(30):
        calls = [asyncio.create_task(connection.call("send", {"n": n}, timeout=60)) for n in range(50)]
        for _ in calls:
            await daemon.next_call("send")
        begun = time.monotonic()
        daemon.drop_connections()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {EngineUnavailable}
    assert time.monotonic() - begun < 30  # not the 60 of each
    assert not connection.is_open
    with pytest.raises(EngineUnavailable):
        await connection.call("version", {})


async def test_a_connection_that_drops_instead_of_an_answer_fails_the_call(daemon: FakeDaemon, connection: RpcConnection) -> None:
    daemon.on("send", HangUp())
    with pytest.raises(EngineUnavailable, match="before it answered send"):
        await connection.call("send", {})


async def test_a_daemon_that_never_answers_meets_the_deadline(daemon: FakeDaemon, connection: RpcConnection) -> None:
    daemon.on("send", Silence())
    begun = time.monotonic()
    with pytest.raises(EngineTimeout, match="send"):
        await connection.call("send", {}, timeout=0.2)
    assert 0.15 < time.monotonic() - begun < 10


async def test_each_call_has_its_own_deadline(daemon: FakeDaemon, connection: RpcConnection) -> None:
    slowly = Held("late, but in time")
    daemon.on("slow", slowly)
    daemon.on("never", Silence())
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(connection.call("slow", {}, timeout=50))
        short = [group.create_task(_timed_out(connection, seconds)) for seconds in (0.3, 0.1, 0.2)]
        await asyncio.wait(short)
        slowly.release()
    assert bytes(slow.result()) == b'"late, but in time"'
    assert all(0 <= task.result() < 10 for task in short)


async def _timed_out(connection: RpcConnection, seconds: float) -> float:
    """How much later than asked."""
    begun = time.monotonic()
    with pytest.raises(EngineTimeout):
        await connection.call("never", {}, timeout=seconds)
    return time.monotonic() - begun - seconds


async def test_an_answer_after_the_deadline_disturbs_nobody(daemon: FakeDaemon, connection: RpcConnection) -> None:
    held = Held("too late")
    daemon.on("send", held)
    with pytest.raises(EngineTimeout):
        await connection.call("send", {}, timeout=0.05)
    held.release()
    assert msgspec.json.decode(await connection.call("version", {})) == {"version": "0.14.6"}


async def test_a_cancelled_call_leaves_nothing_behind(daemon: FakeDaemon, connection: RpcConnection) -> None:
    held = Held({})
    daemon.on("send", held)
    call = asyncio.create_task(connection.call("send", {}))
    await daemon.next_call("send")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    held.release()
    await connection.call("version", {})
    assert call.cancelled()


@pytest.mark.parametrize("text", ["x" * (LONGEST_STRING + 1), "👋" * (LONGEST_STRING // 2 + 1)], ids=["ascii", "outside the BMP"])
async def test_a_string_that_would_kill_the_connection_is_refused_by_name(daemon: FakeDaemon, connection: RpcConnection, text: str) -> None:
    with pytest.raises(Rejected, match=r"attachments.*20000000"):
        await connection.call("send", {"message": "x", "attachments": [text]})
    assert not daemon.calls
    await connection.call("version", {})


async def test_a_string_of_exactly_the_limit_goes_through(daemon: FakeDaemon, connection: RpcConnection) -> None:
    daemon.on("send", lambda params: len(params["message"]))
    assert bytes(await connection.call("send", {"message": "x" * LONGEST_STRING})) == b"20000000"


async def test_errors_keep_code_and_text(daemon: FakeDaemon, connection: RpcConnection) -> None:
    daemon.on("send", Failure(-32602, "Specified account does not exist"))
    with pytest.raises(AccountUnknown, match="Specified account does not exist"):
        await connection.call("send", {})
    daemon.on("send", Failure(0, "something of the backend's own"))
    with pytest.raises(Rejected, match="something of the backend's own") as caught:
        await connection.call("send", {})
    assert caught.value.code == 0


async def test_a_rate_limit_brings_its_token(daemon: FakeDaemon, connection: RpcConnection) -> None:
    results = [{"type": "RATE_LIMIT_FAILURE", "token": "T", "retryAfterSeconds": 86400, "recipientAddress": {"number": "+4915100000002"}}]
    daemon.on("send", Failure(-5, "Failed to send message due to rate limiting", {"response": {"timestamp": 1, "results": results}}))
    with pytest.raises(RateLimited) as caught:
        await connection.call("send", {})
    assert (caught.value.tokens, caught.value.retry_after) == (("T",), 86400)


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":%d,"result":{"timestamp":17000',
        b'{"jsonrpc":"2.0","id":"%d","result":nonsense}',
        b'{"jsonrpc":"2.0","id":%d,"error":"not an object"}',
        b'{"jsonrpc":"2.0","id":%d,"error":{"code":"minus one"}}',
        b'{"jsonrpc":"2.0","id":%d,"result":"\xff\xfe',
    ],
)
async def test_an_answer_that_cannot_be_read_fails_its_call_only(daemon: FakeDaemon, connection: RpcConnection, line: bytes) -> None:
    daemon.on("send", RawAnswer(line))
    with pytest.raises(EngineFault):
        await connection.call("send", {}, timeout=5)
    assert msgspec.json.decode(await connection.call("version", {})) == {"version": "0.14.6"}


async def test_an_answer_without_result_is_null(daemon: FakeDaemon, connection: RpcConnection) -> None:
    daemon.on("send", RawAnswer(b'{"jsonrpc":"2.0","id":%d,"error":null}'))
    assert bytes(await connection.call("send", {})) == b"null"


async def test_foreign_lines_are_skipped(daemon: FakeDaemon, connection: RpcConnection, sink: Sink) -> None:
    await connection.call("subscribeReceive", {})
    daemon.write_raw(b"\n\nWARN something on stdout\n[]\n{}\n" + b'{"jsonrpc":"2.0","method":"callEvent","params":{"subscription":0}}\n')
    daemon.write_raw(b'{"jsonrpc":"2.0","method":"receive","params":[1]}\n{"jsonrpc":"2.0","id":null,"error":{"code":-32700}}\n')
    daemon.write_raw(b'{"jsonrpc":"2.0","id":9999,"result":{}}\n{"jsonrpc":"2.0","id":"abc","result":{}}\n')
    daemon.notify({"timestamp": 1})
    await sink.reach(1)
    assert len(sink) == 1


@pytest.mark.parametrize("direct", [False, True], ids=["subscription", "on-start"])
async def test_envelopes_arrive_byte_for_byte_in_order(tmp_path: Path, sink: Sink, direct: bool) -> None:
    frames = [
        b'{"envelope": {"timestamp":1 , "n":1.0, "text":"\\u00fc\\ud83d\\ude00 \xf0\x9f\x91\x8b"},"account":"+4915100000001"}',
        b'{"account":"+4915100000001","exception":{"message":"m","type":"UntrustedIdentityException"}}',
        *(b'{"envelope":{"timestamp":%d},"account":"+4915100000001"}' % n for n in range(10_000)),
    ]
    async with FakeDaemon(direct=direct) as daemon:
        rpc = await connect(parse_address(await daemon.listen_unix(tmp_path / "s")), sink)
        await rpc.call("subscribeReceive", {})
        for frame in frames:
            daemon.notify_raw(frame)
        await sink.reach(len(frames))
        rpc.close()
    assert sink == frames


async def test_a_message_with_a_character_that_is_none_is_kept_with_a_hole_in_its_text(
    daemon: FakeDaemon, connection: RpcConnection, sink: Sink
) -> None:
    await connection.call("subscribeReceive", {})
    daemon.notify_raw(b'{"envelope":{"message":"a\xff\xc3z \xc3\xa9"},"account":"+4915100000001"}')
    daemon.notify_raw(rb'{"envelope":{"message":"\\ud83d \ud83d \ud83d\ude00 \ude00\u0041"},"account":"+4915100000001"}')
    await sink.reach(2)
    texts = [msgspec.json.decode(frame)["envelope"]["message"] for frame in sink]
    assert texts == [
        "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}z é",
        "\\ud83d \N{REPLACEMENT CHARACTER} 😀 \N{REPLACEMENT CHARACTER}A",
    ]


async def test_a_report_of_nothing_is_no_sign_of_a_daemon_that_reports_by_itself(
    daemon: FakeDaemon, connection: RpcConnection, sink: Sink
) -> None:
    await connection.call("subscribeReceive", {})
    daemon.write_raw(b'{"jsonrpc":"2.0","method":"receive","params":{}}\n')
    daemon.notify({"timestamp": 1})
    await sink.reach(2)
    assert not connection.reports_by_itself


async def test_lines_may_be_cut_anywhere(daemon: FakeDaemon, connection: RpcConnection, sink: Sink) -> None:
    await connection.call("subscribeReceive", {})
    frame = b'{"envelope":{"message":"%s"},"account":"+4915100000001"}' % ("ü👋" * 40).encode()
    line = b'{"jsonrpc":"2.0","method":"receive","params":{"subscription":0,"result":%s}}\n' % frame
    stream = line * 20
    for start in range(0, len(stream), 97):
        connection.take(stream[start : start + 97])
    assert sink == [frame] * 20


async def test_an_answer_of_many_megabytes_arrives(daemon: FakeDaemon, connection: RpcConnection) -> None:
    daemon.on("getAttachment", {"data": "A" * 40_000_000})
    assert len(await connection.call("getAttachment", {})) == 40_000_011


@pytest.mark.slow
async def test_the_largest_file_of_signal_arrives_and_hangs_up_on_nobody(daemon: FakeDaemon, connection: RpcConnection) -> None:
    whole = b"A" * (100 * 1024 * 1024 * 4 // 3)
    daemon.on("getAttachment", RawAnswer(b'{"jsonrpc":"2.0","id":%d,"result":{"data":"' + whole + b'"}}'))
    assert len(await connection.call("getAttachment", {})) == len(whole) + len('{"data":""}')
    assert bytes(await connection.call("version", {}))


async def test_a_line_without_end_does_not_eat_the_memory(
    daemon: FakeDaemon, connection: RpcConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal_courier.engine.rpc.LONGEST_LINE", 1_000_000)
    daemon.on("send", RawAnswer(b"x" * 3_000_000))
    with pytest.raises(EngineUnavailable):
        await connection.call("send", {}, timeout=5)


async def test_an_envelope_that_the_sink_cannot_take_costs_only_itself(daemon: FakeDaemon, tmp_path: Path) -> None:
    taken: list[bytes] = []

    def sink(frame: bytes) -> None:
        if b'"timestamp":2' in frame:
            raise RuntimeError("the disk is full")
        taken.append(frame)

    rpc = await connect(parse_address(await daemon.listen_unix(tmp_path / "s")), sink)
    await rpc.call("subscribeReceive", {})
    for timestamp in (1, 2, 3):
        daemon.notify({"timestamp": timestamp})
    await rpc.call("version", {})
    assert [msgspec.json.decode(frame)["envelope"]["timestamp"] for frame in taken] == [1, 3]
    rpc.close()


async def test_what_a_killed_daemon_wrote_is_read_to_the_end_although_a_write_fails(tmp_path: Path, sink: Sink) -> None:
    """The loop itself forgets what it has not read yet when a write meets the dead socket."""
    rpc: RpcConnection | None = None
    written = b"".join(
        b'{"jsonrpc":"2.0","method":"receive","params":{"envelope":{"timestamp":%d},"account":"+4915100000001"}}\n' % n for n in range(1000)
    )

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(written)
        writer.transport.abort()

    server = await asyncio.start_unix_server(serve, str(tmp_path / "s"))
    rpc = await connect(parse_address(f"unix:{tmp_path / 's'}"), sink)
    with pytest.raises(EngineUnavailable):
        await rpc.call("version", {}, timeout=5)
    await rpc.wait_lost()
    assert len(sink) == 1000
    server.close()
    await server.wait_closed()


async def test_calls_of_one_turn_are_written_together(daemon: FakeDaemon, connection: RpcConnection) -> None:
    transport = connection._transport
    assert transport is not None
    watched = _Watched(transport)
    connection._transport = watched  # type: ignore[assignment]  # a transport that counts
    await asyncio.gather(*(connection.call("version", {}) for _ in range(64)))
    assert watched.lines == [64]


class _Watched:
    """The real transport, and how many lines each write had."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.lines: list[int] = []

    def write(self, data: bytes) -> None:
        self.lines.append(data.count(b"\n"))
        self._transport.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


@pytest.mark.parametrize(
    "text",
    ["", "/run/socket", "unix:relative", "unix:/" + "x" * 200, "tcp:7583", "tcp:host:", "tcp:host:0", "tcp:host:65536", "http://host:1"],
)
def test_an_address_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|must"):
        parse_address(text)


@pytest.mark.parametrize("text", ["unix:/run/signal-cli/socket", "tcp:127.0.0.1:7583", "tcp:[::1]:7583", "tcp:host:1"])
def test_an_address_reads_as_it_is_written(text: str) -> None:
    assert str(parse_address(text)) == text


async def test_nobody_listening_is_said_at_once(tmp_path: Path, sink: Sink) -> None:
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await connect(parse_address(f"unix:{tmp_path / 'nobody'}"), sink)
