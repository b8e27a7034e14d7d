"""Webhooks: signed, in order, tried again by the specification's schedule; nothing is lost, and nobody else waits."""

import asyncio
import base64
import datetime as dt
import email.utils
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from signal_courier.messaging.webhooks import signing
from signal_courier.messaging.webhooks.endpoint import Endpoint
from signal_courier.messaging.webhooks.registry import selection_of
from signal_courier.messaging.webhooks.schedule import ATTEMPTS, JITTER, PAUSES, read_retry_after
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.message_ids import message_id
from signal_courier.model.webhooks import BodyForm, Cause, Delivery, Outcome, Selection, WebhookState
from signal_courier.store.webhooks import KEPT
from tests.fakes.hooked import ANN, BEN, Post, Receiver, Stack, frame, hooked

CAT = "+4915100000003"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with hooked(tmp_path) as made:
        yield made


@pytest.fixture
async def receiver(stack: Stack) -> AsyncIterator[Receiver]:
    async with Receiver(stack.clock).listening() as made:
        yield made


async def log_of(stack: Stack, endpoint: Endpoint) -> list[Delivery]:
    """Attempts, the oldest first."""
    found = await stack.webhooks.deliveries(endpoint, before=None, limit=200, outcome=None)
    return list(reversed(found))


# --- signatures ---------------------------------------------------------------------------------------------------------------


def test_the_reference_vector_of_the_specification_passes() -> None:
    key = signing.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "text", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_" + "A" * 120, "whsec_ä" + "A" * 40]
)
def test_a_secret_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="24 to 64 bytes"):
        signing.parse(text)


def verified(secret: str, post: Post) -> object:
    """As a receiver does it; the package looks at the real time, so the tolerance is tested by the timestamp itself."""
    verifier = Verifier(secret)
    verifier._Webhook__verify_timestamp = lambda header: dt.datetime.fromtimestamp(float(header), dt.UTC)  # type: ignore[attr-defined]
    return verifier.verify(post.body, {name.lower(): value for name, value in post.headers.items()})


