"""`/api/v1/webhooks`: messages of a token's devices, posted in the gateway's form."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from tests.fakes.gateway import Gateway, gateway
from tests.fakes.hooked import HandClock, Receiver
from tests.service.http.test_gateway_devices import SIGNAL, frames

URL = "https://receiver.example/webhook"


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(HandClock()).listening() as made:
        yield made


async def test_a_webhook_is_made_listed_changed_and_deleted(house: Gateway) -> None:
    token = await house.token()
    made = await token.ask("POST", "webhooks", {"url": URL})
    assert (made.status, set(made.json)) == (201, {"id", "url", "active", "created_at", "updated_at", "secret"})
    number = made.json["id"]
    assert isinstance(number, int)
    assert await token.told("POST", "webhooks", {"url": URL}) == (409, "Webhook URL already exists for this user")
    (listed,) = (await token.ask("GET", "webhooks")).json
    assert listed == {name: value for name, value in made.json.items() if name != "secret"}
    changed = await token.ask("PUT", f"webhooks/{number}", {"url": URL + "2", "active": False})
    assert (changed.status, changed.json["url"], changed.json["active"]) == (200, URL + "2", False)
    assert (await token.ask("PUT", f"webhooks/{number}", {"active": True})).json["active"] is True
    await token.ask("POST", "webhooks", {"url": URL})
    assert await token.told("PUT", f"webhooks/{number}", {"url": URL}) == (409, "Webhook URL already exists for this user")
    assert (await token.ask("DELETE", f"webhooks/{number}")).json == {"message": "Webhook deleted successfully"}
    assert await token.told("DELETE", f"webhooks/{number}") == (404, "Webhook not found")


async def test_what_is_wrong_is_told_in_the_contracts_words(house: Gateway) -> None:
    token = await house.token()
    number = (await token.ask("POST", "webhooks", {"url": URL})).json["id"]
    for method, path, body, expected in (
        ("POST", "webhooks", {}, (400, "Missing required field: url")),
        ("POST", "webhooks", {"url": "receiver"}, (400, "Invalid URL format")),
        ("POST", "webhooks", {"url": "ftp://receiver.example/"}, (400, "Invalid URL format")),
        ("PUT", f"webhooks/{number}", {"url": " "}, (400, "URL cannot be empty")),
        ("PUT", "webhooks/one", {}, (400, "Invalid webhook ID")),
        ("DELETE", "webhooks/one", None, (400, "Invalid webhook ID")),
        ("PUT", "webhooks/999", {}, (404, "Webhook not found")),
    ):
        assert await token.told(method, path, body) == expected
    for url in ("http://169.254.169.254/", "http://127.0.0.1:8080/"):
        assert (await token.told("POST", "webhooks", {"url": url}))[0] == 400


async def test_tokens_that_share_their_devices_share_webhooks_and_inherit_them(house: Gateway) -> None:
    first, sharing = await house.token(), await house.token(use_host=True)
    own = await house.token(await house.credential())
    await first.ask("POST", "webhooks", {"url": URL})
    number = (await first.ask("GET", "webhooks")).json[0]["id"]
    assert [hook["id"] for hook in (await sharing.ask("GET", "webhooks")).json] == [number]
    assert await sharing.told("POST", "webhooks", {"url": URL}) == (409, "Webhook URL already exists for this user")
    assert (await own.ask("GET", "webhooks")).json == []
    assert await own.told("DELETE", f"webhooks/{number}") == (404, "Webhook not found")
    tokens = (await house.admin.ask("GET", "tokens")).json
    await house.admin.ask("DELETE", f"tokens/{tokens[0]['id']}")
    (left,) = (await sharing.ask("GET", "webhooks")).json
    assert (left["id"], left["active"]) == (number, True)
    await house.admin.ask("DELETE", f"tokens/{tokens[1]['id']}")
    assert (await house.admin.ask("GET", "webhooks")).json == []


async def test_a_message_for_a_linked_device_is_posted_signed_and_its_id_answers_it(house: Gateway, receiver: Receiver) -> None:
    """The webhook is older than the device: it follows what the token may use."""
    credential = await house.credential()
    token, other = await house.token(credential), await house.token(credential)
    hook = (await token.ask("POST", "webhooks", {"url": "http://receiver.example/"})).json
    endpoint = house.service.courier.webhooks.all()[0]
    await endpoint.change(url=receiver.url, local=True)  # as if the name led to this machine, which only admins may
    await frames((await token.ask("POST", "devices", SIGNAL)).json["qr_code_url"])
    stranger = {"contact": "4915100000011", "platform": "signal", "text": "not for it"}
    host = await house.token()
    assert (await host.ask("POST", "devices/4915100000001/message", stranger)).status == 200
    assert (await token.ask("POST", "devices/4915100000003/message", stranger | {"text": "echo"})).status == 200
    post = await receiver.taken()
    Verifier(hook["secret"]).verify(post.body, {name.lower(): value for name, value in post.headers.items()})
    told = post.json
    assert (told["message"], told["device_id"], told["type"], told["to"]) == ("echo", "4915100000003", "m.text", "+4915100000003")
    answer = stranger | {"text": "again", "reply_id": told["id"]}
    queued = await token.ask("POST", "devices/4915100000003/message", answer)
    assert queued.status == 200
    assert (await receiver.taken()).json["message"] == "again"
    assert (await house.service.courier.outbox.waiting.for_end(queued.json["id"], 30)).state in ("sent", "delivered", "read")
    assert (await other.ask("GET", "webhooks")).json == []


async def test_a_program_on_this_machine_may_have_posts_to_this_machine_with_a_token_of_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    async with gateway(tmp_path, monkeypatch, trust_loopback=True) as house:
        token = await house.token()
        assert (await token.ask("POST", "webhooks", {"url": receiver.url})).status == 201
        message = {"contact": "4915100000001", "platform": "signal", "text": "hello"}
        assert (await token.ask("POST", "devices/4915100000002/message", message)).status == 200
        assert (await receiver.taken()).json["message"] == "hello"
