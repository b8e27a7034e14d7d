"""`MODE=normal`: signal-cli is started by the first who needs it."""

import asyncio
from typing import Any

from tests.e2e.courier import Courier, running_courier
from tests.e2e.lab.laboratory import Lab

NUMBER = "+4915100000861"


async def _received(courier: Courier, text: str) -> dict[str, Any]:
    """Asks as clients of this mode do, now and then, until a text has come."""
    async with asyncio.timeout(90):
        while True:
            reports = (await courier.call("GET", f"/v1/receive/{NUMBER}", query={"timeout": "3"})).expect(200)
            for report in reports:
                message: dict[str, Any] = report["envelope"].get("dataMessage") or {}
                if message.get("message") == text:
                    return message


async def test_signal_cli_comes_when_it_is_needed_and_what_waited_is_received(lab: Lab) -> None:
    async with running_courier(lab, "before", [NUMBER]) as courier:  # puts its keys up
        await courier.ready(NUMBER)
        home = courier.home
    aci = (await lab.levers.account(NUMBER)).aci
    await lab.ann.send(aci, "while nobody was there")
    async with running_courier(lab, "normal", [], at_once=True, MODE="normal", SIGNAL_CLI_CONFIG_DIR=str(home)) as courier:
        (await courier.call("GET", "/v1/about")).expect(200)
        status = (await courier.call("GET", "/api/v2/status")).expect(200)
        assert (status["engine"]["state"], courier.signal_cli()) == ("idle", None)
        await _received(courier, "while nobody was there")
        assert courier.signal_cli() is not None
        await lab.ann.send(aci, "while it is awake")
        await _received(courier, "while it is awake")
        assert courier.kill_signal_cli()
        await lab.ann.send(aci, "while it was killed")
        body = {"number": NUMBER, "recipients": [lab.ann.aci], "message": "from one that slept"}
        async with asyncio.timeout(60):
            while (reply := await courier.call("POST", "/v2/send", body)).status != 201:
                assert reply.status in {400, 503}, reply
        await lab.ann.receives_text("from one that slept")
        await _received(courier, "while it was killed")
        queued = {"account": NUMBER, "recipients": [lab.ann.aci], "text": "queued for one that sleeps", "wait": 60}
        (await courier.call("POST", "/api/v2/messages", queued)).expect(201)
        await lab.ann.receives_text("queued for one that sleeps")
