"""A hundred messages wait to be sent, and Signal says no, is away, or does not answer."""

import asyncio
import collections
from typing import Any

import pytest

from tests.e2e.courier import House
from tests.e2e.lab.laboratory import Lab
from tests.e2e.phoenix import LONG

MESSAGES = 100
_SETTLING = 90


pytestmark = pytest.mark.usefixtures("fine_weather")


async def _queue(hasty: House, lab: Lab, word: str, count: int, **fields: object) -> dict[str, str]:
    """Queues so many messages for the three people in turn; gives their ids by their texts."""
    people, names = list(lab.people.values()), {}
    for number in range(count):
        text = f"{word} {number}"
        body = {"recipients": [people[number % len(people)].aci], "text": text, "wait": 0, **fields}
        names[text] = (await hasty.native("POST", "/messages", body)).expect(202)["id"]
    return names


async def _states(hasty: House, names: dict[str, str]) -> dict[str, dict[str, Any]]:
    found = (await hasty.native("GET", "/outbox", limit="1000")).expect(200)["messages"]
    known = {one["id"]: one for one in found}
    return {text: known[name] for text, name in names.items()}


async def _until(hasty: House, names: dict[str, str], *states: str) -> dict[str, dict[str, Any]]:
    """Waits until all of them are in one of these states."""
    told: dict[str, dict[str, Any]] = {}
    try:
        async with asyncio.timeout(_SETTLING):
            while not told or not {one["state"] for one in told.values()} <= set(states):
                await asyncio.sleep(0.2)
                told = await _states(hasty, names)
    except TimeoutError:
        raise AssertionError(collections.Counter((one["state"], str(one["recipients"])[:300]) for one in told.values())) from None
    return told


def _arrived(lab: Lab, word: str) -> dict[str, list[int]]:
    """What has come to each person so far, by number, in its order."""
    got: dict[str, list[int]] = {person.number: [] for person in lab.people.values()}
    for report in lab.ann.daemon.reports.take_all():
        text = (report["envelope"].get("dataMessage") or {}).get("message") or ""
        if text.startswith(f"{word} "):
            got[report["account"]].append(int(text.rpartition(" ")[2]))
    return got


async def _everything_has_arrived(hasty: House, lab: Lab) -> None:
    """What is sent now comes behind everything that was sent before."""
    for person in lab.people.values():
        await hasty.send(person.aci, message="that was all")
        await person.receives_text("that was all", within=60)


def _in_turn(count: int, lab: Lab) -> dict[str, list[int]]:
    people = list(lab.people.values())
    return {person.number: list(range(place, count, len(people))) for place, person in enumerate(people)}


