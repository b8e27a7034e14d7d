"""What waits in the outbox: its id in every answer, who parks whom, and waiting for what becomes of it."""

import asyncio
import base64
from pathlib import Path

import pytest

from signal_courier.engine.simulator import cast
from tests.fakes.daemon import Failure
from tests.fakes.served import Service, served

ACCOUNT = cast.HOME


def to(number: str, text: str = "Hello", **more: object) -> dict[str, object]:
    return {"account": ACCOUNT, "recipients": [number], "text": text, **more}


async def test_every_answer_names_the_message_and_it_is_found_under_that_name(demo: Service) -> None:
    sent = await demo.post("/api/v2/messages", to(cast.ECHO))
    assert sent.status == 201
    found = (await demo.get(f"/api/v2/messages/{sent.json['id']}")).json
    assert (found["timestamp"], found["content"]["text"]) == (sent.json["timestamp"], "Hello")
    refused = await demo.post("/api/v2/messages", to(cast.UNREGISTERED))
    assert (refused.status, refused.json["account"]) == (422, ACCOUNT)
    assert (await demo.get(f"/api/v2/messages/{refused.json['message']}")).json["state"] == "failed"
    waited = await demo.post("/api/v2/messages", to(cast.ECHO, wait=10))
    assert (waited.status, (await demo.get(f"/api/v2/messages/{waited.json['id']}")).status) == (201, 200)
    keyed = await demo.post("/api/v2/messages", to(cast.ECHO), **{"Idempotency-Key": "k"})
    again = await demo.post("/api/v2/messages", to(cast.ECHO), **{"Idempotency-Key": "k"})
    assert keyed.json["id"] == again.json["id"] != waited.json["id"]


async def _until(service: Service, identifier: str, *states: str) -> dict:
    async with asyncio.timeout(30):
        while (found := (await service.get(f"/api/v2/messages/{identifier}")).json)["state"] not in states:  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.01)
    return found


@pytest.mark.parametrize(("number", "reason", "refusal"), [(cast.NEWKEY, "untrusted_identity", 409), (cast.LIMITED, "rate_limit", 429)])
@pytest.mark.parametrize("way", ["act", "retry"])
async def test_what_stands_behind_a_parked_message_is_parked_for_the_same(
    demo: Service, number: str, reason: str, refusal: int, way: str
) -> None:
    for _ in range(2):
        assert (await demo.post("/api/v2/messages", to(number))).status == refusal
    first = (await demo.post("/api/v2/messages", to(number, "one", wait=1))).json["id"]
    behind = [(await demo.post("/api/v2/messages", to(number, text, wait=0))).json["id"] for text in ("two", "three")]
    told = await _until(demo, first, "parked")
    assert (told["recipients"][0]["reason"], told["attempts"]) == (reason, 1)
    for identifier in behind:
        follower = await _until(demo, identifier, "parked")
        assert (follower["recipients"][0]["reason"], follower.get("attempts", 0)) == (reason, 0)
        assert follower["recipients"][0]["tokens"] == told["recipients"][0]["tokens"]
    assert (await demo.get("/api/v2/status")).json["queues"]["sending"] == {ACCOUNT: {"parked": 3}}
    taken_back = (await demo.post("/api/v2/messages", to(number, "four", wait=0))).json["id"]
    assert (await demo.delete(f"/api/v2/messages/{taken_back}")).json["state"] == "cancelled"
    assert (await demo.get(f"/api/v2/messages/{behind[0]}")).json["state"] == "parked"
    if reason == "rate_limit":
        token = told["recipients"][0]["tokens"][0]
        body = {"token": token, "captcha": "signalcaptcha://good"}
        if way == "act":
            assert (await demo.post(f"/api/v2/accounts/{ACCOUNT}/challenge", body)).status == 204
        else:  # solved elsewhere: this service does not know
            await demo.courier.commands.submit_rate_limit_challenge(ACCOUNT, challenge=token, captcha="signalcaptcha://good")
    elif way == "act":
        person = cast.uuid_of(number)
        answer = await demo.request("PUT", f"/api/v2/identities/{person}/trust?account=%2B4915100000001", {"all_keys": True})
        assert answer.status == 204
    else:
        await demo.courier.commands.trust(ACCOUNT, recipient=number, trust_all_known_keys=True)
    if way == "retry":  # of one that is not even the first
        assert (await demo.post(f"/api/v2/messages/{behind[1]}/retry", {})).status == 200
    for identifier in (first, *behind):
        await _until(demo, identifier, "sent", "delivered", "read")


