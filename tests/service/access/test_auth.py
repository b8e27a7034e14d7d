"""Who gets in, by which way, and what they are told who do not."""

import asyncio
import base64
import contextlib
import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from signal_courier.access import throttle
from signal_courier.access.caller import EVERY_SCOPE, Caller
from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import digest, mint, new_token, row_of
from signal_courier.http.once import HEADERS
from signal_courier.store.tokens import insert
from tests.fakes.served import ACCOUNT, Service, simulated

BEN = "+4915100000011"
OTHER = "+4915100000012"
WRONG = "sgc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Nobody is trusted without a token, not even this machine."""
    async with simulated(tmp_path, trust_loopback=False) as running:
        yield running


async def token(service: Service, *scopes: Scope, **limits: object) -> str:
    _, secret = await service.courier.tokens.create(new_token("test", scopes or [Scope.ADMIN], **limits))  # type: ignore[arg-type]
    return secret


def holds(folder: Path, secret: str) -> bool:
    return any(secret.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_without_a_token_nothing_is_told_apart(service: Service) -> None:
    for path in ("/v1/about", "/v1/health", "/v1/nothing", f"/v1/receive/{ACCOUNT}", "/api/v2/tokens", "/api/v2/nothing", "/t"):
        answer = await service.get(path)
        assert answer.status == 401, path
        assert "Basic" in answer.headers["WWW-Authenticate"]
        assert "Bearer" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("way", ["bearer", "basic", "basic without user", "key", "path", "path with dialect", "path behind dialect"])
async def test_a_token_is_taken_by_every_way_but_the_query(service: Service, way: str) -> None:
    secret = await token(service)
    headers = {
        "bearer": {"Authorization": f"bearer {secret}"},
        "basic": {"Authorization": basic("anybody", secret)},
        "basic without user": {"Authorization": basic("", secret)},
        "key": {"X-Api-Key": secret},
    }.get(way, {})
    prefix = {
        "path": f"/t/{secret}", "path with dialect": f"/t/{secret}/d/0.100", "path behind dialect": f"/d/0.100/t/{secret}",
    }.get(way, "")  # fmt: skip
    answer = await service.get(f"{prefix}/v1/about", **headers)
    assert answer.status == 200
    assert answer.json["version"] == ("0.100" if "dialect" in way else "0.101")
    for name in ("token", "access_token", "key", "api_key"):
        assert (await service.get(f"/v1/about?{name}={secret}")).status == 401


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic", "Basic %%%", "Basic bm9jb2xvbg==", "Digest x", "x" * 9000, basic("a", "ä")]
)
async def test_broken_credentials_are_wrong_ones(service: Service, header: str) -> None:
    assert (await service.get("/v1/about", Authorization=header)).status == 401


async def test_whoever_shows_a_token_is_judged_by_it_on_this_machine_too(tmp_path: Path) -> None:
    async with simulated(tmp_path) as service:
        assert (await service.get("/v1/about")).status == 200
        assert (await service.get("/v1/about", Authorization=f"Bearer {WRONG}")).status == 401
        assert (await service.get(f"/t/{WRONG}/v1/about")).status == 401
        assert (await service.get("/t/anything/v1/about")).status == 401
        assert (await service.get("/v1/about", Authorization=basic("user", "of somebody else's"))).status == 200
        secret = await token(service, Scope.SEND)
        assert (await service.get("/v1/accounts", Authorization=f"Bearer {secret}")).status == 403


async def test_wrong_credentials_are_excused_on_the_drop_in_routes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway's client that has lost its rights must not become a program of this machine, which may do everything."""
    monkeypatch.setattr(throttle, "BURST", 10**9)
    async with simulated(tmp_path) as service:
        for path in ("/api/v2/status", "/api/v1/devices", "/api/v1/credentials", "/api/v1/check", "/metrics"):
            assert (await service.get(path)).status == 200
            for header in (basic("user", "of somebody else's"), "Bearer wrong", "Bearer mt_" + "A" * 43, "Digest x"):
                assert (await service.get(path, Authorization=header)).status in (401, 403), (path, header)
        assert (await service.get("/v1/about", Authorization="Bearer mt_" + "A" * 43)).status == 401, "as when it has expired"


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "Via"],
)
async def test_what_a_proxy_on_this_machine_hands_over_is_not_this_machine(tmp_path: Path, header: str) -> None:
    async with simulated(tmp_path) as service:
        assert (await service.get("/v1/about", **{header: "203.0.113.9"})).status == 401


