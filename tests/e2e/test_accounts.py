"""Getting an account: registering a number, linking to a phone; and losing it again."""

import asyncio

import zxingcpp
from PIL import Image

from tests.e2e.courier import House
from tests.e2e.lab.laboratory import Lab


async def test_number_is_registered_with_a_captcha_and_a_code(house: House, lab: Lab) -> None:
    number = "+4915100000209"
    refused = await house.call("POST", f"/v1/register/{number}", {})
    assert refused.status == 400
    assert "captcha" in refused.json()["error"].lower()
    assert (await house.call("POST", f"/v1/register/{number}", {"captcha": "bad"})).status == 400
    (await house.call("POST", f"/v1/register/{number}", {"captcha": "signalcaptcha://solved"})).expect(201)
    assert (await house.call("POST", f"/v1/register/{number}/verify/000000")).status == 400
    (await house.call("POST", f"/v1/register/{number}/verify/123456")).expect(201)
    assert number in (await house.call("GET", "/v1/accounts")).expect(200)

    async with house.courier.stream(number) as inbox:  # and it receives at once, without a restart
        (await house.courier.call("PUT", f"/v1/profiles/{number}", {"name": "New"})).expect(204)
        await lab.ann.send((await lab.levers.account(number)).aci, "welcome")
        await inbox.take(lambda report: (report["envelope"].get("dataMessage") or {}).get("message") == "welcome")
    (await house.call("POST", f"/v1/unregister/{number}", {"delete_local_data": True})).expect(204)
    assert number not in (await house.call("GET", "/v1/accounts")).expect(200)


async def test_house_is_linked_by_scanning_its_code_and_unlinked_by_the_phone(house: House, lab: Lab) -> None:
    image = await house.call("GET", "/v1/qrcodelink", query={"device_name": "House"})
    assert (image.status, image.content_type) == (200, "image/png")
    link = _read_code(image.body)
    assert link.startswith("sgnl://linkdevice?")
    async with house.courier.stream(lab.cleo.number) as inbox:
        await lab.cleo.scans(link)
        await house.courier.ready(house.number, lab.cleo.number)
        await lab.ann.send(lab.cleo.aci, "to the phone and the house")
        await inbox.take(lambda report: (report["envelope"].get("dataMessage") or {}).get("message") == "to the phone and the house")
        await lab.cleo.send(lab.ann.aci, "written on the phone")
        await inbox.take(
            lambda report: ((report["envelope"].get("syncMessage") or {}).get("sentMessage") or {}).get("message") == "written on the phone"
        )
    devices = await lab.cleo.call("listDevices")
    assert "House" in [device["name"] for device in devices]
    await lab.levers.unlink(lab.cleo.number, 2)
    (await house.call("DELETE", f"/v1/devices/{lab.cleo.number}/local-data", {"ignore_registered": True})).expect(204, 400)


async def test_code_that_nobody_scans_can_be_asked_for_again(house: House) -> None:
    first, second = await asyncio.gather(*(house.call("GET", "/v1/qrcodelink/raw", query={"device_name": "House"}) for _ in range(2)))
    assert first.expect(200)["device_link_uri"] != second.expect(200)["device_link_uri"]


def _read_code(png: bytes) -> str:
    import io

    with Image.open(io.BytesIO(png)) as image:
        (code,) = zxingcpp.read_barcodes(image.convert("L"))
    return str(code.text)
