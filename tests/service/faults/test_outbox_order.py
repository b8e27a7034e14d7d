"""Random troubles, retries, cancellations and restarts: everybody gets everything once and in order, by whichever name."""

import asyncio
import collections
import contextlib
import random
from pathlib import Path
from typing import Any

import pytest

from signal_courier.messaging.sending.outbox import Outbox
from signal_courier.messaging.sending.queue import QueueOptions
from signal_courier.model.errors import InvalidValue
from signal_courier.model.messages import Message
from signal_courier.model.outbox import DeliveryState
from signal_courier.model.recipients import Aci, GroupId, Number, Recipient
from tests.fakes.daemon import Failure
from tests.fakes.served import Service, served

pytestmark = pytest.mark.slow

ANN = "+4915100000001"
UUIDS = {f"+491510000010{at}": f"{at:08d}-1111-4111-8111-111111111111" for at in range(6)}
NUMBERS = {uuid: number for number, uuid in UUIDS.items()}
GROUP = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
MEMBER = "99999999-1111-4111-8111-111111111111"
TROUBLES = ("RATE_LIMIT_FAILURE", "IDENTITY_FAILURE", "NETWORK_FAILURE")
CODES = {"RATE_LIMIT_FAILURE": -5, "IDENTITY_FAILURE": -4}
LIVES, STEPS = 4, 40


class Signal:
    """What arrives, and what keeps it from arriving."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.arrived: dict[str, list[str]] = collections.defaultdict(list)
        """Texts by number or group."""
        self.trouble: dict[str, str] = {}
        self.is_down = False
        self.timestamp = 1_700_000_000_000

    async def send(self, params: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(self.dice.random() * 0.01)  # as long as a call takes
        if self.is_down:
            raise Failure(-3, "java.net.UnknownHostException: chat.signal.org")
        self.timestamp += 1
        results: list[dict[str, Any]] = []
        for name in (*params.get("recipient", ()), *params.get("groupId", ())):
            number = NUMBERS.get(name, name)
            kind = self.trouble.get(number, "SUCCESS")
            results.append({"recipientAddress": {"number": number, "uuid": UUIDS.get(number)}, "type": kind})
            if kind == "SUCCESS":
                self.arrived[number].append(params["message"])
        kinds = {result["type"] for result in results}
        if params.get("groupId"):  # its only member is somebody else
            results = [result | {"recipientAddress": {"uuid": MEMBER}, "groupId": GROUP} for result in results]
        answer = {"timestamp": self.timestamp, "results": results}
        if "SUCCESS" in kinds:
            return answer
        raise Failure(CODES.get(kinds.pop(), -1), "Failed to send message", {"response": answer})


class Users:
    """Those who write, and act."""

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.dice = signal.dice
        self.sent: list[tuple[str, list[str], str]] = []
        """Id, to whom, text."""
        self.cancelled: set[str] = set()

    async def act(self, outbox: Outbox) -> None:
        dice, trouble = self.dice, self.signal.trouble
        match dice.choices(("write", "trouble", "mend", "network", "trust", "solve", "retry", "cancel"), (60, 15, 10, 5, 3, 3, 2, 2))[0]:
            case "write":
                await self.write(outbox)
            case "trouble":
                trouble[dice.choice([*UUIDS, GROUP])] = dice.choice(TROUBLES)
            case "mend" if trouble:
                del trouble[dice.choice(list(trouble))]
            case "network":
                self.signal.is_down = not self.signal.is_down
            case "trust":
                outbox.trusted(ANN)
            case "solve":
                outbox.challenge_solved(ANN)
            case "retry" if self.sent:
                identifier = dice.choice(self.sent)[0]
                if identifier not in self.cancelled:  # what is taken back and sent after all has lost its place
                    with contextlib.suppress(InvalidValue):  # there may be nothing to try again
                        await outbox.retry(identifier)
            case "cancel" if self.sent:
                identifier = dice.choice(self.sent)[0]
                self.cancelled.add(identifier)
                await outbox.cancel(identifier)

    async def write(self, outbox: Outbox) -> None:
        dice = self.dice
        numbers = dice.sample(list(UUIDS), dice.randint(1, 5))
        recipients: list[Recipient] = [Aci(UUIDS[number]) if dice.random() < 0.4 else Number(number) for number in numbers]
        if dice.random() < 0.2:
            recipients.insert(dice.randint(0, len(numbers)), GroupId(GROUP))
            numbers.append(GROUP)
        text = f"message {len(self.sent)}"
        self.sent.append(((await outbox.submit(ANN, recipients, Message(text=text))).id, numbers, text))


async def names_are_known(service: Service) -> None:
    people = service.courier.receiving.people
    people.attend()
    async with asyncio.timeout(30):
        while people.person(ANN, None, next(iter(UUIDS))) is None:
            people.forget(ANN)
            await asyncio.sleep(0.01)


async def all_is_well(outbox: Outbox, signal: Signal) -> None:
    signal.trouble.clear()
    signal.is_down = False
    async with asyncio.timeout(60):
        while await outbox.list(open_only=True):
            outbox.trusted(ANN)
            outbox.challenge_solved(ANN)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("seed", range(2))
async def test_everybody_gets_everything_once_and_in_order_whatever_happens_to_others(tmp_path: Path, seed: int) -> None:
    signal = Signal(random.Random(seed))
    users = Users(signal)
    contacts = [{"number": number, "uuid": uuid, "name": number} for number, uuid in UUIDS.items()]
    for life in range(LIVES):
        async with served(tmp_path, {"send": signal.send, "listContacts": contacts}, accounts=(ANN,), pace=0) as service:
            outbox = service.courier.outbox
            outbox._queue._options = QueueOptions(per_minute=0, network_pause=(0.02, 0.1))
            await names_are_known(service)
            for _ in range(STEPS):
                await users.act(outbox)
                await asyncio.sleep(signal.dice.random() * 0.03)  # as people do
            if life < LIVES - 1:
                continue
            await all_is_well(outbox, signal)
            states = {}
            for identifier, numbers, text in users.sent:
                for number, one in zip(numbers, _in_order((await outbox.get(identifier)).recipients, numbers), strict=True):
                    states[number, text] = one
    told = collections.Counter(states.values())
    print(f"{len(users.sent)} messages in {LIVES} lives: {dict(told)}, {sum(map(len, signal.arrived.values()))} arrived")
    for number in (*UUIDS, GROUP):
        wanted = [text for _, numbers, text in users.sent if number in numbers and states[number, text].is_reached]
        assert signal.arrived[number] == wanted
    assert set(told) <= {DeliveryState.SENT, DeliveryState.CANCELLED}


def _in_order(recipients: Any, numbers: list[str]) -> list[DeliveryState]:
    found = {NUMBERS.get(one.recipient, one.recipient): one.state for one in recipients if one.group is None}
    return [found[GroupId(GROUP).external if number == GROUP else number] for number in numbers]
