"""The simulator as an engine: the same interface, the same exceptions, no Signal."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import override

import msgspec

from signal_courier.engine.base import AccountState, Configuration, Engine, EngineState, EngineStatus, EnvelopeSink, Json, Params
from signal_courier.engine.errors import EngineTimeout, EngineUnavailable, Rejected, RpcError, error_of
from signal_courier.engine.simulator import (
    actors,
    calls,
    contacts,
    devices,
    groups,
    identities,
    linking,
    messages,
    polls,
    profiles,
    receiving,
    registration,
    stickers,
)
from signal_courier.engine.simulator.dispatch import COMMANDS, perform
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import INVALID_PARAMS, INVALID_REQUEST, Refusal
from signal_courier.engine.simulator.state import Account

_DEADLINES: Mapping[str, float] = {"finishLink": 130.0, "receive": 600.0}
_DEADLINE = 60.0
"""Seconds."""

TOPICS = (calls, contacts, devices, groups, identities, linking, messages, polls, profiles, receiving, registration, stickers)
"""The modules that declare the commands."""


class Simulator(Engine):
    """A Signal network with demo people, in this process.

    State and what waits to be received are kept in `folder`; received files and pictures are written to
    `<config_dir>/attachments` and `<config_dir>/avatars`, where signal-cli has them. `speed` is how many times faster than people
    the simulated people are; `math.inf` for tests.
    """

    def __init__(self, folder: Path, config_dir: Path, *, speed: float = 1.0) -> None:
        self._make_network = partial(Network, folder, config_dir, speed=speed)
        self._network: Network | None = None
        self._sink: EnvelopeSink | None = None
        self._paused = False

    @property
    def network(self) -> Network:
        """The network behind it.

        Raises:
            EngineUnavailable: not started.
        """
        if self._network is None:
            raise EngineUnavailable("The simulator is not running")
        return self._network

    @property
    @override
    def status(self) -> EngineStatus:
        if self._network is None:
            return EngineStatus(state=EngineState.STOPPED)
        here = [account for account in self._network.world.accounts.values() if account.loaded or account.unlinked]
        return EngineStatus(
            state=EngineState.READY,
            version=receiving.VERSION,
            accounts={account.number: AccountState.UNLINKED if account.unlinked else AccountState.READY for account in here},
            linked=frozenset(account.number for account in here if account.is_linked),
        )

    @override
    async def start(self, sink: EnvelopeSink) -> None:
        self._network = self._make_network()
        self._sink = sink
        if not self._paused:
            self._network.after(0, self._listen)

    @override
    async def stop(self) -> None:
        network, self._network = self._network, None
        if network is not None:
            network.end()

    @override
    async def call(self, method: str, params: Params, *, timeout: float | None = None) -> msgspec.Raw:
        network = self.network
        _check(params)
        deadline = _DEADLINES.get(method, _DEADLINE) if timeout is None else timeout
        try:
            async with asyncio.timeout(deadline):
                await asyncio.sleep(0)  # an answer never comes before its caller waits for it
                with _refusals():
                    result = await perform(network, method, params)
        except TimeoutError as error:
            raise EngineTimeout(f"{method} did not end within {deadline:g} s") from error
        return msgspec.Raw(msgspec.json.encode(result))

    async def configuration(self, account: str) -> Configuration:
        """As `Configured.configuration`."""
        found = next((one for one in self.network.world.accounts.values() if one.number == account), None)
        if found is None:
            return Configuration()
        shared = {"read_receipts": True, "typing_indicators": True, "link_previews": True, "unidentified_delivery_indicators": False}
        return Configuration(discoverable_by_number=found.discoverable, share_number=found.number_sharing, **(shared | found.configuration))

    @override
    def pause(self) -> None:
        self._paused = True
        if self._network is not None:
            self._network.sink = None

    @override
    def resume(self) -> None:
        self._paused = False
        if self._network is not None:
            self._network.after(0, self._listen)

    @override
    def stored(self, count: int) -> None:
        """Nothing is kept back here: who restarts the simulator starts a new conversation."""

    def inject(self, frame: Mapping[str, Json] | bytes) -> None:
        """Report a ready `{"envelope", "account"}` object, or its JSON, as if it had just arrived."""
        self.network.inject(frame)

    def deliver(self, sender: str, account: str, text: str, *, group_id: str | None = None) -> int:
        """Let somebody (number or uuid) write to an own account (number), in a group if one is given; gives the timestamp.

        Raises:
            EngineError: nobody has that address, or there is no such account or group.
        """
        with _refusals():
            network, receiver = self.network, self._account(account)
            group = network.group(group_id) if group_id is not None else None
            return actors.speak(network, network.known(receiver, sender), receiver, group, text, {})

    def deliver_sent(self, account: str, text: str, *, recipient: str | None = None, group_id: str | None = None) -> int:
        """Let an account's other device (the phone) write to somebody or to a group: the account gets a copy; gives the timestamp.

        Raises:
            EngineError: nobody has that address, or there is no such account or group.
        """
        with _refusals():
            network, sender = self.network, self._account(account)
            person = network.known(sender, recipient) if recipient is not None else None
            group = network.group(group_id) if group_id is not None else None
            return actors.copy(network, sender, person, group, text)

    def deliver_read(self, account: str, author: str, timestamp: int) -> None:
        """Let an account's other device tell that the message of `author` with this timestamp was read there.

        Raises:
            EngineError: nobody has that address, or there is no such account.
        """
        with _refusals():
            owner = self._account(account)
            actors.read_elsewhere(self.network, owner, self.network.known(owner, author), timestamp)

    def _account(self, account: str) -> Account:
        for one in self.network.world.accounts.values():
            if account in {one.number, one.uuid}:
                return one
        raise Refusal(INVALID_PARAMS, "Specified account does not exist")

    async def settled(self) -> None:
        """Wait until nobody on the network is about to do anything."""
        await self.network.settled()

    def _listen(self) -> None:
        if self._network is not None and self._sink is not None and not self._paused:
            self._network.listen(self._sink)


def _check(params: Params) -> None:
    """Refuse what could not be written as JSON: half a surrogate pair, a number beyond 64 bits."""
    try:
        msgspec.json.encode(params)
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise Rejected(f"The parameters cannot be written as JSON: {error}", code=INVALID_REQUEST) from error


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn signal-cli's refusals into the engine's exceptions."""
    try:
        yield
    except Refusal as refusal:
        data = None if refusal.response is None else {"response": refusal.response}
        raise error_of(RpcError(refusal.code, refusal.message, msgspec.Raw(msgspec.json.encode(data)))) from refusal


def methods() -> frozenset[str]:
    """Every method that the simulator answers."""
    return frozenset(COMMANDS)
