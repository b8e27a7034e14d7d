"""pysignalclirestapi, the package behind Home Assistant core's notifications, finds what it expects."""

import base64
from pathlib import Path

import pytest

from signal_courier.access.tokens import new_token
from tests.fakes.served import served, simulated
from tests.service.clients import programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ANN, ECHO = "+4915100000001", "+4915100000011"
PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII=")
PACKAGES = ("pysignalclirestapi==0.3.25", "websockets==17.4")
ALWAYS_FAIL = {"update_contact", "add_pin", "remove_pin"}
"""The package reads the empty body of these as JSON, whoever answers. Only a pin that was set can be given a body: a 204 has none."""


@pytest.mark.parametrize("prefix", ["", "/d/0.100", "/t/{token}"])
async def test_every_method_succeeds_but_for_its_own_defects(tmp_path: Path, prefix: str) -> None:
    folder = tmp_path / "config" / "attachments"
    folder.mkdir(parents=True)
    (folder / "AAAwmVr9zpmWIpZiLZ9a.png").write_bytes(PICTURE)
    async with simulated(tmp_path) as service:
        group = (await service.get(f"/v1/groups/{ANN}")).json[0]["id"]
        _, token = await service.courier.tokens.create(new_token("home", ["admin"], dialect="0.100"))
        base = f"http://127.0.0.1:{service.courier.server.port}{prefix.format(token=token)}"
        outcome = await programs.run(
            "use_pysignalclirestapi.py", "pysignalclirestapi==0.3.25", "websockets==17.4", arguments=(base, ANN, ECHO, group)
        )
    assert len(outcome) == 36
    failed = {name: error for name, error in outcome.items() if error is not None}
    assert failed.keys() <= ALWAYS_FAIL, failed
    assert all("JSON" in error or "Expecting value" in error for error in failed.values()), failed


async def test_home_assistant_sends_through_its_own_notifier(tmp_path: Path) -> None:
    picture = tmp_path / "camera.png"
    picture.write_bytes(PICTURE)
    async with served(tmp_path) as service:
        base = f"http://user:secret@127.0.0.1:{service.courier.server.port}"
        outcome = await programs.run(
            "use_homeassistant.py", "homeassistant==2026.11.0", "pysignalclirestapi==0.3.25", arguments=(base, ANN, ECHO, str(picture))
        )
        plain, styled = service.asked()
    assert outcome[:2] == ["plain", "**styled**"]
    assert "recipients" in outcome[2]
    assert plain["recipient"] == [ECHO]
    assert len(plain["attachment"]) == 1
    assert (styled["message"], styled["textStyle"]) == ("styled", ["0:6:BOLD"])
