"""signal-cli is killed in the middle of things."""

import asyncio

from tests.e2e.courier import running_house
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