@pytest.mark.parametrize("host", ["signal.example.org", "192.168.1.2:8080", "[fd00::2]", "nas.lan", "ha.local:8080"])
async def test_what_a_tunnel_hands_over_under_a_name_for_others_is_not_this_machine(tmp_path: Path, host: str) -> None:
    async with simulated(tmp_path, allowed_hosts=("signal.example.org",)) as service:
        assert (await service.get("/v1/about", Host=host)).status == 401
        assert (await service.get("/v1/about", Host=host, Authorization=f"Bearer {await token(service)}")).status == 200


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "0.0.0.0:8080", "nas", "LOCALHOST."])
async def test_a_program_on_this_machine_calls_it_as_only_such_do(tmp_path: Path, host: str) -> None:
    async with simulated(tmp_path) as service:
        assert (await service.get("/v1/about", Host=host)).status == 200


@pytest.mark.parametrize(
    "head,status",
    [
        (b"HTTP/1.0\r\nHost: 127.0.0.1:8080\r\nConnection: close", 401), (b"HTTP/1.0\r\nConnection: keep-alive", 200), (b"HTTP/1.0", 200),
        (b"HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close", 200),
    ],
)  # fmt: skip
async def test_a_proxy_that_says_nothing_is_known_by_its_old_protocol(tmp_path: Path, head: bytes, status: int) -> None:
    """As nginx speaks where its configuration holds nothing but `proxy_pass`."""
    async with simulated(tmp_path) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
        writer.write(b"GET /v1/about " + head + b"\r\n\r\n")
        assert int((await reader.readline()).split()[1]) == status
        writer.close()


async def test_a_token_reaches_only_its_recipients_in_every_field_and_only_through_its_account(service: Service) -> None:
    key = {"X-Api-Key": await token(service, Scope.SEND, accounts=[ACCOUNT], recipients=[BEN])}
    allowed = {"number": ACCOUNT, "recipients": [BEN], "message": "Hello"}
    assert (await service.post("/v2/send", allowed, **key)).status == 201
    for change in (
        {"recipients": [BEN, OTHER]},
        {"recipients": OTHER},
        {"recipient": OTHER},
        {"group_id": "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajYvaU13ST0="},
        {"number": OTHER},
    ):
        assert (await service.post("/v2/send", allowed | change, **key)).status == 403, change
    assert (await service.post(f"/v1/send/{OTHER}", {"number": ACCOUNT, "message": "x"}, **key)).status == 403
    assert (await service.put(f"/v1/typing-indicator/{ACCOUNT}", {"recipient": BEN})).status == 401
    assert (await service.request("PUT", f"/v1/typing-indicator/{ACCOUNT}", {"recipient": BEN}, **key)).status == 204
    assert (await service.request("PUT", f"/v1/typing-indicator/{OTHER}", {"recipient": BEN}, **key)).status == 403


async def test_the_outbox_tells_a_token_of_its_recipients_alone_and_no_texts_to_one_that_may_not_read(service: Service) -> None:
    admin = {"X-Api-Key": await token(service)}
    key = {"X-Api-Key": await token(service, Scope.SEND, accounts=[ACCOUNT], recipients=[BEN])}
    reader = {"X-Api-Key": await token(service, Scope.SEND, Scope.RECEIVE, recipients=[BEN])}
    ids = {}
    for name, people in {"ben": [BEN], "other": [OTHER], "both": [BEN, OTHER]}.items():
        body = {"account": ACCOUNT, "recipients": people, "text": f"secret for {name}", "wait": 10}
        ids[name] = (await service.post("/api/v2/messages", body, **admin)).json["id"]
    for limited, may_read in ((key, False), (reader, True)):
        listed = await service.get(f"/api/v2/outbox?account=%2B{ACCOUNT[1:]}", **limited)
        assert [one["id"] for one in listed.json["messages"]] == [ids["ben"]]
        assert (b"secret for ben" in listed.body) is may_read
        one = await service.get(f"/api/v2/messages/{ids['ben']}", **limited)
        assert (one.status, b"secret" in one.body) == (200, may_read)
        for name in ("other", "both"):
            for method, more in (("GET", ""), ("DELETE", ""), ("POST", "/retry")):
                assert (await service.request(method, f"/api/v2/messages/{ids[name]}{more}", **limited)).status == 403, (method, name)
    assert b"secret for both" in (await service.get(f"/api/v2/outbox?account=%2B{ACCOUNT[1:]}", **admin)).body


