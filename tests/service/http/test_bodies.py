"""Bodies: as forgiving as upstream, whole or in pieces, and nothing left behind."""

import asyncio
import base64
import gzip
import io
import json
import random
import re
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signal_courier.http import problems
from signal_courier.http.decoding.bodies import SMALL, read_body
from signal_courier.http.decoding.json_stream import INLINE_LIMIT, STRING_LIMIT, TEXT_LIMIT, JsonStream
from signal_courier.http.decoding.lenient import decode
from signal_courier.http.problems import NoSpace, UndecodableBody
from signal_courier.model.attachments import Content, Inline, Upload, parse_attachment
from signal_courier.model.errors import InvalidValue, TooLarge

INVALID = "Couldn't process request - invalid request"


class Mention(msgspec.Struct):
    start: int = 0
    author: str = ""


class Send(msgspec.Struct):
    number: str = ""
    message: str = ""
    recipients: list[str] = []
    mentions: list[Mention] | None = None
    base64_attachments: list[Content] = []
    base64_avatar: Content | None = None
    quote_timestamp: int | None = None
    labels: dict[str, str] = {}


# --- what a body means -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw, expected",
    [
        (b'{"number": "a", "recipients": ["b"]}', Send(number="a", recipients=["b"])),
        (b'{"NUMBER": "a", "Message": "b"}', Send(number="a", message="b")),
        (b'{"message": "a", "MESSAGE": "b"}', Send(message="b")),
        (b'{"m\\u0065ssage": "a"}', Send(message="a")),
        (b'{"M\\u0065ssage": "a"}', Send(message="a")),
        ('{"me\u017f\u017fage": "a"}'.encode(), Send(message="a")),
        (b'{"mentions": [{"Start": 3, "AUTHOR": "x", "other": []}]}', Send(mentions=[Mention(3, "x")])),
        (b'{"message": "a", "unknown": {"deep": [1, null]}}', Send(message="a")),
        (b'{"message": "say \\"Number\\": 5"}', Send(message='say "Number": 5')),
        (b'{"message": null, "recipients": null, "mentions": null, "base64_attachments": null}', Send()),
        (b'{"mentions": [{"start": null}]}', Send(mentions=[Mention()])),
        (b'{"labels": {"Key": "a", "KEY": "b"}}', Send(labels={"Key": "a", "KEY": "b"})),
        (b"null", Send()),
        (b"{}", Send()),
        (b' \n{"message": "a"} and more \xff', Send(message="a")),
        (b'{"message": "a"}{"message": "b"}', Send(message="a")),
        (b'{"Message": "a"}]', Send(message="a")),
        (b'{"message": "cut \\ud83d"}', Send(message="cut \ufffd")),
        (b'{"message": "\\ude00 \\ud83d\\ude00 \\ud83d \\\\ud83d"} x', Send(message="\ufffd \U0001f600 \ufffd \\ud83d")),
        (b'\xef\xbb\xbf{"message": "a"}', Send(message="a")),
        (
            b'{"base64_attachments": ["YQ=="], "base64_avatar": "YQ=="}',
            Send(base64_attachments=[Inline("YQ==")], base64_avatar=Inline("YQ==")),
        ),
        (b'{"Base64_Attachments": ["YQ=="]}', Send(base64_attachments=[Inline("YQ==")])),
    ],
)
def test_a_body_is_read_as_upstream_reads_it(raw: bytes, expected: Send) -> None:
    assert decode(raw, Send) == expected


