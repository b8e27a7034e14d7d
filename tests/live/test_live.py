"""What a person does with the dialogs, the actions and the triggers. In this order: each test goes on where the one before has stopped."""

import pytest
from playwright.async_api import Browser

from tests.live.browser import CHROMIUM, Album, Dialog, logged_in
from tests.live.home_assistant import HomeAssistant
from tests.live.service import HOME, SECOND, TOKEN, Service

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),  # the accounts are set up with it
]

LINK = "Link my phone"
REGISTER = "Register another number"
LINKED = "+4915100000003"
CONNECTED = "binary_sensor.linked_connectivity"


async def test_a_wrong_address_and_a_wrong_token_are_told_at_their_field(
    home: HomeAssistant, service: Service, browser: Browser, album: Album
) -> None:
    async with logged_in(browser, home) as page:
        dialog = await Dialog.add_integration(page, home)
        await dialog.shows("The address of the service")
        await album.take(page, "connect")
        await dialog.fill(url="127.0.0.1:1", token=TOKEN)
        await dialog.submit()
        await dialog.shows("Nothing answers at this address")
        await album.take(page, "connect-wrong-address")
        await dialog.fill(url=service.base, token="wrong")
        await dialog.submit()
        await dialog.shows("The service does not know this token")
        await album.take(page, "connect-wrong-token")


async def test_a_phone_is_linked_by_the_code_on_the_screen(home: HomeAssistant, service: Service, browser: Browser, album: Album) -> None:
    async with logged_in(browser, home) as page:
        dialog = await Dialog.add_integration(page, home)
        await dialog.fill(url=service.base, token=TOKEN)
        await dialog.submit()
        await dialog.shows("Which Signal account?")
        await album.take(page, "accounts")
        await dialog.choose(LINK)
        code = await dialog.code()
        await album.take(page, "link")
        await service.scan(code)
        await dialog.shows("Add a conversation")  # it went on by itself
        await dialog.pick("Echo Hill (+4915100000011)")
        await album.take(page, "conversation")
        await dialog.submit()
        await dialog.shows("Created configuration for Echo Hill")
        await dialog.press("Finish")
        await page.goto(f"{home.base}/config/integrations/integration/signal_courier")
        await page.get_by_text("Echo Hill").first.wait_for()
        await album.take(page, "integration")
    (entry,) = await home.entries()
    assert (entry["state"], entry["title"]) == ("loaded", "Linked")


async def test_a_number_is_registered_with_captcha_code_and_pin(
    home: HomeAssistant, service: Service, browser: Browser, album: Album
) -> None:
    async with logged_in(browser, home, dark=True, phone=True) as page:
        dialog = await Dialog.add_integration(page, home)
        await dialog.fill(url=service.base, token=TOKEN)
        await album.take(page, "phone-connect")
        await dialog.submit()
        await dialog.choose(REGISTER)
        await dialog.fill(number="+49 151 00000099")
        await album.take(page, "phone-register")
        await dialog.submit()
        await dialog.shows("Solve a captcha")
        await dialog.fill(captcha="signalcaptcha://fail.registration.x")
        await dialog.submit()
        await dialog.shows("Signal did not accept it")
        await album.take(page, "phone-captcha")
        await dialog.fill(captcha="signalcaptcha://signal-hcaptcha.solved.registration.x")
        await dialog.submit()
        await dialog.shows("Enter the code")
        await album.take(page, "phone-code")
        await dialog.fill(code="123-456")
        await dialog.submit()
        await dialog.shows("Enter the PIN")
        await album.take(page, "phone-pin")
        await dialog.fill(pin="1234")
        await dialog.submit()
        await dialog.shows("What shall it be called?")
        await album.take(page, "phone-profile")
        await dialog.fill(given_name="Garage")
        await dialog.submit()
        await dialog.shows("Add a conversation")
        await album.take(page, "phone-conversation")
    assert sorted(entry["title"] for entry in await home.entries()) == ["Garage", "Linked"]


