"""How an account is, as Home Assistant sees it: connected, refused, unlinked, back again; and what diagnostics tell of it."""

import asyncio
import contextlib
import json
import logging
from typing import Self

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from custom_components.signal_courier.const import CONF_ALLOWED_SENDERS, CONF_READ_RECEIPTS, DOMAIN
from custom_components.signal_courier.diagnostics import async_get_config_entry_diagnostics
from custom_components.signal_courier.flows.take_over import TakeOverFlow
from tests.integration.courier import ECHO, HOME, SECOND, TOKEN, uuid_of
from tests.integration.waiting import wait_for

CONNECTIVITY = "binary_sensor.home_connectivity"
OTHER = "another-token-0123456789"


async def test_a_token_that_is_refused_while_everything_runs_asks_for_another(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    await courier.stop()
    await courier.again(token=OTHER)
    await wait_for(lambda: list(entry.async_get_active_flows(hass, {SOURCE_REAUTH})))
    assert hass.states.get(CONNECTIVITY).state == "off"
    hass.config_entries.async_update_entry(entry, data={**entry.data, "token": OTHER})
    await wait_for(lambda: entry.state is ConfigEntryState.LOADED and entry.runtime_data.events.connected)
    await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "on")


async def test_a_refused_look_at_the_status_asks_for_another_token(hass: HomeAssistant, courier, setup_integration):
    entry = await setup_integration()
    entry.runtime_data.client._transport._headers = {"Authorization": f"Bearer {OTHER}"}  # as if it had been revoked just now
    await entry.runtime_data.coordinator.async_refresh()
    assert list(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))


async def test_an_account_that_its_phone_removes_is_disconnected_at_once_and_back_when_scanned(
    hass: HomeAssistant, courier, client, setup_integration
):
    entry = await setup_integration()
    await courier.unlink()
    await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "off")
    assert entry.runtime_data.coordinator.account.state == "unlinked"
    link = await client.links.start("Home")
    await client.links.wait(link.id, after=link.version, seconds=10)
    await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "on")


async def test_an_account_that_the_service_lost_cannot_be_set_up(hass: HomeAssistant, client, config_entry):
    await client.accounts.delete_local_data(ignore_registered=True)
    await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.state is ConfigEntryState.SETUP_ERROR
    assert config_entry.error_reason_translation_key == "account_missing"


async def test_set_up_that_is_tried_again_does_not_fill_the_log(hass: HomeAssistant, courier, config_entry, caplog):
    caplog.set_level(logging.INFO, f"custom_components.{DOMAIN}")
    await courier.stop()
    await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.state is ConfigEntryState.SETUP_RETRY
    assert not [record for record in caplog.records if record.name.startswith(f"custom_components.{DOMAIN}")]
    await courier.again()
    assert await hass.config_entries.async_reload(config_entry.entry_id)


async def test_who_lets_requests_through_but_no_events_is_not_connected(
    hass: HomeAssistant, courier, config_entry, setup_integration, caplog
):
    """Behind a proxy that knows no WebSockets: said once, and unavailable, however well the status is told."""
    caplog.set_level(logging.INFO, f"custom_components.{DOMAIN}")
    async with Proxy(courier.port) as proxy:
        hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, CONF_URL: proxy.url})
        entry = await setup_integration()
        proxy.refuses = (b"/api/v2/events", 426)
        await courier.stop()
        await wait_for(lambda: not entry.runtime_data.events.connected)
        await courier.again()
        for _ in range(3):
            await entry.runtime_data.coordinator.async_refresh()
            assert not entry.runtime_data.coordinator.last_update_success
        await wait_for(lambda: proxy.refused >= 2)
        proxy.refuses = None
        await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "on")
        await hass.config_entries.async_unload(entry.entry_id)
    told = [record.getMessage() for record in caplog.records if record.name.startswith(f"custom_components.{DOMAIN}")]
    assert ["lost" if "is lost" in line else "back" if "is back" in line else line for line in told] == ["lost", "back"]


