"""What is wrong, broken, huge or wicked gets a clear 4xx; no file appears where none belongs, and no temporary one stays."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signal_courier.http import tables
from signal_courier.http.routing import Route
from tests.fakes.served import ACCOUNT, Service, served, simulated_on_a_thread

PERSON = "+4915100000002"
TO_PERSON = {"number": ACCOUNT, "recipients": [PERSON], "message": "Hello"}
pytestmark = pytest.mark.slow

ROUTES = [route for table in tables.TABLES for route in table]
WITH_BODY = [route for route in ROUTES if route.body is not None]
NAMES = [
    "../../../../etc/passwd", "..", ".", "../courier.db", "/etc/passwd", "..\\..\\x", "a/../../b", "%2e%2e%2fx", "\0", "a\0b", "a\nb",
    "~root", "C:\\x", ".hidden", "x" * 300, "\udcff", "-rf", "--help", "$(id)", "`id`", "|id",
]  # fmt: skip
OPTIONS = ["--attachment", "-a", "-", "--", "--config=/etc", "-m x", "--help", "--recipient=+4915100000002"]


def id_of(value: object) -> str:
    return f"{value.method} {value.path}" if isinstance(value, Route) else ascii(value)[:40]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    (tmp_path / "config" / "attachments").mkdir(parents=True)
    (tmp_path / "config" / "attachments" / "real.txt").write_text("received")
    (tmp_path / "secret.txt").write_text("secret")
    async with served(tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_appears(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no file but the service's own, what was there before is unharmed, and the spool folder is empty."""
    yield
    own = {
        "data/courier.db",
        "data/courier.db-wal",
        "data/courier.db-shm",
        "data/courier.db.lock",
        "data/run/unstored.reserve",
        "config/attachments/real.txt",
        "secret.txt",
    }
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    strangers = {name for name in found - own if not name.startswith(("data/uploads/", "data/simulator/", "config/data/"))}
    assert not strangers
    if "service" in request.fixturenames:
        assert (tmp_path / "secret.txt").read_text() == "secret"
        assert (tmp_path / "config/attachments/real.txt").read_text() == "received"


def assert_refused(status: int, *, body: bytes = b"") -> None:
    assert 400 <= status < 500, body[:300]


class TestNames:
    @pytest.mark.parametrize("name", NAMES, ids=id_of)
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    async def test_attachment_is_a_name_and_never_a_path(self, service: Service, method: str, name: str):
        reply = await service.request(method, f"/v1/attachments/{quote(name.encode(errors='surrogateescape'), safe='')}")
        assert_refused(reply.status, body=reply.body)
        assert service.calls == []

    @pytest.mark.parametrize("name", NAMES, ids=id_of)
    @pytest.mark.parametrize(
        "method,path",
        [
            ("GET", "/v1/groups/{account}/{name}/avatar"),
            ("DELETE", "/v1/groups/{account}/{name}"),
            ("POST", "/v1/groups/{account}/{name}/quit"),
            ("GET", "/v1/contacts/{account}/{name}/avatar"),
            ("POST", "/v1/contacts/{account}/{name}/block"),
            ("GET", "/v1/devices/{name}"),
            ("DELETE", "/v1/devices/{account}/{name}"),
            ("PUT", "/v1/profiles/{name}"),
            ("POST", "/v1/register/{name}"),
        ],
    )
    async def test_what_is_no_id_reaches_nobody(self, service: Service, method: str, path: str, name: str):
        segment = quote(name.encode(errors="surrogateescape"), safe="")
        reply = await service.request(method, path.format(account=ACCOUNT, name=segment), b'{"name": "x"}' if method == "PUT" else None)
        assert_refused(reply.status, body=reply.body)
        assert service.calls == []

    @pytest.mark.parametrize("name", NAMES, ids=id_of)
    async def test_file_of_a_message_stays_in_its_folder(self, service: Service, tmp_path: Path, name: str):
        handed: list[Path] = []

        def send(params: dict[str, Any]) -> object:
            handed.extend(map(Path, params["attachment"]))
            return {"timestamp": 1, "results": []}

        service.daemon.on("send", send)
        content = f"data:text/plain;filename={name};base64,aGVsbG8="
        reply = await service.post("/v2/send", TO_PERSON | {"base64_attachments": [content.encode(errors="replace").decode()]})
        assert reply.status == 201, reply.body
        [path] = handed
        assert path.resolve().is_relative_to(tmp_path / "data" / "spool")
        assert not path.name.startswith(("-", ".", "~"))
        assert not path.exists()

    @pytest.mark.parametrize("name", [name for name in NAMES if name.isprintable()], ids=id_of)
    async def test_upload_stays_in_its_folder(self, service: Service, tmp_path: Path, name: str):
        name = name.encode(errors="replace").decode()
        form = aiohttp.FormData()
        form.add_field("file", b"hello", filename=name)
        url = f"http://127.0.0.1:{service.courier.server.port}/v1/attachments"
        async with aiohttp.ClientSession() as client, client.post(url, data=form) as answer:
            assert answer.status in (201, 400), await answer.text()
        assert all(path.is_relative_to(tmp_path / "data" / "uploads") for path in _files_with(tmp_path, b"hello"))


