"""`/v1/qrcodelink`: a code that a phone can scan, and the link that follows."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from signal_courier.messaging.joining.linking import LinkState
from tests.fakes.daemon import Failure, Held
from tests.fakes.served import Service, served, simulated

URI = "sgnl://linkdevice?uuid=abcdefghijklmnopqrstuv&pub_key=BQ%2Fabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, {"startLink": {"deviceLinkUri": URI}, "finishLink": {"number": "+4915100000001"}}) as running:
        yield running


@pytest.mark.parametrize("version", [10, 11, 20, 40])
async def test_the_picture_holds_the_uri_and_the_link_is_finished(service: Service, version: int) -> None:
    answer = await service.get(f"/v1/qrcodelink?device_name=My%20home&qrcode_version={version}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    picture = Image.open(io.BytesIO(answer.body))
    assert picture.size == (256, 256)
    (code,) = zxingcpp.read_barcodes(picture.convert("L"))
    assert code.text == URI
    assert code.ec_level == "H"
    assert (await service.daemon.next_call("finishLink")).params == {"deviceLinkUri": URI, "deviceName": "My home"}


async def test_an_empty_version_is_the_usual_one(service: Service) -> None:
    assert (await service.get("/v1/qrcodelink?device_name=x&qrcode_version=")).status == 200


async def test_a_code_that_is_too_small_is_an_error_and_nobody_waits_for_it(service: Service) -> None:
    for version in (9, 1, 0, 41, -1):
        answer = await service.get(f"/v1/qrcodelink?device_name=x&qrcode_version={version}")
        assert answer.status == 400
        assert answer.error.startswith("Couldn't create QR code: ")
    answer = await service.get("/v1/qrcodelink?device_name=x&qrcode_version=ten")
    assert (answer.status, answer.error) == (400, "The qrcode_version parameter needs to be an integer!")
    assert "finishLink" not in dict(service.calls)


async def test_the_outcome_of_a_link_is_kept(service: Service) -> None:
    gate = Held({"number": "+4915100000001"})
    service.daemon.on("finishLink", gate)
    assert (await service.get("/v1/qrcodelink/raw?device_name=a")).json == {"device_link_uri": URI}
    (link,) = service.courier.linking.links
    assert link.state is LinkState.WAITING
    await service.daemon.next_call("finishLink")
    gate.release()
    service.daemon.on("finishLink", Failure(-1, "Link request timed out, please try again."))
    await service.get("/v1/qrcodelink/raw?device_name=b")
    for link in service.courier.linking.links:
        assert await service.courier.linking.settled(link, timeout=5)
    outcomes = {link.device_name: (link.state, link.account, link.reason) for link in service.courier.linking.links}
    assert outcomes == {
        "a": (LinkState.LINKED, "+4915100000001", None),
        "b": (LinkState.EXPIRED, None, "Link request timed out, please try again."),
    }


async def test_codes_that_wait_are_bounded_and_end_with_the_service(service: Service) -> None:
    service.daemon.on("finishLink", Held({}))
    answers = [await service.get("/v1/qrcodelink/raw?device_name=x") for _ in range(17)]
    assert [answer.status for answer in answers] == [200] * 16 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    await asyncio.wait_for(service.courier.linking.stop(), 30)
    assert {link.state for link in service.courier.linking.links} == {LinkState.FAILED}


@pytest.mark.slow
async def test_the_simulated_phone_scans_the_code(tmp_path: Path) -> None:
    async with simulated(tmp_path) as service:
        before = set((await service.get("/v1/accounts")).json)
        assert (await service.get("/v1/qrcodelink?device_name=Home")).status == 200
        (link,) = service.courier.linking.links
        await service.courier.linking.settled(link, timeout=30)
        assert link.state is LinkState.LINKED, link.reason
        assert set((await service.get("/v1/accounts")).json) - before == {link.account}
