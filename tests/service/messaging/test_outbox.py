"""The outbox over a real database, a fake daemon behind a real socket: in order, in time, once."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from signal_courier.messaging.sending.outbox import Outbox
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.messages import Message
from signal_courier.model.outbox import DeliveryState, MessageStatus
from signal_courier.model.recipients import Aci, GroupId, Number, Recipient
from signal_courier.store.writer import GROUP_LIMIT
from tests.fakes.daemon import Delayed, Failure, HangUp
from tests.fakes.served import Service, served

ANN, BEN, CLEO = ACCOUNTS = ("+4915100000001", "+4915100000002", "+4915100000003")
UUIDS = {number: f"{at:08d}-1111-4111-8111-111111111111" for at, number in enumerate(ACCOUNTS, start=1)}
NUMBERS = {uuid: number for number, uuid in UUIDS.items()}
GROUP = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
OFFLINE = Failure(-3, "java.net.UnknownHostException: chat.signal.org")


class Signal:
    """What the daemon does with sends: every one gets a new timestamp; recipients can be in trouble."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        """Recipient and text of everything that arrived."""
        self.trouble: dict[str, dict[str, Any]] = {}
        """Result by recipient."""
        self.timestamp = 1_700_000_000_000

    def send(self, params: dict[str, Any]) -> dict[str, Any]:
        self.timestamp += 1
        results = []
        for person in params.get("recipient", ()):
            number = NUMBERS.get(person, person)
            address = {"recipientAddress": {"number": number, "uuid": UUIDS.get(number)}}
            result = self.trouble.get(person, {"type": "SUCCESS"})
            results.append(address | result)
            if result["type"] == "SUCCESS":
                self.sent.append((person, params["message"]))
        for group in params.get("groupId", ()):
            self.sent.append((group, params["message"]))
            results += [{"recipientAddress": {"uuid": UUIDS[person]}, "groupId": group, "type": "SUCCESS"} for person in (BEN, CLEO)]
        answer = {"timestamp": self.timestamp, "results": results}
        kinds = {result["type"] for result in results}
        if "SUCCESS" in kinds:
            return answer
        code = {"RATE_LIMIT_FAILURE": -5, "IDENTITY_FAILURE": -4}.get(kinds.pop(), -1)
        raise Failure(code, "Failed to send message", {"response": answer})

    def texts(self, recipient: str = BEN) -> list[str]:
        return [text for person, text in self.sent if person == recipient]


def receipt(sender: str, timestamp: int, *, read: bool = False) -> dict[str, object]:
    said = {"when": timestamp + 1, "isDelivery": not read, "isRead": read, "isViewed": False, "timestamps": [timestamp]}
    return {"sourceUuid": UUIDS[sender], "sourceNumber": None, "timestamp": timestamp + 1, "receiptMessage": said}


@contextlib.asynccontextmanager
async def sending(folder: Path, **settings: Any) -> AsyncIterator[tuple[Service, Outbox, Signal]]:
    signal = Signal()
    async with served(folder, {"send": signal.send}, accounts=ACCOUNTS[:2], **{"pace": 0, "reconcile_seconds": 1} | settings) as service:
        yield service, service.courier.outbox, signal


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[Service, Outbox, Signal]]:
    async with sending(tmp_path) as made:
        yield made


type World = tuple[Service, Outbox, Signal]


def people(*numbers: str) -> list[Recipient]:
    return [Number(number) for number in numbers]


async def until(outbox: Outbox, identifier: str, *states: str) -> MessageStatus:
    """Wait for a message to come into one of these states."""
    async with asyncio.timeout(30):
        while (status := await outbox.get(identifier)).state not in states:  # noqa: ASYNC110  # the outbox tells no one here
            await asyncio.sleep(0.01)
    return status


async def gone(service: Service) -> None:
    """Until the daemon has hung up, and is there again."""
    await service.daemon.wait_unsubscribed()
    await service.daemon.wait_subscribed()


async def test_a_queued_message_is_sent_and_its_receipts_move_it_to_read(world: World) -> None:
    service, outbox, signal = world
    status = await outbox.submit(ANN, people(BEN), Message(text="Hello"))
    assert (status.id, status.state) == ("msg_1", "queued")
    status = await outbox.waiting.for_end(status.id, 30)
    assert (status.state, status.timestamp, status.attempts) == ("sent", signal.timestamp, 1)
    service.daemon.notify(receipt(BEN, signal.timestamp), ANN)
    await until(outbox, status.id, "delivered")
    service.daemon.notify(receipt(BEN, signal.timestamp, read=True), ANN)
    await until(outbox, status.id, "read")
    service.daemon.notify(receipt(BEN, signal.timestamp), ANN)
    service.daemon.notify(receipt(BEN, signal.timestamp), ANN)
    await service.courier.receiving.inbox.committed()
    assert (await outbox.get(status.id)).state == "read"


async def test_what_was_sent_while_its_caller_waited_has_a_history_and_receipts(world: World) -> None:
    service, outbox, signal = world
    sent = await service.post("/v2/send", {"number": ANN, "recipients": [BEN], "message": "Hello"})
    assert sent.status == 201
    service.daemon.notify(receipt(BEN, signal.timestamp, read=True), ANN)
    (status,) = await outbox.list(conversation=BEN)
    status = await until(outbox, status.id, "read")
    assert status.recipients[0].uuid == UUIDS[BEN]
    assert b"Hello" in bytes(status.content)
    assert [one.id for one in await outbox.list(conversation=UUIDS[BEN])] == [status.id]


async def test_a_receipt_that_overtakes_the_answer_is_not_lost(world: World) -> None:
    service, outbox, signal = world

    async def send(params: dict[str, Any]) -> dict[str, Any]:
        answer = signal.send(params)
        service.daemon.notify(receipt(BEN, answer["timestamp"]), ANN)
        await service.courier.receiving.inbox.committed()
        await asyncio.sleep(0.1)
        return answer

    service.daemon.on("send", send)
    status = await outbox.submit(ANN, people(BEN), Message(text="Hello"))
    await until(outbox, status.id, "delivered")


async def test_group_messages_tell_of_each_member(world: World) -> None:
    service, outbox, _ = world
    status = await outbox.submit(ANN, [GroupId(GROUP), Number(CLEO)], Message(text="All"))
    status = await outbox.waiting.for_end(status.id, 30)
    assert [(one.recipient, one.group, one.state) for one in status.recipients] == [
        (GroupId(GROUP).external, None, "sent"),
        (CLEO, None, "sent"),
        (UUIDS[BEN], GroupId(GROUP).external, "sent"),
        (UUIDS[CLEO], GroupId(GROUP).external, "sent"),
    ]
    for member in (BEN, CLEO):
        for timestamp in {one.timestamp for one in status.recipients if one.timestamp}:
            service.daemon.notify(receipt(member, timestamp), ANN)
    await until(outbox, status.id, "delivered")


async def test_the_order_of_a_conversation_survives_network_trouble(world: World) -> None:
    service, outbox, signal = world
    failures = iter([OFFLINE, OFFLINE])

    def send(params: dict[str, Any]) -> dict[str, Any]:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return signal.send(params)

    service.daemon.on("send", send)
    outbox._queue._options = type(outbox._queue._options)(per_minute=0, network_pause=(0.05, 0.1))
    statuses = [await outbox.submit(ANN, people(BEN), Message(text=str(number))) for number in range(20)]
    for status in statuses:
        assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"
    assert signal.texts() == [str(number) for number in range(20)]


async def test_no_network_for_the_whole_deadline_ends_as_expired(world: World) -> None:
    service, outbox, _ = world
    service.daemon.on("send", OFFLINE)
    outbox._queue._options = type(outbox._queue._options)(per_minute=0, network_pause=(0.05, 0.2))
    begun = asyncio.get_running_loop().time()
    statuses = [await outbox.submit(ANN, people(BEN), Message(text=str(number)), expires_in=2) for number in range(5)]
    ends = [await outbox.waiting.for_end(status.id, 30) for status in statuses]
    lasted = asyncio.get_running_loop().time() - begun
    print(f"5 messages, no network: expired after {lasted:.1f} s of 2 s, {ends[0].attempts} attempts for the first")
    assert [end.state for end in ends] == ["expired"] * 5
    assert ends[0].recipients[0].reason == "network"
    assert ends[0].attempts > 3
    assert 1.9 < lasted < 10
    assert await outbox.list(open_only=True) == []


async def test_a_message_to_be_tried_once_fails_with_the_reason(world: World) -> None:
    service, outbox, _ = world
    service.daemon.on("send", OFFLINE)
    status = await outbox.submit(ANN, people(BEN), Message(text="now or never"), expires_in=0)
    status = await outbox.waiting.for_end(status.id, 30)
    assert (status.state, status.recipients[0].reason, status.attempts) == ("failed", "network", 1)


async def test_a_message_to_be_tried_once_does_not_wait_behind_one_that_waits_for_the_network(world: World) -> None:
    _service, outbox, signal = world
    signal.trouble[BEN] = {"type": "NETWORK_FAILURE"}
    first = await outbox.submit(ANN, people(BEN), Message(text="first"))
    await until(outbox, first.id, "queued")
    once = await outbox.submit(ANN, people(CLEO, BEN), Message(text="now or never"), expires_in=0)
    status = await outbox.waiting.for_end(once.id, 30)
    assert [(one.recipient, one.state, one.reason) for one in status.recipients] == [(CLEO, "sent", None), (BEN, "failed", "network")]
    signal.trouble.clear()
    await outbox.retry(first.id)
    await until(outbox, first.id, "sent")
    assert signal.texts() == ["first"]
    after = await outbox.submit(ANN, people(BEN), Message(text="after"), expires_in=0)
    assert (await outbox.waiting.for_end(after.id, 30)).state == "sent"


async def test_an_unknown_recipient_fails_at_once_and_the_others_get_it(world: World) -> None:
    _, outbox, signal = world
    signal.trouble[CLEO] = {"type": "UNREGISTERED_FAILURE"}
    status = await outbox.submit(ANN, people(BEN, CLEO), Message(text="both"))
    status = await outbox.waiting.for_end(status.id, 30)
    assert [(one.recipient, one.state, one.reason) for one in status.recipients] == [
        (BEN, "sent", None),
        (CLEO, "failed", "UNREGISTERED_FAILURE"),
    ]
    assert status.state == "sent"


async def test_only_those_whom_the_network_kept_away_get_it_again(world: World) -> None:
    _, outbox, signal = world
    outbox._queue._options = type(outbox._queue._options)(per_minute=0, network_pause=(0.05, 0.1))
    signal.trouble[CLEO] = {"type": "NETWORK_FAILURE"}
    status = await outbox.submit(ANN, people(BEN, CLEO), Message(text="both"))
    async with asyncio.timeout(30):
        while (await outbox.get(status.id)).attempts < 3:  # noqa: ASYNC110  # the outbox tells no one here
            await asyncio.sleep(0.01)
    signal.trouble.clear()
    assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"
    assert sorted(signal.sent) == [(BEN, "both"), (CLEO, "both")]


async def test_a_rate_limit_amid_a_hundred_messages_parks_them_until_the_challenge_is_solved(world: World) -> None:
    service, outbox, signal = world
    limit = {"type": "RATE_LIMIT_FAILURE", "token": "token-1", "retryAfterSeconds": 86400}

    def send(params: dict[str, Any]) -> dict[str, Any]:
        if len(signal.sent) == 50 and "solved" not in signal.trouble:
            signal.trouble[BEN] = limit
        return signal.send(params)

    service.daemon.on("send", send)
    statuses = [await outbox.submit(ANN, people(BEN), Message(text=str(number))) for number in range(100)]
    parked = await until(outbox, statuses[50].id, "parked")
    assert (parked.recipients[0].reason, parked.recipients[0].tokens) == ("rate_limit", ["token-1"])
    await until(outbox, statuses[99].id, "parked")
    counts = outbox.counts()[ANN]
    assert counts == {"parked": 50}
    signal.trouble = {"solved": {}}
    challenge = {"challenge_token": "token-1", "captcha": "signalcaptcha://x"}
    assert (await service.post(f"/v1/accounts/{ANN}/rate-limit-challenge", challenge)).status == 204
    for status in statuses:
        assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"
    print(f"100 messages, limit after 50: {counts} while parked, then {len(signal.sent)} sent in order")
    assert signal.texts() == [str(number) for number in range(100)]


async def test_a_rate_limit_ends_by_itself_when_signal_said_when(world: World) -> None:
    _, outbox, signal = world
    signal.trouble[BEN] = {"type": "RATE_LIMIT_FAILURE", "retryAfterSeconds": 1}
    status = await outbox.submit(ANN, people(BEN), Message(text="Hello"))
    await until(outbox, status.id, "parked")
    signal.trouble.clear()
    assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"


async def test_a_parked_conversation_does_not_hold_up_others(world: World) -> None:
    _, outbox, signal = world
    signal.trouble[BEN] = {"type": "IDENTITY_FAILURE"}
    parked = await outbox.submit(ANN, people(BEN), Message(text="waits"))
    behind = await outbox.submit(ANN, people(BEN), Message(text="waits too"))
    other = await outbox.submit(ANN, people(CLEO), Message(text="goes"))
    assert (await outbox.waiting.for_end(other.id, 30)).state == "sent"
    assert (await until(outbox, parked.id, "parked")).recipients[0].reason == "untrusted_identity"
    assert (await until(outbox, behind.id, "parked")).recipients[0].reason == "untrusted_identity"
    signal.trouble.clear()
    outbox.trusted(ANN)
    assert (await outbox.waiting.for_end(behind.id, 30)).state == "sent"
    assert signal.texts() == ["waits", "waits too"]


async def test_a_message_to_several_reaches_those_who_do_not_wait_behind_somebody_who_is_parked(world: World) -> None:
    _, outbox, signal = world
    signal.trouble[BEN] = {"type": "IDENTITY_FAILURE"}
    parked = await outbox.submit(ANN, people(BEN), Message(text="0"))
    await until(outbox, parked.id, "parked")
    entering = await outbox.submit(ANN, people(CLEO, BEN), Message(text="1"))
    last = await outbox.submit(ANN, people(CLEO), Message(text="2"))
    assert (await outbox.waiting.for_end(last.id, 30)).state == "sent"
    assert signal.texts(CLEO) == ["1", "2"]
    states = {one.recipient: (one.state, one.reason) for one in (await outbox.get(entering.id)).recipients}
    assert states == {CLEO: ("sent", None), BEN: ("parked", "untrusted_identity")}
    signal.trouble.clear()
    outbox.trusted(ANN)
    assert (await outbox.waiting.for_end(entering.id, 30)).state == "sent"
    assert signal.texts(BEN) == ["0", "1"]
    assert signal.texts(CLEO) == ["1", "2"]


async def test_what_came_before_somebody_was_parked_reaches_the_others_too(world: World) -> None:
    service, outbox, signal = world
    held, go_on = asyncio.Event(), asyncio.Event()

    async def send(params: dict[str, Any]) -> dict[str, Any]:
        if params["message"] == "0":
            held.set()
            await go_on.wait()
        return signal.send(params)

    service.daemon.on("send", send)
    signal.trouble[BEN] = {"type": "RATE_LIMIT_FAILURE", "token": "token-1", "retryAfterSeconds": 3600}
    first = await outbox.submit(ANN, people(BEN), Message(text="0"))
    await asyncio.wait_for(held.wait(), 30)
    waiting = [await outbox.submit(ANN, people(BEN, CLEO), Message(text=str(number))) for number in range(1, 4)]
    go_on.set()
    await until(outbox, first.id, "parked")
    for behind in waiting:
        status = await outbox.waiting.until(behind.id, DeliveryState.SENT, 30)
        assert {one.recipient: one.state for one in status.recipients} == {BEN: "parked", CLEO: "sent"}
    assert (signal.texts(CLEO), signal.texts(BEN)) == (["1", "2", "3"], [])
    signal.trouble.clear()
    outbox.challenge_solved(ANN)
    for status in waiting:
        assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"
    assert (signal.texts(CLEO), signal.texts(BEN)) == (["1", "2", "3"], ["0", "1", "2", "3"])


@pytest.mark.parametrize("first", [Number(BEN), Aci(UUIDS[BEN])])
async def test_the_order_is_kept_by_whichever_name_a_person_is_written_to_through_restarts(tmp_path: Path, first: Recipient) -> None:
    second = Aci(UUIDS[BEN]) if isinstance(first, Number) else Number(BEN)
    async with sending(tmp_path) as (service, outbox, signal):
        signal.trouble |= {name: {"type": "IDENTITY_FAILURE"} for name in (BEN, UUIDS[BEN])}
        await until(outbox, (await outbox.submit(ANN, [first], Message(text="0"))).id, "parked")
        await until(outbox, (await outbox.submit(ANN, [second], Message(text="1"))).id, "parked")
        assert len(service.asked()) == 1
    async with sending(tmp_path) as (_, outbox, signal):
        last = await outbox.submit(ANN, [second], Message(text="2"))
        outbox.trusted(ANN)
        assert (await outbox.waiting.for_end(last.id, 30)).state == "sent"
        assert [text for _, text in signal.sent] == ["0", "1", "2"]


async def test_those_who_are_parked_for_the_same_stay_together(world: World) -> None:
    service, outbox, signal = world
    for person in (BEN, CLEO):
        signal.trouble[person] = {"type": "IDENTITY_FAILURE"}
    statuses = [await outbox.submit(ANN, people(BEN, CLEO), Message(text=str(number))) for number in range(5)]
    await until(outbox, statuses[-1].id, "parked")
    signal.trouble.clear()
    outbox.trusted(ANN)
    for status in statuses:
        assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"
    assert signal.texts(BEN) == signal.texts(CLEO) == ["0", "1", "2", "3", "4"]
    assert len(service.asked("send")) == 6


async def test_a_group_that_the_network_keeps_away_gets_it_later_although_one_of_its_members_never_will(world: World) -> None:
    service, outbox, signal = world
    outbox._queue._options = type(outbox._queue._options)(per_minute=0, network_pause=(0.05, 0.1))
    kinds = {BEN: "NETWORK_FAILURE", CLEO: "UNREGISTERED_FAILURE"}
    results = [{"recipientAddress": {"uuid": UUIDS[member]}, "groupId": GROUP, "type": kind} for member, kind in kinds.items()]
    service.daemon.on("send", Failure(-1, "Failed to send message", {"response": {"timestamp": 1700000000000, "results": results}}))
    status = await outbox.submit(ANN, [GroupId(GROUP)], Message(text="All"))
    await service.daemon.next_call("send")
    await service.daemon.next_call("send")
    assert (await outbox.get(status.id)).state in ("queued", "sending")
    service.daemon.on("send", signal.send)
    assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"


async def test_one_whom_the_network_alone_keeps_away_holds_up_nobody_else(world: World) -> None:
    _, outbox, signal = world
    signal.trouble[BEN] = {"type": "NETWORK_FAILURE"}
    first = await outbox.submit(ANN, people(BEN, CLEO), Message(text="0"))
    await outbox.waiting.until(first.id, DeliveryState.SENT, 0.5)
    second = await outbox.submit(ANN, people(BEN, CLEO), Message(text="1"))
    async with asyncio.timeout(30):
        while signal.texts(CLEO) != ["0", "1"]:  # noqa: ASYNC110  # the fake tells no one
            await asyncio.sleep(0.01)
    signal.trouble.clear()
    await outbox.retry(first.id)
    assert (await outbox.waiting.for_end(second.id, 30)).state == "sent"
    assert signal.texts(BEN) == ["0", "1"]


async def test_what_waits_can_be_cancelled_and_what_failed_tried_again(world: World) -> None:
    _, outbox, signal = world
    signal.trouble[BEN] = {"type": "IDENTITY_FAILURE"}
    first = await outbox.submit(ANN, people(BEN), Message(text="1"))
    second = await outbox.submit(ANN, people(BEN), Message(text="2"))
    await until(outbox, first.id, "parked")
    assert (await outbox.cancel(first.id)).state == "cancelled"
    await until(outbox, second.id, "parked")
    signal.trouble[BEN] = {"type": "UNREGISTERED_FAILURE"}
    await outbox.retry(second.id)
    assert (await outbox.waiting.for_end(second.id, 30)).state == "failed"
    signal.trouble.clear()
    await outbox.retry(second.id)
    assert (await outbox.waiting.for_end(second.id, 30)).state == "sent"
    with pytest.raises(InvalidValue, match="nothing to try again"):
        await outbox.retry(second.id)
    with pytest.raises(MissingThing):
        await outbox.retry("msg_99")
    assert signal.texts() == ["2"]


@pytest.mark.parametrize("act", ["cancelled", "tried again", "trusted", "challenge solved"])
async def test_whoever_sees_in_the_store_that_a_message_is_parked_can_act_at_once(world: World, act: str) -> None:
    service, outbox, signal = world
    reason = {"type": "RATE_LIMIT_FAILURE" if act == "challenge solved" else "IDENTITY_FAILURE"}
    signal.trouble[BEN] = reason
    identifier = (await outbox.submit(ANN, people(BEN), Message(text="Hello"))).id
    (message,) = outbox._queue.messages.values()
    async with asyncio.timeout(30):
        while message.entries[0].state != "parked":  # noqa: ASYNC110  # it is on its way to the disk then
            await asyncio.sleep(0)
    with contextlib.closing(sqlite3.connect(service.courier.database.path)) as store:
        while store.execute("SELECT state FROM outbox_recipients").fetchone() != ("parked",):
            pass  # the loop of the service has not heard of it yet
    signal.trouble.clear()
    match act:
        case "cancelled":
            assert (await outbox.cancel(identifier)).state == "cancelled"
            return
        case "tried again":
            await outbox.retry(identifier)
        case "trusted":
            outbox.trusted(ANN)
        case "challenge solved":
            outbox.challenge_solved(ANN)
    assert (await outbox.waiting.for_end(identifier, 30)).state == "sent"


async def test_what_the_figures_tell_of_is_found_by_whoever_looks_next(world: World) -> None:
    service, outbox, signal = world
    held, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        held.set()
        go_on.wait(30)

    async def send(params: dict[str, Any]) -> dict[str, Any]:
        holding.append(asyncio.create_task(service.courier.database.write(hold)))
        await asyncio.to_thread(held.wait, 30)
        return signal.send(params)

    holding: list[asyncio.Task[None]] = []
    signal.trouble[BEN] = {"type": "IDENTITY_FAILURE"}
    service.daemon.on("send", send)
    await outbox.submit(ANN, people(BEN), Message(text="Hello"))
    async with asyncio.timeout(30):
        while outbox.counts()[ANN] != {"parked": 1}:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
    looking = asyncio.create_task(outbox.list(account=ANN, open_only=True))
    await asyncio.wait([looking], timeout=0.1)
    go_on.set()
    assert [one.state for one in await looking] == ["parked"]
    await asyncio.gather(*holding)


async def test_whoever_waits_for_the_end_of_a_message_is_told_the_end_of_everybody(world: World) -> None:
    service, outbox, signal = world
    calls: list[dict[str, Any]] = []
    both_called, held, both_answered = asyncio.Event(), threading.Event(), threading.Event()
    writes: list[asyncio.Task[object]] = []

    def keep_busy(work: Callable[[object], object]) -> None:
        """Let the writer do something else first."""
        writes.append(asyncio.create_task(service.courier.database.write(work)))

    def hold(_: object) -> None:
        held.set()
        both_answered.wait(30)

    async def send(params: dict[str, Any]) -> dict[str, Any]:
        (message,) = outbox._queue.messages.values()
        calls.append(params)
        if len(calls) == 1:
            await both_called.wait()
            keep_busy(hold)
            await asyncio.to_thread(held.wait, 30)
            return signal.send(params)
        both_called.set()
        while all(entry.state != "sent" for entry in message.entries):  # noqa: ASYNC110  # the end of the first waits for the writer then
            await asyncio.sleep(0)
        for _ in range(GROUP_LIMIT - 1):  # so that the end of the second is committed later than that of the first
            keep_busy(lambda _: None)
        keep_busy(lambda _: time.sleep(0.2))
        return signal.send(params)

    service.daemon.on("send", send)
    status = await outbox.submit(ANN, [*people(BEN), GroupId(GROUP)], Message(text="All"))
    (message,) = outbox._queue.messages.values()
    end = asyncio.create_task(outbox.waiting.for_end(status.id, 30))
    async with asyncio.timeout(30):
        while any(entry.state != "sent" for entry in message.entries):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
    both_answered.set()
    assert {one.state for one in (await end).recipients} == {"sent"}
    await asyncio.gather(*writes)


async def test_the_pace_of_an_account_is_kept(world: World) -> None:
    _, outbox, signal = world
    from signal_courier.messaging.sending.pace import Pace

    outbox._queue.pace = Pace(120)
    outbox._queue.pace._left[ANN] = (2.0, asyncio.get_running_loop().time())
    begun = asyncio.get_running_loop().time()
    for number in range(5):
        status = await outbox.submit(ANN, people(BEN), Message(text=str(number)))
    assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"
    assert 1.3 < asyncio.get_running_loop().time() - begun < 10
    assert signal.texts() == ["0", "1", "2", "3", "4"]


async def test_a_lost_answer_is_unknown_and_never_sent_again(world: World) -> None:
    service, outbox, signal = world
    service.daemon.on("send", HangUp())
    status = await outbox.submit(ANN, people(BEN), Message(text="Alarm"))
    await service.daemon.next_call("send")
    service.daemon.on("send", signal.send)
    later = await outbox.submit(ANN, people(BEN), Message(text="Next"))
    status = await outbox.waiting.for_end(status.id, 30)
    assert (status.state, status.recipients[0].reason) == ("unknown", "interrupted")
    assert (await outbox.waiting.for_end(later.id, 30)).state == "sent"
    assert signal.texts() == ["Next"]
    assert len(service.asked()) == 2


async def test_a_lost_answer_is_sent_again_where_the_setting_wants_it(tmp_path: Path) -> None:
    async with sending(tmp_path, resend=True) as (service, outbox, signal):
        service.daemon.on("send", HangUp())
        status = await outbox.submit(ANN, people(BEN), Message(text="Alarm"))
        await service.daemon.next_call("send")
        service.daemon.on("send", signal.send)
        assert (await outbox.waiting.for_end(status.id, 30)).state == "sent"
        assert signal.texts() == ["Alarm"]


async def test_a_receipt_proves_that_a_message_with_a_lost_answer_was_sent(world: World) -> None:
    service, outbox, signal = world
    known = await outbox.submit(ANN, people(BEN), Message(text="so that the uuid is known"))
    assert (await outbox.waiting.for_end(known.id, 30)).state == "sent"
    now = service.courier.receiving._clock.now_ms()
    service.daemon.on("send", HangUp())
    status = await outbox.submit(ANN, people(BEN), Message(text="Alarm"))
    await gone(service)
    service.daemon.on("send", signal.send)
    service.daemon.notify(receipt(BEN, now + 50), ANN)
    status = await outbox.waiting.for_end(status.id, 30)
    assert (status.state, status.timestamp) == ("delivered", now + 50)


@pytest.mark.parametrize("overtaken", [False, True])
async def test_a_message_is_not_sent_again_when_a_receipt_names_the_attempt_that_the_network_is_said_to_have_failed(
    world: World, *, overtaken: bool
) -> None:
    """The server took it, and its answer got lost. The receipt comes while it waits for the next attempt, or before the failure is told."""
    service, outbox, signal = world
    name = signal.timestamp = service.courier.receiving._clock.now_ms()
    signal.trouble[BEN] = {"type": "NETWORK_FAILURE"}

    def send(params: dict[str, Any]) -> dict[str, Any]:
        if overtaken:
            service.daemon.notify(receipt(BEN, name + 1), ANN)
        return signal.send(params)

    service.daemon.on("send", send)
    status = await outbox.submit(ANN, people(BEN), Message(text="Alarm"))
    if not overtaken:
        status = await until(outbox, status.id, "queued")
        await service.daemon.next_call("send")
        service.daemon.notify(receipt(BEN, name + 1), ANN)
    status = await outbox.waiting.for_end(status.id, 30)
    assert (status.state, status.timestamp, len(service.asked())) == ("delivered", name + 1, 1)
    del signal.trouble[BEN]
    later = await outbox.submit(ANN, people(BEN), Message(text="Next"))
    assert (await outbox.waiting.for_end(later.id, 30)).state == "sent"
    assert signal.texts() == ["Next"]


async def test_a_receipt_for_an_attempt_that_failed_long_ago_makes_an_expired_message_a_delivered_one(world: World) -> None:
    service, outbox, signal = world
    name = signal.timestamp = service.courier.receiving._clock.now_ms()
    signal.trouble[BEN] = {"type": "NETWORK_FAILURE"}
    status = await outbox.submit(ANN, people(BEN), Message(text="Alarm"), expires_in=1)
    assert (await outbox.waiting.for_end(status.id, 30)).state == "expired"
    service.daemon.notify(receipt(BEN, name + 1), ANN)
    await until(outbox, status.id, "delivered")


async def test_only_those_are_tried_again_whom_no_receipt_says_to_be_reached(world: World) -> None:
    service, outbox, signal = world
    name = signal.timestamp = service.courier.receiving._clock.now_ms()
    signal.trouble |= {person: {"type": "NETWORK_FAILURE"} for person in (BEN, CLEO)}
    status = await outbox.submit(ANN, people(BEN, CLEO), Message(text="Alarm"))
    await service.daemon.next_call("send")
    service.daemon.notify(receipt(BEN, name + 1), ANN)
    await until(outbox, status.id, "queued")
    signal.trouble.clear()
    status = await outbox.waiting.for_end(status.id, 30)
    assert [one.state for one in status.recipients] == ["delivered", "sent"]
    assert (signal.texts(BEN), signal.texts(CLEO)) == ([], ["Alarm"])


async def test_a_copy_from_another_device_proves_it_by_its_text(world: World) -> None:
    service, outbox, _ = world
    service.daemon.on("send", HangUp())
    status = await outbox.submit(ANN, people(BEN), Message(text="Alarm"))
    await gone(service)
    now = service.courier.receiving._clock.now_ms()
    copy = {"timestamp": now, "message": "Alarm", "destinationNumber": BEN, "destinationUuid": None}
    service.daemon.notify({"sourceNumber": ANN, "timestamp": now, "syncMessage": {"sentMessage": copy}}, ANN)
    status = await outbox.waiting.for_end(status.id, 30)
    assert (status.state, status.timestamp) == ("sent", now)


async def test_receipts_for_what_the_phone_sent_prove_nothing(world: World) -> None:
    service, outbox, _ = world
    service.daemon.on("send", HangUp())
    status = await outbox.submit(ANN, people(BEN), Message(text="Alarm"))
    await gone(service)
    now = service.courier.receiving._clock.now_ms()
    copy = {"timestamp": now, "message": "from the phone", "destinationNumber": BEN}
    service.daemon.notify({"sourceNumber": ANN, "timestamp": now, "syncMessage": {"sentMessage": copy}}, ANN)
    said = {"when": now, "isDelivery": True, "isRead": False, "isViewed": False, "timestamps": [now]}
    service.daemon.notify({"sourceNumber": BEN, "timestamp": now, "receiptMessage": said}, ANN)
    assert (await outbox.waiting.for_end(status.id, 30)).state == "unknown"


async def test_queued_messages_with_files_survive_a_restart(tmp_path: Path) -> None:
    async with sending(tmp_path) as (service, outbox, _):
        service.daemon.on("send", OFFLINE)
        body = {"number": ANN, "recipients": [BEN], "message": "picture", "base64_attachments": ["aGVsbG8="]}
        accepted = await service.post("/v2/send", body, Prefer="respond-async")
        assert (accepted.status, accepted.json) == (202, {"id": "msg_1", "state": "queued"})
        assert accepted.headers["Location"] == "/api/v2/messages/msg_1"
        await until(outbox, "msg_1", "queued")
        assert service.spooled() == []
    async with sending(tmp_path) as (service, outbox, signal):
        files: list[bytes] = []

        def send(params: dict[str, Any]) -> dict[str, Any]:
            files.extend(Path(name).read_bytes() for name in params["attachment"])
            return signal.send(params)

        service.daemon.on("send", send)
        await outbox.retry("msg_1")
        assert (await outbox.waiting.for_end("msg_1", 30)).state == "sent"
        assert files == [b"hello"]
        assert list(service.courier.settings.outbox_dir.rglob("*")) == []


async def test_a_call_in_flight_at_the_stop_comes_to_its_end(tmp_path: Path) -> None:
    async with sending(tmp_path) as (service, outbox, signal):
        service.daemon.on("send", Delayed(0.3, signal.send))
        status = await outbox.submit(ANN, people(BEN), Message(text="Hello"))
        await service.daemon.next_call("send")
    async with sending(tmp_path) as (_, outbox, _):
        assert (await outbox.get(status.id)).state == "sent"


async def test_states_are_told_as_events(world: World) -> None:
    service, outbox, _ = world
    log = service.courier.receiving.events
    status = await outbox.submit(ANN, people(BEN), Message(text="Hello"))
    await outbox.waiting.for_end(status.id, 30)
    seen: list[str] = []
    async with asyncio.timeout(30), contextlib.aclosing(log.follow(after=0)) as stretches:
        async for stretch in stretches:
            seen += [event.status.state for event in stretch.events if event.status is not None]
            if DeliveryState.SENT in seen:
                break
    assert seen == ["queued", "sending", "sent"]
