"""signal-cli, or the service, is killed in the middle of things."""

import asyncio
import contextlib

from tests.e2e.courier import ServiceEnded, running_courier, running_house
from tests.e2e.lab.laboratory import Lab

NUMBER = "+4915100000401"
FIRST = 1_700_000_000_000
KILLS = 5
BATCH = 400


async def test_nothing_received_is_lost_or_reordered_when_signal_cli_is_killed_in_mid_stream(lab: Lab) -> None:
    async with running_house(lab, "crash", NUMBER) as house:
        seen: dict[int, None] = {}
        """Timestamps in the order of their first arrival; a message whose receipt was cut off by a kill may come again."""

        async def receive_until(timestamp: int) -> None:
            async with asyncio.timeout(60):
                while timestamp not in seen:
                    envelope = await house.receives(lambda envelope: (envelope.get("receiptMessage") or {}).get("isDelivery") is True)
                    seen[envelope["timestamp"]] = None

        for kill in range(KILLS):
            batch = range(FIRST + kill * BATCH, FIRST + (kill + 1) * BATCH)
            await lab.levers.flood(NUMBER, lab.ann.number, batch)
            await receive_until(batch[20])
            assert house.courier.kill_signal_cli()
        await receive_until(batch[-1])
        assert [timestamp for timestamp in seen if timestamp >= FIRST and timestamp <= batch[-1]] == list(
            range(FIRST, FIRST + KILLS * BATCH)
        )
        await house.send(lab.ann.aci, message="still standing")
        await lab.ann.receives_text("still standing")


async def test_a_killed_service_goes_on_where_it_was(lab: Lab) -> None:
    """Only the one message that signal-cli itself has in hand at each kill may go with it."""
    number, kills, batch = "+4915100000402", 2, 1000
    seen: dict[int, None] = {}
    for life in range(kills + 1):
        last = FIRST + (life + 1) * batch - 1
        with contextlib.suppress(ServiceEnded):
            async with running_courier(lab, "kill", [] if life else [number]) as courier, courier.stream(number) as inbox:
                await courier.ready(number)
                await lab.levers.flood(number, lab.ann.number, range(last - batch + 1, last + 1))
                goal = len(seen) + batch // 4 if life < kills else (kills + 1) * batch - kills
                async with asyncio.timeout(60):
                    while len(seen) < goal or (life == kills and last not in seen):
                        report = await inbox.take(lambda report: "receiptMessage" in report["envelope"])
                        seen[report["envelope"]["timestamp"]] = None
                if life < kills:
                    courier.process.kill()
                    await courier.process.wait()
                    await inbox.ended()
                    seen |= dict.fromkeys(report["envelope"]["timestamp"] for report in inbox.take_all())
    assert list(seen) == sorted(seen)
    assert len(set(range(FIRST, last + 1)) - set(seen)) <= kills
