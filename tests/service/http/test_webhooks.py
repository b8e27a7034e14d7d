"""`/api/v2/webhooks` as its owner meets it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import new_token
from signal_courier.http.native.problems import PREFIX
from tests.fakes.hooked import HandClock, Receiver
from tests.fakes.served import ACCOUNT, Service, served

HOOKS = "/api/v2/webhooks"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, {"listContacts": [], "listGroups": []}) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(HandClock()).listening() as made:
        yield made


def envelope(text: str) -> dict[str, object]:
    return {"source": "+4915100000002", "sourceNumber": "+4915100000002", "timestamp": 5, "dataMessage": {"timestamp": 5, "message": text}}


def receive(service: Service, text: str) -> None:
    service.daemon.notify(envelope(text), ACCOUNT)


async def test_a_message_arrives_at_the_webhook_signed_with_the_secret_that_was_shown_once(service: Service, receiver: Receiver) -> None:
    made = await service.post(HOOKS, {"url": receiver.url, "description": "Doorbell", "types": ["message"]})
    assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
    secret, webhook = made.json["secret"], made.json["webhook"]
    assert made.headers["Location"] == f"{HOOKS}/{webhook['id']}"
    receive(service, "hello")
    post = await receiver.taken()
    payload = Verifier(secret).verify(post.body, {name.lower(): value for name, value in post.headers.items()})
    assert isinstance(payload, dict)
    assert payload["data"]["message"]["text"] == "hello"
    for path in (HOOKS, f"{HOOKS}/{webhook['id']}"):
        assert secret.removeprefix("whsec_").encode() not in (await service.get(path)).body
    shown = (await service.get(f"{HOOKS}/{webhook['id']}")).json
    assert (shown["url"], shown["description"], shown["types"], shown["state"]) == (receiver.url, "Doorbell", ["message"], "active")


async def test_deliveries_are_listed_by_page_and_delivered_again(service: Service, receiver: Receiver) -> None:
    path = HOOKS + "/" + (await service.post(HOOKS, {"url": receiver.url})).json["webhook"]["id"]
    for text in ("one", "two", "three"):
        receive(service, text)
    posts = await receiver.take(3)
    test = await service.post(f"{path}/test")
    assert (test.status, test.json["outcome"], test.json["status"], test.json["cause"]) == (200, "delivered", 204, "test")
    await receiver.taken()
    page = (await service.get(f"{path}/deliveries?limit=2")).json
    assert len(page["deliveries"]) == 2
    older = (await service.get(f"{path}/deliveries?limit=200&before={page['before']}")).json
    assert older["before"] is None
    listed = [*page["deliveries"], *older["deliveries"]]
    assert [delivery["message"] for delivery in listed if delivery["event"] is not None] == [post.id for post in reversed(posts)]
    assert (await service.get(f"{path}/deliveries?outcome=failed")).json["deliveries"] == []
    event = posts[1].json["data"]["id"]
    assert (await service.post(f"{path}/replay", {"event": event})).status == 202
    assert (await receiver.taken()).id == posts[1].id
    assert (await service.post(f"{path}/replay", {"since": 0})).status == 202
    assert [post.id for post in await receiver.take(3)] == [post.id for post in posts]


async def test_a_webhook_is_changed_paused_resumed_rotated_and_deleted(service: Service, receiver: Receiver) -> None:
    path = HOOKS + "/" + (await service.post(HOOKS, {"url": "http://127.0.0.1:9/", "accounts": [ACCOUNT]})).json["webhook"]["id"]
    changed = (await service.patch(path, {"active": False, "url": receiver.url, "accounts": None, "form": "rpc"})).json
    assert (changed["state"], changed["active"], changed["url"], changed["accounts"]) == ("paused", False, receiver.url, None)
    receive(service, "while paused")
    await asyncio.wait_for(service.courier.receiving.events.wait_beyond(0), 30)
    assert (await service.get(path)).json["lag"] == 1
    assert receiver.posts.empty()
    assert (await service.patch(path, {"active": True})).json["active"]
    line = json.loads((await receiver.taken()).body)
    assert line["params"]["envelope"]["dataMessage"]["message"] == "while paused"
    rotated = (await service.post(f"{path}/rotate", {"keep": 60})).json
    assert (rotated["webhook"]["secrets"], rotated["secret"][:6]) == (2, "whsec_")
    own = "whsec_" + "A" * 32
    assert (await service.post(f"{path}/rotate", {"keep": 0, "secret": own})).json["secret"] == own
    assert (await service.delete(path)).status == 204
    assert (await service.get(path)).status == 404
    assert (await service.get(HOOKS)).json == {"webhooks": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": "http://172.30.32.2/"}, "url"),
        ({"url": "https://example.org", "accounts": []}, "accounts"),
        ({"url": "https://example.org", "accounts": ["x"]}, "accounts"),
        ({"url": "https://example.org", "conversations": ["?"]}, "conversations"),
        ({"url": "https://example.org", "secret": "whsec_short"}, "secret"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(service: Service, body: dict[str, object], field: str) -> None:
    answer = await service.post(HOOKS, body)
    assert (answer.status, answer.json["type"], answer.json["field"]) == (400, PREFIX + "invalid-value", field)


@pytest.mark.parametrize(
    "body", [{}, {"url": 5}, {"url": "https://example.org", "types": ["news"]}, {"url": "https://example.org", "form": "xml"}]
)
async def test_a_body_of_another_form_is_refused(service: Service, body: dict[str, object]) -> None:
    answer = await service.post(HOOKS, body)
    assert (answer.status, answer.json["type"]) == (400, PREFIX + "invalid-body")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None), ("POST", "/rotate", {}), ("GET", "/deliveries", None),
        ("POST", "/replay", {"since": 0}), ("POST", "/test", None),
    ],
)  # fmt: skip
async def test_an_unknown_webhook_is_not_found(service: Service, method: str, path: str, body: object) -> None:
    answer = await service.request(method, f"{HOOKS}/wh_0{path}", body)
    assert (answer.status, answer.json["type"]) == (404, PREFIX + "not-found")


@pytest.mark.parametrize("body", [{}, {"event": 1, "since": 1}, {"until": 5}, {"since": 5, "until": 5}])
async def test_a_replay_needs_an_event_or_a_time(service: Service, body: dict[str, object]) -> None:
    path = HOOKS + "/" + (await service.post(HOOKS, {"url": "https://example.org", "active": False})).json["webhook"]["id"]
    assert (await service.post(f"{path}/replay", body)).status == 400


async def test_webhooks_and_what_they_wait_for_survive_a_restart_of_the_service(tmp_path: Path, receiver: Receiver) -> None:
    answers: dict[str, object] = {"listContacts": [], "listGroups": []}
    async with served(tmp_path, answers) as service:
        path = HOOKS + "/" + (await service.post(HOOKS, {"url": receiver.url, "active": False})).json["webhook"]["id"]
        receive(service, "hello")
        await asyncio.wait_for(service.courier.receiving.events.wait_beyond(0), 30)
    async with served(tmp_path, answers) as service:
        assert (await service.patch(path, {"active": True})).status == 200
        assert (await receiver.taken()).text == "hello"


async def key(service: Service, *scopes: Scope, **limits: Any) -> dict[str, str]:
    _, secret = await service.courier.tokens.create(new_token("test", scopes, **limits))
    return {"X-Api-Key": secret}


async def test_a_token_deals_with_its_own_webhooks_alone_and_admin_with_all(service: Service) -> None:
    ann, ben = await key(service, Scope.RECEIVE), await key(service, Scope.RECEIVE)
    made = await service.post(HOOKS, {"url": "https://receiver.example/"}, **ann)
    path = f"{HOOKS}/{made.json['webhook']['id']}"
    assert [entry["owner"] for entry in (await service.get(HOOKS, **ann)).json["webhooks"]] == [made.json["webhook"]["owner"]]
    assert (await service.get(HOOKS, **ben)).json == {"webhooks": []}
    for method, end in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/test"), ("POST", "/rotate"), ("PATCH", "")):
        body: object = {} if method == "PATCH" else None
        assert (await service.request(method, path + end, body, **ben)).status == 404
    assert (await service.get(path, **await key(service, Scope.ADMIN))).status == 200
    assert (await service.get(HOOKS, **await key(service, Scope.SEND))).status == 403
    assert (await service.request("DELETE", path, **ann)).status == 204


async def test_a_token_gets_no_more_than_its_accounts(service: Service) -> None:
    limited = await key(service, Scope.RECEIVE, accounts=[ACCOUNT])
    made = await service.post(HOOKS, {"url": "https://receiver.example/"}, **limited)
    assert made.json["webhook"]["accounts"] == [ACCOUNT]
    path = f"{HOOKS}/{made.json['webhook']['id']}"
    other = "+4915100000009"
    assert (await service.post(HOOKS, {"url": "https://receiver.example/", "accounts": [ACCOUNT, other]}, **limited)).status == 403
    assert (await service.request("PATCH", path, {"accounts": [other]}, **limited)).status == 403
    assert (await service.request("PATCH", path, {"accounts": None}, **limited)).json["accounts"] == [ACCOUNT]
    admin = await key(service, Scope.ADMIN, accounts=[other])  # of all webhooks, but not of all accounts
    assert (await service.get(HOOKS, **admin)).json == {"webhooks": []}
    assert (await service.get(path, **admin)).status == 404


async def test_only_who_may_do_everything_may_post_to_this_machine_from_another(tmp_path: Path, receiver: Receiver) -> None:
    async with served(tmp_path, {"listContacts": [], "listGroups": []}, trust_loopback=False) as service:
        ann = await key(service, Scope.RECEIVE)
        assert (await service.post(HOOKS, {"url": receiver.url}, **ann)).json["field"] == "url"
        made = await service.post(HOOKS, {"url": "http://0x7f000001:1/"}, **ann)  # a name, as far as can be told
        path = f"{HOOKS}/{made.json['webhook']['id']}"
        test = (await service.post(f"{path}/test", **ann)).json
        assert (test["outcome"], test["error"]) == ("failed", "the address is one that webhooks may not have")
        assert (await service.request("PATCH", path, {"url": receiver.url}, **ann)).status == 400
        assert (await service.post(HOOKS, {"url": receiver.url}, **await key(service, Scope.ADMIN))).status == 201


async def test_a_program_on_this_machine_may_have_posts_to_this_machine_whatever_token_it_shows(
    service: Service, receiver: Receiver
) -> None:
    ann = await key(service, Scope.RECEIVE)
    made = await service.post(HOOKS, {"url": receiver.url, "types": ["message"]}, **ann)
    assert made.status == 201
    receive(service, "hello")
    assert (await receiver.taken()).text == "hello"
    path = f"{HOOKS}/{made.json['webhook']['id']}"
    assert (await service.request("PATCH", path, {"url": receiver.url + "2"}, **ann)).status == 200
    handed_over = ann | {"X-Forwarded-For": "192.0.2.7"}
    assert (await service.request("PATCH", path, {"url": receiver.url}, **handed_over)).status == 400


async def test_the_webhooks_of_a_revoked_token_get_nothing_more(service: Service, receiver: Receiver) -> None:
    token, secret = await service.courier.tokens.create(new_token("test", [Scope.ADMIN]))
    made = await service.post(HOOKS, {"url": receiver.url, "types": ["message"]}, **{"X-Api-Key": secret})
    path = f"{HOOKS}/{made.json['webhook']['id']}"
    receive(service, "one")
    assert (await receiver.taken()).text == "one"
    await service.courier.tokens.revoke(token.id)
    other = await service.post(HOOKS, {"url": receiver.url, "types": ["message"]})
    receive(service, "two")
    assert (await receiver.taken()).id.startswith(f"msg_{other.json['webhook']['id'].removeprefix('wh_')}")
    async with asyncio.timeout(30):
        while (await service.get(path)).json["state"] != "revoked":
            pass
    assert receiver.posts.empty()