async def test_the_standardwebhooks_package_verifies_what_arrives(stack: Stack, receiver: Receiver) -> None:
    made = await stack.webhooks.create(receiver.url, owner="", local=True)
    first = await stack.receive("one", "two äöü 🎉")
    for at, text in enumerate(["one", "two äöü 🎉"]):
        post = await receiver.taken()
        payload = verified(made.secret, post)
        assert isinstance(payload, dict)
        assert (payload["type"], payload["timestamp"]) == ("message", "1970-01-01T00:00:00.001Z")
        assert (payload["data"]["id"], payload["data"]["account"], payload["data"]["message"]["text"]) == (first + at, ANN, text)
        assert post.headers["webhook-timestamp"] == str(stack.clock.now // 1000)
        assert post.headers["Content-Type"] == "application/json"
        with pytest.raises(WebhookVerificationError):
            verified(signing.show(signing.new_key()), post)


async def test_while_a_secret_is_rotated_both_verify_and_afterwards_only_the_new_one(stack: Stack, receiver: Receiver) -> None:
    made = await stack.webhooks.create(receiver.url, owner="", local=True)
    endpoint = stack.webhooks.get(made.webhook.id)
    new = await stack.webhooks.rotate(endpoint, keep_seconds=3600)
    await stack.receive("during")
    post = await receiver.taken()
    assert len(post.headers["webhook-signature"].split()) == 2
    assert verified(made.secret, post) == verified(new.secret, post)
    stack.clock.set(stack.clock.now + 3_600_000)
    await stack.receive("afterwards")
    post = await receiver.taken()
    verified(new.secret, post)
    with pytest.raises(WebhookVerificationError):
        verified(made.secret, post)


async def test_a_rotation_without_delay_ends_the_old_secret_and_a_third_secret_the_first(stack: Stack, receiver: Receiver) -> None:
    made = await stack.webhooks.create(receiver.url, owner="", local=True)
    endpoint = stack.webhooks.get(made.webhook.id)
    await stack.webhooks.rotate(endpoint, keep_seconds=3600)
    assert endpoint.valid_secrets == 2
    await stack.webhooks.rotate(endpoint, keep_seconds=3600)
    assert endpoint.valid_secrets == 2
    await stack.webhooks.rotate(endpoint, keep_seconds=0)
    assert endpoint.valid_secrets == 1


# --- trouble, and the schedule --------------------------------------------------------------------------------------------------


def assert_schedule(name: str, log: list[Delivery]) -> None:
    """The pauses between the attempts at one post are those of the specification, with at most the jitter on top."""
    pauses = [(later.at - earlier.at) / 1000 for earlier, later in itertools.pairwise(log)]
    print(f"{name}: {len(log)} attempts, pauses in s: {', '.join(f'{pause:.0f}' for pause in pauses)}")
    assert len(log) == ATTEMPTS
    assert [delivery.attempt for delivery in log] == list(range(1, ATTEMPTS + 1))
    for pause, planned in zip(pauses, PAUSES, strict=True):
        assert planned <= pause <= planned * (1 + JITTER) + 1
    assert len({delivery.message for delivery in log}) == 1


async def exhaust(stack: Stack, endpoint: Endpoint) -> None:
    while endpoint.webhook.off is None:
        await stack.clock.turn()
        await stack.until_attempted(endpoint)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("down", "no connection"),
        ("500", "status 500"),
        ("429", "status 429"),
        ("404", "status 404"),
        ("redirecting", "status 302: redirects are not followed"),
        ("slow", "no answer within"),
        ("renamed", "the address is one that webhooks may not have"),
    ],
)
async def test_a_receiver_in_trouble_is_tried_by_the_schedule_then_switched_off_and_gets_everything_when_it_is_switched_on(
    tmp_path: Path, trouble: str, error: str
) -> None:
    async with hooked(tmp_path, deadline=0.2 if trouble == "slow" else 5.0) as stack, Receiver(stack.clock).listening() as elsewhere:
        receiver = Receiver(stack.clock)
        async with receiver.listening():
            pass  # it has a port, and is down
        stack.dns.names["receiver.test"] = ["127.0.0.1"]
        endpoint = await stack.hook(f"http://receiver.test:{receiver.port}/hook")
        if trouble == "down":
            await stack.receive("one")
            await stack.until_attempted(endpoint)
            await exhaust(stack, endpoint)
        else:
            async with receiver.listening():
                if trouble.isdigit():
                    receiver.answers = [(int(trouble), {})] * ATTEMPTS
                elif trouble == "redirecting":
                    receiver.answers = [(302, {"Location": elsewhere.url})] * ATTEMPTS
                elif trouble == "slow":
                    receiver.hold = asyncio.Event()
                elif trouble == "renamed":
                    stack.dns.names["receiver.test"] = ["169.254.169.254"]
                await stack.receive("one")
                await stack.until_attempted(endpoint)
                await exhaust(stack, endpoint)
        log = await log_of(stack, endpoint)
        assert_schedule(trouble, log)
        assert all(delivery.error is not None and delivery.error.startswith(error) for delivery in log)
        assert [delivery.outcome for delivery in log] == [Outcome.RETRYING] * (ATTEMPTS - 1) + [Outcome.FAILED]
        assert endpoint.webhook.state is WebhookState.FAILED
        assert elsewhere.posts.empty()
        assert receiver.posts.qsize() == (0 if trouble in ("down", "renamed") else ATTEMPTS)
        assert {post.id for post in await receiver.take(receiver.posts.qsize())} <= {log[0].message}

        await stack.receive("two")
        stack.dns.names["receiver.test"] = ["127.0.0.1"]
        receiver.answers, receiver.hold = [], None
        async with receiver.listening():
            await stack.webhooks.change(endpoint, {}, local=True, active=True)
            posts = await receiver.take(2)
        assert [post.text for post in posts] == ["one", "two"]
        assert posts[0].id == log[0].message


async def test_what_came_meanwhile_waits_and_arrives_in_order_when_the_receiver_is_back(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url)
    receiver.answers = [(500, {}), (503, {}), (500, {})]
    await stack.receive("one")
    await receiver.taken()
    await stack.receive("two", "three")
    for _ in range(3):
        await stack.clock.turn()
        await receiver.taken()
    assert [post.text for post in await receiver.take(2)] == ["two", "three"]
    await stack.until(endpoint, delivered=3)
    assert endpoint.webhook.state is WebhookState.ACTIVE
    assert endpoint.lag == 0


