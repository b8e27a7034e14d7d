"""Who follows what comes in, a named consumer and a webhook, while the service is killed again and again."""

import asyncio
import contextlib
import itertools
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from tests.e2e.courier import Courier, ServiceEnded, running_courier
from tests.e2e.lab.laboratory import Lab
from tests.fakes.hooked import HandClock, Receiver

NUMBER = "+4915100000801"
LIVES = 3
EACH = 4
"""Messages that come while the service runs, and as many while it does not."""
CONSUMER = "/api/v2/consumers/bot"


async def _kill(courier: Courier) -> None:
    courier.process.kill()
    await courier.process.wait()


async def _read(courier: Courier, until: str, seen: list[tuple[int, str]]) -> None:
    """What the consumer gets, up to a text; every second event is acknowledged."""
    async with courier.events(consumer="bot", types="message") as events:
        while not seen or seen[-1][1] != until:
            event = await events.take(lambda event: event["type"] == "message", within=60)
            seen.append((event["id"], event["message"]["text"]))
            if len(seen) % 2:
                (await courier.call("POST", f"{CONSUMER}/ack", {"id": event["id"]})).expect(200)


async def test_consumer_and_webhook_get_everything_in_order_while_the_service_is_killed(lab: Lab) -> None:
    seen: list[tuple[int, str]] = []
    texts = [f"message {number}" for number in range(LIVES * 2 * EACH)]
    waiting = iter(texts)
    secret = ""
    async with Receiver(HandClock()).listening() as receiver:
        for life in range(LIVES + 1):
            last = life == LIVES
            with contextlib.nullcontext() if last else contextlib.suppress(ServiceEnded):
                async with running_courier(lab, "follow", [] if life else [NUMBER]) as courier:
                    await courier.ready(NUMBER)
                    if not life:
                        (await courier.call("PUT", CONSUMER, {"after": 0})).expect(200)
                        made = (await courier.call("POST", "/api/v2/webhooks", {"url": receiver.url, "types": ["message"]})).expect(201)
                        secret = made["secret"]
                    aci = (await lab.levers.account(NUMBER)).aci
                    if last:
                        await _read(courier, texts[-1], seen)
                        await _hooked(receiver, secret, texts)
                        continue
                    for _ in range(EACH):
                        text = next(waiting)
                        await lab.ann.send(aci, text)
                    await _read(courier, text, seen)
                    await _kill(courier)
            if not last:
                for _ in range(EACH):
                    await lab.ann.send(aci, next(waiting))

    assert [name for name, _ in seen] == sorted(name for name, _ in seen)
    assert [text for text, _ in itertools.groupby(text for _, text in seen)] == texts  # what was not acknowledged came again


async def _hooked(receiver: Receiver, secret: str, texts: list[str]) -> None:
    """All posts are signed; each event's first one comes in its order."""
    got: dict[str, str] = {}
    async with asyncio.timeout(60):
        while list(got.values()) != texts:
            post = await receiver.taken()
            headers = {name.lower(): value for name, value in post.headers.items()}
            payload: Any = Verifier(secret).verify(post.body, headers)
            with pytest.raises(WebhookVerificationError):
                Verifier(secret).verify(post.body.replace(b"message", b"massage", 1), headers)
            got.setdefault(headers["webhook-id"], payload["data"]["message"]["text"])