def _files_with(folder: Path, content: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == content]


class TestOptions:
    @pytest.mark.parametrize("recipient", OPTIONS)
    @pytest.mark.parametrize(
        "method,path,body",
        [
            ("POST", "/v2/send", {"number": ACCOUNT, "recipients": [...], "message": "x"}),
            ("POST", "/v1/send", {"number": ACCOUNT, "recipients": [...], "message": "x"}),
            ("POST", f"/v1/reactions/{ACCOUNT}", {"recipient": ..., "reaction": "👍", "target_author": PERSON, "timestamp": 1}),
            ("POST", f"/v1/receipts/{ACCOUNT}", {"recipient": ..., "receipt_type": "read", "timestamp": 1}),
            ("PUT", f"/v1/typing-indicator/{ACCOUNT}", {"recipient": ...}),
            ("DELETE", f"/v1/remote-delete/{ACCOUNT}", {"recipient": ..., "timestamp": 1}),
            ("POST", f"/v1/polls/{ACCOUNT}", {"recipient": ..., "question": "q", "answers": ["a", "b"]}),
            ("PUT", f"/v1/contacts/{ACCOUNT}", {"recipient": ..., "name": "x"}),
        ],
    )
    async def test_recipient_is_never_an_option(self, service: Service, method: str, path: str, body: dict[str, Any], recipient: str):
        given_body = {key: _put(value, recipient) for key, value in body.items()}
        reply = await service.request(method, path, given_body)
        assert (reply.status, service.calls) == (400, [])
        assert reply.error

    @pytest.mark.parametrize("number", OPTIONS)
    async def test_account_is_never_an_option(self, service: Service, number: str):
        reply = await service.post("/v2/send", TO_PERSON | {"number": number})
        assert (reply.status, service.calls) == (400, [])


def _put(value: object, recipient: str) -> object:
    if value is ...:
        return recipient
    return [recipient if item is ... else item for item in value] if isinstance(value, list) else value


HUNDRED_MIB = 100 * 1024 * 1024
_PIECE = 1024 * 1024