async def test_410_switches_the_webhook_off_and_loses_nothing(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url)
    receiver.answers = [(204, {}), (410, {})]
    await stack.receive("one", "two", "three")
    assert [post.text for post in await receiver.take(2)] == ["one", "two"]
    await stack.until(endpoint, off=WebhookState.GONE)
    log = await log_of(stack, endpoint)
    print(f"410: {[(delivery.status, str(delivery.outcome)) for delivery in log]}, state {endpoint.webhook.state}, {endpoint.lag} wait")
    assert [(delivery.status, delivery.outcome) for delivery in log] == [(204, Outcome.DELIVERED), (410, Outcome.FAILED)]
    await stack.restart()
    endpoint = stack.webhooks.get(endpoint.webhook.id)
    assert (endpoint.webhook.state, endpoint.lag) == (WebhookState.GONE, 2)
    assert receiver.posts.empty()
    await stack.webhooks.change(endpoint, {}, local=True, active=True)
    assert [post.text for post in await receiver.take(2)] == ["two", "three"]


@pytest.mark.parametrize(
    ("status", "header", "pause"),
    [(429, "600", 600), (503, "date", 900), (502, "2", 5), (429, "9999999", 86400), (503, "nonsense", 5), (504, "-5", 5)],
)
async def test_retry_after_is_honoured_where_it_is_longer_than_the_schedule(
    stack: Stack, receiver: Receiver, status: int, header: str, pause: float
) -> None:
    if header == "date":
        header = email.utils.format_datetime(dt.datetime.fromtimestamp(stack.clock.now / 1000 + 900, dt.UTC), usegmt=True)
    receiver.answers = [(status, {"Retry-After": header})]
    await stack.hook(receiver.url)
    await stack.receive("one")
    await receiver.taken()
    assert pause <= await stack.clock.turn() <= pause * (1 + JITTER) + 1
    await receiver.taken()