@pytest.mark.parametrize(
    "raw, detail",
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'"text"', "Expected `object`"),
        (b"{", "truncated"),
        (b'{"message": "a}', "truncated"),
        (b"message=a", "malformed"),
        (b'{"recipients": "a"}', r"Expected `array`, got `str` - at `\$.recipients`"),
        (b'{"quote_timestamp": "5"}', r"Expected `int \| null`, got `str` - at `\$.quote_timestamp`"),
        (b'{"MENTIONS": [{"START": "x"}]}', r"at `\$.mentions\[0\].start`"),
        (b'{"message": "\xff"}', "utf-8"),
        (b'{"message": "a\nb"}', "malformed"),
        (b'{"base64_attachments": [5]}', r"at `\$.base64_attachments\[0\]`"),
        (b'{"base64_attachments": "YQ=="}', r"at `\$.base64_attachments`"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_place(raw: bytes, detail: str) -> None:
    with pytest.raises(UndecodableBody, match=f"^{INVALID}$") as caught:
        decode(raw, Send)
    assert re.search(detail, caught.value.detail)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_no_json_does_more_than_be_refused(value: object) -> None:
    for shaped in (value, {"message": value, "Mentions": [value], "BASE64_avatar": value}):
        try:
            decode(json.dumps(shaped).encode(), Send)
        except UndecodableBody:
            continue


@given(st.binary())
def test_no_bytes_do_more_than_be_refused(raw: bytes) -> None:
    try:
        decode(raw, Send)
    except UndecodableBody:
        return


# --- long bodies, in pieces ------------------------------------------------------------------------------------------


def _contents(body: Send) -> list[tuple[str, str, bytes]]:
    found = []
    for content in [*body.base64_attachments, *([body.base64_avatar] if body.base64_avatar else [])]:
        if isinstance(content, Upload):
            data = content.path.read_bytes()
            assert content.size == len(data)
            assert data.startswith(content.head)
            found.append((content.metadata.media_type, content.metadata.name, data))
        else:
            assert isinstance(content, Inline)
            attachment = parse_attachment(content.text)
            found.append((attachment.metadata.media_type, attachment.metadata.name, attachment.data))
    return found


type Outcome = tuple[str, ...] | tuple[Send, list[tuple[str, str, bytes]]]


def _outcome(read: Callable[[], Send]) -> Outcome:
    try:
        body = read()
        contents = _contents(body)
    except InvalidValue as error:
        return "refused", error.message
    except UndecodableBody:
        return ("undecodable",)
    body.base64_attachments, body.base64_avatar = [], None
    return body, contents


def _through_stream(folder: Path, pieces: list[bytes]) -> Outcome:
    stream = JsonStream(folder)

    def read() -> Send:
        for piece in pieces:
            stream.feed(piece)
        return decode(stream.finish(), Send, stream.uploads)

    try:
        return _outcome(read)
    finally:
        stream.discard()
        assert not folder.exists() or not list(folder.iterdir())


def _escape(encoded: str, style: str) -> str:
    match style:
        case "lines":
            return "\\r\\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
        case "slashes":
            return encoded.replace("/", "\\/")
        case "dotnet":
            return encoded.replace("+", "\\u002B").replace("=", "\\u003d")
        case _:
            return encoded


class Raw(bytes):
    """Bytes that do not fill the screen when a test fails."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes: {self[:200]!s}…{self[-200:]!s}>"


@st.composite
def _bodies(draw: st.DrawFn) -> Raw:
    chance = random.Random(draw(st.integers(0, 1 << 32)))
    attachments = []
    broken = draw(st.integers(0, 6))  # at most one: which of two faults is met first may differ
    for index in range(draw(st.integers(0, 3))):
        size = draw(st.sampled_from([1, 100, 24 * 1024, 24 * 1024 + 1, 24 * 1024 + 2, 60_000]))
        encoded = base64.b64encode(chance.randbytes(size)).decode()
        if index == broken:
            at = draw(st.integers(0, len(encoded)))
            encoded = encoded[:at] + draw(st.sampled_from(["!", "=", "-", "A", "é", "", "=="])) + encoded[at + 1 :]
        encoded = _escape(encoded, draw(st.sampled_from(["plain", "lines", "slashes", "dotnet"])))
        headers = ["", "data:image/png;base64,", 'data:a/b;filename=ä \\"b\\" \\u00e9.x;base64,']
        header = draw(st.sampled_from(headers)) if index != broken else draw(st.sampled_from([*headers, "base64,", "data:,"]))
        attachments.append(f'"{header}{encoded}"')
    fields = [
        f'"message": {json.dumps(draw(st.text(max_size=20)), ensure_ascii=draw(st.booleans()))}',
        draw(st.sampled_from(['"base64_attachments"', '"BASE64_attachments"', '"base64_\\u0061ttachments"']))
        + f": [{', '.join(attachments)}]",
        draw(
            st.sampled_from(
                ['"recipients": ["a", "b\\\\"]', '"Mentions" : [{"start": 1, "AUTHOR": "\\""}]', '"labels": {"a": "b"}', '"x": [[{}], "y"]']
            )
        ),
        draw(st.sampled_from(['"quote_timestamp": 5', '"quote_timestamp": "x"', '"number": null'])),
    ]
    chance.shuffle(fields)
    raw = ("{" + ", ".join(fields) + "}").encode()
    if draw(st.integers(0, 5)) == 0:
        raw = raw[: draw(st.integers(0, len(raw)))]
    return Raw(raw + draw(st.sampled_from([b"", b"\n", b' {"message": "no"} "', b"]}"])))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_bodies(), st.lists(st.integers(0, 300_000), max_size=8))
def test_in_any_pieces_a_body_means_the_same(tmp_path: Path, raw: Raw, cut_at: list[int]) -> None:
    whole = _outcome(lambda: decode(raw, Send))
    cuts = sorted(at % (len(raw) + 1) for at in cut_at)
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    streamed = _through_stream(tmp_path / "spool", pieces)
    if whole == ("undecodable",):  # which of two faults is met first may differ
        assert streamed[0] in ("undecodable", "refused")
    else:
        assert streamed == whole


def test_byte_by_byte_a_body_means_the_same(tmp_path: Path) -> None:
    encoded = _escape(_escape(base64.b64encode(random.Random(1).randbytes(30_000)).decode(), "lines"), "dotnet")
    raw = f'{{"message": "\\ud83d\\ude00 \\\\", "base64_attachments": ["data:a/b;filename=\\u00fc;base64,{encoded}"]}}'.encode()
    streamed = _through_stream(tmp_path / "spool", [raw[at : at + 1] for at in range(len(raw))])
    assert streamed == _outcome(lambda: decode(raw, Send))
    assert isinstance(streamed[0], Send)


@pytest.mark.parametrize("offset", [0, 3, 40_000, 79_999])
def test_a_wrong_byte_in_a_long_content_is_named(tmp_path: Path, offset: int) -> None:
    encoded = "A" * offset + "!" + "A" * (79_999 - offset)
    raw = f'{{"base64_attachments": ["data:a/b;base64,{encoded}"]}}'.encode()
    for size in (len(raw), 1000, 7):
        outcome = _through_stream(tmp_path, [raw[at : at + size] for at in range(0, len(raw), size)])
        assert outcome == ("refused", f"illegal base64 data at input byte {offset}")


def test_a_long_message_stays_a_text_even_if_it_looks_like_base64(tmp_path: Path) -> None:
    stream = JsonStream(tmp_path)
    stream.feed(b'{"message": "' + b"A" * (STRING_LIMIT // 2) + b'"}')
    assert decode(stream.finish(), Send, stream.uploads).message == "A" * (STRING_LIMIT // 2)
    assert not stream.uploads


@pytest.mark.parametrize(
    "raw, text",
    [
        (b'{"message": "' + b"A" * (STRING_LIMIT + 1), "message is longer than 1 MiB"),
        (b'{"recipients": [' + b'"+4915100000001",' * (TEXT_LIMIT // 17 + 1), "the body is larger than 4 MiB without its attachments"),
        (b'{"a": ' + b" " * (TEXT_LIMIT + 1), "the body is larger than 4 MiB without its attachments"),
    ],
)
def test_a_text_longer_than_any_text_is_refused_by_name(tmp_path: Path, raw: bytes, text: str) -> None:
    stream = JsonStream(tmp_path)
    for at in range(0, len(raw) - (1 << 16), 1 << 16):
        stream.feed(raw[at : at + (1 << 16)])
    with pytest.raises(TooLarge, match=text):
        stream.feed(raw[-(1 << 16) :])


def test_a_placeholder_never_ends_up_in_a_text(tmp_path: Path) -> None:
    class Careless(msgspec.Struct):
        base64_avatar: str = ""

    stream = JsonStream(tmp_path)
    stream.feed(b'{"base64_avatar": "' + b"A" * 2 * INLINE_LIMIT + b'"}')
    with pytest.raises(UndecodableBody):
        decode(stream.finish(), Careless, stream.uploads)
    assert decode(stream.finish(), Mention, stream.uploads) == Mention()
    stream.discard()
    assert not list(tmp_path.iterdir())


def test_a_spool_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stream = JsonStream(tmp_path / "file")
    with pytest.raises(NoSpace):
        stream.feed(b'{"base64_avatar": "' + b"A" * 2 * INLINE_LIMIT)
    stream.discard()


def test_a_full_disk_is_told_and_the_space_given_back(tmp_path: Path) -> None:
    stream = JsonStream(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(NoSpace):
            stream.feed(b'{"base64_avatar": "' + b"A" * 400_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    stream.discard()
    assert not list(tmp_path.iterdir())


# --- over the wire ---------------------------------------------------------------------------------------------------


class Service:
    """A server that answers with what it read, and the folder it spools to."""

    def __init__(self, spool: Path, **limits: Any) -> None:
        self.spool = spool
        self.limits = limits
        self.port = 0
        self.inside: list[str] = []
        self.failures: asyncio.Queue[Exception] = asyncio.Queue()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            async with read_body(request, Send, spool=self.spool, optional=request.path == "/optional", **self.limits) as body:
                self.inside = sorted(path.name for path in self.spool.iterdir()) if self.spool.exists() else []
                if request.path == "/fail":
                    raise InvalidValue("x", "handler failed")  # noqa: TRY301  # as a handler does
                sizes = [len(data) for _, _, data in _contents(body)]
                return web.json_response({"message": body.message, "recipients": body.recipients, "sizes": sizes})
        except Exception as error:  # noqa: BLE001  # as the listener does
            self.failures.put_nowait(error)
            return problems.answer_to(error)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def left_over(self) -> list[Path]:
        return list(self.spool.iterdir()) if self.spool.exists() else []


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    runner = web.ServerRunner(web.Server(service.answer, lingering_time=0.5))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        service.port = runner.addresses[0][1]
        yield service
    finally:
        await runner.cleanup()
    assert service.left_over() == []


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with running(Service(tmp_path / "spool", limit=9 << 20)) as started:
        yield started


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


async def test_any_content_type_is_json(service: Service, client: aiohttp.ClientSession) -> None:
    for content_type in ("text/plain;charset=utf-8", "application/x-www-form-urlencoded", "image/png"):
        async with client.post(service.url, data=b'{"Message": "hi"}', headers={"Content-Type": content_type}) as answer:
            assert (answer.status, await answer.json()) == (200, {"message": "hi", "recipients": [], "sizes": []})


async def test_an_empty_body_counts_only_where_bodies_are_optional(service: Service, client: aiohttp.ClientSession) -> None:
    async with client.post(service.url + "optional") as answer:
        assert answer.status == 200
    async with client.post(service.url) as answer:
        assert answer.status == 400
        assert (await answer.json(content_type="text/plain"))["error"] == INVALID


async def test_a_long_attachment_is_a_file_while_the_request_lasts(service: Service, client: aiohttp.ClientSession) -> None:
    encoded = base64.b64encode(bytes(3 << 20)).decode()
    body = {"message": "m", "recipients": ["a"], "base64_attachments": [f"data:a/b;filename=x;base64,{encoded}", "YQ==", encoded]}
    async with client.post(service.url, data=io.BytesIO(json.dumps(body).encode())) as answer:
        assert await answer.json() == {"message": "m", "recipients": ["a"], "sizes": [3 << 20, 1, 3 << 20]}
    assert len(service.inside) == 2
    assert service.left_over() == []


async def test_a_body_of_unknown_length_is_taken(service: Service, client: aiohttp.ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"message": "m", "base64_avatar": "'
        for _ in range(100):
            yield b"AAAA" * 1000
        yield b'"}'

    async with client.post(service.url, data=pieces()) as answer:
        assert (await answer.json())["sizes"] == [300_000]


async def test_nothing_is_left_when_the_handler_fails(service: Service, client: aiohttp.ClientSession) -> None:
    async with client.post(service.url + "fail", json={"base64_avatar": "A" * 4 * SMALL}) as answer:
        assert answer.status == 400
    assert len(service.inside) == 1
    assert service.left_over() == []


@pytest.mark.parametrize(
    "raw, status, text",
    [
        (b'{"base64_avatar": "' + b"A" * 100_000 + b"-" + b"A" * 100_000 + b'"}', 400, "illegal base64 data at input byte 100000"),
        (b'{"base64_avatar": "' + b"A" * 200_000, 400, INVALID),
        (b'{"message": "' + b"\xff" * 100_000 + b'"}', 400, INVALID),
        (b'{"message": "' + b"x" * (2 << 20) + b'"}', 413, "Couldn't process request - message is longer than 1 MiB"),
        (b"{" * 100_000, 400, INVALID),
        (b"\x00" * 100_000, 400, INVALID),
        (b"[]" + b" " * 100_000, 400, INVALID),
    ],
)
async def test_bad_long_bodies_get_a_clear_answer(
    service: Service, client: aiohttp.ClientSession, raw: bytes, status: int, text: str
) -> None:
    async with client.post(service.url, data=io.BytesIO(raw)) as answer:
        assert answer.status == status
        assert (await answer.json(content_type=None))["error"] == text
    assert service.left_over() == []


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_refused(service: Service, client: aiohttp.ClientSession, declared: bool) -> None:
    raw = b'{"base64_avatar": "' + b"A" * (10 << 20)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(raw), 1 << 16):
            yield raw[at : at + (1 << 16)]

    async with client.post(service.url, data=io.BytesIO(raw) if declared else pieces()) as answer:
        assert answer.status == 413
        assert (await answer.json())["error"] == "Couldn't process request - the body is larger than 9 MiB"
    assert service.left_over() == []


async def test_a_small_bomb_does_not_become_a_big_body(service: Service, client: aiohttp.ClientSession) -> None:
    bomb = gzip.compress(b" " * (64 << 20))
    async with client.post(service.url, data=bomb, headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 413


async def _speak(service: Service, *parts: bytes, end: bool = False) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if end:
            return b""
        return await asyncio.wait_for(reader.read(65536), 30)
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [5, 100_000])
async def test_a_client_that_leaves_leaves_nothing(service: Service, sent: int) -> None:
    body = b'{"base64_avatar": "' + b"A" * sent
    await _speak(service, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + body, end=True)
    error = await asyncio.wait_for(service.failures.get(), 30)
    assert isinstance(error, problems.LostBody)
    assert service.left_over() == []


async def test_a_client_that_asks_first_is_told_to_go_on(service: Service) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\nExpect: 100-continue\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(head)
    assert (await asyncio.wait_for(reader.readline(), 30)).startswith(b"HTTP/1.1 100 ")
    writer.write(b'{"message": "x"}')
    assert await asyncio.wait_for(reader.readline(), 30) == b"\r\n"
    assert (await asyncio.wait_for(reader.readline(), 30)).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_client_that_asks_first_hears_when_it_is_too_much(service: Service) -> None:
    answer = await _speak(service, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("limits", [{"stall": 0.2}, {"deadline": 0.2, "stall": 0.3}])
async def test_a_body_that_does_not_come_is_given_up(tmp_path: Path, limits: dict[str, float]) -> None:
    async with running(Service(tmp_path / "spool", **limits)) as service:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        answer = await _speak(service, head, b'{"base64_avatar": "' + b"A" * 100_000)
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_broken_chunks_are_told(service: Service) -> None:
    answer = await _speak(service, b'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"mes\r\n', b"zz\r\n")
    assert b" 400 " in answer.partition(b"\r\n")[0]


async def test_fifty_mebibytes_cost_little_time_and_less_memory(tmp_path: Path) -> None:
    piece = base64.b64encode(random.Random(2).randbytes(3 << 16))

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"message": "m", "base64_attachments": ["data:image/png;filename=x.png;base64,'
        for _ in range(256):
            yield piece
        yield b'"]}'

    size = 256 * (3 << 16)
    async with running(Service(tmp_path / "spool")) as service, aiohttp.ClientSession() as client:
        before, started = _peak(), time.process_time()
        async with client.post(service.url + "fail", data=pieces()) as answer:
            assert answer.status == 400
        cpu, grown = time.process_time() - started, _peak() - before
    assert size == 48 << 20
    assert cpu < 3, "client and server together; usually 0.3 s"
    assert grown < 40 << 20


def _peak() -> int:
    """The most memory this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
