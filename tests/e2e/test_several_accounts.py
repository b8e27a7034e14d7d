"""Several accounts in one service: written, linked and registered ones side by side; one that goes, or is broken, disturbs no other."""

from typing import Any

from signal_courier.http.native.problems import PREFIX
from tests.e2e.courier import Courier, running_courier
from tests.e2e.lab.laboratory import Lab

FIRST, SECOND, THIRD = "+4915100000851", "+4915100000852", "+4915100000853"


async def _native(courier: Courier, method: str, path: str, body: object = None, status: int = 200, **query: str) -> Any:
    return (await courier.call(method, f"/api/v2{path}", body, query=query)).expect(status)


async def _says(courier: Courier, lab: Lab, sender: str, receiver: str, text: str) -> None:
    """One account of the service writes to another, through Signal."""
    aci = (await lab.levers.account(receiver)).aci
    async with courier.events(types="message", account=receiver) as events:
        for _ in range(3):  # clients of this release may fail at their first contact
            reply = await courier.call("POST", "/api/v2/messages", {"account": sender, "recipients": [aci], "text": text})
            if reply.status == 201:
                break
        reply.expect(201)
        event = await events.take(lambda event: event["message"]["text"] == text, within=30)
    assert event["account"] == receiver


async def _states(courier: Courier) -> dict[str, str]:
    return {one["number"]: one["state"] for one in (await _native(courier, "GET", "/accounts"))["accounts"]}


async def test_accounts_come_and_go_without_disturbing_each_other(lab: Lab) -> None:
    async with running_courier(lab, "many", [FIRST]) as courier:
        link = await _native(courier, "POST", "/links", {"device_name": "Many"}, 201)
        await lab.cleo.scans(link["uri"])
        while link["state"] == "waiting":
            link = await _native(courier, "GET", f"/links/{link['id']}", wait="30", after=str(link["version"]))
        assert link["account"] == lab.cleo.number
        await _native(courier, "POST", "/registrations", {"number": SECOND})
        await _native(courier, "POST", f"/registrations/{SECOND}/verify", {"code": "123456"})
        for number in (FIRST, SECOND):
            await _native(courier, "PATCH", f"/accounts/{number}/profile", {"given_name": number[-3:]}, 204)
        assert await _states(courier) == {FIRST: "ready", SECOND: "ready", lab.cleo.number: "ready"}

        await _says(courier, lab, FIRST, SECOND, "from the first")
        await _says(courier, lab, SECOND, lab.cleo.number, "from the second")
        await _says(courier, lab, lab.cleo.number, FIRST, "from Cleo's house")

        async with courier.events(types="message") as events:
            await _native(courier, "POST", f"/accounts/{SECOND}/unregister", {"delete_account": True, "delete_local_data": True}, 204)
            assert await _states(courier) == {FIRST: "ready", lab.cleo.number: "ready"}
            await lab.ann.send((await lab.levers.account(FIRST)).aci, "still there?")
            await events.take(lambda event: event["message"]["text"] == "still there?")
        await _says(courier, lab, FIRST, lab.cleo.number, "without the second")
        refused = await courier.call("POST", "/api/v2/messages", {"account": SECOND, "recipients": [lab.ann.aci], "text": "gone"})
        assert refused.status in {404, 409, 422}, refused
        devices = (await _native(courier, "GET", f"/accounts/{lab.cleo.number}/devices"))["devices"]
        (device,) = [one["id"] for one in devices if one["name"] == "Many"]
        await lab.levers.unlink(lab.cleo.number, device)


async def test_accounts_work_although_another_was_taken_away_while_the_service_was_down(lab: Lab) -> None:
    taken = "+4915100000855"
    async with running_courier(lab, "taken", [taken, THIRD]) as courier:
        await courier.ready(THIRD)
    await lab.levers.unlink(taken, 1)
    async with running_courier(lab, "taken", []) as courier:
        await courier.ready(THIRD)
        assert await _states(courier) == {taken: "unlinked", THIRD: "ready"}
        async with courier.events(types="message") as events:
            await lab.ann.send((await lab.levers.account(THIRD)).aci, "you at least?")
            await events.take(lambda event: event["message"]["text"] == "you at least?", within=60)
        told = await _native(courier, "GET", f"/accounts/{taken}")
        assert [problem["type"] for problem in told["problems"]] == [f"{PREFIX}unlinked"]
