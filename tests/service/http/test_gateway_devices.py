"""`/api/v1/devices`: adding one by a QR code over a WebSocket, listing, deleting."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.daemon import Failure, Held
from tests.fakes.gateway import Gateway, gateway
from tests.fakes.served import Service, served
from tests.service.http.native.test_links import Codes

SIGNAL = {"platform": "signal"}


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, monkeypatch) as running:
        yield running


async def frames(url: str, **headers: str) -> tuple[list[str], int | None]:
    """Everything a WebSocket tells, and the code that it is closed with."""
    patience = aiohttp.ClientWSTimeout(ws_receive=10)
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers, timeout=patience) as socket:
        told = [str(message.data) async for message in socket]
        return told, socket.close_code


async def test_a_scanned_code_gives_the_account_to_the_token_that_asked_and_to_no_other(house: Gateway) -> None:
    mine, other = await house.token(await house.credential("one")), await house.token(await house.credential("two"))
    asked = await mine.ask("POST", "devices", SIGNAL)
    assert (asked.status, asked.json["message"]) == (201, "Scan the QR code to link your device")
    url = asked.json["qr_code_url"]
    port = house.service.courier.server.port
    assert re.fullmatch(rf"ws://127\.0\.0\.1:{port}/api/v1/devices/qr-code\?token=mt_[\w-]{{43}}", url)
    told, code = await frames(url)
    assert code == 1000
    assert all(frame.startswith("sgnl://linkdevice?uuid=") for frame in told)
    (device,) = (await mine.ask("GET", "devices")).json
    assert device == {"platform": "signal", "device_id": "4915100000003"}
    assert (await other.ask("GET", "devices")).json == []
    message = {"contact": "4915100000011", "platform": "signal", "text": "hello"}
    assert (await mine.ask("POST", "devices/4915100000003/message", message)).status == 200
    assert (await other.told("POST", "devices/4915100000003/message", message))[0] == 403


def write_files(service: Service, devices: dict[str, int]) -> None:
    """What signal-cli has on disk, as far as it tells whether a number is linked to a phone; by number, the device's own id there."""
    data = service.courier.settings.signal_cli_config_dir / "data"
    data.mkdir(parents=True)
    (data / "accounts.json").write_text(json.dumps({"accounts": [{"path": number[1:], "number": number} for number in devices]}))
    for number, device in devices.items():
        (data / number[1:]).write_text(json.dumps({"registered": True, "deviceId": device}))


async def test_a_deleted_device_is_gone_for_every_token_and_one_that_was_registered_here_is_kept(house: Gateway) -> None:
    mine, host = await house.token(await house.credential("one")), await house.token()
    await frames((await mine.ask("POST", "devices", SIGNAL)).json["qr_code_url"])
    write_files(house.service, {"+4915100000001": 1, "+4915100000003": 2})
    for body, text in (
        (SIGNAL, "Missing required field: device_id"), ({"device_id": "4915100000003"}, "Missing required field: platform"),
        ({"device_id": "4915100000003", "platform": "wa"}, "Unsupported platform 'wa': this gateway carries 'signal' only"),
        ({"device_id": "home", "platform": "signal"}, "device_id: must be a number like 4915100000001"),
    ):  # fmt: skip
        assert await mine.told("DELETE", "devices", body) == (400, text)
    assert (await mine.told("DELETE", "devices", SIGNAL | {"device_id": "4915100000001"}))[0] == 403
    gone = await mine.ask("DELETE", "devices", SIGNAL | {"device_id": "+4915100000003"})
    assert (gone.status, gone.json) == (200, {"message": "Device deleted successfully"})
    assert (await mine.ask("GET", "devices")).json == []
    assert (await mine.told("DELETE", "devices", SIGNAL | {"device_id": "+4915100000003"}))[0] == 403
    assert await host.told("DELETE", "devices", SIGNAL | {"device_id": "4915100000077"}) == (404, "Device not found")
    assert (await host.told("DELETE", "devices", SIGNAL | {"device_id": "4915100000001"}))[0] == 409
    assert len((await host.ask("GET", "devices")).json) == 2
    assert (await host.ask("DELETE", "devices", SIGNAL | {"device_id": "4915100000001", "force": True})).status == 200
    assert [device["device_id"] for device in (await host.ask("GET", "devices")).json] == ["4915100000002"]


async def test_what_was_linked_is_deleted_without_more_ado(house: Gateway) -> None:
    for token in (await house.token(), await house.token(await house.credential())):
        before = (await token.ask("GET", "devices")).json
        await frames((await token.ask("POST", "devices", SIGNAL)).json["qr_code_url"])
        (linked,) = [device for device in (await token.ask("GET", "devices")).json if device not in before]
        assert (await token.ask("DELETE", "devices", linked)).status == 200
        assert (await token.ask("GET", "devices")).json == before


