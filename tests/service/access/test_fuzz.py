"""Requests without a token, of every shape: none reaches a handler."""

import asyncio
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.service.access.reached import ROUTES, marked, path_of

REQUESTS = 100_000
BATCH = 25
CONNECTIONS = 80
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"]
HOSTS = ["127.0.0.1", "localhost", "nas", "evil.example", "[::1]", "127.0.0.1:80", "", "a@127.0.0.1", "%31"]
HEADERS = [
    "Authorization: Bearer", "Authorization: Bearer null", "Authorization: Basic Og==", "Authorization: Basic YWRtaW46YWRtaW4=",
    "Authorization: Bearer sgc_", "Authorization: ", "X-Api-Key: ", "X-Api-Key: admin", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: ::1",
    "Forwarded: for=127.0.0.1;host=localhost", "X-Original-URL: /v1/about", "X-Ingress-Path: /", "X-Remote-User-Id: 1", "Origin: null",
    "Origin: http://127.0.0.1", "Cookie: token=1", "X-HTTP-Method-Override: GET", "Upgrade: websocket", "Connection: upgrade",
    "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Expect: 100-continue", "Host: localhost",
    "Access-Control-Request-Method: POST", "Content-Encoding: gzip", "Sec-Fetch-Site: same-origin", "Accept: text/html",
]  # fmt: skip
PREFIXES = [
    "",
    "",
    "",
    "/d/0.100",
    "/d/x",
    "/t/",
    "/t/x",
    "/t//",
    "/t/..",
    "/t/%2e%2e",
    "/t/sgc_/t/x",
    "//",
    "/.",
    "/./",
    "/%2f",
    "/x/..",
    "http://127.0.0.1",
]
SUFFIXES = ["", "", "", "/", "//", "?", "?token=x", "?access_token=admin", "#x", ";x", "%00", "/..", "/t/x", "\\", "%"]


def request(dice: random.Random) -> bytes:
    route = dice.choice(ROUTES)
    path = path_of(route)
    if dice.random() < 0.2:
        cut = dice.randrange(len(path))
        path = (
            path[:cut] + dice.choice(["", "%", "%25", "..", "/", chr(dice.randrange(33, 127)), "%C3%28"]) + path[cut + dice.randrange(3) :]
        )
    method = route.method if dice.random() < 0.6 else dice.choice(METHODS)
    head = [f"{method} {dice.choice(PREFIXES)}{path}{dice.choice(SUFFIXES)} HTTP/1.1", f"Host: {dice.choice(HOSTS)}"]
    head += dice.sample(HEADERS, dice.choice([0, 0, 1, 1, 2, 3]))
    body = dice.choice(["", "", "{}", '{"number":"+4915100000001","recipients":["+4915100000011"],"message":"x"}', "\0" * 20])
    if body or dice.random() < 0.1:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", body]).encode()


async def converse(port: int, requests: list[bytes]) -> list[int]:
    """The statuses of what was answered; whatever is no HTTP, or asks for the end, ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        writer.write(b"".join(requests))
        writer.write_eof()
        async with asyncio.timeout(30):
            answered = await reader.read()
    except ConnectionError:
        return []
    finally:
        writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answered)]


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_hundred_thousand_requests_without_a_token_never_reach_a_handler(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    dice = random.Random(4711)
    statuses: Counter[int] = Counter()
    async with marked(tmp_path) as service:
        port = service.courier.server.port
        while statuses.total() < REQUESTS:
            batches = [[request(dice) for _ in range(BATCH)] for _ in range(CONNECTIONS)]
            for found in await asyncio.gather(*(converse(port, batch) for batch in batches)):
                statuses.update(found)
        assert service.reached == []
        await service.courier.audit.flush()
        lines = await service.courier.audit.table.page(None, 1000)
        assert len(lines) < 500, "nobody who is kept out fills the log"
    with capsys.disabled():
        print(f" {statuses.total()} requests: {dict(sorted(statuses.items()))}", end="")
    assert set(statuses) <= {100, 400, 401, 403, 405, 421, 429}
