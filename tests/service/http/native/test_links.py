"""`/api/v2/links`: a code that renews itself until a phone has scanned it."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from signal_courier.messaging.joining.link_sessions import LinkSessions
from tests.fakes.daemon import Failure, FakeDaemon, Held
from tests.fakes.served import Service, served

ACCOUNT = "+4915100000001"
TIMED_OUT = Failure(-1, "Link request timed out, please try again.")


class Codes:
    """A daemon that hands out a new code every time."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self.given = 0
        daemon.on("startLink", self)

    def __call__(self, _params: object) -> dict[str, str]:
        self.given += 1
        return {"deviceLinkUri": f"sgnl://linkdevice?uuid=code{self.given}&pub_key=BQ%2Fabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, {}) as running:
        yield running


def renew_after(service: Service, seconds: float, lifetime: float = 600.0) -> None:
    sessions: LinkSessions = service.courier.link_sessions
    sessions.renew_after, sessions.lifetime = seconds, lifetime


async def test_a_scanned_code_links_and_the_one_who_waits_is_told_at_once(service: Service) -> None:
    Codes(service.daemon)
    gate = Held({"number": ACCOUNT})
    service.daemon.on("finishLink", gate)
    made = (await service.post("/api/v2/links", {"device_name": "Home"})).json
    assert (made["state"], made["device_name"], made["account"]) == ("waiting", "Home", None)
    assert (await service.daemon.next_call("finishLink")).params["deviceName"] == "Home"
    waiting = asyncio.create_task(service.get(f"/api/v2/links/{made['id']}?wait=30&after={made['version']}"))
    await asyncio.sleep(0)
    gate.release()
    linked = (await waiting).json
    assert (linked["state"], linked["account"], linked["uri"], linked["problem"]) == ("linked", ACCOUNT, None, None)
    assert (await service.get("/api/v2/links")).json["links"] == [linked]


async def test_a_code_renews_itself_and_the_old_one_still_counts(service: Service) -> None:
    codes = Codes(service.daemon)
    first = Held({"number": ACCOUNT})
    service.daemon.on("finishLink", first)
    renew_after(service, 0.05)
    made = (await service.post("/api/v2/links")).json
    await service.daemon.next_call("finishLink")
    service.daemon.on("finishLink", Held({}))
    renewed = (await service.get(f"/api/v2/links/{made['id']}?wait=30&after={made['version']}")).json
    assert renewed["state"] == "waiting"
    assert renewed["uri"] != made["uri"]
    renew_after(service, 60)
    first.release()
    now = renewed
    while now["state"] == "waiting":
        now = (await service.get(f"/api/v2/links/{made['id']}?wait=30&after={now['version']}")).json
    assert (now["state"], now["account"]) == ("linked", ACCOUNT)
    print(f"codes given: {codes.given}")


async def test_a_code_that_is_being_finished_counts_however_often_it_has_been_replaced(service: Service) -> None:
    Codes(service.daemon)
    first = Held({"number": ACCOUNT})
    service.daemon.on("finishLink", first)
    renew_after(service, 0.05)
    now = made = (await service.post("/api/v2/links")).json
    await service.daemon.next_call("finishLink")
    service.daemon.on("finishLink", Held({}))
    while now["version"] < made["version"] + 3:
        now = (await service.get(f"/api/v2/links/{made['id']}?wait=30&after={now['version']}")).json
    renew_after(service, 60)
    first.release()
    while now["state"] == "waiting":
        now = (await service.get(f"/api/v2/links/{made['id']}?wait=30&after={now['version']}")).json
    assert (now["state"], now["account"]) == ("linked", ACCOUNT)


async def test_a_scanned_code_that_is_refused_ends_the_link_although_another_is_shown(service: Service) -> None:
    Codes(service.daemon)
    exists = f"The user {ACCOUNT} already exists"
    gate = Held(Failure(-1, exists))
    service.daemon.on("finishLink", gate)
    renew_after(service, 0.05)
    now = made = (await service.post("/api/v2/links")).json
    await service.daemon.next_call("finishLink")
    service.daemon.on("finishLink", Held({}))
    now = (await service.get(f"/api/v2/links/{made['id']}?wait=30&after={now['version']}")).json
    renew_after(service, 60)
    gate.release()
    while now["state"] == "waiting":
        now = (await service.get(f"/api/v2/links/{made['id']}?wait=30&after={now['version']}")).json
    assert (now["state"], now["problem"]["detail"]) == ("failed", exists)


async def test_a_code_that_signal_forgets_is_replaced_and_an_unscanned_link_expires_in_the_end(service: Service) -> None:
    codes = Codes(service.daemon)
    service.daemon.on("finishLink", TIMED_OUT)
    renew_after(service, 60, lifetime=0.5)
    made = (await service.post("/api/v2/links")).json
    now = made
    while now["state"] == "waiting":
        now = (await service.get(f"/api/v2/links/{made['id']}?wait=30&after={now['version']}")).json
    assert now["state"] == "expired"
    assert now["problem"]["type"] == "urn:signal-courier:problem:link-expired"
    assert codes.given > 1
    for picture in ("qr.svg", "qr.png"):
        answer = await service.get(f"/api/v2/links/{made['id']}/{picture}")
        assert (answer.status, answer.json["type"]) == (410, "urn:signal-courier:problem:link-expired")


async def test_a_refusal_is_told_as_a_state(service: Service) -> None:
    Codes(service.daemon)
    service.daemon.on("finishLink", Failure(-1, f"The user {ACCOUNT} already exists"))
    made = (await service.post("/api/v2/links")).json
    failed = (await service.get(f"/api/v2/links/{made['id']}?wait=30&after={made['version']}")).json
    assert (failed["state"], failed["problem"]["detail"]) == ("failed", f"The user {ACCOUNT} already exists")


async def test_both_pictures_hold_the_code(service: Service) -> None:
    Codes(service.daemon)
    service.daemon.on("finishLink", Held({}))
    made = (await service.post("/api/v2/links")).json
    png = await service.get(made["qr"].replace(".svg", ".png"))
    assert (png.headers["Content-Type"], png.headers["Cache-Control"]) == ("image/png", "no-store")
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(png.body)).convert("L"))
    assert code.text == made["uri"]
    svg = await service.get(made["qr"])
    assert svg.headers["Content-Type"] == "image/svg+xml"
    (code,) = zxingcpp.read_barcodes(_drawn(svg.body.decode()))
    assert code.text == made["uri"]