async def test_who_opens_connections_and_says_nothing_keeps_nobody_out(tmp_path: Path) -> None:
    async with simulated(tmp_path, max_connections=10) as service:
        port = service.courier.server.port
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
        for _ in range(20):
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/v1/about") as answer:
                assert answer.status == 200
        gone = 0
        for reader, writer in silent:
            writer.close()
            gone += reader.at_eof() or reader.exception() is not None
        assert gone >= 20


async def test_an_account_that_is_not_here_cannot_be_told_from_one_that_is_not_allowed(service: Service) -> None:
    key = {"X-Api-Key": await token(service, Scope.CONTACTS, accounts=["+4915100000099"])}
    bodies = {(await service.get(f"/v1/contacts/{number}", **key)).body for number in (ACCOUNT, "+4915100000055", "nonsense")}
    assert len(bodies) == 1


async def test_a_token_answers_in_its_dialect(service: Service) -> None:
    key = {"X-Api-Key": await token(service, Scope.SEND, dialect="0.100")}
    body = {"number": ACCOUNT, "recipients": [BEN], "message": "Hello"}
    assert isinstance((await service.post("/v2/send", body, **key)).json, dict)
    assert isinstance((await service.post("/d/0.101/v2/send", body, **key)).json, list), "the path wins"


async def test_an_expired_token_is_a_wrong_one(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    key = {"X-Api-Key": await token(service, expires_at=int(now * 1000) + 60_000)}
    assert (await service.get("/v1/about", **key)).status == 200
    monkeypatch.setattr("signal_courier.access.tokens.time.time", lambda: now + 61)
    assert (await service.get("/v1/about", **key)).status == 401


async def test_tokens_are_made_listed_rotated_and_revoked_over_the_api(service: Service) -> None:
    admin = {"X-Api-Key": await token(service)}
    made = await service.post("/api/v2/tokens", {"name": "doorbell", "scopes": ["send"], "expires_in": 60, "recipients": [BEN]}, **admin)
    assert made.status == 201
    own = {"X-Api-Key": made.json["token"]}
    me = await service.get("/api/v2/tokens/self", **own)
    assert (me.json["name"], me.json["scopes"], me.json["recipients"]) == ("doorbell", ["send"], [BEN])
    assert (await service.get("/api/v2/tokens", **own)).status == 403
    listed = {one["name"]: one for one in (await service.get("/api/v2/tokens", **admin)).json["tokens"]}
    assert listed["doorbell"]["use_count"] == 2
    assert listed["doorbell"]["last_used_at"] == pytest.approx(time.time() * 1000, abs=10_000)
    assert "token" not in listed["doorbell"]
    path = f"/api/v2/tokens/{made.json['id']}"
    rotated = await service.post(f"{path}/rotate", None, **admin)
    assert (await service.get("/v1/about", **own)).status == 401
    own = {"X-Api-Key": rotated.json["token"]}
    assert (await service.get("/v1/about", **own)).status == 200
    assert (await service.request("DELETE", path, **admin)).status == 204
    assert (await service.get("/v1/about", **own)).status == 401
    assert (await service.request("DELETE", path, **admin)).status == 404
    assert (await service.get(path, **admin)).json["active"] is False


async def test_a_token_ends_at_the_time_that_was_asked_for_and_says_so(service: Service) -> None:
    admin = {"X-Api-Key": await token(service)}
    end = int(time.time() * 1000) + 60_000
    made = await service.post("/api/v2/tokens", {"name": "guest", "scopes": ["send"], "expires_at": end}, **admin)
    assert (made.status, made.json["expires_at"]) == (201, end)
    assert (made.headers["Location"], made.headers["Cache-Control"]) == (f"/api/v2/tokens/{made.json['id']}", "no-store")
    assert (await service.get("/api/v2/tokens/self", **{"X-Api-Key": made.json["token"]})).json["expires_at"] == end
    assert "expires_at" not in (await service.get("/api/v2/tokens/self", **admin)).json


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "scopes": ["send"]}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]},
        {"name": "x\ny", "scopes": ["send"]},
        {"name": "x", "scopes": ["send"], "accounts": []}, {"name": "x", "scopes": ["send"], "accounts": ["me"]},
        {"name": "x", "scopes": ["send"], "recipients": ["?"]}, {"name": "x", "scopes": ["send"], "expires_in": 0},
        {"name": "x", "scopes": ["send"], "expires_at": 1}, {"name": "x", "scopes": ["send"], "expires_at": 2**62},
        {"name": "x", "scopes": ["send"], "expires_at": 4_000_000_000_000, "expires_in": 60},
        {"name": "x", "scopes": ["send"], "dialect": "2"}, {"name": "y" * 101, "scopes": ["send"]},
    ],
)  # fmt: skip
async def test_a_token_that_makes_no_sense_is_not_made(service: Service, body: dict[str, object]) -> None:
    admin = {"X-Api-Key": await token(service)}
    before = len(service.courier.tokens.all())
    answer = await service.post("/api/v2/tokens", body, **admin)
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert len(service.courier.tokens.all()) == before


