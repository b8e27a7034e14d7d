"""Home Assistant with the integration, before the real service with its simulator, over real sockets.

`courier` (the service), `config_entry` (not set up), `setup_integration` (sets it up and waits until events flow; gives the entry),
`client` (the integration's own client, for what a test wants to look up), `events` (a list of every `CourierEvent` from then on).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import executor
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.client import SignalCourierClient
from custom_components.signal_courier.const import CONF_ACCOUNT, CONF_CONVERSATION_ID, CONF_KIND, DOMAIN, SUBENTRY_CONVERSATION
from custom_components.signal_courier.receiving.events import CourierEvent
from tests.integration.assist.chats import chat, home, sent
from tests.integration.courier import DEMO_GROUP, ECHO, HOME, TOKEN, Courier, HostProcess, uuid_of
from tests.integration.waiting import wait_for

executor.EXECUTOR_SHUTDOWN_TIMEOUT = 60  # a thread that is late on a busy machine is interrupted otherwise, and takes others with it
__all__ = ["chat", "home", "sent"]


@pytest.fixture(scope="session")
def host() -> Iterator[HostProcess]:
    """The process in which the services of all tests run, one after the other."""
    process = HostProcess()
    yield process
    process.end()


@pytest.fixture(autouse=True)
def _with_our_integration(enable_custom_integrations: None, socket_enabled: None) -> None:
    """Home Assistant finds the integration, and connections to 127.0.0.1 are let through."""


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Home Assistant's folder is the test's own."""
    folder = tmp_path / "config"
    folder.mkdir()
    return str(folder)


@pytest.fixture
def courier(host: HostProcess, tmp_path: Path) -> Courier:
    """A fresh service with the accounts HOME and SECOND."""
    service = Courier(host, tmp_path / "service")
    service.begin()
    return service


@pytest.fixture
async def config_entry(hass: HomeAssistant, courier: Courier) -> AsyncIterator[MockConfigEntry]:
    """The entry of HOME with two conversations, Echo Hill and the group Demo; in Home Assistant, but not set up."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Home",
        unique_id=uuid_of(HOME),
        data={CONF_URL: courier.url, CONF_TOKEN: TOKEN, CONF_VERIFY_SSL: True, CONF_ACCOUNT: HOME},
        subentries_data=[
            conversation_subentry(uuid_of(ECHO), "Echo Hill", "person"),
            conversation_subentry(DEMO_GROUP, "Demo", "group"),
        ],
    )
    entry.add_to_hass(hass)
    yield entry
    await wait_for(lambda: entry.state not in (ConfigEntryState.SETUP_IN_PROGRESS, ConfigEntryState.UNLOAD_IN_PROGRESS))
    if entry.state.recoverable and hass.config_entries.async_get_entry(entry.entry_id) is not None:
        await hass.config_entries.async_unload(entry.entry_id)
    _forget_heartbeats()


def conversation_subentry(conversation_id: str, name: str, kind: str) -> dict:
    """A subentry as the flow makes it, for `subentries_data`."""
    return {
        "subentry_type": SUBENTRY_CONVERSATION,
        "title": name,
        "unique_id": conversation_id,
        "data": {CONF_CONVERSATION_ID: conversation_id, "name": name, CONF_KIND: kind},
    }


type Setup = Callable[[], Awaitable[MockConfigEntry]]


@pytest.fixture
async def setup_integration(hass: HomeAssistant, config_entry: MockConfigEntry) -> Setup:
    """Sets the entry up when it is called, waits until events flow, and gives the entry."""

    async def set_up() -> MockConfigEntry:
        assert await hass.config_entries.async_setup(config_entry.entry_id)
        await wait_for(lambda: config_entry.runtime_data.events.connected)
        await hass.async_block_till_done()
        return config_entry

    return set_up


def _forget_heartbeats() -> None:
    """Cancel what aiohttp leaves behind where data comes while a WebSocket is closed: a timer that does nothing any more."""
    for timer in asyncio.get_running_loop()._scheduled:  # type: ignore[attr-defined]  # nobody else knows of them
        if getattr(timer._callback, "__qualname__", "") == "ClientWebSocketResponse._send_heartbeat":
            timer.cancel()


@pytest.fixture
async def client(hass: HomeAssistant, courier: Courier) -> SignalCourierClient:
    """The service as HOME."""
    return SignalCourierClient(async_get_clientsession(hass), courier.url, token=TOKEN, account=HOME)


@pytest.fixture
async def events(config_entry: MockConfigEntry, setup_integration: Setup) -> list[CourierEvent]:
    """Sets the integration up; every event from then on."""
    entry = config_entry if config_entry.state is ConfigEntryState.LOADED else await setup_integration()
    found: list[CourierEvent] = []
    entry.runtime_data.events.async_subscribe(found.append)
    return found


@pytest.fixture
async def act(hass: HomeAssistant, config_entry: MockConfigEntry, setup_integration: Setup):
    """Sets the integration up; calls its actions, and gives their answers.

    `await act("send_message", conversation=ECHO, …)`
    """
    if config_entry.state is ConfigEntryState.NOT_LOADED:
        await setup_integration()

    async def call(name: str, context: Context | None = None, /, **data: object) -> Any:

        return await hass.services.async_call(DOMAIN, name, data, blocking=True, return_response=True, context=context)

    return call