@pytest.mark.parametrize(("status", "state"), [(401, ConfigEntryState.SETUP_ERROR), (502, ConfigEntryState.SETUP_RETRY)])
async def test_a_service_that_answers_only_in_part_is_not_set_up(hass: HomeAssistant, courier, config_entry, status, state):
    async with Proxy(courier.port) as proxy:
        proxy.refuses = (b"/api/v2/conversations", status)
        hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, CONF_URL: proxy.url})
        await hass.config_entries.async_setup(config_entry.entry_id)
        assert proxy.refused
        await hass.async_block_till_done()  # the reauthentication looks too
    assert config_entry.state is state
    assert bool(list(config_entry.async_get_active_flows(hass, {SOURCE_REAUTH}))) == (status == 401)


async def test_an_entry_can_be_removed_while_its_service_is_away(hass: HomeAssistant, courier, setup_integration, hass_storage):
    entry = await setup_integration()
    await courier.stop()
    await hass.config_entries.async_remove(entry.entry_id)
    assert not hass.config_entries.async_entries(DOMAIN)
    assert not [key for key in hass_storage if key.startswith(DOMAIN)]


async def test_an_action_with_a_token_that_is_refused_asks_for_another(hass: HomeAssistant, setup_integration, act):
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    entry.runtime_data.client._transport._headers = {"Authorization": f"Bearer {OTHER}"}
    with pytest.raises(HomeAssistantError) as refused:
        await act("send_message", conversation=ECHO, message="Hello")
    assert refused.value.translation_key == "problem_unauthorized"
    assert list(entry.async_get_active_flows(hass, {SOURCE_REAUTH}))


async def test_read_receipts_that_cannot_be_sent_harm_nothing(hass: HomeAssistant, courier, config_entry, setup_integration, caplog):
    caplog.set_level(logging.DEBUG, f"custom_components.{DOMAIN}")
    hass.config_entries.async_update_entry(config_entry, options={CONF_READ_RECEIPTS: True})
    entry = await setup_integration()
    await courier.deliver("Hello")
    await wait_for(lambda: entry.runtime_data.events.position)
    await courier.stop()
    await wait_for(lambda: "could not be marked as read" in caplog.text)
    await courier.again()
    await wait_for(lambda: hass.states.get(CONNECTIVITY).state == "on")


async def test_there_is_nothing_to_take_over_once_it_is_done(hass: HomeAssistant):
    flow = TakeOverFlow()
    flow.hass = hass
    assert (await flow.async_step_init())["reason"] == "nothing_to_take_over"


class Proxy:
    """Hands bytes to and fro, but refuses what it is told to."""

    def __init__(self, port: int) -> None:
        self.refuses: tuple[bytes, int] | None = None
        """A path's beginning, and the HTTP status for it."""
        self.refused = 0
        self._port = port
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        answers = asyncio.ensure_future(self._hand(there, writer))
        while request := await reader.read(65536):
            if self.refuses is not None and request.startswith(b"GET " + self.refuses[0]):
                self.refused += 1
                writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.refuses[1])
                break
            back.write(request)
        back.close()
        await answers

    @staticmethod
    async def _hand(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


async def test_diagnostics_tell_how_it_is_and_not_who(hass: HomeAssistant, courier, config_entry, setup_integration):
    hass.config_entries.async_update_entry(config_entry, options={CONF_ALLOWED_SENDERS: [ECHO]})
    entry = await setup_integration()
    await courier.deliver("A secret")
    await wait_for(lambda: entry.runtime_data.events.position)
    told = await async_get_config_entry_diagnostics(hass, entry)
    text = json.dumps(told)
    secrets = [
        HOME,
        SECOND,
        ECHO,
        TOKEN,
        courier.url,
        str(courier.port),
        uuid_of(HOME),
        uuid_of(ECHO),
        "Echo Hill",
        "Demo",
        "A secret",
        "Home",
    ]
    assert not [one for one in secrets if one in text]
    assert (told["connected"], told["last_update_success"]) == (True, True)
    assert told["status"]["engine"]["state"] == "ready"
    assert told["conversations"]["group"] >= 1
    assert len(told["entry"]["subentries"]) == 2