async def test_the_code_can_be_read_in_the_dark_on_a_narrow_screen(
    home: HomeAssistant, service: Service, browser: Browser, album: Album
) -> None:
    async with logged_in(browser, home, dark=True, phone=True) as page:
        dialog = await Dialog.add_integration(page, home)
        await dialog.fill(url=service.base, token=TOKEN)
        await dialog.submit()
        await dialog.choose(LINK)
        assert (await dialog.code()).startswith("sgnl://linkdevice?")
        await album.take(page, "phone-link")


async def test_both_accounts_are_there_again_after_restarts_of_each_side(home: HomeAssistant, service: Service) -> None:
    await home.restart()
    assert {entry["state"] for entry in await home.entries()} == {"loaded"}
    await home.until(CONNECTED, "on")
    await service.stop()
    await home.until(CONNECTED, "off")
    await service.start()
    await home.until(CONNECTED, "on")


async def test_an_action_answers_what_became_of_the_message(home: HomeAssistant) -> None:
    sent = await home.act("signal_courier.send_message", entity_id="notify.echo_hill", message="Hello", wait_for="delivered")
    assert (sent["state"], [one["state"] for one in sent["recipients"]]) == ("delivered", ["delivered"])
    assert sent["handle"].startswith(f"signal:{sent['timestamp']}:")


async def test_a_wrong_target_is_told_in_words(home: HomeAssistant) -> None:
    wrong = {"conversation": "Nobody", "message": "?", "config_entry_id": await home.entry_of("Linked")}
    refused = await home.call("POST", "/api/services/signal_courier/send_message", wrong, expect=400)
    assert refused["message"] == "Nobody and no group is known as Nobody"


async def test_a_question_is_answered_and_the_automation_goes_on(home: HomeAssistant, service: Service) -> None:
    await home.add_conversation(await home.entry_of("Linked"), "Polly Vote (+4915100000012)")
    answer = await home.act(
        "signal_courier.ask", entity_id="notify.polly_vote", question="Pizza or pasta?", options=["Pizza", "Pasta"], timeout={"seconds": 60}
    )
    assert (answer["answered"], answer["answer"], answer["index"], answer["who"]) == (True, "Pizza", 0, "Polly Vote")


async def test_a_message_runs_an_automation_that_answers(home: HomeAssistant, service: Service) -> None:
    await home.add_conversation(await home.entry_of("Linked"), HOME)
    await home.add_automation(
        "heating",
        [{"trigger": "signal_courier.message_received", "options": {"command": "/heating"}}],
        [
            {
                "action": "signal_courier.send_message",
                "data": {"reply_to": "{{ trigger.handle }}", "message": "Heating: {{ trigger.args[0] }}"},
            }
        ],
    )
    await service.write("/heating 21", to=LINKED, sender=HOME)
    assert (await service.receives(HOME, "Heating: 21"))["quote"]["text"] == "/heating 21"


async def test_assist_does_what_is_written_and_answers(home: HomeAssistant, service: Service) -> None:
    await home.ask(
        "homeassistant/expose_entity", assistants=["conversation"], entity_ids=["input_boolean.garden_light"], should_expose=True
    )
    await home.add_conversation(await home.entry_of("Linked"), SECOND, enabled=True, agent_id="conversation.home_assistant")
    await service.write("Turn on the garden light", to=LINKED, sender=SECOND)
    await home.until("input_boolean.garden_light", "on")
    await service.receives(SECOND, "Turned on the switch")


async def test_diagnostics_tell_nothing_of_whom_and_what(home: HomeAssistant, service: Service) -> None:
    told = str(await home.call("GET", f"/api/diagnostics/config_entry/{await home.entry_of('Linked')}"))
    for secret in (TOKEN, LINKED, HOME, SECOND, "Echo", "Polly", "heating", str(service.port)):
        assert secret not in told, secret


async def test_what_came_while_home_assistant_was_away_is_obeyed_once(home: HomeAssistant, service: Service) -> None:
    await home.stop()
    await service.write("/heating 22", to=LINKED, sender=HOME)
    await service.restart()
    await home.start()
    await service.receives(HOME, "Heating: 22")
    await service.write("/heating 23", to=LINKED, sender=HOME)
    await service.receives(HOME, "Heating: 23")
    texts = [message["text"] for message in await service.received(HOME)]
    assert [text for text in texts if text.startswith("Heating")] == ["Heating: 21", "Heating: 22", "Heating: 23"]
