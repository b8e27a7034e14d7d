"""`notify.<name>` as the built-in Signal Messenger has it, and taking that over from configuration.yaml."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.signal_courier.const import CONF_NOTIFY_SERVICES, DOMAIN
from custom_components.signal_courier.legacy.yaml import ISSUE_DELETE, ISSUE_TAKE_OVER
from tests.integration.courier import DEMO_GROUP, ECHO, HOME, POLLY, uuid_of
from tests.integration.test_entities import sent_messages
from tests.integration.waiting import wait_for

ALWAYS = "signal_courier_home"
TAKEN = [{"name": "family_signal", "recipients": [ECHO, DEMO_GROUP]}]


@pytest.fixture
async def taken_over(hass: HomeAssistant, config_entry, setup_integration):
    """An entry that has taken `notify.family_signal` over."""
    hass.config_entries.async_update_entry(config_entry, options={CONF_NOTIFY_SERVICES: TAKEN})
    return await setup_integration()


async def notify(hass: HomeAssistant, name: str, *, context: Context | None = None, **data: object) -> None:
    await hass.services.async_call("notify", name, data, blocking=True, context=context)


async def test_a_message_goes_to_the_recipients_that_were_taken_over(hass: HomeAssistant, taken_over, client):
    await notify(hass, "family_signal", message="Dinner *is* ready")
    (sent,) = await sent_messages(client)
    assert (sent["message"]["text"], sent["message"]["styles"]) == ("Dinner *is* ready", [])
    assert {one.get("group") or one["recipient"] for one in sent["status"]["recipients"]} == {uuid_of(ECHO), DEMO_GROUP}


@pytest.mark.parametrize("target", [POLLY, int(POLLY), "polly vote"])
async def test_a_target_replaces_the_recipients(hass: HomeAssistant, taken_over, client, target):
    await notify(hass, "family_signal", message="Only you", target=target)
    (sent,) = await sent_messages(client)
    assert sent["conversation"]["number"] == POLLY


async def test_styled_texts_and_titles_look_as_they_should(hass: HomeAssistant, taken_over, client):
    await notify(hass, ALWAYS, message="It is *hot*", title="Heating", target=[ECHO], data={"text_mode": "styled"})
    await notify(hass, ALWAYS, message="It is *hot*", title="Heating", target=[ECHO])
    plain, styled = await sent_messages(client)
    assert (styled["message"]["text"], len(styled["message"]["styles"])) == ("Heating\nIt is hot", 2)
    assert plain["message"]["text"] == "Heating\nIt is *hot*"
    assert plain["message"]["styles"] == [{"start": 0, "length": 7, "style": "BOLD"}]


async def test_files_are_sent_from_anywhere_as_automations_are_used_to(hass: HomeAssistant, taken_over, client, tmp_path: Path):
    picture = tmp_path / "door.jpg"
    picture.write_bytes(b"\xff\xd8\xff picture")
    assert not hass.config.is_allowed_path(str(picture))
    await notify(hass, "family_signal", message="", target=[ECHO], data={"attachments": [str(picture)], "text_mode": "normal"})
    (sent,) = await sent_messages(client)
    assert [one["name"] for one in sent["message"]["attachments"]] == ["door.jpg"]


async def test_but_not_for_somebody_who_is_no_administrator(hass: HomeAssistant, taken_over, client, tmp_path: Path):
    secret = tmp_path / "secrets.yaml"
    secret.write_text("password: 4711", encoding="utf-8")
    guest = MockUser(is_owner=False).add_to_hass(hass)
    with pytest.raises(ServiceValidationError) as refused:
        await notify(hass, ALWAYS, context=Context(user_id=guest.id), message="", target=[ECHO], data={"attachments": [str(secret)]})
    assert refused.value.translation_key == "path_not_allowed"
    assert await sent_messages(client) == []
    await notify(hass, ALWAYS, context=Context(user_id=guest.id), message="Hello", target=[ECHO])


async def test_addresses_are_fetched_if_they_are_allowed(hass: HomeAssistant, taken_over, client, aiohttp_server, caplog):
    async def picture(request: web.Request) -> web.Response:
        return web.Response(body=b"\xff\xd8\xff picture", content_type="image/jpeg")

    app = web.Application()
    app.router.add_get("/camera.jpg", picture)
    server = await aiohttp_server(app)
    hass.config.allowlist_external_urls = {f"http://127.0.0.1:{server.port}/"}
    urls = [f"http://127.0.0.1:{server.port}/camera.jpg", "http://192.0.2.1/other.jpg"]
    await notify(hass, "family_signal", message="Look", target=[ECHO], data={"urls": urls, "verify_ssl": False})
    (sent,) = await sent_messages(client)
    assert [one["name"] for one in sent["message"]["attachments"]] == ["camera.jpg"]
    assert "http://192.0.2.1/other.jpg is not sent" in caplog.text


@pytest.mark.parametrize(
    "data", [{"attachments": ["a"], "urls": ["http://x/a"]}, {"text_mode": "loud"}, {"picture": "a"}, {"urls": ["what"]}]
)
async def test_wrong_data_is_told_in_words(hass: HomeAssistant, taken_over, client, data):
    with pytest.raises(ServiceValidationError) as refused:
        await notify(hass, "family_signal", message="Hello", data=data)
    assert refused.value.translation_key == "notify_data_invalid"
    assert await sent_messages(client) == []


async def test_somebody_must_be_meant(hass: HomeAssistant, taken_over):
    with pytest.raises(ServiceValidationError) as refused:
        await notify(hass, ALWAYS, message="Hello")
    assert refused.value.translation_key == "target_missing"


async def test_the_actions_come_and_go_with_the_account(hass: HomeAssistant, taken_over):
    for _ in range(2):
        assert hass.services.has_service("notify", ALWAYS)
        assert hass.services.has_service("notify", "family_signal")
        await hass.config_entries.async_reload(taken_over.entry_id)
        await hass.async_block_till_done()
    await hass.config_entries.async_unload(taken_over.entry_id)
    assert not hass.services.has_service("notify", ALWAYS)
    assert not hass.services.has_service("notify", "family_signal")
    assert hass.data["notify_services"][DOMAIN] == []


# -- taking over


YAML: dict[str, Any] = {
    "notify": [
        {"platform": "signal_messenger", "name": "Family Signal", "url": "http://x", "number": HOME, "recipients": [ECHO, DEMO_GROUP]},
        {"platform": "signal_messenger", "url": "http://x", "number": HOME, "recipients": ECHO},
        {"platform": "file", "name": "other"},
    ]
}


def issue(hass: HomeAssistant, issue_id: str) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, issue_id)


async def test_what_is_in_yaml_is_offered_and_taken_over_at_once(
    hass: HomeAssistant, config_entry, hass_client: ClientSessionGenerator, client
):
    calls: list[ServiceCall] = []
    hass.services.async_register("notify", "family_signal", calls.append)
    assert await async_setup_component(hass, "repairs", {})
    assert await async_setup_component(hass, DOMAIN, YAML)
    await hass.async_block_till_done()
    offered = issue(hass, ISSUE_TAKE_OVER)
    assert offered is not None
    assert offered.translation_placeholders == {"names": "notify.family_signal, notify.notify"}
    assert issue(hass, ISSUE_DELETE) is None

    http = await hass_client()
    flow = await (await http.post("/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": ISSUE_TAKE_OVER})).json()
    assert flow["step_id"] == "take_over"
    assert flow["data_schema"][0]["default"] == config_entry.entry_id
    done = await http.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={"config_entry_id": config_entry.entry_id})
    assert (await done.json())["type"] == "create_entry"
    await hass.async_block_till_done()
    await wait_for(lambda: hass.services.has_service("notify", "notify"))

    await notify(hass, "family_signal", message="Still works")
    (sent,) = await sent_messages(client)
    assert sent["message"]["text"] == "Still works"
    assert calls == []
    assert issue(hass, ISSUE_TAKE_OVER) is None
    left = issue(hass, ISSUE_DELETE)
    assert left is not None
    assert not left.is_fixable
    await hass.config_entries.async_remove(config_entry.entry_id)
    assert issue(hass, ISSUE_DELETE) is None


async def test_without_yaml_there_is_nothing_to_offer(hass: HomeAssistant, setup_integration):
    await setup_integration()
    assert issue(hass, ISSUE_TAKE_OVER) is None
    assert issue(hass, ISSUE_DELETE) is None