async def test_waiting_for_a_receipt_ends_with_it_or_with_the_time(demo: Service) -> None:
    echoed = (await demo.post("/api/v2/messages", to(cast.ECHO))).json["id"]
    read = await demo.get(f"/api/v2/messages/{echoed}?wait=30&until=read")
    assert (read.status, read.json["state"]) == (200, "read")
    failed = (await demo.post("/api/v2/messages", to(cast.UNREGISTERED))).json["message"]
    assert (await demo.get(f"/api/v2/messages/{failed}?wait=30&until=read")).json["state"] == "failed"
    for query in ("wait=601", "wait=-1", "until=delivered&wait=x", "until=seen"):
        assert (await demo.get(f"/api/v2/messages/{echoed}?{query}")).status == 400, query


async def test_who_waits_for_a_receipt_that_does_not_come_is_told_how_far_it_got(tmp_path) -> None:
    result = {"recipientAddress": {"uuid": cast.uuid_of(cast.ECHO), "number": cast.ECHO}, "type": "SUCCESS"}
    async with served(tmp_path, {"send": {"timestamp": 1700000000123, "results": [result]}}) as service:
        sent = (await service.post("/api/v2/messages", {"recipients": [cast.ECHO], "text": "x"})).json["id"]
        assert (await service.get(f"/api/v2/messages/{sent}?wait=1&until=delivered")).json["state"] == "sent"


@pytest.mark.parametrize(
    ("number", "reason", "kind"), [(cast.NEWKEY, "untrusted_identity", "untrusted-identity"), (cast.LIMITED, "rate_limit", "rate-limited")]
)
async def test_who_waits_is_told_at_once_that_somebody_has_to_act(demo: Service, number: str, reason: str, kind: str) -> None:
    async with asyncio.timeout(30):
        told = await demo.post("/api/v2/messages", to(number, wait=60))
        assert (told.status, told.json["state"]) == (202, "parked")
        for goal in ("sent", "delivered", "read"):
            found = (await demo.get(f"/api/v2/messages/{told.json['id']}?wait=60&until={goal}")).json
            assert (found["state"], found["recipients"][0]["reason"]) == ("parked", reason)
        behind = await demo.post("/api/v2/messages", to(number, wait=60))
        assert (behind.status, behind.json["state"]) == (202, "parked")
        # Who is to be tried once does not stand behind somebody who waits: the answer is what the first attempt would have brought.
        once = await demo.post("/api/v2/messages", to(number, wait=60, expires_in=0))
        assert (once.json["type"], once.json["account"]) == (f"urn:signal-courier:problem:{kind}", ACCOUNT)
        assert bool(once.json.get("challenge_tokens")) is (kind == "rate-limited")
        assert once.json.get("recipients", []) == ([cast.uuid_of(number)] if kind == "untrusted-identity" else [])


async def test_one_who_is_parked_does_not_end_the_waiting_for_the_receipt_of_another(demo: Service) -> None:
    sent = (await demo.post("/api/v2/messages", {"account": ACCOUNT, "recipients": [cast.NEWKEY, cast.ECHO], "text": "x", "wait": 0})).json
    found = (await demo.get(f"/api/v2/messages/{sent['id']}?wait=60&until=read")).json
    assert {one["recipient"]: one["state"] for one in found["recipients"]} == {cast.NEWKEY: "parked", cast.ECHO: "read"}
    assert found["state"] == "parked"


