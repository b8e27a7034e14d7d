"""Somebody who has the built-in Signal Messenger in configuration.yaml comes to Signal Courier.

The last of all tests here, as it changes that file.
"""

import asyncio

import pytest

from tests.live.home_assistant import HomeAssistant
from tests.live.service import SECOND, TOKEN, Service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

ECHO = "+4915100000011"


async def test_signal_messenger_is_taken_over_for_good(home: HomeAssistant, service: Service):
    if SECOND not in {entry["title"] for entry in await home.entries()}:
        await home.add_account(service.base, SECOND, token=TOKEN)
    lines = f"""
notify:
  - platform: signal_messenger
    name: family_signal
    url: {service.base}/t/{TOKEN}
    number: "{SECOND}"
    recipients: ["{ECHO}"]
"""
    configuration = home.folder / "configuration.yaml"
    configuration.write_text(configuration.read_text(encoding="utf-8") + lines, encoding="utf-8")
    await home.restart()
    assert await notified(home, service, title="From Signal Messenger") == "Hello"  # through the drop-in; it knows no titles

    flow = await home.call("POST", "/api/repairs/issues/fix", {"handler": "signal_courier", "issue_id": "signal_messenger_take_over"})
    entry = flow["data_schema"][0]["default"]
    done = await home.call("POST", f"/api/repairs/issues/fix/{flow['flow_id']}", {"config_entry_id": entry})
    assert done["type"] == "create_entry"
    async with asyncio.timeout(60):  # the account is loaded again
        while await notified(home, service, title="Soon") != "Soon\nHello":  # noqa: ASYNC110  # only sending tells
            await asyncio.sleep(0.1)
    await home.restart()
    assert await notified(home, service, title="After a restart") == "After a restart\nHello"
    issues = (await home.ask("repairs/list_issues"))["issues"]
    assert "signal_messenger_delete" in {issue["issue_id"] for issue in issues if issue["domain"] == "signal_courier"}


async def notified(home: HomeAssistant, service: Service, *, title: str) -> str:
    """Notify, and see what has arrived."""
    await home.call("POST", "/api/services/notify/family_signal", {"message": "Hello", "title": title})
    found = await service.call("GET", "/api/v2/messages", account=SECOND, direction="sent", limit="1")
    text: str = found["messages"][0]["message"]["text"]
    return text