async def test_a_token_made_beside_the_service_works_at_once_for_many_at_once(service: Service) -> None:
    tokens, secret = service.courier.tokens, mint("sgc_")
    with contextlib.closing(sqlite3.connect(service.courier.database.path)) as beside, beside:
        insert(beside, row_of(new_token("beside", [Scope.SEND]), digest(tokens._key, secret)))

    async def known() -> bool:
        await tokens.refresh()
        return tokens.find(secret) is not None

    assert await asyncio.gather(*(known() for _ in range(3))) == [True] * 3
    other = mint("sgc_")
    with contextlib.closing(sqlite3.connect(service.courier.database.path)) as beside, beside:
        insert(beside, row_of(new_token("too", [Scope.SEND]), digest(tokens._key, other)))
    answers = await asyncio.gather(*(service.get("/v1/about", **{"X-Api-Key": other}) for _ in range(10)))
    assert {answer.status for answer in answers} == {200}


async def test_what_is_open_with_a_token_ends_with_it(service: Service) -> None:
    made, secret = await service.courier.tokens.create(new_token("listener", [Scope.RECEIVE]))
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{service.courier.server.port}/t/{secret}/v1/receive/{ACCOUNT}") as socket,
    ):
        await service.courier.tokens.revoke(made.id)
        async with asyncio.timeout(30):
            assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)


async def test_wrong_tokens_are_slowed_and_tokens_that_are_missing_are_not(service: Service) -> None:
    secret = await token(service)
    for _ in range(50):
        assert (await service.get("/v1/about")).status == 401
    statuses = [(await service.get("/v1/about", Authorization=f"Bearer {WRONG}")).status for _ in range(20)]
    assert statuses[:10] == [401] * 10
    assert statuses[10:] == [429] * 10
    answer = await service.get("/v1/about", Authorization=f"Bearer {WRONG}")
    assert 1 <= int(answer.headers["Retry-After"]) <= 70
    assert (await service.get("/v1/about", Authorization=f"Bearer {secret}")).status == 200, "whatever others have tried from there"