async def test_a_refusal_is_the_same_problem_whether_its_caller_waited_for_the_queue_or_not(demo: Service) -> None:
    at_once = (await demo.post("/api/v2/messages", to(cast.UNREGISTERED))).json
    queued = (await demo.post("/api/v2/messages", to(cast.UNREGISTERED, wait=60))).json
    assert queued.pop("message") != at_once.pop("message")
    assert queued == at_once
    assert queued["type"] == "urn:signal-courier:problem:not-on-signal"
    old = await demo.post("/v2/send", {"number": ACCOUNT, "recipients": [cast.LIMITED], "message": "x"})
    preferred = {"Prefer": "respond-async, wait=60", "Courier-Expires-In": "0"}
    waited = await demo.post("/v2/send", {"number": ACCOUNT, "recipients": [cast.LIMITED], "message": "x"}, **preferred)
    assert (old.status, old.json) == (waited.status, waited.json) == (429, waited.json)


async def test_status_says_what_messages_wait_for_until_somebody_acts(demo: Service) -> None:
    async def problems() -> list[dict]:
        accounts = (await demo.get("/api/v2/status")).json["accounts"]
        return next(one["problems"] for one in accounts if one["number"] == ACCOUNT)

    assert await problems() == []
    for _ in range(2):
        for number in (cast.LIMITED, cast.NEWKEY):
            await demo.post("/api/v2/messages", to(number, wait=60))
    limit, identity = await problems()
    assert limit["type"] == "urn:signal-courier:problem:rate-limited"
    assert (limit["recipients"], len(limit["challenge_tokens"])) == ([cast.uuid_of(cast.LIMITED)], 1)
    assert limit["captcha_url"].startswith("https://signalcaptchas.org/challenge")
    assert identity["type"] == "urn:signal-courier:problem:untrusted-identity"
    assert identity["recipients"] == [cast.uuid_of(cast.NEWKEY)]
    body = {"token": limit["challenge_tokens"][0], "captcha": "signalcaptcha://good"}
    assert (await demo.post(f"/api/v2/accounts/{ACCOUNT}/challenge", body)).status == 204
    path = f"/api/v2/identities/{cast.uuid_of(cast.NEWKEY)}/trust?account=%2B4915100000001"
    assert (await demo.request("PUT", path, {"all_keys": True})).status == 204
    async with asyncio.timeout(30):
        while await problems():  # noqa: ASYNC110  # as people do
            await asyncio.sleep(0.01)


async def test_an_answer_is_the_same_whether_its_caller_waited_for_the_queue_or_not(demo: Service) -> None:
    everybody = [cast.ECHO, f"group.{base64.b64encode(cast.DEMO_GROUP.encode()).decode()}", "shade.01", cast.UNREGISTERED]
    body = {"account": ACCOUNT, "recipients": everybody, "text": "x"}
    at_once, waited = [(await demo.post("/api/v2/messages", one)).json for one in (body, {**body, "wait": 60})]

    def told(answer: dict) -> list[tuple[str, ...]]:
        return sorted(tuple(str(one[name]) for name in ("recipient", "uuid", "number", "group", "reason")) for one in answer["recipients"])

    assert told(waited) == told(at_once)
    old = {"number": ACCOUNT, "recipients": everybody, "message": "x"}
    now, later = [(await demo.post("/v2/send", old, **wish)).json for wish in ({}, {"Prefer": "respond-async, wait=60"})]
    assert [{**one, "timestamp": 0} for one in later] == [{**one, "timestamp": 0} for one in now]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("messages", {"recipients": [cast.ECHO], "text": "x"}),
        ("reactions", {"emoji": "👍", "author": cast.ECHO}), ("deletions", {}),
        ("polls", {"question": "Tea?", "options": ["Yes", "No"]}), ("polls/votes", {"author": cast.ECHO, "options": [0]}),
        ("polls/end", {}),
        ("receipts", {"author": cast.ECHO, "timestamps": [1_795_000_000_000]}), ("typing", {}),
    ],
)  # fmt: skip
async def test_wait_0_answers_as_soon_as_it_is_on_disk_whatever_is_sent(demo: Service, path: str, body: dict[str, object]) -> None:
    full = {"account": ACCOUNT, "conversation": cast.ECHO, "timestamp": 1_795_000_000_000, **body, "wait": 0}
    answer = await demo.post(f"/api/v2/{path}", full)
    assert (answer.status, answer.json["state"], answer.headers["Preference-Applied"]) == (202, "queued", "respond-async"), answer.body
    assert (await demo.get(f"/api/v2/messages/{answer.json['id']}?wait=30")).json["state"] not in ("queued", "sending")
    for wrong in ({"wait": -1}, {"wait": 601}, {"wait": None, "expires_in": -1}, {"wait": 0, "expires_in": 31 * 86400}):
        refused = await demo.post(f"/api/v2/{path}", full | wrong)
        assert (refused.status, refused.json["field"]) == (400, "expires_in" if "expires_in" in wrong else "wait")


