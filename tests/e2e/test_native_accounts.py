"""Getting an account through `/api/v2`: linking to a phone, registering a number; and losing it again."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
import zxingcpp
from PIL import Image

from signal_courier.http.native.problems import PREFIX
from tests.e2e.courier import Courier, running_courier
from tests.e2e.lab.laboratory import Lab

_GONE_SECONDS = 60
"""How soon it is to be known that the phone has removed the device."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def courier(lab: Lab) -> AsyncIterator[Courier]:
    """A service without any account, whose codes to link are renewed every 3 seconds."""
    async with running_courier(lab, "empty", [], program=["tests.e2e.impatient"]) as running:
        yield running


async def _native(courier: Courier, method: str, path: str, body: object = None, status: int = 200, **query: str) -> Any:
    return (await courier.call(method, f"/api/v2{path}", body, query=query)).expect(status)


async def test_code_renews_itself_twice_is_scanned_and_the_phone_unlinks_again(courier: Courier, lab: Lab) -> None:
    link = await _native(courier, "POST", "/links", {"device_name": "Native house"}, 201)
    name, codes = link["id"], [link["uri"]]
    assert (link["state"], link["version"], link["account"]) == ("waiting", 1, None)
    while len(codes) < 3:
        link = await _native(courier, "GET", f"/links/{name}", wait="30", after=str(link["version"]))
        assert link["state"] == "waiting"
        codes.append(link["uri"])
    assert len(set(codes)) == 3
    picture = await courier.call("GET", f"/api/v2/links/{name}/qr.png")
    assert picture.content_type == "image/png"
    async with courier.events(types="account,message,sent") as events:
        scanned = _read_code(picture.body)
        assert scanned.startswith("sgnl://linkdevice?")
        await lab.ben.scans(scanned)
        while link["state"] == "waiting":
            link = await _native(courier, "GET", f"/links/{name}", wait="30", after=str(link["version"]))
        assert (link["state"], link["account"], link["uri"], link["problem"]) == ("linked", lab.ben.number, None, None)
        over = await courier.call("GET", f"/api/v2/links/{name}/qr.svg")
        assert (over.status, over.json()["type"]) == (410, f"{PREFIX}link-expired")

        account = await _native(courier, "GET", f"/accounts/{lab.ben.number}")  # at once
        assert (account["state"], account["linked"]) == ("ready", True)
        devices = (await _native(courier, "GET", f"/accounts/{lab.ben.number}/devices"))["devices"]
        assert "Native house" in [device["name"] for device in devices]
        await lab.ann.send(lab.ben.aci, "to the phone and the house")
        await events.take(lambda event: event["type"] == "message" and event["message"]["text"] == "to the phone and the house")
        written = await lab.ben.send(lab.ann.aci, "written on the phone")
        event = await events.take(lambda event: event["type"] == "sent")
        assert (event["message"]["timestamp"], event["message"]["text"]) == (written, "written on the phone")
        await _native(courier, "POST", "/messages", {"recipients": [lab.ann.aci], "text": "from the linked house"}, 201)
        assert await lab.ann.receives_text("from the linked house")

        (device,) = [device["id"] for device in devices if device["name"] == "Native house"]
        await lab.levers.unlink(lab.ben.number, device)
        event = await events.take(lambda event: (event.get("account_change") or {}).get("state") == "unlinked", within=_GONE_SECONDS)
        assert event["account"] == lab.ben.number
    account = await _native(courier, "GET", f"/accounts/{lab.ben.number}")
    assert (account["state"], [problem["type"] for problem in account["problems"]]) == ("unlinked", [f"{PREFIX}unlinked"])
    (told,) = (await _native(courier, "GET", "/status"))["accounts"]
    assert told["state"] == "unlinked"
    refused = await courier.call("POST", "/api/v2/messages", {"account": lab.ben.number, "recipients": [lab.ann.aci], "text": "?"})
    assert (refused.status, refused.json()["type"]) == (409, f"{PREFIX}unlinked")
    await _native(courier, "POST", f"/accounts/{lab.ben.number}/unlink", status=204)
    assert (await _native(courier, "GET", "/accounts"))["accounts"] == []


async def test_number_is_registered_with_captcha_and_code_and_gets_a_name(courier: Courier, lab: Lab) -> None:
    number = "+4915100000709"
    asked = await _native(courier, "POST", "/registrations", {"number": number})
    assert (asked["state"], asked["problem"]["type"]) == ("captcha_required", f"{PREFIX}captcha-required")
    assert asked["captcha_url"].startswith("https://signalcaptchas.org/")
    rejected = await _native(courier, "POST", "/registrations", {"number": number, "captcha": "bad"})
    assert (rejected["state"], rejected["problem"]["type"]) == ("captcha_required", f"{PREFIX}captcha-rejected")
    sent = await _native(courier, "POST", "/registrations", {"number": number, "captcha": "signalcaptcha://solved"})
    assert (sent["state"], sent["problem"]) == ("code_sent", None)
    wrong = await _native(courier, "POST", f"/registrations/{number}/verify", {"code": "000-000"}, 422)
    assert wrong["type"] == f"{PREFIX}code-rejected"
    done = await _native(courier, "POST", f"/registrations/{number}/verify", {"code": "123-456"})
    assert done["state"] == "registered"

    account = await _native(courier, "GET", f"/accounts/{number}")  # at once
    assert (account["state"], account["linked"]) == ("ready", False)
    assert f"{PREFIX}profile-name-missing" in [problem["type"] for problem in account["problems"]]
    await _native(courier, "PATCH", f"/accounts/{number}/profile", {"given_name": "Native"}, 204)
    account = await _native(courier, "GET", f"/accounts/{number}")
    assert (account["name"], account["problems"]) == ("Native", [])
    async with courier.events(types="message") as events:
        await lab.ann.send((await lab.levers.account(number)).aci, "welcome")
        await events.take(lambda event: event["message"]["text"] == "welcome")
    await _native(courier, "POST", f"/accounts/{number}/unregister", {"delete_account": True, "delete_local_data": True}, 204)
    assert (await courier.call("GET", f"/api/v2/accounts/{number}")).status == 404


def _read_code(png: bytes) -> str:
    with Image.open(io.BytesIO(png)) as image:
        (code,) = zxingcpp.read_barcodes(image.convert("L"))
    return str(code.text)
