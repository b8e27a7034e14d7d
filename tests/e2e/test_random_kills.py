"""The service and the real signal-cli are killed at random moments: what comes in reaches whoever follows, what goes out goes once.

Both are killed twice each here. For a long torment:

    SIGNAL_COURIER_KILLS=20 SIGNAL_COURIER_SEED=7 scripts/test tests/e2e/test_random_kills.py -s
"""

import asyncio
import collections
import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from tests.e2e.lab.laboratory import Lab
from tests.e2e.lab.person import Person
from tests.e2e.phoenix import KILLS, SEED, Phoenix, rising
from tests.fakes.hooked import HandClock, Receiver

FOLLOWED, SENDING = "+4915100000811", "+4915100000812"
CONSUMER = "/api/v2/consumers/bot"
MESSAGES = 20 + 9 * KILLS
"""To be sent, to three people: 200 through 20 kills."""
_PAUSE = (0.0, 0.4)
_SETTLING = 90.0


def _delivered(person: Person) -> set[int]:
    """Timestamps of what the other side's client has said to have received."""
    reports = [report["envelope"] for report in person.daemon.reports.take_all() if report.get("account") == person.number]
    receipts = [envelope["receiptMessage"] for envelope in reports if (envelope.get("receiptMessage") or {}).get("isDelivery")]
    return {timestamp for receipt in receipts for timestamp in receipt["timestamps"]}


