"""Promises of the blueprints: each is imported from an address, as Home Assistant does it, and run from end to end."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from aiohttp import web
from homeassistant.components import camera
from homeassistant.components.blueprint.importer import fetch_blueprint_from_url
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed, async_mock_service

from custom_components.signal_courier.client.history import HistoryMessage
from custom_components.signal_courier.const import DOMAIN
from tests.integration.conftest import conversation_subentry
from tests.integration.courier import DEMO_GROUP, HOME, SECOND, uuid_of
from tests.integration.waiting import wait_for, wait_until

FOLDER = Path(__file__).parents[2] / "blueprints" / "automation" / DOMAIN
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAAAABJRU5ErkJggg==")
GROUP = "notify.demo"
"""Polly is in it, who votes for the first option of every poll."""

type Run = Callable[..., Awaitable[None]]
type Sent = Callable[..., Awaitable[list[HistoryMessage]]]


@pytest.fixture
async def address(aiohttp_server) -> str:
    """Where the blueprints can be imported from."""
    app = web.Application()
    app.add_routes([web.static("/", FOLDER)])
    server = await aiohttp_server(app)
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
async def run(hass: HomeAssistant, tmp_path: Path, address, config_entry, setup_integration) -> AsyncIterator[Run]:
    """Imports a blueprint, and sets up an automation of it with these inputs, and the integration."""
    hass.config.config_dir = str(tmp_path / "config")

    async def begin(name: str, **inputs: Any) -> None:
        second = conversation_subentry(uuid_of(SECOND), "Second", "person")
        hass.config_entries.async_add_subentry(config_entry, ConfigSubentry(**{**second, "data": MappingProxyType(second["data"])}))
        await setup_integration()
        assert await async_setup_component(hass, "automation", {})
        imported = await fetch_blueprint_from_url(hass, f"{address}/{name}.yaml")
        blueprints = hass.data["blueprint"]["automation"]
        await blueprints.async_add_blueprint(imported.blueprint, f"{DOMAIN}/{name}.yaml", allow_override=True)
        automation = {"alias": "Test", "use_blueprint": {"path": f"{DOMAIN}/{name}.yaml", "input": inputs}}
        (tmp_path / "config").mkdir(exist_ok=True)
        await hass.async_add_executor_job(
            (tmp_path / "config" / "configuration.yaml").write_text, yaml.safe_dump({"automation": [automation]})
        )
        await hass.services.async_call("automation", "reload", blocking=True)
        state = hass.states.get("automation.test")
        assert state is not None
        assert state.state == "on", state.attributes

    yield begin
    if hass.states.get("automation.test") is not None:
        await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.test"}, blocking=True)


@pytest.fixture
def sent(client) -> Sent:
    """Waits until so many messages were sent to a conversation; gives them, the oldest first."""

    async def messages(count: int, conversation: str = DEMO_GROUP) -> list[HistoryMessage]:
        async def there() -> list[HistoryMessage]:
            page = await client.messages.history(conversation=conversation, direction="sent")
            return list(reversed(page.messages)) if len(page.messages) >= count else []

        return await wait_until(there)

    return messages


@pytest.fixture
def done(hass: HomeAssistant) -> list[ServiceCall]:
    """What the automations did with `test.done`."""
    return async_mock_service(hass, "test", "done")


@pytest.fixture
def second(hass: HomeAssistant, config_entry) -> str:
    """The notify entity of the conversation with SECOND, who answers nothing by itself."""
    unique_id = f"{uuid_of(HOME)}_{uuid_of(SECOND)}_notify"
    return er.async_get(hass).async_get_or_create("notify", DOMAIN, unique_id, config_entry=config_entry).entity_id


def text(message: HistoryMessage) -> str:
    assert message.message is not None
    return message.message.text or ""


class Door(camera.Camera):
    """A camera with one picture."""

    _attr_name = "Door"

    async def async_camera_image(self, width: int | None = None, height: int | None = None) -> bytes | None:
        return PICTURE


async def a_camera(hass: HomeAssistant) -> str:
    assert await async_setup_component(hass, "camera", {})
    await hass.data[camera.const.DATA_COMPONENT].async_add_entities([Door()])
    return "camera.door"


@pytest.mark.parametrize("name", NAMES)
async def test_every_blueprint_says_where_it_comes_from_and_can_be_imported(hass: HomeAssistant, address, name):
    imported = await fetch_blueprint_from_url(hass, f"{address}/{name}.yaml")
    assert imported.blueprint.domain == "automation"
    assert not imported.blueprint.validate()
    metadata = yaml.safe_load(imported.raw_data.replace("!input", ""))["blueprint"]
    assert metadata["source_url"].endswith(f"/blob/main/blueprints/automation/{DOMAIN}/{name}.yaml")
    assert metadata["homeassistant"]["min_version"] == "2026.10.0"
    assert all(one.get("name") and one.get("selector") for one in metadata["input"].values())
    shown = (FOLDER.parents[2] / "docs" / "home-assistant" / "blueprints.md").read_text(encoding="utf-8")
    assert metadata["source_url"].replace(":", "%3A").replace("/", "%2F") in shown


async def test_camera_alert_sends_the_picture_asks_and_does_what_is_answered(hass: HomeAssistant, run: Run, sent: Sent, done):
    hass.states.async_set("binary_sensor.drive", "off", {"friendly_name": "Drive"})
    await run(
        "camera_alert",
        sensors=["binary_sensor.drive"],
        camera=await a_camera(hass),
        conversation=GROUP,
        yes_actions=[{"action": "test.done", "data": {"answer": "{{ answer.answer }}", "who": "{{ answer.who }}"}}],
        pause={"seconds": 0},
    )
    hass.states.async_set("binary_sensor.drive", "on", {"friendly_name": "Drive"})
    alert, question = await sent(2)
    assert text(alert) == "Drive has noticed something"
    assert alert.message is not None
    assert [one.type for one in alert.message.attachments] == ["image/jpeg"]
    assert question.poll is not None
    assert question.poll.options == ("Turn on the lights", "Nothing")
    (call,) = await wait_for(lambda: done)
    assert call.data == {"answer": "Turn on the lights", "who": "Polly Vote"}


async def test_garage_is_closed_when_that_is_answered(hass: HomeAssistant, run: Run, sent: Sent):
    closing = async_mock_service(hass, "cover", "close_cover")
    hass.states.async_set("cover.garage", "closed", {"friendly_name": "Garage"})
    await run("garage_open", door="cover.garage", open_for={"seconds": 0}, conversation=GROUP)
    hass.states.async_set("cover.garage", "open", {"friendly_name": "Garage"})
    question, told = await sent(2)
    assert question.poll is not None
    assert question.poll.question == "Garage is open. Close it?"
    assert text(told) == "It is being closed."
    assert [call.data["entity_id"] for call in closing] == [["cover.garage"]]


async def test_arrival_is_told(hass: HomeAssistant, run: Run, sent: Sent):
    assert await async_setup_component(hass, "zone", {})
    hass.states.async_set("person.anna", "not_home", {"friendly_name": "Anna", "latitude": 1.0, "longitude": 1.0})
    await run("arrival", people=["person.anna"], conversation=GROUP)
    place = hass.states.get("zone.home")
    assert place is not None
    here = {name: place.attributes[name] for name in ("latitude", "longitude")}
    hass.states.async_set("person.anna", "home", {"friendly_name": "Anna", **here})
    (told,) = await sent(1)
    assert text(told) == f"Anna has arrived at {place.name}"


async def test_chat_with_assist_answers_with_a_quote(hass: HomeAssistant, run: Run, sent: Sent, courier):
    for component in ("homeassistant", "conversation"):
        assert await async_setup_component(hass, component, {})
    await run("chat_with_assist", conversations=[uuid_of(SECOND)], prefix="House,")
    await courier.deliver("what time is it", sender=SECOND)
    (asked,) = await courier.deliver("house, what time is it", sender=SECOND)
    (answer,) = await sent(1, uuid_of(SECOND))
    assert answer.message is not None
    assert answer.message.quote is not None
    assert answer.message.quote.timestamp == asked
    assert ":" in text(answer)


async def test_low_batteries_come_in_one_message(hass: HomeAssistant, run: Run, sent: Sent):
    battery = {"device_class": "battery"}
    hass.states.async_set("sensor.door", "12.4", {**battery, "friendly_name": "Door"})
    hass.states.async_set("sensor.window", "90", {**battery, "friendly_name": "Window"})
    hass.states.async_set("sensor.old", "3", {**battery, "friendly_name": "Old"})
    hass.states.async_set("sensor.gone", "unavailable", {**battery, "friendly_name": "Gone"})
    hass.states.async_set("binary_sensor.smoke", "on", {**battery, "friendly_name": "Smoke"})
    await run("low_battery", conversation=GROUP, exclude=["sensor.old"])
    at = dt_util.now().replace(hour=18, minute=0, second=0, microsecond=0)
    async_fire_time_changed(hass, at + timedelta(days=1, seconds=1))
    (told,) = await sent(1)
    assert text(told) == "Low batteries\nDoor: 12 %\nSmoke: low"


async def test_the_door_bell_is_forwarded_and_the_answer_spoken(hass: HomeAssistant, run: Run, sent: Sent, courier, second: str):
    spoken = async_mock_service(hass, "tts", "speak")
    hass.states.async_set("event.bell", "2026-11-20T10:00:00+00:00")
    shown = await a_camera(hass)
    await run("doorbell", bell="event.bell", camera=shown, conversation=second, speaker="media_player.door", tts="tts.test")
    hass.states.async_set("event.bell", "2026-11-20T10:05:00+00:00")
    (told,) = await sent(1, uuid_of(SECOND))
    assert text(told) == "Somebody is at the door."
    assert told.message is not None
    assert len(told.message.attachments) == 1
    await wait_for(lambda: any(one.types == {"message"} for one in hass.data.get(f"{DOMAIN}_subscriptions", ())))
    await courier.deliver("Leave it at the neighbours, please", sender=SECOND)
    (call,) = await wait_for(lambda: spoken)
    assert call.data["message"] == "Leave it at the neighbours, please"
    assert call.data["media_player_entity_id"] == "media_player.door"