async def test_a_stop_does_not_wait_for_those_who_wait_for_a_receipt(tmp_path: Path) -> None:
    result = {"recipientAddress": {"uuid": cast.uuid_of(cast.ECHO), "number": cast.ECHO}, "type": "SUCCESS"}
    async with served(tmp_path, {"send": {"timestamp": 1700000000123, "results": [result]}}) as service:
        sent = (await service.post("/api/v2/messages", {"recipients": [cast.ECHO], "text": "x"})).json["id"]
        waiting = asyncio.create_task(service.get(f"/api/v2/messages/{sent}?wait=600&until=read"))
        async with asyncio.timeout(30):
            while not service.courier.outbox.waiting.messages:  # noqa: ASYNC110  # the request is on its way
                await asyncio.sleep(0.01)
        service.courier.outbox.waiting.release()
        async with asyncio.timeout(30):
            assert (await waiting).json["state"] == "sent"


async def test_a_time_to_try_is_enough_to_have_it_tried_again(tmp_path: Path) -> None:
    async with served(tmp_path, {"send": Failure(-3, "java.net.UnknownHostException: chat.signal.org")}) as service:
        body = {"recipients": [cast.ECHO], "text": "x"}
        once = await service.post("/api/v2/messages", body | {"expires_in": 0})
        assert (once.json["type"], len(service.asked())) == ("urn:signal-courier:problem:signal-unreachable", 1)
        preferred = await service.post("/api/v2/messages", body | {"expires_in": 3600}, Prefer="respond-async")
        assert preferred.status == 202
        assert (await service.get(f"/api/v2/messages/{preferred.json['id']}")).json["state"] in ("queued", "sending")
        given_up = await service.post("/api/v2/messages", body | {"recipients": [cast.POLLY], "expires_in": 1})
        assert given_up.json["type"] == "urn:signal-courier:problem:signal-unreachable"
        assert (await service.get(f"/api/v2/messages/{given_up.json['message']}")).json["state"] == "expired"
        service.daemon.on("send", {"timestamp": 1700000000123, "results": []})
        sent = await service.post("/api/v2/messages", body | {"recipients": [cast.SECOND], "expires_in": 3600})
        assert (sent.status, sent.json["timestamp"]) == (201, 1700000000123)


async def test_who_waits_is_told_of_an_account_that_is_not_here_as_one_who_does_not(demo: Service) -> None:
    told = []
    for wish in ({}, {"wait": 10}, {"expires_in": 60}):
        body = {"account": "+4915100000098", "recipients": [cast.ECHO], "text": "Hello", **wish}
        answer = await demo.post("/api/v2/messages", body)
        told.append((answer.status, answer.json["type"].rpartition(":")[2], answer.json["account"]))
    assert told == [(404, "account-unknown", "+4915100000098")] * 3