async def test_rate_limit_in_the_middle_of_a_hundred_messages_parks_the_rest_until_the_challenge_is_solved(hasty: House, lab: Lab) -> None:
    before = await _refusals(lab)
    token = await lab.levers.demand_proof(hasty.number, after=MESSAGES // 3)
    names = await _queue(hasty, lab, "limited", MESSAGES)
    told = await _until(hasty, names, "sent", "delivered", "parked")
    parked = [one for one in told.values() if one["state"] == "parked"]
    refused = await _refusals(lab) - before
    assert 0 < MESSAGES - len(parked) <= MESSAGES // 3, "the rest is parked"
    assert {(one["recipients"][0]["reason"], *one["recipients"][0]["tokens"]) for one in parked} == {("rate_limit", token)}
    assert 0 < refused <= 4 * len(lab.people), "each conversation asks once; signal-cli may ask some times for it"
    solved = {"token": token, "captcha": "signalcaptcha://solved"}
    (await hasty.call("POST", "/api/v2/accounts/{n}/challenge", solved)).expect(204)
    told = await _until(hasty, names, "sent", "delivered")
    await _everything_has_arrived(hasty, lab)
    print(f"\n{MESSAGES} messages: {len(parked)} were parked, {refused} requests refused; attempts {_attempts(told)}")
    assert _arrived(lab, "limited") == _in_turn(MESSAGES, lab), "each once, in its order"


@pytest.mark.parametrize("status", [429, 413])
async def test_plain_rate_limit_parks_and_a_retry_by_hand_goes_on(hasty: House, lab: Lab, status: int) -> None:
    await lab.levers.fail("/v1/messages/", status=status, times=12, headers={"Retry-After": "60"})
    names = await _queue(hasty, lab, f"too many {status}", 9)
    told = await _until(hasty, names, "parked")
    assert {one["recipients"][0]["reason"] for one in told.values()} == {"rate_limit"}
    await lab.levers.forget_faults()
    for text in list(names)[:3]:  # the first of each conversation
        (await hasty.native("POST", f"/messages/{names[text]}/retry")).expect(200)
    await _until(hasty, names, "sent", "delivered")
    await _everything_has_arrived(hasty, lab)
    assert _arrived(lab, f"too many {status}") == _in_turn(9, lab)


@pytest.mark.parametrize("how", ["outage", *(["silence"] if LONG else [])])
async def test_what_could_not_be_sent_within_its_time_is_expired_and_never_sent(hasty: House, lab: Lab, how: str) -> None:
    if how == "outage":
        await lab.levers.outage(on=True)
    else:
        await lab.levers.weather(delay_seconds=600)
    names = await _queue(hasty, lab, f"too late {how}", 9, expires_in=6)
    told = await _until(hasty, names, "expired", "unknown")
    print(f"\n{how}: {dict(collections.Counter(one['state'] for one in told.values()))}, attempts {_attempts(told)}")
    await lab.levers.outage(on=False)
    await lab.levers.weather()
    await lab.ann.send(hasty.aci, f"back again {how}")
    await hasty.receives_text(f"back again {how}", within=60)
    await _everything_has_arrived(hasty, lab)
    expired = {int(text.rpartition(" ")[2]) for text, one in told.items() if one["state"] == "expired"}
    assert expired.isdisjoint(number for got in _arrived(lab, f"too late {how}").values() for number in got)
    assert how == "silence" or len(expired) == 9


async def test_what_waits_through_errors_of_the_server_is_sent_once(hasty: House, lab: Lab) -> None:
    await lab.levers.fail("/v1/messages/", status=500, times=12)
    names = await _queue(hasty, lab, "stumbling", 9)
    told = await _until(hasty, names, "sent", "delivered")
    await _everything_has_arrived(hasty, lab)
    print(f"\nattempts {_attempts(told)}")
    assert _arrived(lab, "stumbling") == _in_turn(9, lab)


async def test_file_that_the_server_does_not_take_is_said_to_have_failed(hasty: House, lab: Lab) -> None:
    uploaded = (await hasty.courier.call("POST", "/api/v2/attachments", raw=bytes(1 << 20), query={"name": "large.bin"})).expect(201)
    body = {"recipients": [lab.ann.aci], "text": "a large file", "attachments": [uploaded["id"]], "wait": 5}
    await lab.levers.weather(refuses_files=413)
    refused = (await hasty.native("POST", "/messages", body)).expect(422)
    assert "[413]" in refused["detail"]
    assert (await hasty.native("GET", f"/messages/{refused['message']}")).json()["state"] == "failed"
    await lab.levers.weather(refuses_files=500)  # its own trouble: that ends
    queued = (await hasty.native("POST", "/messages", body)).expect(202)
    await lab.levers.weather()
    await _until(hasty, {"a large file": queued["id"]}, "sent", "delivered")
    await lab.ann.receives_text("a large file")


async def test_what_the_server_took_although_its_answer_went_wrong_is_not_sent_again(hasty: House, lab: Lab) -> None:
    await lab.levers.fail("/v1/messages/", status=500, times=100, carried_out=True)
    names = await _queue(hasty, lab, "taken", 1)
    told = await _until(hasty, names, "delivered", "read")
    await lab.levers.forget_faults()
    await _everything_has_arrived(hasty, lab)
    assert _arrived(lab, "taken")[lab.ann.number] == [0]
    assert _attempts(told) == {1: 1}


async def _refusals(lab: Lab) -> int:
    return sum(seen.status == 428 for seen in await lab.levers.seen())


def _attempts(told: dict[str, dict[str, Any]]) -> dict[int, int]:
    return dict(collections.Counter(one.get("attempts", 0) for one in told.values()))
