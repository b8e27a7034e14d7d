"""A program that keeps the service with its simulator running for tests, and does what they say on its standard input.

It runs in the service's own environment; the tests run in Home Assistant's. One JSON object a line in each direction:
`{"do": NAME, …}` is answered by `{"result": …}` or `{"error": text}`. What can be done are the methods of `Host` that begin with `do_`.
"""

import asyncio
import json
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from signal_courier.courier import Courier
from signal_courier.engine.simulator import Simulator, actors, receiving
from signal_courier.engine.simulator.network import Network
from signal_courier.settings import Settings

VERSION = receiving.VERSION


class Host:
    """At most one service at a time."""

    def __init__(self) -> None:
        self._courier: Courier | None = None
        self._folder = Path()
        self._settings: dict[str, Any] = {}
        self._speed = math.inf

    @property
    def _simulator(self) -> Simulator:
        assert self._courier is not None
        engine = self._courier.engine
        assert isinstance(engine, Simulator)
        return engine

    # -- the service

    async def do_start(self, folder: str, token: str, speed: float | None = None, settings: dict[str, Any] | None = None) -> int:
        """Start a new service in this folder; gives its port. One that runs is stopped first."""
        await self.do_stop()
        receiving.VERSION = VERSION
        self._folder = Path(folder)
        self._speed = math.inf if speed is None else speed
        self._settings = {"port": 0, "token": token, **(settings or {})}
        return await self.do_again()

    async def do_again(self, settings: dict[str, Any] | None = None) -> int:
        """Start the service that was stopped once more, on the same port, which is given, and with other settings where need be."""
        self._settings |= settings or {}
        config = self._folder / "signal-cli"
        given = {"engine": "simulator", "mode": "json-rpc", "trust_loopback": False, "pace": 0} | self._settings
        self._courier = Courier(Settings(data_dir=self._folder / "data", signal_cli_config_dir=config, **given))
        config.mkdir(parents=True, exist_ok=True)
        simulator = self._simulator
        simulator._make_network = partial(Network, self._folder / "data" / "simulator", config, speed=self._speed)
        await self._courier.start()
        port = self._settings["port"] = self._courier.server.port
        assert isinstance(port, int)
        return port

    async def do_stop(self) -> None:
        """Stop the service."""
        courier, self._courier = self._courier, None
        if courier is not None:
            await courier.stop()

    async def do_pace_links(self, renew_after: float, lifetime: float) -> None:
        """Let codes to link be renewed after so many seconds, and links be given up."""
        assert self._courier is not None
        self._courier.link_sessions.renew_after, self._courier.link_sessions.lifetime = renew_after, lifetime

    async def do_waiting_links(self) -> int:
        """How many links wait for a phone."""
        assert self._courier is not None
        return sum(link.state == "waiting" for link in self._courier.link_sessions.all())

    async def do_unlink(self, account: str) -> None:
        """Let the phone remove this device from its account; it is the phone's from now on in any case."""
        found = self._simulator._account(account)
        found.device_id, found.loaded, found.unlinked = 2, False, True
        self._simulator.network.changed()

    async def do_let_call(self, number: str) -> None:
        """Let the time be over before which no call can be asked for."""
        assert self._courier is not None
        self._courier.services.registrations.get(number).voice_after = 0.0

    # -- the people

    async def do_deliver(self, sender: str, account: str, text: str, group_id: str | None = None, count: int = 1) -> list[int]:
        """Let somebody write, `count` times (`{n}` in the text is which time); gives the timestamps."""
        return [self._simulator.deliver(sender, account, text.replace("{n}", str(index)), group_id=group_id) for index in range(count)]

    async def do_speak(self, sender: str, account: str, parts: dict[str, Any], text: str | None = None, group_id: str | None = None) -> int:
        """Let somebody send a data message with these members (`reaction`, `pollVote`, `quote` …); gives its timestamp."""
        network, owner = self._simulator.network, self._simulator._account(account)
        group = network.group(group_id) if group_id is not None else None
        return actors.speak(network, network.known(owner, sender), owner, group, text, parts)

    async def do_post(self, sender: str, account: str, content: dict[str, Any]) -> int:
        """Let somebody send an envelope with this content (`typingMessage`, `receiptMessage`, `callMessage` …); gives its timestamp."""
        network, owner = self._simulator.network, self._simulator._account(account)
        timestamp = network.now()
        network.post(network.known(owner, sender), owner, timestamp, content)
        return timestamp

    async def do_inject(self, frame: dict[str, Any]) -> None:
        """Report a ready `{"envelope", "account"}`."""
        self._simulator.inject(frame)

    async def do_deliver_sent(self, account: str, text: str, recipient: str | None = None, group_id: str | None = None) -> int:
        """Let the account's phone write to somebody."""
        return self._simulator.deliver_sent(account, text, recipient=recipient, group_id=group_id)

    async def do_signal_cli(self, method: str, params: dict[str, Any]) -> object:
        """Call the simulated signal-cli, as the service does."""
        return msgspec.json.decode(await self._simulator.call(method, params))

    async def do_change(self, what: str, key: str, attribute: str, value: object) -> None:
        """Set an attribute of something of the simulated world: `accounts`, `people` by uuid, `groups` by id."""
        setattr(getattr(self._simulator.network.world, what)[key], attribute, value)
        self._simulator.network.changed()

    async def do_run_signal_cli(self, runs: bool) -> None:
        """Let signal-cli end, or run again, while the service runs on."""
        simulator = self._simulator
        if runs:
            assert simulator._sink is not None
            await simulator.start(simulator._sink)
        else:
            await simulator.stop()

    async def do_pretend(self, version: str) -> None:
        """Let signal-cli be of this version until a service is started anew; what it cannot do is refused by the service."""
        receiving.VERSION = version

    async def do_settled(self) -> None:
        """Wait until nobody on the network is about to do anything, and the service has stored what it was told."""
        await self._simulator.settled()
        assert self._courier is not None
        await self._courier.receiving.inbox.committed()
        await self._courier.receiving.events.drain(10)


async def main() -> None:
    """Obey until the input ends."""
    host = Host()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        try:
            answer: dict[str, object] = {"result": await getattr(host, f"do_{order.pop('do')}")(**order)}
        except Exception as error:  # the test is told
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    await host.do_stop()


if __name__ == "__main__":
    asyncio.run(main())
