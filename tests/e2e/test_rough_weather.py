"""The way to Signal is bad: connections are cut off, answers take long, envelopes come twice, in another order, or make no sense."""

import asyncio
import os
import time
from typing import Any

import pytest

from tests.e2e.courier import House, running_courier
from tests.e2e.lab.laboratory import Lab

SLEEPER = "+4915100000842"
FIRST = 1_700_000_000_000
BACKLOG = 2000
_UNENCRYPTED, _PREKEY, _SEALED, _PLAIN, _UNHEARD_OF = 1, 3, 6, 8, 99
"""Types of envelopes (Envelope.Type of SignalService.proto; 1 is a double-ratchet message)."""


pytestmark = pytest.mark.usefixtures("fine_weather")


async def _texts(hasty: House, word: str, last: str) -> list[str]:
    """What the house has received up to a text: those that begin with a word, in their order."""
    await hasty.receives_text(last, within=90)
    events = (await hasty.call("GET", "/api/v2/events", query={"after": "0", "types": "message", "wait": "0", "limit": "1000"})).expect(200)
    texts = [event["message"]["text"] or "" for event in events["events"]]
    return [text for text in texts if text.startswith(word)]


async def test_everything_goes_through_connections_that_are_cut_off_every_two_seconds(hasty: House, lab: Lab) -> None:
    await lab.levers.weather(drops_after_seconds=2)
    out = [f"cut out {number}" for number in range(20)]
    queued = [
        (await hasty.native("POST", "/messages", {"recipients": [lab.ann.aci], "text": text, "wait": 0})).expect(202)["id"] for text in out
    ]
    into = [f"cut in {number}" for number in range(20)]
    for text in into:
        await lab.ann.send(hasty.aci, text)
        await asyncio.sleep(0.2)
    await lab.levers.weather()
    await lab.ann.send(hasty.aci, "cut over")
    got = await _texts(hasty, "cut in", "cut over")
    assert got == into
    for name in queued:
        told = (await hasty.native("GET", f"/messages/{name}", wait="60", until="delivered")).expect(200)
        assert told["state"] in {"delivered", "read"}, told
    reports = [report["envelope"].get("dataMessage") or {} for report in lab.ann.daemon.reports.take_all()]
    arrived = [message.get("message") for message in reports if (message.get("message") or "").startswith("cut out")]
    assert arrived == out


async def test_slow_servers_only_make_it_slow(hasty: House, lab: Lab) -> None:
    await lab.levers.weather(delay_seconds=3)
    begun = time.monotonic()
    sent, status = await asyncio.gather(
        hasty.native("POST", "/messages", {"recipients": [lab.ann.aci], "text": "slowly"}), hasty.call("GET", "/api/v2/status")
    )
    assert time.monotonic() - begun < 20
    sent.expect(201)
    status.expect(200)
    await lab.ann.receives_text("slowly", within=60)
    await lab.ann.send(hasty.aci, "slow too")
    await hasty.receives_text("slow too", within=60)


async def test_envelopes_that_come_twice_or_swapped_are_told_once_each(hasty: House, lab: Lab) -> None:
    for weather in ({"twice": True}, {"swapped": True}, {"twice": True, "swapped": True}):
        word = "-".join(weather)
        await lab.levers.weather(**weather)
        texts = [f"{word} {number}" for number in range(10)]
        for text in texts:
            await lab.ann.send(hasty.aci, text)
        await lab.levers.weather()
        await lab.ann.send(hasty.aci, f"over {word}")
        assert sorted(await _texts(hasty, f"{word} ", f"over {word}")) == texts
        sent = (await hasty.native("POST", "/messages", {"recipients": [lab.ann.aci], "text": "receipts too"})).expect(201)
        told = (await hasty.native("GET", f"/messages/{sent['id']}", wait="30", until="delivered")).expect(200)
        assert told["state"] == "delivered"


async def test_envelopes_that_make_no_sense_harm_nobody(hasty: House, lab: Lab) -> None:
    async with hasty.courier.events(account=hasty.number) as events:
        for kind in (0, _UNENCRYPTED, 2, _PREKEY, 4, 5, _SEALED, 7, _PLAIN, _UNHEARD_OF):
            for content in (b"", b"\x33", os.urandom(200)):
                for sender in (lab.ann.aci, "0e000000-0000-4000-8000-000000000000", None):
                    await lab.levers.push(hasty.number, kind, content, sender=sender)
        await lab.ann.send(hasty.aci, "sense again")
        await events.take(lambda event: event["type"] == "message" and event["message"]["text"] == "sense again", within=60)
        others = events.take_all()
    assert {event["type"] for event in others} <= {"account", "receipt"}, "what cannot be read is told as that, or not at all"
    assert all(event["account_change"]["change"] == "undecryptable" for event in others if event["type"] == "account")
    status = (await hasty.call("GET", "/api/v2/status")).expect(200)
    assert status["engine"]["state"] == "ready"
    await hasty.send(lab.ann.aci, message="makes sense")
    await lab.ann.receives_text("makes sense")


async def test_two_thousand_messages_that_waited_all_come_in_order(lab: Lab) -> None:
    async with running_courier(lab, "sleeper", [SLEEPER]) as courier:
        await courier.ready(SLEEPER)
    aci = (await lab.levers.account(SLEEPER)).aci
    await lab.levers.flood(SLEEPER, lab.ann.number, range(FIRST, FIRST + BACKLOG))
    for number in range(10):
        await lab.ann.send(aci, f"waited {number}")
    async with running_courier(lab, "sleeper", []) as courier:
        async with courier.events(after="0", types="message,receipt") as events:
            await events.take(lambda event: event["type"] == "message" and event["message"]["text"] == "waited 9", within=90)
        seen: list[dict[str, Any]] = []
        query = {"after": "0", "types": "message,receipt", "wait": "0", "limit": "1000"}
        while page := (await courier.call("GET", "/api/v2/events", query=query)).expect(200)["events"]:
            seen += page
            query["after"] = str(page[-1]["id"])
    receipts = [target["timestamp"] for event in seen if event["type"] == "receipt" for target in event["receipt"]["targets"]]
    assert receipts == list(range(FIRST, FIRST + BACKLOG))
    assert [event["message"]["text"] for event in seen if event["type"] == "message"] == [f"waited {number}" for number in range(10)]