async def test_a_foreign_page_is_refused_and_our_own_is_not(tmp_path: Path) -> None:
    async with simulated(tmp_path) as service:
        own = f"http://127.0.0.1:{service.courier.server.port}"
        assert (await service.get("/v1/about", Origin=own)).status == 200
        for origin in ("http://evil.example", "null", "http://[", f"{own}0"):
            assert (await service.get("/v1/about", Origin=origin)).status == 403, origin
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x" * 22 + "=="}
        assert (await service.get(f"/v1/receive/{ACCOUNT}", Origin="http://evil.example", **upgrade)).status == 403
        for site in ("cross-site", "same-site"):
            assert (await service.get("/v1/about", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})).status == 403
        assert (await service.get("/v1/about", **{"Sec-Fetch-Site": "same-origin"})).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_link_on_another_page_leads_to_the_documentation_and_never_fetches_messages(tmp_path: Path, site: str) -> None:
    async with simulated(tmp_path) as service:
        click = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert (await service.get("/swagger/index.html", **click)).status == 200
        for path in (f"/v1/receive/{ACCOUNT}", "/v1/qrcodelink?device_name=x", "/api/v2/events?consumer=x&wait=0", "/v1/about"):
            assert (await service.get(path, **click)).status == 403, path
        assert (await service.get("/v1/about", **click | {"Sec-Fetch-Site": "none"})).status == 200, "typed, or a bookmark"


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1:1", "[::1]:80", "192.168.1.2", "nas", "nas.lan", "ha.local:8080"])
async def test_names_of_the_local_network_are_served(tmp_path: Path, host: str) -> None:
    async with simulated(tmp_path) as service:
        assert (await service.get("/v1/about", Host=host, Authorization=f"Bearer {await token(service)}")).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[", "a b", "local.com", ".", "evil.example@localhost",
        "localhost/evil.example", "localhost:80:80", "localhost#", "", "[::1", "127.0.0.1]",
    ],
)  # fmt: skip
async def test_public_names_are_not_served_unless_they_are_set(tmp_path: Path, host: str) -> None:
    async with simulated(tmp_path, allowed_hosts=("signal.example.org",)) as service:
        assert (await service.get("/v1/about", Host=host)).status == 421
        key = {"X-Api-Key": await token(service)}
        assert (await service.get("/v1/about", Host="Signal.Example.org:443", **key)).status == 200


async def test_pages_of_other_origins_are_served_by_setting_only(tmp_path: Path) -> None:
    page = "https://dashboard.example.org"
    ask = {"Origin": page, "Access-Control-Request-Method": "POST"}
    async with simulated(tmp_path / "a", cors_origins=(page,), trust_loopback=False) as service:
        preflight = await service.request("OPTIONS", "/v2/send", **ask)
        assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, page)
        allowed = {name.strip() for name in preflight.headers["Access-Control-Allow-Headers"].split(",")}
        assert {"Authorization", "X-Api-Key", "Last-Event-ID", "Backup-Passphrase", *HEADERS} <= allowed
        answer = await service.get("/v1/about", Origin=page, Authorization=f"Bearer {await token(service)}")
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, page)
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert (await service.request("OPTIONS", "/v2/send", **ask | {"Origin": "https://other.example"})).status == 403
    async with simulated(tmp_path / "b") as service:
        assert (await service.request("OPTIONS", "/v2/send", **ask)).status == 403


async def test_open_serves_the_drop_in_routes_to_everybody_and_the_rest_to_tokens(tmp_path: Path) -> None:
    async with simulated(tmp_path, auth="open", trust_loopback=False) as service:
        assert (await service.get("/v1/accounts")).status == 200
        assert (await service.get("/d/0.100/v1/about")).status == 200
        assert (await service.get("/v1/about", Authorization=basic("proxy", "its own"))).status == 200
        for path in ("/api/v2/tokens", "/api/v2/nothing", "/d/0.100/api/v2/tokens", "/metrics", "//api/v2/tokens", "/v1/../api/v2/tokens"):
            assert (await service.get(path)).status in (401, 404), path
        assert (await service.get("/api/v2/tokens")).status == 401
        assert (await service.get(f"/t/{WRONG}/v1/about")).status == 401
        assert (await service.get("/api/v2/tokens", Authorization=f"Bearer {await token(service)}")).status == 200


async def test_metrics_are_for_administrators_unless_a_setting_opens_them_and_nothing_else(tmp_path: Path) -> None:
    async with simulated(tmp_path / "closed", trust_loopback=False) as service:
        assert (await service.get("/metrics")).status == 401
        assert (await service.get("/metrics", **{"X-Api-Key": await token(service, Scope.RECEIVE)})).status == 403
        assert (await service.get("/metrics", **{"X-Api-Key": await token(service)})).status == 200
    async with simulated(tmp_path / "open", trust_loopback=False, metrics="open") as service:
        assert (await service.get("/metrics")).status == 200
        assert (await service.get("/metrics?name=x")).status == 200
        assert (await service.get("/metrics", **{"X-Api-Key": await token(service, Scope.SEND)})).status == 200
        for path in ("/metrics/", "//metrics", "/metrics/../v1/about", "/v1/about", "/api/v2/status", "/api/v2/tokens", "/metrics%2f"):
            assert (await service.get(path)).status == 401, path
        assert (await service.request("POST", "/metrics")).status == 404
        assert (await service.get("/metrics", **{"X-Api-Key": "sgc_" + "A" * 43})).status == 401


