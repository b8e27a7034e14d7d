"""The whole way, once: a phone, a stand-in of Signal's servers, the real signal-cli, the service, an automation, and back."""

import pytest

from tests.e2e.courier import running_house
from tests.e2e.lab.laboratory import Lab
from tests.live.home_assistant import HomeAssistant

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300), pytest.mark.real]

NUMBER = "+4915100000001"


async def test_a_message_travels_from_a_phone_to_an_automation_and_back(lab: Lab, home: HomeAssistant) -> None:
    async with running_house(lab, "ha", NUMBER) as house:
        entry_id = await home.add_account(house.courier.base, NUMBER)
        await home.add_conversation(entry_id, lab.ann.aci)
        await home.add_automation(
            "doorkeeper",
            [{"trigger": "signal_courier.message_received", "options": {"starts_with": "Is anybody"}}],
            [
                {
                    "action": "notify.send_message",
                    "target": {"entity_id": "notify.ann"},
                    "data": {"message": "Nobody but the cat, {{ trigger.sender }}."},
                }
            ],
        )
        async with home.socket() as socket:
            await socket.ask("subscribe_events", event_type="signal_courier_message")
            sent = await lab.ann.send(house.aci, "Is anybody home?")
            event = await socket.event()
        assert (event["data"]["timestamp"], event["data"]["text"], event["data"]["sender"]) == (sent, "Is anybody home?", "Ann")
        await lab.ann.receives_text("Nobody but the cat, Ann.")
        await home.call("DELETE", "/api/config/automation/config/doorkeeper")
        await home.call("DELETE", f"/api/config/config_entries/entry/{entry_id}")