async def test_other_platforms_and_sockets_without_a_token_are_refused(house: Gateway) -> None:
    token = await house.token()
    assert await token.told("POST", "devices", {}) == (400, "Missing required field: platform")
    for platform in ("wa", "telegram"):
        status, text = await token.told("POST", "devices", {"platform": platform})
        assert (status, text) == (400, f"Unsupported platform '{platform}': this gateway carries 'signal' only")
    assert await house.nobody.told("GET", "devices/qr-code") == (401, "missing token query parameter")
    assert await house.nobody.told("GET", "devices/qr-code?token=abc") == (401, "invalid token format")
    assert await house.nobody.told("GET", "devices/qr-code?token=mt_abc") == (403, "invalid or expired token")
    secret = (token.authorization or "").removeprefix("Bearer ")
    assert (await house.nobody.told("GET", f"devices/qr-code?token={secret}"))[0] == 400
    assert (await house.nobody.told("GET", f"devices?token={secret}")) == (401, "missing authorization header")


async def test_the_token_in_the_query_is_in_no_log(house: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    token = await house.token()
    secret = (token.authorization or "").removeprefix("Bearer ")
    with caplog.at_level(logging.DEBUG):
        await frames((await token.ask("POST", "devices", SIGNAL)).json["qr_code_url"])
        await house.nobody.told("GET", f"devices/qr-code?token={secret}x")
    await house.service.courier.audit.flush()
    audit = await house.service.get("/api/v2/audit", Authorization=house.admin.authorization or "")
    assert "/api/v1/devices/qr-code" in audit.body.decode()
    for text in (caplog.text, audit.body.decode()):
        assert secret not in text


async def test_the_address_is_a_safe_one_behind_https(house: Gateway) -> None:
    token = await house.token()
    answer = await token.ask("POST", "devices", SIGNAL, **{"X-Forwarded-Proto": "https", "Host": "gateway.local"})
    assert answer.json["qr_code_url"].startswith("wss://gateway.local/api/v1/devices/qr-code?token=mt_")


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, {}) as running:
        yield running


async def test_asking_again_gives_the_code_that_waits_already(held: Service) -> None:
    codes = Codes(held.daemon)
    held.daemon.on("finishLink", Held({"number": "+4915100000003"}))
    first, again = [(await held.post("/api/v1/devices", SIGNAL)).json for _ in range(2)]
    assert first == again
    assert codes.given == 1


async def test_a_code_is_renewed_in_the_socket_and_its_end_is_told_apart_from_success(held: Service) -> None:
    codes = Codes(held.daemon)
    held.daemon.on("finishLink", Held({"number": "+4915100000003"}))
    sessions = held.courier.link_sessions
    sessions.renew_after, sessions.lifetime = 0.05, 0.5
    told, code = await frames((await held.post("/api/v1/devices", SIGNAL)).json["qr_code_url"])
    assert code == 4408
    *shown, last = told
    assert last == "Error: nobody has scanned the code"
    assert len(shown) >= 2
    assert len(set(shown)) == len(shown)
    print(f" {len(shown)} of {codes.given} codes shown", end="")


async def test_a_refused_link_is_told_before_the_socket_is_closed(held: Service) -> None:
    Codes(held.daemon)
    gate = Held(Failure(-3, "Link refused"))
    held.daemon.on("finishLink", gate)
    url = (await held.post("/api/v1/devices", SIGNAL)).json["qr_code_url"]
    following = asyncio.create_task(frames(url))
    await held.daemon.next_call("finishLink")
    gate.release()
    told, code = await following
    assert code == 4500
    assert told[-1].startswith("Error: ")
    told, code = await frames(url)
    assert (code, len(told)) == (4500, 1)


async def test_a_socket_without_a_link_and_one_that_outlives_the_service_are_told(tmp_path: Path) -> None:
    async with served(tmp_path, {}) as service:
        Codes(service.daemon)
        service.daemon.on("finishLink", Held({}))
        base = f"ws://127.0.0.1:{service.courier.server.port}/api/v1/devices/qr-code"
        assert await frames(base) == (["Error: no device is being added: ask for one first"], 4500)
        await service.post("/api/v1/devices", SIGNAL)
        session = aiohttp.ClientSession()
        socket = await session.ws_connect(base)
        assert (await socket.receive(timeout=10)).data.startswith("sgnl://")
    assert (await socket.receive(timeout=10)).data == "Error: it was ended"
    await session.close()
