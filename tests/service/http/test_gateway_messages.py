"""`/api/v1/devices/{device_id}/message`: through the outbox, as JSON and as a form."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from signal_courier.access.scopes import Scope
from signal_courier.engine.simulator import cast
from signal_courier.http.description.openapi import document
from signal_courier.http.tables import TABLES
from signal_courier.model.errors import InvalidValue
from signal_courier.model.message_ids import message_id, parse_message_id
from signal_courier.model.outbox import DeliveryState, MessageStatus
from tests.fakes.daemon import Failure
from tests.fakes.gateway import Client, Gateway, gateway
from tests.fakes.served import Service, served

PATH = "devices/4915100000001/message"
QUEUED = "Message queued successfully"
INVITE = "https://signal.group/#CjQKIAtT0wjz_qKS6MZL8GmWcO9uyWV5y8eWLcTqUQpMLqQtEhBkc1VYk3M0bTVdOGRfSmJh"
GROUP = "a" * 42 + "Y="


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, {"send": {"timestamp": 1700000000123, "results": []}}) as running:
        yield running


def form(file: bytes | None = None, name: str = "report.pdf", **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(default_to_multipart=True, quote_fields=False)
    for key, value in ({"contact": "4915100000011", "platform": "signal"} | fields).items():
        data.add_field(key, value)
    if file is not None:
        data.add_field("file", io.BytesIO(file), filename=name, content_type="application/pdf")
    return data


def message(**fields: str) -> dict[str, str]:
    return {"contact": "4915100000011", "platform": "signal", "text": "hello"} | fields


async def outcome(house: Gateway, answer: Any) -> dict[str, Any]:
    """What became of a queued message."""
    assert (answer.status, answer.json["message"]) == (200, QUEUED)
    await house.service.courier.outbox.waiting.for_end(answer.json["id"], 30)
    told = await house.service.get(f"/api/v2/messages/{answer.json['id']}", Authorization=house.admin.authorization or "")
    status: dict[str, Any] = told.json
    assert told.status == 200, status
    return status


async def test_a_message_is_queued_and_reaches_everybody_in_the_list(house: Gateway) -> None:
    token = await house.token()
    status = await outcome(house, await token.ask("POST", PATH, message(contact=f" 4915100000011, {cast.SHADE},+4915100000012, shade.01 ")))
    states = {entry["recipient"]: entry["state"] for entry in status["recipients"]}
    assert set(states) == {"+4915100000011", cast.SHADE, "+4915100000012", "u:shade.01"}
    assert set(states.values()) <= {"sent", "delivered", "read"}


async def test_a_form_carries_a_file_and_leaves_nothing_behind(house: Gateway) -> None:
    token = await house.token()
    status = await outcome(house, await token.ask("POST", PATH, form(b"%PDF-1.4 report", text="Look")))
    assert status["recipients"][0]["state"] in ("sent", "delivered", "read")
    assert (await outcome(house, await token.ask("POST", PATH, form(b"%PDF-1.4 report"))))["state"] in ("sent", "delivered", "read")
    assert (await outcome(house, await token.ask("POST", PATH, form(text="only text"))))["state"] in ("sent", "delivered", "read")
    assert house.service.spooled() == []


async def test_the_file_arrives_with_its_name_and_bytes(service: Service) -> None:
    got: list[tuple[str, bytes]] = []

    def take(params: dict[str, Any]) -> dict[str, Any]:
        (path,) = params["attachment"]
        got.append((Path(path).name, Path(path).read_bytes()))
        return {"timestamp": 1700000000123, "results": []}

    service.daemon.on("send", take)
    content = bytes(range(256)) * 20_000
    answer = await service.post("/api/v1/" + PATH, form(content, "a b;ü.bin", text="Look"))
    assert answer.status == 200
    await service.courier.outbox.waiting.for_end(answer.json["id"], 30)
    assert [(name, data == content) for name, data in got] == [("a b_ü.bin", True)]
    assert service.spooled() == []


async def test_what_is_wrong_is_told_in_the_contracts_words(house: Gateway) -> None:
    token = await house.token()
    for body, text in (
        ({"platform": "signal", "text": "x"}, "Missing required field: contact"),
        (message(platform=""), "Missing required field: platform"),
        (message(text=""), "Either text or file must be provided"), (form(), "Either text or file must be provided"),
        (form(b"x", "noextension"), "Uploaded file must have a file extension"),
        (message(platform="wa"), "Unsupported platform 'wa': this gateway carries 'signal' only"),
        (message(group_url="https://other.example/1"), "group_url: 'https://other.example/1' is no invite link like https://signal.group/#…"),
        (message(reply_id="$nothing"), "reply_id: is no id of a message"),
    ):  # fmt: skip
        assert await token.told("POST", PATH, body) == (400, text)
    broken = await token.told("POST", PATH, b"--x\r\n", **{"Content-Type": "multipart/form-data; boundary=y"})
    assert broken == (400, "Invalid multipart form data")
    assert (await token.told("POST", PATH, b"{"))[0] == 400
    assert (await token.told("POST", "devices/home/message", message()))[0] == 400
    assert house.service.spooled() == []


async def test_a_reply_quotes_the_message_that_the_id_stands_for(service: Service) -> None:
    reply = message_id("11111111-1111-4111-8111-111111111111", 1700000000123)
    answer = await service.post("/api/v1/" + PATH, message(reply_id=reply))
    assert answer.status == 200
    params = (await service.daemon.next_call("send")).params
    assert (params["quoteTimestamp"], params["quoteAuthor"]) == (1700000000123, "11111111-1111-4111-8111-111111111111")


def test_every_id_is_read_as_it_was_written_and_nothing_else_is_one() -> None:
    for author, timestamp in (("+4915100000002", 1), ("11111111-1111-4111-8111-111111111111", 1700000000123)):
        written = message_id(author, timestamp + 2**33)
        person, read = parse_message_id(written, field="reply_id")
        assert (str(person), read) == (author, timestamp + 2**33)
    strange = [message_id(author, 1700000000123) for author in ("nobody at all", GROUP)]
    for wrong in ("", "$", "x" * 1000, "$ä", "$YQ", *strange):
        with pytest.raises(InvalidValue, match="reply_id"):
            parse_message_id(wrong, field="reply_id")


async def test_a_known_group_is_found_by_its_link_and_another_is_joined(service: Service) -> None:
    known = {"id": GROUP, "isMember": True, "groupInviteLink": INVITE}
    service.daemon.on("listGroups", lambda _: [known])
    body = {"group_url": f"{INVITE}, {INVITE}", "contact": "4915100000011", "platform": "signal", "text": "Hello group!"}
    assert (await service.post("/api/v1/" + PATH, body)).status == 200
    params = (await service.daemon.next_call("send")).params
    assert params["groupId"] in (GROUP, [GROUP])
    assert "recipient" not in params
    service.daemon.on("listGroups", lambda _: [])
    service.daemon.on("joinGroup", lambda _: {"groupId": GROUP, "timestamp": 1, "results": []})
    assert (await service.post("/api/v1/" + PATH, body)).status == 200
    assert (await service.daemon.next_call("joinGroup")).params["uri"] == INVITE


async def state_of(service: Service, identifier: str, *states: str, **headers: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (found := (await service.get(f"/api/v2/messages/{identifier}", **headers)).json)["state"] not in states:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return dict(found)


async def test_what_is_for_a_group_that_has_yet_to_let_the_device_in_waits_and_goes_when_it_does(house: Gateway) -> None:
    service, token = house.service, await house.token()
    admin = {"Authorization": house.admin.authorization or ""}
    commands = service.courier.commands
    made = await commands.update_group(cast.HOME, name="Club", member=[cast.ECHO], link="enabled-with-approval")
    (club,) = (group for group in await commands.list_groups(cast.HOME) if group.id == made.group_id)
    path, body = "devices/4915100000002/message", {"group_url": club.group_invite_link, "platform": "signal"}
    first = (await token.ask("POST", path, body | {"text": "first"})).json
    second = (await token.ask("POST", path, body | {"text": "second"})).json
    assert (first["message"], second["message"]) == (QUEUED, QUEUED)
    for one in (first, second):
        told = await state_of(service, one["id"], "parked", **admin)
        assert told["recipients"][0]["reason"] == "group_approval"
    accounts = (await service.get("/api/v2/accounts", **admin)).json["accounts"]
    (problem,) = next(one["problems"] for one in accounts if one["number"] == cast.SECOND)
    assert problem["type"] == "urn:signal-courier:problem:group-approval"
    await commands.update_group(cast.HOME, group_id=club.id, member=[cast.SECOND])
    sent = [await state_of(service, one["id"], "sent", "delivered", "read", **admin) for one in (first, second)]
    assert sent[0]["timestamp"] < sent[1]["timestamp"]


async def test_who_asked_before_waits_for_the_group_that_was_asked_and_is_told_where_that_is_not_known(service: Service) -> None:
    body = {"group_url": INVITE, "platform": "signal", "text": "Hello group!"}
    asked = {"id": GROUP, "isMember": False, "requestingMembers": [{"number": "+4915100000001"}]}
    service.daemon.on("joinGroup", lambda _: {"groupId": GROUP, "onlyRequested": True, "timestamp": 1, "results": []})
    fresh = (await service.post("/api/v1/" + PATH, body)).json
    assert (await state_of(service, fresh["id"], "parked"))["recipients"][0]["reason"] == "group_approval"
    service.daemon.on("joinGroup", Failure(-1, "Pending admin approval: You have already requested to join the group."))
    unknown = await service.post("/api/v1/" + PATH, body)
    assert (unknown.status, unknown.error) == (
        409, "The group's admins have to let this device in first, as it has asked before; send again then",
    )  # fmt: skip
    service.daemon.on("listGroups", lambda _: [asked])
    again = (await service.post("/api/v1/" + PATH, body)).json
    assert (await state_of(service, again["id"], "parked"))["recipients"][0]["reason"] == "group_approval"
    assert service.asked("send") == []


async def test_a_key_sends_once_as_json_and_as_a_form_whatever_its_boundary(house: Gateway) -> None:
    token = await house.token()
    for kind, first, same, other in (
        ("json", message(), message(), message(text="other")),
        ("form", form(b"%PDF", text="x"), form(b"%PDF", text="x"), form(b"%PDG", text="x")),
    ):
        key = {"Idempotency-Key": kind}
        one, two = await token.ask("POST", PATH, first, **key), await token.ask("POST", PATH, same, **key)
        assert (one.status, two.status) == (200, 200)
        assert one.json == two.json
        assert two.headers["Idempotent-Replayed"] == "true"
        assert (await token.told("POST", PATH, other, **key))[0] == 422


async def test_what_the_network_does_not_take_waits_instead_of_being_dropped(house: Gateway) -> None:
    token, outbox = await house.token(), house.service.courier.outbox
    told: asyncio.Queue[MessageStatus] = asyncio.Queue()
    outbox.on_status = told.put_nowait
    answer = await token.ask("POST", PATH, message(contact="4915100000015"))
    assert answer.status == 200
    async with asyncio.timeout(30):
        while (status := await told.get()).state is not DeliveryState.PARKED:
            pass
    assert (status.id, status.recipients[0].reason) == (answer.json["id"], "rate_limit")


async def test_a_token_reaches_only_whom_and_writes_only_as_it_may(house: Gateway) -> None:
    limited = await house.native(Scope.SEND, accounts=["+4915100000001"], recipients=["+4915100000011"])
    assert (await limited.ask("POST", PATH, message())).status == 200
    assert (await limited.told("POST", PATH, message(contact="4915100000011,4915100000012")))[0] == 403
    assert (await limited.told("POST", PATH, message(group_url=INVITE)))[0] == 403
    assert (await limited.told("POST", "devices/4915100000002/message", message()))[0] == 403
    assert await Client(house.service, None).told("POST", PATH, message()) == (401, "missing authorization header")


def test_the_description_has_every_route_and_the_form() -> None:
    described: Any = document(route for table in TABLES for route in table)["paths"]
    routes = {
        (method.upper(), path) for path, methods in described.items() for method in methods
        if path.startswith(("/api/v1/credentials", "/api/v1/tokens", "/api/v1/devices", "/api/v1/webhooks"))
    }  # fmt: skip
    assert len(routes) == 16, sorted(routes)
    form_schema = described["/api/v1/devices/{device_id}/message"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form_schema["properties"]["file"] == {"type": "string", "format": "binary"}
    assert msgspec.json.encode(described)


async def test_a_device_may_be_named_by_its_uuid(house: Gateway) -> None:
    uuid = cast.uuid_of(cast.HOME)
    token = await house.token()
    answer = await token.ask("POST", f"devices/{uuid.upper()}/message", message())
    assert (await outcome(house, answer))["account"] == cast.HOME
    unknown = await token.ask("POST", f"devices/{cast.uuid_of('nobody')}/message", message())
    assert (unknown.status, unknown.json) == (400, {"error": "device_id: must be a number like 4915100000001"})


async def test_a_message_for_a_device_that_is_not_here_is_refused_instead_of_queued_for_nobody(house: Gateway) -> None:
    host = await house.token()
    message = {"contact": "4915100000011", "platform": "signal", "text": "Hello"}
    assert await host.told("POST", "devices/4915100000098/message", message) == (404, "Device not found")
    assert await (await house.token(await house.credential())).told("POST", "devices/4915100000098/message", message) == (
        403, "insufficient permissions",
    )  # fmt: skip