@pytest.mark.parametrize("date", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
def test_a_date_to_retry_after_is_gmt_in_each_of_its_forms_wherever_the_service_runs(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("TZ", "America/New_York")
            time.tzset()
            assert read_retry_after(date, 784_111_777 - 60) == 60
    finally:
        time.tzset()


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_a_body_that_the_receiver_does_not_take_is_passed_over_after_three_tries(
    stack: Stack, receiver: Receiver, status: int
) -> None:
    endpoint = await stack.hook(receiver.url)
    receiver.answers = [(status, {})] * 3
    await stack.receive("one", "two")
    await receiver.taken()
    for _ in range(2):
        await stack.clock.turn()
        assert (await receiver.taken()).text == "one"
    assert (await receiver.taken()).text == "two"
    await stack.until(endpoint, delivered=1)
    assert endpoint.webhook.failed == 1
    assert [str(delivery.outcome) for delivery in await log_of(stack, endpoint)] == ["retrying", "retrying", "refused", "delivered"]


async def test_a_receiver_that_hangs_delays_no_other(stack: Stack, receiver: Receiver) -> None:
    async with Receiver(stack.clock).listening() as quick:
        receiver.hold = asyncio.Event()
        await stack.hook(receiver.url)
        await stack.hook(quick.url)
        await stack.receive(*(str(number) for number in range(50)))
        assert [post.text for post in await quick.take(50)] == [str(number) for number in range(50)]
        assert receiver.posts.qsize() == 1
        receiver.hold.set()
        assert [post.text for post in await receiver.take(50)] == [str(number) for number in range(50)]


async def test_a_test_that_is_taken_ends_the_waiting_for_the_next_attempt(stack: Stack, receiver: Receiver) -> None:
    receiver.answers = [(500, {})]
    endpoint = await stack.hook(receiver.url)
    await stack.receive("one")
    await receiver.taken()
    await stack.until(endpoint, failure="status 500")
    assert endpoint.webhook.state is WebhookState.RETRYING
    delivery = await endpoint.test()
    assert (delivery.outcome, delivery.status, delivery.cause) == (Outcome.DELIVERED, 204, Cause.TEST)
    assert (await receiver.taken()).json["type"] == "test"
    assert (await receiver.taken()).text == "one"


# --- restarts -------------------------------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_it_stopped_and_keeps_the_schedule(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url)
    await stack.receive("one")
    await receiver.taken()
    await stack.until(endpoint, delivered=1)
    receiver.answers = [(500, {}), (500, {})]
    await stack.receive("two")
    await receiver.taken()
    await stack.clock.turn()
    await receiver.taken()
    await stack.until_attempted(endpoint)
    due = await stack.clock.waits()
    await stack.restart()
    await stack.receive("three")
    assert await stack.clock.waits() == due
    assert receiver.posts.empty()
    await stack.clock.turn()
    assert [post.text for post in await receiver.take(2)] == ["two", "three"]
    attempts = [(delivery.event, delivery.attempt) for delivery in await log_of(stack, stack.webhooks.get(endpoint.webhook.id))]
    assert attempts[:4] == [(1, 1), (2, 1), (2, 2), (2, 3)]


async def test_what_was_being_posted_when_the_service_died_comes_again_under_the_same_id(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url)
    receiver.hold = asyncio.Event()
    await stack.receive("one")
    first = await receiver.taken()
    for task in stack.webhooks._tasks.values():
        task.cancel()
    await stack.restart()
    receiver.hold.set()
    again = await receiver.taken()
    assert (again.text, again.id) == ("one", first.id)
    await stack.until(stack.webhooks.get(endpoint.webhook.id), delivered=1)


async def test_what_was_received_while_the_service_was_down_and_what_nobody_wanted_is_no_trouble(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url, selection=Selection(accounts=(ANN,)))
    await stack.receive(*["x"] * 600, account=CAT)
    await stack.receive("one")
    await receiver.taken()
    await stack.until(endpoint, delivered=1)
    await stack.receive(*["x"] * 10, account=CAT)
    await stack.restart()
    await stack.receive("two")
    assert (await receiver.taken()).text == "two"


# --- what is delivered ----------------------------------------------------------------------------------------------------------


async def test_only_what_is_selected_arrives(stack: Stack, receiver: Receiver) -> None:
    await stack.receive("before the webhook was made")
    await stack.hook(receiver.url, selection=selection_of([ANN], ["message"], [BEN]))
    await stack.say("starting")
    await stack.receive("of another account", account=CAT)
    await stack.receive("of another conversation", sender=CAT)
    await stack.receive("wanted")
    assert (await receiver.taken()).text == "wanted"
    assert receiver.posts.empty()


async def test_the_services_own_events_arrive_among_the_others(stack: Stack, receiver: Receiver) -> None:
    await stack.hook(receiver.url)
    await stack.receive("one")
    await stack.say("ready")
    await stack.receive("two")
    assert [post.json["type"] for post in await receiver.take(3)] == ["message", "engine", "message"]


async def test_a_changed_selection_counts_from_the_next_event_and_repeats_nothing(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url)
    receiver.hold = asyncio.Event()
    await stack.receive("one", "two")
    await stack.receive("three", account=CAT)
    first = await receiver.taken()
    await stack.webhooks.change(endpoint, {"selection": Selection(accounts=(CAT,))}, local=True)
    receiver.hold.set()
    assert [first.text, (await receiver.taken()).text] == ["one", "three"]
    await stack.until(endpoint, delivered=2)
    assert receiver.posts.empty()


async def test_the_rpc_form_is_the_line_that_upstream_posts(stack: Stack, receiver: Receiver) -> None:
    await stack.hook(receiver.url, form=BodyForm.RPC)
    await stack.say("not a received message")
    await stack.receive("one")
    post = await receiver.taken()
    assert post.body == b'{"jsonrpc":"2.0","method":"receive","params":' + frame("one") + b"}\n"


async def test_the_gateway_form_is_one_post_for_each_file(stack: Stack, receiver: Receiver) -> None:
    stack.people.contacts[BEN] = "Benjamin"
    (stack.folder / "a.jpg").write_bytes(b"picture")
    endpoint = await stack.hook(receiver.url, form=BodyForm.GATEWAY)
    picture = {"contentType": "image/jpeg", "id": "a.jpg", "size": 7, "width": 3, "height": 2, "filename": "a.jpg"}
    gone = {"contentType": "application/pdf", "id": "../courier.db", "size": 9}
    await stack.receive_frames(frame("look", attachments=[picture, gone]), frame("no file", sender=CAT))
    nothing = {"content": None, "info": {"size": 0, "mime_type": "", "width": 0, "height": 0, "blur_hash": ""}}
    first, second, third = await receiver.take(3)
    of_ben = message_id(BEN, 1)
    assert first.json == {
        "id": of_ben, "is_contact": True, "type": "m.image", "from": "Benjamin", "to": ANN, "message": "look",
        "device_id": ANN.removeprefix("+"), "group_id": None,
        "media": {
            "content": base64.b64encode(b"picture").decode(), "url": "/api/v2/attachments/a.jpg", "name": "a.jpg",
            "info": {"size": 7, "mime_type": "image/jpeg", "width": 3, "height": 2, "blur_hash": ""},
        },
    }  # fmt: skip
    assert (second.json["id"], second.json["type"], second.json["message"]) == (of_ben, "m.file", "")
    assert second.json["media"]["content"] is None
    assert third.json | {"media": None} == {
        "id": message_id(CAT, 1), "is_contact": False, "type": "m.text", "from": CAT, "to": ANN, "message": "no file",
        "device_id": ANN.removeprefix("+"), "media": None, "group_id": None,
    }  # fmt: skip
    assert third.json["media"] == nothing
    assert len({first.id, second.id, third.id}) == 3
    await stack.until(endpoint, delivered=3)


async def test_of_several_posts_only_those_that_failed_are_repeated_also_after_a_restart(stack: Stack, receiver: Receiver) -> None:
    await stack.hook(receiver.url, form=BodyForm.GATEWAY)
    receiver.answers = [(204, {}), (500, {})]
    files = [{"contentType": "image/png", "id": f"{number}.png"} for number in range(3)]
    await stack.receive_frames(frame("", attachments=files))
    first, second = await receiver.take(2)
    await stack.clock.waits()
    await stack.restart()
    await stack.clock.turn()
    again, third = await receiver.take(2)
    assert again.id == second.id
    assert len({first.id, second.id, third.id}) == 3


async def test_media_can_be_named_by_address(stack: Stack, receiver: Receiver) -> None:
    (stack.folder / "a.mp4").write_bytes(b"film")
    await stack.hook(receiver.url, form=BodyForm.GATEWAY, links=True)
    await stack.receive_frames(frame("", attachments=[{"contentType": "video/mp4", "id": "a.mp4", "size": 4}]))
    post = (await receiver.taken()).json
    assert (post["type"], post["media"]["content"], post["media"]["url"]) == ("m.video", None, "/api/v2/attachments/a.mp4")


@pytest.mark.parametrize("form", BodyForm)
async def test_a_test_has_the_form_of_the_webhook(stack: Stack, receiver: Receiver, form: BodyForm) -> None:
    endpoint = await stack.hook(receiver.url, form=form, selection=Selection(accounts=(ANN,)), active=False)
    assert (await endpoint.test()).outcome is Outcome.DELIVERED
    post = (await receiver.taken()).json
    match form:
        case BodyForm.EVENT:
            assert post["type"] == "test"
        case BodyForm.RPC:
            assert (post["method"], post["params"]["account"]) == ("receive", ANN)
        case BodyForm.GATEWAY:
            assert (post["type"], post["to"]) == ("m.text", ANN)


# --- again ----------------------------------------------------------------------------------------------------------------------


async def test_one_event_or_those_of_a_time_are_delivered_again_under_their_ids(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url, selection=Selection(accounts=(ANN,)))
    first = await stack.receive("one", at=1000)
    await stack.receive("two", at=2000)
    await stack.receive("of another", account=CAT, at=2500)
    await stack.receive("three", at=3000)
    posts = await receiver.take(3)
    await stack.until(endpoint, delivered=3)

    await stack.webhooks.replay(endpoint, event=first + 1)
    again = await receiver.taken()
    assert (again.text, again.id) == ("two", posts[1].id)

    await stack.webhooks.replay(endpoint, since=2000, until=3000)
    await stack.webhooks.replay(endpoint, since=1500)
    assert [post.text for post in await receiver.take(3)] == ["two", "two", "three"]
    await stack.until(endpoint, delivered=7)
    causes = [delivery.cause for delivery in await log_of(stack, endpoint)]
    assert causes == [Cause.EVENT] * 3 + [Cause.REPLAY] * 4
    assert endpoint.replays == 0

    with pytest.raises(MissingThing):
        await stack.webhooks.replay(endpoint, event=first + 2)
    with pytest.raises(MissingThing):
        await stack.webhooks.replay(endpoint, event=999)
    assert (await stack.webhooks.replay(endpoint, since=5000)).id == 0


async def test_a_replay_survives_a_restart_and_comes_before_what_is_new(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url)
    await stack.receive("one", "two", "three")
    await receiver.take(3)
    await stack.until(endpoint, delivered=3)
    receiver.answers = [(204, {}), (500, {})]
    await stack.webhooks.replay(endpoint, since=0)
    assert [post.text for post in await receiver.take(2)] == ["one", "two"]
    await stack.clock.waits()
    await stack.restart()
    await stack.receive("four")
    await stack.clock.turn()
    assert [post.text for post in await receiver.take(3)] == ["two", "three", "four"]


# --- bounds ---------------------------------------------------------------------------------------------------------------------


async def test_what_retention_removed_before_it_could_be_delivered_is_counted(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url, active=False)
    await stack.receive(*(str(number) for number in range(10)))
    await stack.inbox.purge_beyond(4)
    await stack.restart()
    endpoint = stack.webhooks.get(endpoint.webhook.id)
    await stack.webhooks.change(endpoint, {}, local=True, active=True)
    assert [post.text for post in await receiver.take(4)] == ["6", "7", "8", "9"]
    assert endpoint.webhook.missed == 6


async def test_the_log_of_deliveries_is_bounded(stack: Stack) -> None:
    endpoint = await stack.hook("http://127.0.0.1:9/")
    other = await stack.hook("http://127.0.0.1:9/")
    for number in range(KEPT + 20):
        for hook in (endpoint, other):
            await stack.table.change(
                hook.webhook.id,
                {},
                delivery=Delivery(
                    webhook=hook.webhook.id, message=str(number), event=number, cause=Cause.EVENT, attempt=1, at=0, duration_ms=0,
                    status=204, error=None, outcome=Outcome.DELIVERED,
                ),
            )  # fmt: skip
    found = await stack.webhooks.deliveries(endpoint, before=None, limit=10 * KEPT, outcome=None)
    assert [delivery.event for delivery in found] == list(range(KEPT + 19, 19, -1))
    await stack.webhooks.delete(endpoint)
    assert await stack.table.deliveries(endpoint.webhook.id, before=None, limit=10, outcome=None) == []


async def test_a_webhook_of_a_token_that_may_not_receive_any_more_is_switched_off(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url, owner="tok_1")
    await stack.receive("one")
    await receiver.taken()
    await stack.until(endpoint, delivered=1)
    stack.revoked.add("tok_1")
    await stack.receive("two")
    await stack.until(endpoint, off=WebhookState.REVOKED)
    assert receiver.posts.empty()


async def test_a_deleted_webhook_gets_nothing_more(stack: Stack, receiver: Receiver) -> None:
    endpoint = await stack.hook(receiver.url)
    other = await stack.hook(receiver.url)
    await stack.webhooks.delete(endpoint)
    await stack.receive("one")
    assert (await receiver.taken()).id.startswith(f"msg_{other.webhook.id.removeprefix('wh_')}_")
    with pytest.raises(MissingThing):
        stack.webhooks.get(endpoint.webhook.id)
    await stack.restart()
    assert [found.webhook.id for found in stack.webhooks.all()] == [other.webhook.id]


async def test_everything_about_a_webhook_survives_a_restart(stack: Stack) -> None:
    made = await stack.hook(
        "https://receiver.test/hook?key=ä", description="Türklingel", form=BodyForm.GATEWAY, links=True, owner="tok_1", local=False,
        selection=selection_of([ANN], ["message", "edit"], [BEN]), active=False,
    )  # fmt: skip
    await stack.webhooks.rotate(made, keep_seconds=60)
    await stack.restart()
    assert stack.webhooks.get(made.webhook.id, "tok_1").webhook == made.webhook
    assert made.webhook.number == 1