class TestHugeBodies:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "start,filling,end",
        [
            (b'{"message": "', b"x", b'"}'),
            (b'{"unknown": "', b"x", b'"}'),
            (b'{"number": "', b"1", b'"}'),
            (b'{"recipients": ["', b"2", b'"]}'),
            (b'{"base64_attachments": ["', b"!", b'"]}'),
            (b"", b" ", b""),
            (b"", b"[", b""),
            (b"", b'{"a":', b""),
            (b"", b"\xff", b""),
            (b'{"recipients": [', b'"",', b'""]}'),
            (b'{"message": "', b"\\u0041", b'"}'),
        ],
        ids=["text", "unknown field", "number", "recipient", "no base64", "spaces", "brackets", "objects", "bytes", "list", "escapes"],
    )
    async def test_hundred_mebibytes_of_nonsense_are_refused_in_good_time(self, service: Service, start: bytes, filling: bytes, end: bytes):
        async def body() -> AsyncIterator[bytes]:
            yield start
            piece = filling * (_PIECE // len(filling))
            for _ in range(HUNDRED_MIB // len(piece)):
                yield piece
            yield end

        url = f"http://127.0.0.1:{service.courier.server.port}/v2/send"
        began = time.perf_counter()
        async with aiohttp.ClientSession() as client:
            try:
                async with client.post(url, data=body(), timeout=aiohttp.ClientTimeout(40)) as answer:
                    assert_refused(answer.status, body=await answer.read())
            except aiohttp.ClientConnectionError:  # refused so early that the rest was not read
                pass
        assert time.perf_counter() - began < 30
        assert (await service.get("/v1/about")).status == 200
        assert service.calls == []

    @pytest.mark.parametrize("path", ["/v2/send", "/v1/attachments", f"/v1/profiles/{ACCOUNT}"])
    async def test_body_over_the_limit_is_413_before_it_is_read(self, service: Service, path: str):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
        method = "PUT" if "profiles" in path else "POST"
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {2**40}\r\n\r\n".encode() + b"{")
        status = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        assert status.split()[1] == b"413"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with simulated_on_a_thread(tmp_path_factory.mktemp("service")) as found:
        yield found


@st.composite
def broken_json(draw: st.DrawFn) -> bytes:
    """Bytes that were JSON once: cut, with bytes changed or put in; or that never were."""
    route = draw(st.sampled_from(WITH_BODY))
    text = bytearray(json.dumps(route.body_example).encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["cut", "put", "change", "swap"])):
            case "cut":
                del text[at:]
            case "put":
                text[at:at] = draw(st.binary(min_size=1, max_size=5))
            case "change" if at < len(text):
                text[at] = draw(st.integers(0, 255))
            case "swap":
                text = text[at:] + text[:at]
    return bytes(text)


class TestBrokenBodies:
    @given(body=st.one_of(broken_json(), st.binary(max_size=200)), route=st.sampled_from(WITH_BODY))
    @settings(max_examples=400, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_bytes_are_answered_by_a_5xx(self, address: str, body: bytes, route: Route):
        path = route.path.replace("{number}", ACCOUNT)
        for name in ("groupid:path", "groupid", "uuid", "recipient:path", "numberToTrust", "token"):
            path = path.replace(f"{{{name}}}", "x")
        reply = requests.request(route.method, address + path, data=body, timeout=20)
        documented = {answer.status for answer in route.answers} | {400, 404, 413}
        assert reply.status_code in documented, reply.text

    @pytest.mark.parametrize("text", ["a", "aGVsbG8", "aGVsbG8=\x00", "====", "aGVs bG8=", "=aaa", "\xff\xff", "data:;base64,!"])
    async def test_broken_base64_is_told_with_its_place(self, service: Service, text: str):
        reply = await service.post("/v2/send", TO_PERSON | {"base64_attachments": [text]})
        assert (reply.status, service.calls) == (400, [])
        assert "illegal base64 data at input byte" in reply.error

    @pytest.mark.parametrize("bad", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf"], ids=["bytes", "surrogate", "overlong"])
    @pytest.mark.parametrize("place", [b'"message": "%s"', b'"%s": 1'], ids=["value", "key"])
    async def test_broken_utf8_is_refused(self, service: Service, bad: bytes, place: bytes):
        reply = await service.request(
            "POST", "/v2/send", b'{"number": "%s", "recipients": ["%s"], ' % (ACCOUNT.encode(), PERSON.encode()) + place % bad + b"}"
        )
        assert (reply.status, service.calls) == (400, [])


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/about HTTP/9.9\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"GET /v1/about HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET //v1//about HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET " + b"/x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET " + b"/x" * 500 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v2/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /v2/send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v2/send HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /v2/send HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: nope\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /v1/receive/+4915100000001 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: x\r\n\r\n",
        b"GET /v1/search?numbers=%ff&numbers=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/attachments HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data\r\nContent-Length: 1\r\n\r\nx",
    ],
    ids=ascii,
)  # fmt: skip
async def test_broken_http_is_answered_or_closed(service: Service, line: bytes):
    reader, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
    writer.write(line)
    status = await asyncio.wait_for(reader.readline(), 30)
    writer.close()
    assert status == b"" or status.split()[1].startswith(b"4"), status
    assert (await service.get("/v1/about")).status == 200
