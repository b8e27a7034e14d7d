"""Nothing is lost and nothing comes twice while Home Assistant is away: asked to stop, or killed; once for a minute, or again and again.

The minute is spent while another Home Assistant is killed: each counts its own.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.away.house import LATE_AFTER, PATIENT, PROMPT, House, Line
from tests.live.service import HOME, SECOND, Service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(480), pytest.mark.slow]

AWAY = 60.0
"""Seconds for which nobody is at home, and in which the messages come."""
MESSAGES = 1000
BEFORE = 50
"""Messages that are on their way when everything ends."""
KILLS = 10
SEED = 20261121
END = "the end"


async def a_minute_away(service: Service, *houses: House) -> None:
    """Everybody leaves in the middle of something, a thousand messages come over a minute, everybody returns."""
    chance = random.Random(SEED)
    for number in range(BEFORE):
        await service.write(str(number), to=HOME, sender=SECOND)
    stopped, killed = houses
    async with asyncio.TaskGroup() as group:
        group.create_task(stopped.home.stop())
        group.create_task(killed.home.kill())
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for number, moment in enumerate(sorted(chance.uniform(0, AWAY) for _ in range(MESSAGES)), start=BEFORE):
        await asyncio.sleep(begin + moment - loop.time())
        await service.write(str(number), to=HOME, sender=SECOND)
    await asyncio.sleep(begin + AWAY - loop.time())
    async with asyncio.TaskGroup() as group:
        for house in houses:
            group.create_task(house.home.start())
    await service.write(END, to=HOME, sender=SECOND)
    for house in houses:
        await house.until(lambda one: END in one.texts() and END in one.texts(PROMPT))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def minute(service: Service, houses: tuple[House, House, House]) -> AsyncIterator[asyncio.Task[None]]:
    """The minute that the first two houses are away."""
    task = asyncio.create_task(a_minute_away(service, *houses[:2]))
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def keep_writing(service: Service, chance: random.Random) -> None:
    """Messages without an end, about a hundred a second."""
    for number in itertools.count():
        await service.write(str(number), to=SECOND, sender=HOME)
        await asyncio.sleep(chance.uniform(0, 0.02))


async def test_home_assistant_is_killed_again_and_again_while_events_flow_and_nothing_is_lost_or_comes_twice(
    service: Service, houses: tuple[House, House, House], minute: asyncio.Task[None], capsys: pytest.CaptureFixture[str]
) -> None:
    often, chance = houses[2], random.Random(SEED)
    writing = asyncio.create_task(keep_writing(service, random.Random(SEED)))
    for kill in range(KILLS):
        if kill:
            await often.home.program.start()
        await often.tells_more(within=90)  # what has waited first, as fast as can be
        await asyncio.sleep(chance.uniform(0, 0.5))
        await often.home.kill()
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    await often.home.start()
    await service.write(END, to=SECOND, sender=HOME)
    await often.until(lambda one: END in one.texts())

    lines = often.lines("bus")
    texts = once(lines)
    assert texts == [*map(str, range(len(texts) - 1)), END]
    repeated = sum(line.repeated for line in lines)
    assert repeated <= KILLS
    with capsys.disabled():
        print(
            f"\n{len(texts)} messages, Home Assistant killed {KILLS} times in the midst of them, {repeated} of them told again as repeated"
        )


def once(lines: list[Line]) -> list[str]:
    """The texts of what the bus was told; fails where one came twice, except what a kill interrupted and what says so."""
    found: list[str] = []
    for line in lines:
        if line.repeated and found[-1] == line.text:
            continue
        found.append(line.text)
    assert len(set(found)) == len(found)
    return found


@pytest.mark.parametrize("which", [0, 1], ids=["stopped", "killed"])
async def test_a_thousand_messages_of_a_minute_away_come_in_order_and_once(
    houses: tuple[House, House, House], minute: asyncio.Task[None], which: int
) -> None:
    await minute
    sent = [*map(str, range(BEFORE + MESSAGES)), END]
    lines = houses[which].lines("bus")
    assert once(lines) == sent
    assert sum(line.repeated for line in lines) <= which  # only who was killed was interrupted
    for by in ("event.home", "event.second", PATIENT):
        assert [text for text, _ in itertools.groupby(houses[which].texts(by))] == sent, by


@pytest.mark.parametrize("which", [0, 1], ids=["stopped", "killed"])
async def test_of_a_minute_away_what_is_late_is_said_to_be_and_triggers_only_who_asked(
    houses: tuple[House, House, House], minute: asyncio.Task[None], which: int
) -> None:
    await minute
    lines = houses[which].lines("bus")
    for line in lines:
        age = line.now - line.timestamp / 1000
        if abs(age - LATE_AFTER) > 0.5:  # judged a moment before
            assert line.late is (age > LATE_AFTER), line
    late = {line.text for line in lines if line.late}
    assert late
    assert [text for text, _ in itertools.groupby(houses[which].texts(PROMPT))] == [text for text in once(lines) if text not in late]