async def test_links_that_wait_are_bounded_and_end_when_told_or_with_the_service(service: Service) -> None:
    Codes(service.daemon)
    service.daemon.on("finishLink", Held({}))
    answers = [await service.post("/api/v2/links") for _ in range(8)]
    assert [answer.status for answer in answers] == [201] * 7 + [429]
    first = answers[0].json["id"]
    assert (await service.delete(f"/api/v2/links/{first}")).status == 204
    assert (await service.get(f"/api/v2/links/{first}")).status == 404
    assert (await service.post("/api/v2/links")).status == 201
    second = answers[1].json
    waiting = asyncio.create_task(service.get(f"/api/v2/links/{second['id']}?wait=30"))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(service.courier.link_sessions.stop(), 30)
    assert (await waiting).json["state"] == "failed"


def _drawn(svg: str) -> Image.Image:
    found = re.search(r'viewBox="0 0 (\d+) \1"', svg)
    assert found is not None
    size = int(found[1])
    picture = Image.new("L", (size * 8, size * 8), 255)
    pen = ImageDraw.Draw(picture)
    for column, row in re.findall(r"M(\d+),(\d+)h1v1h-1z", svg):
        x, y = int(column) * 8, int(row) * 8
        pen.rectangle((x, y, x + 7, y + 7), fill=0)
    return picture
