"""What the integration costs Home Assistant: printed, not promised; a slow machine is no fault."""

import statistics
from datetime import datetime
from pathlib import Path

import pytest

from tests.live.home_assistant import HomeAssistant
from tests.live.service import HOME, SECOND, TOKEN, Service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

MESSAGES = 60


def resident(pid: int) -> float:
    """Memory that a process holds, MiB."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def test_what_it_costs(home: HomeAssistant, service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    without = resident(home.program.pid)
    entry_id = await home.add_account(service.base, HOME, token=TOKEN)
    await home.add_conversation(entry_id, SECOND)
    await home.restart()
    await home.until("binary_sensor.home_connectivity", "on")
    memory = resident(home.program.pid) - without
    (setup,) = (one for one in await home.ask("integration/setup_info") if one["domain"] == "signal_courier")

    await home.add_automation(
        "latency",
        [{"trigger": "signal_courier.message_received"}],
        [{"event": "first_step", "event_data": {"sent": "{{ trigger.timestamp }}"}}],
    )
    delays: list[float] = []
    async with home.socket() as socket:
        await socket.ask("subscribe_events", event_type="first_step")
        for number in range(MESSAGES):
            await service.write(str(number))
            event = await socket.event()
            delays.append(datetime.fromisoformat(event["time_fired"]).timestamp() * 1000 - int(event["data"]["sent"]))
    await home.call("DELETE", "/api/config/automation/config/latency")
    await home.call("DELETE", f"/api/config/config_entries/entry/{entry_id}")

    delays.sort()
    median, slow = statistics.median(delays), delays[int(len(delays) * 0.95)]
    with capsys.disabled():
        print(
            f"\nin Home Assistant: {memory:+.1f} MiB, {setup['seconds'] * 1000:.0f} ms of its start; from signal-cli's notification to an"
            f" automation's first step p50 {median:.1f} ms, p95 {slow:.1f} ms ({MESSAGES} messages)"
        )
    assert len(delays) == MESSAGES
