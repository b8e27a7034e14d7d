"""Two accounts in one Home Assistant, which know the same people."""

from typing import Any

from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.signal_courier.const import CONF_ACCOUNT, DOMAIN
from custom_components.signal_courier.happenings.handle_accounts import async_account_of, async_remember_account
from tests.integration.conftest import conversation_subentry
from tests.integration.courier import ECHO, HOME, SECOND, TOKEN, uuid_of
from tests.integration.waiting import wait_for


async def test_an_answer_goes_out_from_the_account_that_was_written_to(hass: HomeAssistant, courier, setup_integration):
    other = MockConfigEntry(
        domain=DOMAIN,
        title="Second",
        unique_id=uuid_of(SECOND),
        data={CONF_URL: courier.url, CONF_TOKEN: TOKEN, CONF_VERIFY_SSL: True, CONF_ACCOUNT: SECOND},
        subentries_data=[conversation_subentry(uuid_of(ECHO), "Echo Hill", "person")],
    )
    other.add_to_hass(hass)
    await setup_integration()
    heard = async_capture_events(hass, "signal_courier_message")
    await wait_for(lambda: other.runtime_data.events.connected)
    for account in (SECOND, HOME):
        question = f"Who are you, {account}?"
        await courier.deliver(question, account=account)
        told: Any = await wait_for(lambda: next((event.data for event in heard if event.data["text"] == question), None))  # noqa: B023  # at once
        answer = await hass.services.async_call(
            DOMAIN, "send_message", {"reply_to": told["handle"], "message": "Me"}, blocking=True, return_response=True
        )
        assert answer is not None
        assert f":{uuid_of(account)}:" in str(answer["handle"])
    await hass.config_entries.async_unload(other.entry_id)


async def test_only_the_latest_handles_are_remembered(hass: HomeAssistant):
    for number in range(600):
        async_remember_account(hass, f"signal:{number}:a:b", "entry")
    assert async_account_of(hass, "signal:599:a:b") == "entry"
    assert async_account_of(hass, "signal:0:a:b") is None
