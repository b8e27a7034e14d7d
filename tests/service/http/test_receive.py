"""`/v1/receive`: every message reaches whoever listens, once, in order, byte for byte."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from signal_courier.courier import Courier
from signal_courier.http.streaming import websocket
from signal_courier.settings import Settings
from tests.fakes.listener import Listener, frame_of
from tests.fakes.served import simulated

ANN, BEN = "+4915100000001", "+4915100000002"
ENVELOPES = Path(__file__).parents[2] / "data" / "envelopes"


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Courier]:
    """The whole service with the simulator, on a free port."""
    courier = Courier(
        Settings(port=0, data_dir=folder / "data", signal_cli_config_dir=folder / "config", engine="simulator", mode="json-rpc")
    )
    await courier.start()
    try:
        yield courier
    finally:
        await asyncio.wait_for(courier.stop(), 30)


@pytest.fixture
async def courier(tmp_path: Path) -> AsyncIterator[Courier]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def url(courier: Courier, query: str = "", account: str = ANN) -> str:
    return f"http://127.0.0.1:{courier.server.port}/v1/receive/{account}{query}"


async def inject(courier: Courier, *frames: bytes) -> None:
    """Report frames as the engine does, and wait until they are committed."""
    for frame in frames:
        courier.receiving.inbox.accept(frame)
    await asyncio.wait_for(courier.receiving.inbox.committed(), 30)


async def pulled(http: aiohttp.ClientSession, courier: Courier, query: str = "?timeout=0", account: str = ANN) -> list[bytes]:
    async with http.get(url(courier, query, account)) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        return [bytes(item) for item in msgspec.json.decode(await answer.read(), type=list[msgspec.Raw])]


async def test_message_arrives_although_nobody_was_connected(courier: Courier, http: aiohttp.ClientSession) -> None:
    frames = [frame_of(ANN, number) for number in range(3)]
    await inject(courier, *frames)
    assert await pulled(http, courier) == frames
    assert await pulled(http, courier) == []


async def test_message_arrives_after_a_restart(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    frames = [frame_of(ANN, number) for number in range(6)]
    async with running(tmp_path) as courier:
        await inject(courier, *frames[:4])
        assert await pulled(http, courier, "?timeout=0&max_messages=2") == frames[:2]
    async with running(tmp_path) as courier:
        await inject(courier, *frames[4:])
        assert await pulled(http, courier) == frames[2:]


async def test_first_socket_gets_what_waited_and_then_what_comes(courier: Courier) -> None:
    frames = [frame_of(ANN, number) for number in range(5)]
    await inject(courier, *frames[:3])
    async with Listener.connect(courier.server.port, ANN) as listener:
        assert await listener.frames(3) == frames[:3]
        await inject(courier, *frames[3:])
        assert await listener.frames(2) == frames[3:]


@pytest.mark.parametrize("compress", [0, 15])
async def test_an_ordinary_client_reads_frames_of_every_size(courier: Courier, http: aiohttp.ClientSession, compress: int) -> None:
    sizes = (0, 30, 31, 60_000, 65_500, 3_000_000)
    frames = [frame_of(ANN, 1)[:-1] + b',"padding":"' + b"x" * size + b'"}' for size in sizes]
    async with http.ws_connect(url(courier), compress=compress, max_msg_size=0) as listener:
        await inject(courier, *frames)
        assert [(await listener.receive_str(timeout=10)).encode() for _ in frames] == frames
        assert await listener.close()


async def test_what_a_socket_got_is_not_delivered_again(courier: Courier, http: aiohttp.ClientSession) -> None:
    await inject(courier, frame_of(ANN, 1))
    async with Listener.connect(courier.server.port, ANN) as listener:
        await listener.frames(1)
    assert await pulled(http, courier) == []


async def test_every_live_socket_gets_a_copy(courier: Courier) -> None:
    frames = [frame_of(ANN, number) for number in range(100)]
    async with (
        Listener.connect(courier.server.port, ANN) as one,
        Listener.connect(courier.server.port, ANN) as two,
        Listener.connect(courier.server.port, ANN) as three,
    ):
        await inject(courier, *frames)
        assert [*await asyncio.gather(one.frames(100), two.frames(100), three.frames(100))] == [frames] * 3


async def test_accounts_are_kept_apart(courier: Courier, http: aiohttp.ClientSession) -> None:
    await inject(courier, frame_of(ANN, 1), frame_of(BEN, 2), frame_of(ANN, 3))
    assert await pulled(http, courier, account=BEN) == [frame_of(BEN, 2)]
    assert await pulled(http, courier) == [frame_of(ANN, 1), frame_of(ANN, 3)]


async def test_every_recorded_envelope_is_received_unchanged(courier: Courier, http: aiohttp.ClientSession) -> None:
    recorded = [json.loads(path.read_bytes()) for path in sorted(ENVELOPES.rglob("*.json"))]
    frames = [
        json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() for one in recorded if "envelope" in one and "account" in one
    ]
    assert len(frames) > 80
    accounts = {json.loads(frame)["account"] for frame in frames}
    for account in sorted(accounts):
        mine = [frame for frame in frames if json.loads(frame)["account"] == account]
        async with Listener.connect(courier.server.port, account) as listener:
            await inject(courier, *mine)
            assert await listener.frames(len(mine)) == mine
        await inject(courier, *mine)
        assert await pulled(http, courier, account=account) == mine


async def test_a_frame_of_nobody_knows_which_account_goes_to_nobody(courier: Courier, http: aiohttp.ClientSession) -> None:
    accounts = courier.engine.status.accounts
    await inject(courier, b'{"envelope":{"timestamp":1}}', b"no json at all")
    assert [await pulled(http, courier, account=account) for account in accounts] == [[], []]


async def test_get_waits_for_the_first_message(courier: Courier, http: aiohttp.ClientSession) -> None:
    waiting = asyncio.create_task(pulled(http, courier, "?timeout=20"))
    await courier.receiving.feed.watched(ANN)
    await inject(courier, frame_of(ANN, 1))
    assert await asyncio.wait_for(waiting, 30) == [frame_of(ANN, 1)]


async def test_get_answers_with_an_empty_list_when_nothing_comes(courier: Courier, http: aiohttp.ClientSession) -> None:
    assert await asyncio.wait_for(pulled(http, courier, ""), 30) == []


async def test_two_gets_at_once_never_get_the_same_message(courier: Courier, http: aiohttp.ClientSession) -> None:
    frames = [frame_of(ANN, number) for number in range(200)]
    await inject(courier, *frames)
    answers = await asyncio.gather(*(pulled(http, courier, "?timeout=3&max_messages=10") for _ in range(20)))
    assert sorted((frame for answer in answers for frame in answer), key=frames.index) == frames
    assert all(len(answer) == 10 for answer in answers)


async def test_max_messages_leaves_the_rest_for_the_next(courier: Courier, http: aiohttp.ClientSession) -> None:
    frames = [frame_of(ANN, number) for number in range(5)]
    await inject(courier, *frames)
    assert [await pulled(http, courier, f"?timeout=0&max_messages={most}") for most in (2, 1, 0, -1)] == [
        frames[:2],
        frames[2:3],
        frames[3:],
        [],
    ]


async def test_stories_can_be_left_out(courier: Courier, http: aiohttp.ClientSession) -> None:
    story = b'{"envelope":{"timestamp":2,"storyMessage":{"allowsReplies":true}},"account":"%s"}' % ANN.encode()
    quoted = b'{"envelope":{"timestamp":3,"dataMessage":{"message":"\\"storyMessage\\" \\"storyMessage\\""}},"account":"%s"}' % ANN.encode()
    await inject(courier, story, quoted)
    assert await pulled(http, courier, "?timeout=0&ignore_stories=true") == [quoted]
    assert await pulled(http, courier) == []


async def test_guide_format_wraps_the_list(courier: Courier, http: aiohttp.ClientSession) -> None:
    await inject(courier, frame_of(ANN, 1))
    async with http.get(url(courier, "?timeout=0&format=guide")) as answer:
        assert await answer.json() == {"envelope": [json.loads(frame_of(ANN, 1))]}


@pytest.mark.parametrize(
    "query,text",
    [
        ("timeout=x", "Couldn't process request - timeout needs to be numeric!"),
        ("timeout=1.5", "Couldn't process request - timeout needs to be numeric!"),
        ("max_messages=many", "Couldn't process request - max_messages needs to be numeric!"),
        ("ignore_attachments=1", "Couldn't process request - ignore_attachments parameter needs to be either 'true' or 'false'"),
        ("ignore_stories=TRUE", "Couldn't process request - ignore_stories parameter needs to be either 'true' or 'false'"),
        ("ignore_avatars=", "Couldn't process request - ignore_avatars parameter needs to be either 'true' or 'false'"),
        ("ignore_stickers=yes", "Couldn't process request - ignore_stickers parameter needs to be either 'true' or 'false'"),
        ("send_read_receipts=0", "Couldn't process request - send_read_receipts parameter needs to be either 'true' or 'false'"),
    ],
)
async def test_wrong_parameters_are_named(courier: Courier, http: aiohttp.ClientSession, query: str, text: str) -> None:
    async with http.get(url(courier, f"?{query}")) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == text


@pytest.mark.parametrize("query", ["timeout=x", "ignore_attachments=False", "send_read_receipts=1&max_messages=", "max_messages=all"])
async def test_a_socket_minds_no_parameter_as_upstreams(courier: Courier, http: aiohttp.ClientSession, query: str) -> None:
    await inject(courier, frame_of(ANN, 1))
    async with http.ws_connect(url(courier, f"?{query}")) as socket:
        assert (await socket.receive_str(timeout=5)).encode() == frame_of(ANN, 1)


async def test_all_parameters_of_upstream_are_taken(courier: Courier, http: aiohttp.ClientSession) -> None:
    await inject(courier, frame_of(ANN, 1))
    flags = "&".join(f"ignore_{what}=true" for what in ("attachments", "stories", "avatars", "stickers"))
    query = f"?timeout=0&max_messages=5&{flags}&send_read_receipts=false"
    assert await pulled(http, courier, query) == [frame_of(ANN, 1)]


async def test_a_client_that_leaves_before_the_answer_leaves_the_message(courier: Courier, http: aiohttp.ClientSession) -> None:
    waiting = asyncio.create_task(pulled(http, courier, "?timeout=20"))
    await courier.receiving.feed.watched(ANN)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with aiohttp.ClientSession() as other:
        await other.get(f"http://127.0.0.1:{courier.server.port}/v1/health")
    await inject(courier, frame_of(ANN, 1))
    assert await pulled(http, courier, "?timeout=3") == [frame_of(ANN, 1)]


async def test_an_answer_that_was_not_read_is_not_counted_as_delivered(
    courier: Courier, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "STALLED_AFTER", 0.5)
    frames = [b'{"envelope":{"timestamp":%d,"x":"%s"},"account":"%s"}' % (number, b"x" * 500_000, ANN.encode()) for number in range(20)]
    await inject(courier, *frames)
    with socket.create_connection(("127.0.0.1", courier.server.port)) as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.sendall(f"GET /v1/receive/{ANN}?timeout=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert await pulled(http, courier, "?timeout=10") == frames


async def test_socket_ignores_what_the_client_says(courier: Courier) -> None:
    async with Listener.connect(courier.server.port, ANN) as listener:
        await listener.send_text(b"x" * 512)
        await inject(courier, frame_of(ANN, 1))
        assert await listener.frames(1) == [frame_of(ANN, 1)]


async def test_a_frame_of_more_than_512_bytes_closes_with_1009(courier: Courier) -> None:
    async with Listener.connect(courier.server.port, ANN) as listener:
        await listener.send_text(b"x" * 513)
        assert await listener.close_code() == 1009


async def test_who_listens_for_an_account_that_is_not_here_is_told_of_in_the_log(
    tmp_path: Path, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "signal_courier")
    async with simulated(tmp_path) as service:
        async with asyncio.timeout(30):
            while not service.courier.services.engine.status.accounts:  # noqa: ASYNC110  # nobody is missed while signal-cli starts
                await asyncio.sleep(0.01)
        for number, told in ((ANN, False), ("+4915100000099", True)):
            async with http.ws_connect(url(service.courier, account=number)):
                assert ("an account that is not here: …099" in caplog.text) is told


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_a_close_is_answered_with_its_own_code(courier: Courier, http: aiohttp.ClientSession, code: int) -> None:
    socket = await http.ws_connect(url(courier))
    await socket.close(code=code)
    assert socket.close_code == code


async def test_socket_is_pinged(courier: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_INTERVAL", 0.05)
    async with Listener.connect(courier.server.port, ANN) as listener:
        assert [await listener.next_frame(), await listener.next_frame()] == [(9, b""), (9, b"")]


def test_pings_come_as_often_as_upstreams() -> None:
    assert websocket.PING_INTERVAL == 54


async def test_sockets_are_told_when_the_service_stops(tmp_path: Path) -> None:
    async with running(tmp_path) as courier, Listener.connect(courier.server.port, ANN) as listener:
        await courier.receiving.feed.watched(ANN)
        courier.receiving.release()
        assert await listener.close_code() == 1001


async def test_a_waiting_get_does_not_delay_the_stop(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with running(tmp_path) as courier:
        waiting = asyncio.create_task(pulled(http, courier, "?timeout=60"))
        await courier.receiving.feed.watched(ANN)
    assert await asyncio.wait_for(waiting, 30) == []


async def test_a_broken_handshake_is_refused(courier: Courier, http: aiohttp.ClientSession) -> None:
    async with http.get(url(courier), headers={"Upgrade": "websocket", "Connection": "Upgrade"}) as answer:
        assert answer.status == 400


async def test_read_receipts_are_sent_when_asked_for(
    courier: Courier, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue()
    call = courier.engine.call

    async def watched(method: str, params: dict[str, object], *, timeout: float | None = None) -> msgspec.Raw:
        calls.put_nowait((method, params))
        return await call(method, params, timeout=timeout)  # type: ignore[arg-type]  # JSON all the same

    monkeypatch.setattr(courier.engine, "call", watched)
    message = b'{"envelope":{"sourceUuid":"u-1","timestamp":%d,"dataMessage":{"timestamp":%d}},"account":"%s"}'
    await inject(courier, message % (7, 7, ANN.encode()), message % (8, 8, ANN.encode()), frame_of(ANN, 9))
    assert len(await pulled(http, courier, "?timeout=0&send_read_receipts=true")) == 3
    method, params = await asyncio.wait_for(calls.get(), 30)
    assert method == "sendReceipt"
    assert params == {"account": ANN, "recipient": "u-1", "targetTimestamp": [7, 8], "type": "read"}
