"""`Idempotency-Key` and `Prefer: respond-async`: one request, one message, one answer, through restarts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from tests.fakes.daemon import Failure, HangUp, Held
from tests.fakes.served import Service, served

ANN, BEN, CLEO = ACCOUNTS = ("+4915100000001", "+4915100000002", "+4915100000003")
KEY = {"Idempotency-Key": "alarm-1"}
ASYNC = {"Prefer": "respond-async"}
HELLO = {"number": ANN, "recipients": [BEN], "message": "Hello"}
LATER = {"timestamp": 1700000009999, "results": [{"recipientAddress": {"number": BEN}, "type": "SUCCESS"}]}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, accounts=ACCOUNTS, reconcile_seconds=1) as running:
        yield running


async def test_the_same_key_and_body_give_the_same_answer_and_one_message(service: Service) -> None:
    first = await service.post("/v2/send", HELLO, **KEY)
    service.daemon.on("send", LATER)
    second = await service.post("/v2/send", HELLO, **KEY)
    assert first.status == 201
    assert (second.status, second.body, second.headers["Content-Type"]) == (201, first.body, first.headers["Content-Type"])
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(service.asked()) == 1


async def test_the_answer_is_the_same_after_a_restart(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=ACCOUNTS) as service:
        first = await service.post("/v2/send", HELLO, **KEY)
    async with served(tmp_path, {"send": LATER}, accounts=ACCOUNTS) as service:
        second = await service.post("/v2/send", HELLO, **KEY)
        assert (second.status, second.body) == (first.status, first.body)
        assert service.asked() == []


async def test_the_answer_is_made_anew_where_only_the_message_was_kept(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=ACCOUNTS) as service:
        first = await service.post("/v2/send", HELLO, **KEY)
        await service.courier.database.write(
            lambda database: database.execute("UPDATE outbox_keys SET status = NULL, body = NULL").rowcount
        )
    async with served(tmp_path, {"send": LATER}, accounts=ACCOUNTS) as service:
        second = await service.post("/v2/send", HELLO, **KEY)
        assert (second.status, second.body) == (first.status, first.body)
        assert service.asked() == []


async def test_another_body_under_the_same_key_is_422(service: Service) -> None:
    await service.post("/v2/send", HELLO, **KEY)
    other = await service.post("/v2/send", HELLO | {"message": "Other"}, **KEY)
    assert (other.status, other.error) == (422, "Couldn't process request - the Idempotency-Key was used for another request")
    other = await service.post("/v1/send", HELLO, **KEY)
    assert other.status == 422
    assert len(service.asked()) == 1


@pytest.mark.parametrize(
    "method,path,body,asked",
    [
        ("POST", "/v1/send", {"number": ANN, "recipients": [BEN], "message": "x"}, "send"),
        ("POST", f"/v1/send/{BEN}", {"number": ANN, "message": "x"}, "send"),
        ("POST", f"/v1/reactions/{ANN}", {"recipient": BEN, "reaction": "👍", "target_author": BEN, "timestamp": 1}, "sendReaction"),
        ("DELETE", f"/v1/remote-delete/{ANN}", {"recipient": BEN, "timestamp": 1}, "remoteDelete"),
        ("POST", f"/v1/receipts/{ANN}", {"recipient": BEN, "receipt_type": "read", "timestamp": 1}, "sendReceipt"),
        ("POST", f"/v1/polls/{ANN}", {"recipient": BEN, "question": "?", "answers": ["a", "b"]}, "sendPollCreate"),
        ("DELETE", f"/v1/polls/{ANN}", {"recipient": BEN, "poll_timestamp": "1"}, "sendPollTerminate"),
        ("PUT", f"/v1/typing-indicator/{ANN}", {"recipient": BEN}, "sendTyping"),
        (
            "POST", f"/v1/polls/{ANN}/vote",
            {"recipient": BEN, "poll_author": BEN, "poll_timestamp": "1", "selected_answers": [1]}, "sendPollVote",
        ),
        ("POST", f"/v1/stories/{ANN}", {"base64_attachment": "aGVsbG8="}, "sendStory"),
    ],
)  # fmt: skip
async def test_every_sending_route_honours_the_key(service: Service, method: str, path: str, body: dict[str, Any], asked: str) -> None:
    first = await service.request(method, path, body, **KEY)
    second = await service.request(method, path, body, **KEY)
    assert first.status < 300, first.body
    assert (second.status, second.body, second.headers.get("Idempotent-Replayed")) == (first.status, first.body, "true")
    assert len(service.asked(asked)) == 1


async def test_another_body_is_refused_while_the_first_request_still_runs(service: Service) -> None:
    held = Held(LATER)
    service.daemon.on("send", held)
    first = asyncio.create_task(service.post("/v2/send", HELLO, **KEY))
    await service.daemon.next_call("send")
    async with asyncio.timeout(30):
        assert (await service.post("/v2/send", HELLO | {"message": "Other"}, **KEY)).status == 422
    held.release()
    assert ((await first).status, len(service.asked())) == (201, 1)


async def test_a_key_is_remembered_for_a_day(service: Service) -> None:
    async def age(hours: int) -> None:
        await service.courier.database.write(
            lambda database: database.execute("UPDATE outbox_keys SET created_at = created_at - ?", (hours * 3_600_000,)).rowcount
        )

    other = HELLO | {"message": "Other"}
    await service.post("/v2/send", HELLO, **KEY)
    await age(23)
    assert (await service.post("/v2/send", HELLO, **KEY)).headers["Idempotent-Replayed"] == "true"
    assert (await service.post("/v2/send", other, **KEY)).status == 422
    await age(1)
    assert (await service.post("/v2/send", other, **KEY)).status == 201
    assert (await service.post("/v2/send", other, **KEY)).headers["Idempotent-Replayed"] == "true"
    assert (await service.post("/v2/send", HELLO, **KEY)).status == 422
    assert len(service.asked()) == 2


async def test_equal_requests_at_the_same_time_send_one_message(service: Service) -> None:
    held = Held(LATER)
    service.daemon.on("send", held)
    requests = [asyncio.create_task(service.post("/v2/send", HELLO, **KEY)) for _ in range(5)]
    await service.daemon.next_call("send")
    held.release()
    answers = await asyncio.gather(*requests)
    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    assert len(service.asked()) == 1


async def test_a_refusal_for_good_is_remembered(service: Service) -> None:
    service.daemon.on("send", Failure(-1, "Failed to send message"))
    first = await service.post("/v2/send", HELLO, **KEY)
    service.daemon.on("send", LATER)
    second = await service.post("/v2/send", HELLO, **KEY)
    assert (first.status, second.status, second.body) == (400, 400, first.body)


@pytest.mark.parametrize("failure", [Failure(-3, "java.net.UnknownHostException"), Failure(-5, "rate limit"), Failure(-4, "untrusted")])
async def test_where_nothing_was_sent_the_same_key_tries_anew(service: Service, failure: Failure) -> None:
    service.daemon.on("send", failure)
    first = await service.post("/v2/send", HELLO, **KEY)
    assert first.status >= 400
    service.daemon.on("send", LATER)
    assert (await service.post("/v2/send", HELLO, **KEY)).status == 201


async def test_a_request_that_is_not_valid_leaves_no_trace(service: Service) -> None:
    assert (await service.post("/v2/send", HELLO | {"recipients": []}, **KEY)).status == 400
    assert (await service.post("/v2/send", HELLO, **KEY)).status == 201
    assert (await service.post("/v2/send", HELLO, **{"Idempotency-Key": "x" * 256})).status == 400


async def test_after_a_lost_answer_the_same_key_never_sends_again(service: Service) -> None:
    service.daemon.on("send", HangUp())
    first = await service.post("/v2/send", HELLO, **KEY)
    assert first.status == 503
    service.daemon.on("send", LATER)
    second = await service.post("/v2/send", HELLO, **KEY)
    assert (second.status, second.error[:16]) == (504, "It is not known ")
    assert len(service.asked()) == 1


async def test_dont_wait_answers_202_and_the_same_id_again(service: Service) -> None:
    first = await service.post("/v2/send", HELLO, **KEY, **ASYNC)
    second = await service.post("/v2/send", HELLO, **KEY, **ASYNC)
    assert (first.status, first.json, first.headers["Preference-Applied"]) == (202, {"id": "msg_1", "state": "queued"}, "respond-async")
    assert (second.status, second.body, second.headers["Location"]) == (202, first.body, "/api/v2/messages/msg_1")
    assert (await service.courier.outbox.waiting.for_end("msg_1", 30)).state == "sent"
    assert len(service.asked()) == 1


async def test_dont_wait_can_wait_a_little(service: Service) -> None:
    sent = await service.post("/v2/send", HELLO, Prefer="respond-async, wait=10")
    assert (sent.status, sent.json[0]["timestamp"]) == (201, "1700000000123")
    service.daemon.on("send", Failure(-3, "java.net.UnknownHostException"))
    accepted = await service.post("/v2/send", HELLO, Prefer="respond-async, wait=1")
    assert accepted.status == 202


async def test_preferences_may_stand_in_several_headers_and_only_the_one_that_is_meant_counts(service: Service) -> None:
    address = f"http://127.0.0.1:{service.courier.server.port}/v2/send"

    async def status(*preferences: str) -> int:
        headers = CIMultiDict([("Prefer", preference) for preference in preferences])
        async with aiohttp.ClientSession() as http, http.post(address, json=HELLO, headers=headers) as answer:
            return answer.status

    assert await status("return=minimal", "Respond-Async;x=y") == 202
    assert await status("wait=10", "respond-async") == 201  # within ten seconds
    assert await status("x-respond-async, handling=lenient") == 201


async def test_an_end_of_patience_can_be_given(service: Service) -> None:
    service.daemon.on("send", Failure(-3, "java.net.UnknownHostException"))
    headers = ASYNC | {"Courier-Expires-In": "0"}
    accepted = await service.post("/v2/send", HELLO, **headers)
    assert (await service.courier.outbox.waiting.for_end(accepted.json["id"], 30)).state == "failed"
    assert (await service.post("/v2/send", HELLO, **ASYNC, **{"Courier-Expires-In": "soon"})).status == 400


async def test_a_synchronous_caller_gets_what_upstream_gave(service: Service) -> None:
    limit = {"results": [{"recipientAddress": {"number": BEN}, "type": "RATE_LIMIT_FAILURE", "token": "t"}]}
    service.daemon.on("send", Failure(-5, "Failed to send message due to rate limiting", {"response": limit}))
    limited = await service.post("/v2/send", HELLO, **KEY)
    assert (limited.status, limited.json["challenge_tokens"]) == (429, ["t"])
    assert service.courier.outbox.counts() == {}