class Followed:
    """What a follower has seen: ids and texts of events, as they came."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str]] = []

    def take(self, event: dict[str, Any]) -> bool:
        """One more; whether it is the last."""
        self.seen.append((event["id"], event["message"]["text"]))
        return bool(event["message"]["text"] == "the end")

    def last(self) -> int:
        """The id of the newest."""
        return self.seen[-1][0] if self.seen else 0

    @property
    def first_seen(self) -> list[tuple[int, str]]:
        """Without what came again."""
        return list(dict.fromkeys(self.seen))

    @property
    def repeated(self) -> int:
        """How many came again."""
        return len(self.seen) - len(self.first_seen)


@pytest.mark.timeout(180 + 60 * KILLS)
async def test_all_who_follow_get_every_stored_message_signed_and_in_order_through_random_kills(lab: Lab) -> None:
    dice = random.Random(SEED)
    plain, named = Followed(), Followed()
    hooked: dict[str, str] = {}
    posts = collections.Counter[str]()
    said: dict[int, str] = {}
    async with Receiver(HandClock()).listening() as receiver, rising(lab, "risen", [FOLLOWED]) as phoenix:
        await phoenix.call("PUT", CONSUMER, {"after": 0}, statuses=(200,))
        hook = {"url": receiver.url, "types": ["message"]}
        secret = (await phoenix.call("POST", "/api/v2/webhooks", hook, statuses=(201,))).json()["secret"]
        aci = (await lab.levers.account(FOLLOWED)).aci
        phoenix.begin()

        async def talk() -> None:
            for number in itertools.count():
                text = "the end" if phoenix.tormented.is_set() else f"message {number}"
                said[await lab.ann.send(aci, text)] = text
                if text == "the end":
                    return
                await asyncio.sleep(dice.uniform(*_PAUSE))

        async def acknowledge() -> None:
            while not named.seen or named.seen[-1][1] != "the end":
                await asyncio.sleep(dice.uniform(*_PAUSE))
                if named.seen:
                    behind = max(named.last() - dice.randrange(5), 0)
                    await phoenix.call("POST", f"{CONSUMER}/ack", {"id": behind}, statuses=(200, 422))

        async def be_hooked() -> None:
            while "the end" not in hooked.values():
                post = await asyncio.wait_for(receiver.posts.get(), 300)
                headers = {name.lower(): value for name, value in post.headers.items()}
                payload: Any = Verifier(secret).verify(post.body, headers)
                text = payload["data"]["message"]["text"]
                assert hooked.setdefault(headers["webhook-id"], text) == text
                posts[text] += 1

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(talk())
            tasks.create_task(phoenix.follow(plain.take, plain.last, types="message"))
            tasks.create_task(phoenix.follow(named.take, lambda: None, types="message", consumer="bot"))
            tasks.create_task(acknowledge())
            tasks.create_task(be_hooked())
        stored: list[tuple[int, str]] = []
        query = {"after": "0", "types": "message", "wait": "0", "limit": "1000"}
        while events := (await phoenix.call("GET", "/api/v2/events", query=query, statuses=(200,))).json()["events"]:
            stored += [(event["id"], event["message"]["text"]) for event in events]
            query["after"] = str(stored[-1][0])
    texts = [text for _, text in stored]
    lost = {timestamp: text for timestamp, text in said.items() if text not in texts}
    receipts = _delivered(lab.ann)
    print(
        f"\n{dict(phoenix.kills)} kills, {len(said)} messages said, {len(stored)} stored; came again: {named.repeated} to the consumer, "
        f"{sum(posts.values()) - len(posts)} to the webhook; killed with signal-cli: {list(lost.values())}"
    )
    assert plain.seen == stored, "with the last id everything comes, and nothing twice"
    assert named.first_seen == stored, "a named consumer gets everything, in order"
    assert list(hooked.values()) == texts, "a webhook gets everything, in order, under one id each"
    assert texts == [text for text in said.values() if text in texts], "nothing is out of order or stored twice"
    assert lost.keys().isdisjoint(receipts), "what signal-cli has handed over is stored"
    assert len(lost) <= sum(phoenix.kills.values()), "only what signal-cli itself was at when it was killed is gone"


async def _states(phoenix: Phoenix, names: Sequence[str]) -> dict[str, str]:
    """What became of messages, when nothing of them is open any more."""
    states: dict[str, str] = {}
    async with asyncio.timeout(_SETTLING):
        for name in names:
            while True:
                told = (await phoenix.call("GET", f"/api/v2/messages/{name}", query={"wait": "5"}, statuses=(200,))).json()
                if told["state"] not in {"queued", "sending"}:
                    break
            states[name] = told["state"]
    return states


@pytest.mark.timeout(180 + 60 * KILLS)
async def test_every_message_reaches_the_phone_once_or_is_said_to_be_unknown_through_random_kills(lab: Lab) -> None:
    dice = random.Random(SEED)
    names: dict[str, str] = {}
    people = [lab.ann, lab.ben, lab.cleo]
    got: dict[str, list[str]] = {person.name: [] for person in people}
    async with rising(lab, "sends", [SENDING], COURIER_PACE="0", COURIER_RECONCILE_SECONDS="5") as phoenix:
        phoenix.begin()

        async def write(person: Person, share: range) -> None:
            for number in share:
                text = f"alarm {number}"
                body = {"account": SENDING, "recipients": [person.aci], "text": text, "wait": 0}
                reply = await phoenix.call("POST", "/api/v2/messages", body, headers={"Idempotency-Key": text}, statuses=(202,))
                assert reply.json()["id"] not in names.values()
                names[text] = reply.json()["id"]
                await asyncio.sleep(dice.uniform(0, 0.6))

        async with asyncio.TaskGroup() as tasks:
            for place, person in enumerate(people):
                tasks.create_task(write(person, range(place, MESSAGES, len(people))))
        await phoenix.tormented.wait()
        states = await _states(phoenix, list(names.values()))
        told = {text: states[name] for text, name in names.items()}
        for person in people:  # what is behind everything else
            body = {"account": SENDING, "recipients": [person.aci], "text": "the end"}
            await phoenix.call("POST", "/api/v2/messages", body, statuses=(201,))
            await person.receives_text("the end")
    sent = collections.Counter[str]()
    for report in lab.ann.daemon.reports.take_all():
        text = (report["envelope"].get("dataMessage") or {}).get("message") or ""
        if text.startswith("alarm "):
            sent[text] += 1
            got[next(person.name for person in people if person.number == report["account"])].append(text)
    unknown = [text for text, state in told.items() if state == "unknown"]
    print(
        f"\n{dict(phoenix.kills)} kills, {MESSAGES} messages: {len(sent)} arrived, {max(sent.values())} time at most; "
        f"told as {dict(collections.Counter(told.values()))}; of the unknown {sum(sent[text] for text in unknown)} arrived"
    )
    assert len(told) == MESSAGES, "every message was taken once"
    assert set(sent.values()) == {1}, "no message came twice"
    assert [text for text in told if text not in sent and text not in unknown] == [], "what is said to be sent has arrived"
    assert set(told.values()) <= {"sent", "delivered", "read", "unknown"}, "nothing was given up"
    for person in people:
        order = [int(text.partition(" ")[2]) for text in got[person.name]]
        assert order == sorted(order), "the order of each conversation was kept"
