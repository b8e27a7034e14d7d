"""signal-cli's own HTTP face: JSON-RPC, events with replay, and what a token may call."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from signal_courier.access.scopes import Scope
from signal_courier.http.rpc.methods import SCOPES
from tests.fakes.daemon import Failure
from tests.fakes.listener import frame_of
from tests.fakes.served import ACCOUNT, Reply, Service, served
from tests.fakes.sse import EventSource
from tests.service.access.reached import ROUTES

SECOND = "+4915100000002"
PERSON = "+4915100000003"
GROUP = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
REACTION = {"emoji": "👍", "targetAuthor": PERSON, "targetTimestamp": 1700000000123}
METHODS = json.loads((Path(__file__).parents[2] / "data" / "signal-cli-methods.json").read_text())
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, accounts=(ACCOUNT, SECOND)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with served(tmp_path_factory.mktemp("kept"), accounts=(ACCOUNT, SECOND)) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def rpc(service: Service, body: object, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return await service.post("/api/v1/rpc", raw, **(JSON | headers))


def request(method: str, params: object = None, identity: object = "1") -> dict[str, Any]:
    made: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "id": identity}
    return made if params is None else made | {"params": params}


async def token(
    service: Service, *scopes: Scope, accounts: tuple[str, ...] | None = None, recipients: tuple[str, ...] | None = None
) -> str:
    body: dict[str, Any] = {"name": "bot", "scopes": list(scopes)}
    if accounts is not None:
        body["accounts"] = list(accounts)
    if recipients is not None:
        body["recipients"] = list(recipients)
    reply = await service.post("/api/v2/tokens", body)
    assert reply.status == 201, reply.body
    return str(reply.json["token"])


# --- JSON-RPC


async def test_a_call_is_answered_as_signal_cli_does(service: Service) -> None:
    reply = await rpc(service, request("version"))
    assert (reply.status, reply.json) == (200, {"jsonrpc": "2.0", "result": {"version": service.daemon.version}, "id": "1"})


@pytest.mark.parametrize("identity", ["a", 7, None])
async def test_the_id_comes_back_as_it_was(service: Service, identity: object) -> None:
    assert (await rpc(service, request("version", identity=identity))).json["id"] == identity


async def test_a_send_reaches_signal_cli_with_its_parameters(service: Service) -> None:
    params = {"account": ACCOUNT, "recipient": [PERSON], "message": "Hi"}
    reply = await rpc(service, request("send", params))
    assert reply.json["result"]["results"][0]["type"] == "SUCCESS"
    assert service.asked("send") == [params]


async def test_an_error_of_signal_cli_comes_with_its_code_and_what_was_done(service: Service) -> None:
    service.daemon.on("send", Failure(-5, "Rate limited", {"response": {"timestamp": 1, "results": []}}))
    reply = await rpc(service, request("send", {"account": ACCOUNT, "recipient": PERSON, "message": "Hi"}))
    assert reply.status == 200
    assert reply.json == {
        "jsonrpc": "2.0",
        "error": {"code": -5, "message": "Rate limited", "data": {"response": {"timestamp": 1, "results": []}}},
        "id": "1",
    }


async def test_a_notification_is_done_and_not_answered(service: Service) -> None:
    notification = {"jsonrpc": "2.0", "method": "sendTyping", "params": {"account": ACCOUNT, "recipient": PERSON}}
    reply = await rpc(service, notification)
    assert (reply.status, reply.body) == (201, b"")
    assert len(service.asked("sendTyping")) == 1


async def test_a_batch_is_answered_in_its_order_without_its_notifications(service: Service) -> None:
    batch = [request("version", identity=1), {"jsonrpc": "2.0", "method": "version"}, request("nonsense", identity=2), 5]
    service.daemon.on("nonsense", Failure(-32601, "Method not implemented"))
    answers = (await rpc(service, batch)).json
    assert [answer["id"] for answer in answers] == [1, 2, None]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32601, -32600]


@pytest.mark.parametrize(
    "body,code",
    [
        (b"", -32700), (b"{", -32700), (b"\xff", -32700), (b"[]", -32600), (b"5", -32600), (b"{}", -32600),
        (b'{"jsonrpc":"1.0","method":"version","id":1}', -32600),
        (b'{"jsonrpc":"2.0","method":5,"id":1}', -32600),
        (b'{"jsonrpc":"2.0","method":"version","params":[1],"id":1}', -32600),
        (b'{"jsonrpc":"2.0","method":"version","id":1,"more":2}', -32600),
        (b'{"jsonrpc":"2.0","method":"version","id":{}}', -32600),
        (b'{"jsonrpc":"2.0","method":"subscribeReceive","id":1}', -32601),
        (b"[" + b"1," * 100 + b"1]", -32600),
        (b"[" * 100_000, -32700),
    ],
)  # fmt: skip
async def test_what_is_no_request_gets_the_code_of_json_rpc(shared: Service, body: bytes, code: int) -> None:
    reply = await rpc(shared, body)
    assert (reply.status, reply.json["error"]["code"]) == (200, code)


async def test_only_json_by_name_is_taken(service: Service) -> None:
    for kind, status in (("text/plain", 415), ("application/json; charset=utf-8", 200), ("application/json-rpc", 200)):
        reply = await service.post("/api/v1/rpc", b"{}", **{"Content-Type": kind})
        assert reply.status == status


@pytest.mark.parametrize("path", ["/api/v1/rpc", "/api/v1/events", "/api/v1/check"])
async def test_another_method_is_405_as_with_signal_cli(service: Service, path: str) -> None:
    reply = await service.put(path)
    assert (reply.status, reply.body) == (405, b"")
    assert reply.headers["Allow"] == ("POST" if path.endswith("rpc") else "GET")


@pytest.mark.slow  # 10 s: as long as a call waits for signal-cli
async def test_without_signal_cli_there_is_an_error_and_no_hang(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        await service.daemon.close()
        async with asyncio.timeout(30):
            reply = await rpc(service, request("listContacts", {"account": ACCOUNT}))
        assert reply.json["error"]["code"] == -32000


async def test_check_says_yes(service: Service) -> None:
    reply = await service.get("/api/v1/check")
    assert (reply.status, reply.body) == (200, b"")


# --- who may call what


def test_every_method_of_signal_cli_has_a_scope() -> None:
    known = {method for version, methods in METHODS.items() if not version.startswith("_") for method in methods}
    free = {"version", "listAccounts", "subscribeReceive", "unsubscribeReceive", "subscribeCallEvents", "unsubscribeCallEvents"}
    assert known - free - SCOPES.keys() == set()


def test_a_method_asks_for_the_scope_that_its_drop_in_route_asks_for() -> None:
    same = {
        "send": ("POST", "/v2/send"), "sendReaction": ("POST", "/v1/reactions/{number}"), "startCall": ("POST", "/v1/calls/{number}"),
        "listCalls": ("GET", "/v1/calls/{number}"), "receive": ("GET", "/v1/receive/{number}"),
        "listContacts": ("GET", "/v1/contacts/{number}"), "sendContacts": ("POST", "/v1/contacts/{number}/sync"),
        "getUserStatus": ("GET", "/v1/search/{number}"), "listIdentities": ("GET", "/v1/identities/{number}"),
        "trust": ("PUT", "/v1/identities/{number}/trust/{numberToTrust}"), "listStickerPacks": ("GET", "/v1/sticker-packs/{number}"),
        "addStickerPack": ("POST", "/v1/sticker-packs/{number}"), "updateGroup": ("POST", "/v1/groups/{number}"),
        "sendPinMessage": ("POST", "/v1/groups/{number}/{groupid:path}/pin-message"), "updateProfile": ("PUT", "/v1/profiles/{number}"),
        "listDevices": ("GET", "/v1/devices/{number}"), "register": ("POST", "/v1/register/{number}"),
    }  # fmt: skip
    scopes = {(route.method, route.path): route.scope for route in ROUTES}
    assert {method: SCOPES[method] for method in same} == {method: scopes[route] for method, route in same.items()}


async def test_blocking_a_group_asks_for_the_scope_of_groups_too(service: Service) -> None:
    group = {"account": ACCOUNT, "group-id": "0W5JZwUNJbYTjHA44GSBP/M39EhJbsOro8bdchaAs9M="}
    for method in ("block", "unblock", "sendMessageRequestResponse"):
        for scopes, allowed in (((Scope.CONTACTS,), False), ((Scope.CONTACTS, Scope.GROUPS), True)):
            reply = await rpc(service, request(method, group), Authorization=f"Bearer {await token(service, *scopes)}")
            assert (reply.json.get("error", {}).get("code") != -32001) == allowed


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_token_calls_the_methods_of_its_scope_and_no_others(service: Service, scope: Scope) -> None:
    secret = await token(service, scope)
    answers = (await rpc(service, [request(name, {"account": ACCOUNT}, name) for name in SCOPES], Authorization=f"Bearer {secret}")).json
    for answer in answers:
        allowed = scope in (SCOPES[answer["id"]], Scope.ADMIN)
        assert (answer.get("error", {}).get("code") != -32001) == allowed, answer["id"]
    unknown = (await rpc(service, request("later", {"account": ACCOUNT}), Authorization=f"Bearer {secret}")).json
    assert (unknown.get("error", {}).get("code") != -32001) == (scope is Scope.ADMIN)


async def test_a_token_for_one_account_cannot_act_as_another(service: Service) -> None:
    secret = await token(service, Scope.SEND, Scope.ACCOUNTS, accounts=(ACCOUNT,))
    bearer = {"Authorization": f"Bearer {secret}"}
    send = {"recipient": PERSON, "message": "Hi"}
    for params in ({"account": SECOND}, {"account": 5}, {"account": [SECOND]}, {"account": "x"}):
        assert (await rpc(service, request("send", params | send), **bearer)).json["error"]["code"] == -32001
    assert (await rpc(service, request("startLink"), **bearer)).json["error"]["code"] == -32001
    assert service.asked("send") == []
    assert "result" in (await rpc(service, request("send", {"account": ACCOUNT} | send), **bearer)).json
    assert (await rpc(service, request("listAccounts"), **bearer)).json["result"] == [{"number": ACCOUNT}]


@pytest.mark.parametrize(
    "more",
    [
        {}, {"recipient": SECOND}, {"recipients": [PERSON, SECOND]}, {"recipient": PERSON, "groupId": "x"}, {"username": "u:bob.01"},
        {"recipient": PERSON, "note-to-self": True}, {"recipient": PERSON, "group-id": "0W5JZwUNJbYTjHA44GSBP/M39EhJbsOro8bdchaAs9M="},
    ],
)  # fmt: skip
async def test_a_token_for_one_recipient_reaches_nobody_else(service: Service, more: dict[str, Any]) -> None:
    secret = await token(service, Scope.SEND, Scope.GROUPS, recipients=(PERSON,))
    bearer = {"Authorization": f"Bearer {secret}"}
    for method in ("send", "sendReaction", "updateGroup", "sendStory"):
        assert (await rpc(service, request(method, {"account": ACCOUNT} | more), **bearer)).json["error"]["code"] == -32001
    assert service.asked("send") == []
    reply = await rpc(service, request("send", {"account": ACCOUNT, "recipient": PERSON, "message": "Hi"}), **bearer)
    assert "result" in reply.json


@pytest.mark.parametrize("method", ["sendStory", "acceptCall", "rejectCall", "hangupCall"])
async def test_naming_an_allowed_recipient_opens_nothing_that_takes_no_notice_of_it(service: Service, method: str) -> None:
    bearer = {"Authorization": f"Bearer {await token(service, Scope.SEND, recipients=(PERSON,))}"}
    params = {"account": ACCOUNT, "recipient": PERSON, "callId": 1, "attachment": "data:image/png;base64,aGk="}
    assert (await rpc(service, request(method, params), **bearer)).json["error"]["code"] == -32001
    assert (await rpc(service, request(method, params | {"groupId": ""}), **bearer)).json["error"]["code"] == -32001
    assert service.asked(method) == []


@pytest.mark.parametrize(
    "method,params",
    [
        ("send", {"attachment": "/etc/passwd"}), ("send", {"attachments": ["data:;base64,aGk=", "/etc/passwd"]}),
        ("send", {"preview-image": "x.png"}), ("send", {"quoteAttachment": "text/plain:x:/etc/passwd"}), ("updateGroup", {"avatar": "x"}),
        ("updateProfile", {"avatar": "/etc/passwd"}), ("uploadStickerPack", {"path": "/etc"}), ("sendStory", {"attachment": ["/x"]}),
        ("getAttachment", {"id": "../../data"}), ("send", {"attachment": {"x": 1}}),
    ],
)  # fmt: skip
async def test_a_token_reads_no_files_of_this_machine(service: Service, method: str, params: dict[str, Any]) -> None:
    secret = await token(service, *Scope)
    reply = await rpc(service, request(method, {"account": ACCOUNT} | params), Authorization=f"Bearer {secret}")
    assert reply.json["error"]["code"] == -32602
    assert service.asked(method) == []


# --- events


async def inject(service: Service, *frames: bytes) -> None:
    for one in frames:
        service.courier.receiving.inbox.accept(one)
    await asyncio.wait_for(service.courier.receiving.inbox.committed(), 30)


def url(service: Service, query: str = "") -> str:
    return f"http://127.0.0.1:{service.courier.server.port}/api/v1/events{query}"


async def test_envelopes_come_in_signal_clis_own_form(service: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.courier.server.port)
    writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    assert b"200 OK" in head
    assert b"text/event-stream" in head
    await inject(service, frame_of(ACCOUNT, 1))
    got = await asyncio.wait_for(reader.readuntil(b"}\n\n"), 30)
    assert b"\nevent:receive\ndata:" + frame_of(ACCOUNT, 1) + b"\n\n" in got
    assert b"id:" in got
    writer.close()
    await writer.wait_closed()


async def test_who_comes_back_gets_what_was_missed(service: Service, http: aiohttp.ClientSession) -> None:
    frames = [frame_of(ACCOUNT, number) for number in range(4)]
    async with EventSource.connect(http, url(service)) as source:
        await inject(service, *frames[:2])
        first, _second = await source.take(2)
    await inject(service, *frames[2:])
    async with EventSource.connect(http, url(service), **{"Last-Event-ID": first.id or ""}) as source:
        assert [event.data for event in await source.take(3)] == frames[1:]


async def test_what_came_while_nobody_was_connected_goes_to_the_next(service: Service, http: aiohttp.ClientSession) -> None:
    frames = [frame_of(ACCOUNT, number) for number in range(3)]
    async with EventSource.connect(http, url(service)) as source:
        await inject(service, frames[0])
        await source.next()
        await _stored(service)
    await inject(service, *frames[1:])
    async with EventSource.connect(http, url(service)) as source:
        assert [event.data for event in await source.take(2)] == frames[1:]


async def _stored(service: Service) -> None:
    """Wait until it is stored that the last event was delivered."""
    receiving = service.courier.receiving
    await asyncio.wait_for(receiving.events.watched(), 30)
    assert receiving.consumers.position("", "signal-cli:all") == receiving.events.head


async def test_only_the_account_that_was_asked_for(service: Service, http: aiohttp.ClientSession) -> None:
    async with EventSource.connect(http, url(service, f"?account={SECOND}")) as source:
        await inject(service, frame_of(ACCOUNT, 1), frame_of(SECOND, 2))
        assert (await source.next()).data == frame_of(SECOND, 2)


async def test_an_unknown_account_is_refused(service: Service) -> None:
    assert (await service.get("/api/v1/events?account=%2B4915100000099")).status == 400


async def test_a_token_for_one_account_sees_no_other(service: Service, http: aiohttp.ClientSession) -> None:
    bearer = {"Authorization": f"Bearer {await token(service, Scope.RECEIVE, accounts=(SECOND,))}"}
    assert (await service.get(f"/api/v1/events?account={ACCOUNT.replace('+', '%2B')}", **bearer)).status == 403
    for path in ("/api/v1/events", "/api/v2/events?types=typing"):
        target = f"http://127.0.0.1:{service.courier.server.port}{path}"
        async with EventSource.connect(http, target, **bearer) as source:
            await inject(service, frame_of(ACCOUNT, 1), frame_of(SECOND, 2))
            assert msgspec.json.decode((await source.next()).data)["account"] == SECOND


# --- what is sent by it goes the way of everything that is sent


async def test_what_is_sent_by_rpc_has_a_history_and_tells_how_far_it_comes(service: Service) -> None:
    params = {"account": ACCOUNT, "recipient": [PERSON], "message": "Hi", "quoteTextStyle": []}
    assert "result" in (await rpc(service, request("send", params))).json
    assert service.asked("send") == [params]
    (noted,) = (await service.get("/api/v2/outbox?account=%2B4915100000001")).json["messages"]
    assert (noted["kind"], noted["state"], noted["content"]["text"], noted["recipients"][0]["recipient"]) == (
        "message",
        "sent",
        "Hi",
        PERSON,
    )


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("send", {"message": "x", "editTimestamp": 1700000000123}, "edit"),
        ("send", {"message": "x", "mention": ["0:1:" + PERSON], "quote-timestamp": 1700000000123, "quoteAuthor": PERSON}, "message"),
        ("sendReaction", {"emoji": "👍", "targetAuthor": PERSON, "targetTimestamp": 1700000000123}, "reaction"),
        ("remoteDelete", {"targetTimestamp": 1700000000123}, "delete"),
        ("sendPollCreate", {"question": "Tea?", "option": ["Yes", "No"]}, "poll"),
        ("sendPollVote", {"pollAuthor": PERSON, "pollTimestamp": 1700000000123, "option": [0]}, "vote"),
        ("sendPollTerminate", {"pollTimestamp": 1700000000123}, "poll_end"),
    ],
)
async def test_every_method_that_sends_is_noted_for_what_it_is(service: Service, method: str, params: dict[str, Any], kind: str) -> None:
    result = {"recipientAddress": {"uuid": "11111111-1111-4111-8111-111111111111", "number": PERSON}, "type": "SUCCESS"}
    service.daemon.on(method, {"timestamp": 1700000000999, "results": [result]})
    whole = {"account": ACCOUNT, "recipient": PERSON} | params
    reply = await rpc(service, request(method, whole))
    assert reply.json["result"] == {"timestamp": 1700000000999, "results": [result]}
    assert service.asked(method) == [whole]
    (noted,) = (await service.get("/api/v2/outbox?account=%2B4915100000001")).json["messages"]
    assert (noted["kind"], noted["state"], noted["timestamp"]) == (kind, "sent", 1700000000999)


async def test_the_same_key_sends_once_by_rpc_too(service: Service) -> None:
    body = request("send", {"account": ACCOUNT, "recipient": [PERSON], "message": "Hi"})
    first = await rpc(service, body, **{"Idempotency-Key": "k"})
    second = await rpc(service, body, **{"Idempotency-Key": "k"})
    assert (second.json, second.headers["Idempotent-Replayed"]) == (first.json, "true")
    assert len(service.asked("send")) == 1
    other = await rpc(service, request("send", {"account": ACCOUNT, "recipient": [PERSON], "message": "Ho"}), **{"Idempotency-Key": "k"})
    assert other.status == 422
    assert (await rpc(service, [body], **{"Idempotency-Key": "b"})).json["error"]["code"] == -32600


async def test_dont_wait_counts_for_rpc_too(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "picture.txt"
    file.write_text("picture")
    later = {"Prefer": "respond-async"}
    params = {"account": ACCOUNT, "recipient": [PERSON], "groupId": [GROUP], "message": "Hi", "attachment": [str(file)]}
    first = await rpc(service, request("send", params, 7), **later, **{"Idempotency-Key": "k"})
    identifier = first.json["result"]["id"]
    assert first.json == {"jsonrpc": "2.0", "result": {"id": identifier, "state": "queued"}, "id": 7}
    assert (first.status, first.headers["Location"]) == (202, f"/api/v2/messages/{identifier}")
    assert first.headers["Preference-Applied"] == "respond-async"
    second = await rpc(service, request("send", params, 7), **later, **{"Idempotency-Key": "k"})
    assert (second.status, second.json, second.headers["Idempotent-Replayed"]) == (202, first.json, "true")
    assert (await service.courier.outbox.waiting.for_end(identifier, 30)).state == "sent"
    asked = [call.get("recipient", call.get("groupId")) for call in service.asked("send")]
    assert len(asked) == 2
    assert [PERSON] in asked
    assert [GROUP] in asked
    waited = await rpc(
        service, request("sendReaction", REACTION | {"account": ACCOUNT, "recipient": PERSON}), Prefer="respond-async, wait=10"
    )
    assert (waited.status, "timestamp" in waited.json["result"]) == (200, True)


@pytest.mark.parametrize("more", [{"quoteTextStyle": ["0:1:BOLD"]}, {"attachment": ["/nowhere/picture.jpg"]}])
async def test_a_call_that_cannot_be_kept_whole_is_made_at_once(service: Service, more: dict[str, Any]) -> None:
    params = {"account": ACCOUNT, "recipient": [PERSON], "message": "Hi"} | more
    assert (await rpc(service, request("send", params), Prefer="respond-async")).status == 200
    assert service.asked("send") == [params]


async def test_a_list_of_one_is_taken_where_signal_cli_wants_one_text(service: Service) -> None:
    receipt = {"account": ACCOUNT, "targetTimestamp": 1700000000123, "type": "read"}
    await rpc(service, request("sendReceipt", receipt | {"recipient": [PERSON]}))
    assert service.asked("sendReceipt") == [receipt | {"recipient": PERSON}]


@pytest.mark.parametrize("number", [2**63, 2**64, 10**40])
@pytest.mark.parametrize("name", ["editTimestamp", "quoteTimestamp"])
async def test_a_number_that_signal_cli_cannot_read_harms_nobody_else(service: Service, name: str, number: int) -> None:
    whole = {"account": ACCOUNT, "recipient": [PERSON], "message": "Hi"}
    await rpc(service, json.dumps(request("send", whole | {name: number})).encode())
    assert (await rpc(service, request("send", whole))).json["result"]["timestamp"]
    noted = (await service.get("/api/v2/outbox?account=%2B4915100000001")).json["messages"]
    assert [message["state"] for message in noted] == ["sent"]


async def test_what_was_refused_by_rpc_is_noted_with_its_reason(service: Service) -> None:
    failed = [{"recipientAddress": {"number": PERSON}, "type": "UNREGISTERED_FAILURE"}]
    service.daemon.on("send", Failure(-1, "Failed to send message", {"response": {"timestamp": 1, "results": failed}}))
    reply = await rpc(service, request("send", {"account": ACCOUNT, "recipient": PERSON, "message": "Hi"}))
    assert reply.json["error"]["code"] == -1
    (noted,) = (await service.get("/api/v2/outbox?account=%2B4915100000001")).json["messages"]
    assert (noted["state"], noted["recipients"][0]["reason"]) == ("failed", "UNREGISTERED_FAILURE")