async def test_the_ingress_listener_serves_its_peer_alone(tmp_path: Path) -> None:
    async with simulated(tmp_path / "a", ingress_port=0, ingress_peer="127.0.0.1", trust_loopback=False) as service:
        port = service.courier.server.ingress_port
        async with aiohttp.ClientSession() as session:
            headers = {"Origin": "https://home.example.org", "X-Forwarded-For": "192.168.1.7", "Host": "home.example.org"}
            async with session.get(f"http://127.0.0.1:{port}/api/v2/tokens/self", headers=headers) as answer:
                assert (await answer.json())["kind"] == "ingress"
    async with simulated(tmp_path / "b", ingress_port=0) as service:
        port = service.courier.server.ingress_port
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/v1/about") as answer:
            assert answer.status == 403, "this machine is not 172.30.32.2"


async def test_a_token_of_the_settings_may_do_everything_and_is_stored_nowhere(tmp_path: Path) -> None:
    secret = "correct-horse-battery-staple"
    async with simulated(tmp_path, token=secret, trust_loopback=False) as service:
        assert (await service.get("/api/v2/tokens", Authorization=f"Bearer {secret}")).json == {"tokens": []}
        assert secret not in repr(service.courier.settings)
    assert not holds(tmp_path, secret)


async def test_no_token_is_on_the_disk_or_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from signal_courier.logs import Masked

    caplog.set_level(logging.DEBUG)
    async with simulated(tmp_path, trust_loopback=False) as service:
        secret = await token(service)
        await service.get(f"/t/{secret}/v1/about")
        await service.get(f"/t/{secret}/v1/nothing")
        await service.post(f"/t/{secret}/v2/send", b"{")
        logging.getLogger("signal_courier.test").warning("GET /d/0.100/t/%s/v1/about and /d/0.100/t/of-somebody/v1/about", secret)
        answers = [await service.get(f"/t/{secret}x/v1/about"), await service.get(f"/t/{secret}/v2/send")]
        reader, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
        writer.write(f"GET /t/{secret}/v1/about HTTP/9.x\r\n\r\n".encode())
        async with asyncio.timeout(30):
            broken = await reader.read()
        writer.close()
        await service.courier.audit.flush()
    assert broken.startswith(b"HTTP/1.")
    assert b" 400 " in broken.splitlines()[0]
    assert secret.encode() not in broken
    assert all(secret.encode() not in answer.body for answer in answers)
    logged = "\n".join(Masked("%(name)s %(message)s").format(record) for record in caplog.records)
    assert secret not in logged
    assert "of-somebody" not in logged
    assert not holds(tmp_path, secret)


async def test_the_audit_log_tells_who_did_what_and_no_texts(service: Service) -> None:
    admin = {"X-Api-Key": await token(service)}
    key = {"X-Api-Key": await token(service, Scope.SEND)}
    await service.post("/v2/send", {"number": ACCOUNT, "recipients": [BEN], "message": "the secret text"}, **key)
    await service.get(f"/v1/groups/{ACCOUNT}", **key)
    for _ in range(5):
        await service.get("/v1/about")
    page = (await service.get("/api/v2/audit", **admin)).json
    lines = [(line["caller"], line["route"], line.get("account"), line["status"], line.get("times", 1)) for line in page["lines"]]
    assert ("test", "/v2/send", ACCOUNT, 201, 1) in lines
    assert ("test", "/v1/groups/{number}", ACCOUNT, 403, 1) in lines
    assert ("", "", None, 401, 5) in lines, "refused ones are joined"
    assert "secret text" not in str(page)
    assert BEN not in str(page)
    assert (await service.get("/api/v2/audit?status=403", **admin)).json["lines"][0]["status"] == 403
    assert len((await service.get("/api/v2/audit?limit=1", **admin)).json["lines"]) == 1


