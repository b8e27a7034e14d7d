"""A service that is killed at random moments, and its signal-cli too, and that rises again each time; and clients that never give up."""

import asyncio
import collections
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.e2e.courier import Courier, Reply, ServiceEnded, running_courier
from tests.e2e.lab.laboratory import Lab
from tests.fakes.sse import EventSource

KILLS = int(os.environ.get("SIGNAL_COURIER_KILLS", "2"))
"""How often the service is killed, and signal-cli as often."""
LONG = KILLS >= 10
"""Whether the tests may take half an hour."""
SEED = int(os.environ.get("SIGNAL_COURIER_SEED", "1"))
"""Of all that is left to chance."""

_EARLY = 0.25
"""Share of the kills of the service that do not wait until signal-cli is there."""
_EARLY_LIFE = (0.0, 3.0)
_LIFE = (0.0, 2.0)
"""Seconds of life until a kill: from the start of the service, or from when signal-cli is there."""
_PAUSE = 0.05
_PATIENCE = 120.0

_GONE = (aiohttp.ClientError, ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Misfortune:
    """How often what is killed."""

    kills: int = KILLS
    seed: int = SEED


class Phoenix:
    """The service through all of its lives. Make one with `rising`."""

    def __init__(self, lab: Lab, name: str, numbers: list[str], misfortune: Misfortune, settings: dict[str, str]) -> None:
        self._lab = lab
        self._name = name
        self._numbers = numbers
        self._misfortune = misfortune
        self._settings = settings
        self._dice = random.Random(misfortune.seed)
        self._courier: asyncio.Future[Courier] = asyncio.get_running_loop().create_future()
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self.kills = collections.Counter[str]()
        self.tormented = asyncio.Event()
        """No more kills will come; the last life is one that lasts."""

    async def alive(self) -> Courier:
        """The service in its present life, or in the next."""
        async with asyncio.timeout(_PATIENCE):
            return await asyncio.shield(self._courier)

    async def call(self, method: str, path: str, body: object = None, *, statuses: tuple[int, ...], **how: Any) -> Reply:
        """Asks until one of these statuses is answered; a request that is asked again must not do its work twice."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                courier = await self.alive()
                with contextlib.suppress(*_GONE):
                    reply = await courier.call(method, path, body, **how)
                    if reply.status in statuses:
                        return reply
                    assert reply.status in (500, 503), reply
                await asyncio.sleep(_PAUSE)

    async def follow(self, take: Callable[[dict[str, Any]], bool], last: Callable[[], int | None], **query: str) -> None:
        """Gives every event of `GET /api/v2/events` to `take`, until that says it is enough; connects again as often as it has to.

        `last` gives the id to go on behind, None where a consumer's name tells.
        """
        while True:
            courier = await self.alive()
            after = last()
            asked = query | ({} if after is None else {"after": str(after)})
            with contextlib.suppress(EOFError, AssertionError, *_GONE):
                async with EventSource.connect(courier.session, f"{courier.base}/api/v2/events?{_query(asked)}") as source:
                    while True:
                        event = (await source.next(timeout=_PATIENCE)).json
                        if take(event):
                            return
            await asyncio.sleep(_PAUSE)

    def begin(self) -> None:
        """The torment may begin."""
        self._begun.set()

    async def live(self) -> None:
        """All lives: so many that end by a kill, and one that goes on until `end`."""
        killing = asyncio.create_task(self._kill_signal_cli())
        try:
            for life in range(self._misfortune.kills):
                with contextlib.suppress(ServiceEnded):
                    async with self._life(life, at_once=True) as courier:
                        await self._begun.wait()
                        early = self._dice.random() < _EARLY
                        if not early:
                            await courier.ready()
                        await asyncio.sleep(self._dice.uniform(*(_EARLY_LIFE if early else _LIFE)))
                        self._courier = asyncio.get_running_loop().create_future()
                        courier.process.kill()
                        await courier.process.wait()
                        self.kills["service"] += 1
            async with self._life(self._misfortune.kills, at_once=True) as courier:
                await killing
                await courier.ready()
                self.tormented.set()
                await self._over.wait()
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)

    def end(self) -> None:
        """It may stop."""
        self._over.set()

    @contextlib.asynccontextmanager
    async def _life(self, life: int, *, at_once: bool) -> AsyncIterator[Courier]:
        numbers = [] if life else self._numbers
        async with running_courier(self._lab, self._name, numbers, at_once=at_once, **self._settings) as courier:
            self._courier.set_result(courier)
            yield courier

    async def _kill_signal_cli(self) -> None:
        dice = random.Random(self._misfortune.seed + 1)
        await self._begun.wait()
        while self.kills["signal-cli"] < self._misfortune.kills:
            courier = await self.alive()
            with contextlib.suppress(ProcessLookupError, *_GONE):
                await courier.ready()
                await asyncio.sleep(dice.uniform(*_LIFE))
                if courier.kill_signal_cli():
                    self.kills["signal-cli"] += 1
            await asyncio.sleep(_PAUSE)


@contextlib.asynccontextmanager
async def rising(lab: Lab, name: str, numbers: list[str], misfortune: Misfortune | None = None, **settings: str) -> AsyncIterator[Phoenix]:
    """Starts the service with registered accounts, and its torment when told to; stops it, and looks whether that was clean."""
    phoenix = Phoenix(lab, name, numbers, misfortune or Misfortune(), settings)
    lives = asyncio.create_task(phoenix.live())
    try:
        await (await phoenix.alive()).ready(*numbers)
        yield phoenix
        phoenix.end()
        await lives
    finally:
        lives.cancel()
        await asyncio.gather(lives, return_exceptions=True)


def _query(values: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in values.items())