async def test_the_audit_log_tells_each_method_of_signal_cli_with_its_account_and_what_became_of_it(service: Service) -> None:
    admin = {"X-Api-Key": await token(service)}
    key = {"X-Api-Key": await token(service, Scope.SEND)}

    def ask(method: str, **params: object) -> dict[str, object]:
        return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"account": ACCOUNT} | params}

    batch = [ask("send", recipient=[BEN], message="the secret text"), ask("listContacts"), ask(BEN), ask("send")]
    await service.post("/api/v1/rpc", batch, **key, **{"Content-Type": "application/json"})
    page = (await service.get("/api/v2/audit", **admin)).json
    lines = {(line["route"], line.get("account"), line["status"]) for line in page["lines"] if line["route"].startswith("/api/v1/rpc")}
    assert lines == {
        ("/api/v1/rpc send", ACCOUNT, 200), ("/api/v1/rpc listContacts", ACCOUNT, 403), ("/api/v1/rpc (unknown)", ACCOUNT, 403),
        ("/api/v1/rpc send", ACCOUNT, 400),
    }  # fmt: skip
    assert "secret text" not in str(page)
    assert BEN not in str(page)


async def test_the_audit_log_tells_which_account_a_message_of_the_outbox_is_of(service: Service) -> None:
    admin = {"X-Api-Key": await token(service)}
    sent = await service.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [BEN], "text": "x"}, **admin)
    await service.request("DELETE", f"/api/v2/messages/{sent.json['id']}", **admin)
    page = (await service.get(f"/api/v2/audit?account=%2B{ACCOUNT[1:]}", **admin)).json
    assert [(line["method"], line["route"]) for line in page["lines"]] == [
        ("DELETE", "/api/v2/messages/{message}"), ("POST", "/api/v2/messages"),
    ]  # fmt: skip


async def test_a_token_for_one_account_need_not_name_it(tmp_path: Path) -> None:
    second = "+4915100000002"
    async with simulated(tmp_path, default_account=ACCOUNT) as service:
        _, secret = await service.courier.tokens.create(new_token("bot", [Scope.SEND], accounts=[second]))
        key = {"X-Api-Key": secret}
        assert (await service.post("/v2/send", {"recipients": [ACCOUNT], "message": "one"}, **key)).status == 201
        call = {"jsonrpc": "2.0", "id": 1, "method": "send", "params": {"recipient": [ACCOUNT], "message": "two"}}
        assert "result" in (await service.post("/api/v1/rpc", call, **key, **{"Content-Type": "application/json"})).json
        sent = (await service.get(f"/api/v2/outbox?account=%2B{second[1:]}")).json["messages"]
        assert sorted(message["content"]["text"] for message in sent) == ["one", "two"]


async def test_the_audit_log_is_bounded(tmp_path: Path) -> None:
    async with simulated(tmp_path, audit_max=100, trust_loopback=False) as service:
        admin = {"X-Api-Key": await token(service)}
        for _ in range(150):
            await service.get("/v1/about", **admin)
        page = (await service.get("/api/v2/audit?limit=1000", **admin)).json
        assert len(page["lines"]) == 100


async def test_the_audit_log_tells_each_request_and_joins_those_of_a_flood_that_are_alike(service: Service) -> None:
    audit = service.courier.audit
    caller = Caller(name="doorbell", kind="token", scopes=EVERY_SCOPE, token_id="tok_1")
    for status in (201, 429):
        for _ in range(1000):
            audit.record(caller, "192.0.2.7", "POST", "/v2/send", ACCOUNT, status)
    await audit.flush()
    lines = [row for _, row in await audit.table.page(None, 1000, token_id="tok_1")]
    assert len([row for row in lines if row.times == 1]) == 200
    counted = {status: sum(row.times for row in lines if row.status == status) for status in (201, 429)}
    assert counted == {201: 1000, 429: 1000}
    assert len(lines) == 202


async def test_the_webhook_of_a_token_that_has_ended_is_told_to_be_so_at_once(service: Service) -> None:
    admin = {"Authorization": f"Bearer {await token(service)}"}
    made, secret = await service.courier.tokens.create(new_token("hook", [Scope.RECEIVE]))
    hook = await service.post("/api/v2/webhooks", {"url": "http://192.0.2.1/hook"}, Authorization=f"Bearer {secret}")
    assert (hook.status, hook.json["webhook"]["state"] if "webhook" in hook.json else hook.json["state"]) == (201, "active")
    assert await service.courier.tokens.revoke(made.id)
    (shown,) = (await service.get("/api/v2/webhooks", **admin)).json["webhooks"]
    assert (shown["active"], shown["state"]) == (False, "revoked")
