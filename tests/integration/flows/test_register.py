"""Registering in the dialog: captcha, SMS or call, code, PIN, name; what does not count is said at its field and can be given again."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.signal_courier.client import NotFound, SignalCourierClient
from custom_components.signal_courier.const import CONF_ACCOUNT
from tests.integration.courier import HOME, SECOND, Courier, uuid_of
from tests.integration.flows.dialogs import Result, choose, connected, give

NUMBER = "+4915100000050"
LANDLINE = "+4915100000097"
LIMITED = "+4915100000098"
PIN_LOCKED = "+4915100000099"
CAPTCHA = "signalcaptcha://signal-hcaptcha.5fad97ac-7d06-4e44-b18a-b950b20148ff.registration.P1_eyJ0eXAi-x_y.z"
FAILING = "signalcaptcha://signal-hcaptcha.5fad97ac.registration.fail"


async def asked_for_captcha(hass: HomeAssistant, courier: Courier, number: str = NUMBER) -> Result:
    """The dialog up to the captcha."""
    result = await choose(hass, await connected(hass, courier), "register")
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "register")
    result = await give(hass, result, number=number)
    assert result["step_id"] == "captcha", result
    return result


async def asked_for_code(hass: HomeAssistant, courier: Courier, number: str = NUMBER) -> Result:
    """The dialog up to the code."""
    result = await give(hass, await asked_for_captcha(hass, courier, number), captcha=CAPTCHA)
    assert result["step_id"] == "code", result
    return result


async def finished(hass: HomeAssistant, result: Result, number: str = NUMBER) -> None:
    """The rest of the dialog: a name, then the entry."""
    assert result["step_id"] == "profile", result
    result = await give(hass, result, given_name="Our home")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = result["result"]
    assert (entry.title, entry.unique_id, entry.data[CONF_ACCOUNT]) == ("Our home", uuid_of(number), number)
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_number_is_registered_with_captcha_code_and_name(hass: HomeAssistant, courier: Courier) -> None:
    result = await asked_for_captcha(hass, courier, "0049 (151) 0000-0050")
    placeholders = result["description_placeholders"]
    assert (placeholders["number"], placeholders["captcha_url"]) == (NUMBER, "https://signalcaptchas.org/registration/generate.html")
    result = await give(hass, result, captcha=f" '{CAPTCHA}' ")
    assert result["step_id"] == "code"
    result = await give(hass, result, code="123-456", call=False)
    assert result["step_id"] == "profile"
    field = next(iter(result["data_schema"].schema))
    assert field.description == {"suggested_value": hass.config.location_name}
    await finished(hass, result)


@pytest.mark.parametrize("number", ["tomorrow", "12", "0151"])
async def test_what_is_no_number_is_said_at_its_field(hass: HomeAssistant, courier: Courier, number: str) -> None:
    result = await choose(hass, await connected(hass, courier), "register")
    result = await give(hass, result, number=number)
    assert (result["step_id"], result["errors"]) == ("register", {"number": "invalid_number"})
    result = await give(hass, result, number=NUMBER)
    assert result["step_id"] == "captcha"


async def test_a_number_of_the_service_is_not_taken_from_it(hass: HomeAssistant, courier: Courier, client: SignalCourierClient) -> None:
    result = await choose(hass, await connected(hass, courier), "register")
    result = await give(hass, result, number=HOME)
    assert result["errors"] == {"number": "number_known"}
    assert (await client.accounts.get(HOME)).state == "ready"


async def test_signals_wish_to_wait_is_told(hass: HomeAssistant, courier: Courier) -> None:
    result = await choose(hass, await connected(hass, courier), "register")
    result = await give(hass, result, number=LIMITED)
    assert result["errors"] == {"base": "rate_limited"}
    assert "Rate limit" in result["description_placeholders"]["error"]
    result = await give(hass, result, number=NUMBER)
    assert result["step_id"] == "captcha"


async def test_a_rejected_captcha_is_said_at_its_field(hass: HomeAssistant, courier: Courier) -> None:
    result = await asked_for_captcha(hass, courier)
    result = await give(hass, result, captcha="https://signalcaptchas.org/registration/generate.html")
    assert result["errors"] == {"captcha": "captcha_no_link"}
    result = await give(hass, result, captcha=FAILING)
    assert (result["step_id"], result["errors"]) == ("captcha", {"captcha": "captcha_rejected"})
    result = await give(hass, result, captcha=CAPTCHA)
    assert result["step_id"] == "code"


async def test_a_wrong_code_is_said_at_its_field(hass: HomeAssistant, courier: Courier) -> None:
    result = await asked_for_code(hass, courier)
    result = await give(hass, result, call=False)
    assert result["errors"] == {"code": "code_missing"}
    result = await give(hass, result, code="654321", call=False)
    assert (result["step_id"], result["errors"]) == ("code", {"code": "code_rejected"})
    await finished(hass, await give(hass, result, code="123456", call=False))


async def test_a_call_can_be_had_after_a_minute(hass: HomeAssistant, courier: Courier) -> None:
    result = await asked_for_code(hass, courier)
    assert result["description_placeholders"]["voice_after"].count(":") == 2
    result = await give(hass, result, call=True)
    assert result["errors"] == {"call": "too_early"}
    assert 50 <= int(result["description_placeholders"]["seconds"]) <= 61
    await courier.let_call(NUMBER)
    result = await give(hass, result, call=True)
    assert (result["step_id"], result["errors"]) == ("code", {})
    await finished(hass, await give(hass, result, code="123456", call=False))


async def test_a_number_that_takes_no_sms_is_called(hass: HomeAssistant, courier: Courier) -> None:
    result = await give(hass, await asked_for_captcha(hass, courier, LANDLINE), captcha=CAPTCHA)
    assert result["step_id"] == "voice"
    result = await give(hass, result)
    assert (result["step_id"], result["errors"]) == ("voice", {"base": "too_early"})
    await courier.let_call(LANDLINE)
    result = await give(hass, result)
    assert result["step_id"] == "code"
    await finished(hass, await give(hass, result, code="123456", call=False), LANDLINE)


async def test_a_locked_number_wants_its_pin(hass: HomeAssistant, courier: Courier) -> None:
    result = await give(hass, await asked_for_code(hass, courier, PIN_LOCKED), code="123456", call=False)
    assert result["step_id"] == "pin"
    assert result["description_placeholders"]["hours"] == "168"
    result = await give(hass, result, pin="9999")
    assert (result["step_id"], result["errors"]) == ("pin", {"pin": "pin_rejected"})
    assert "9 tries" in result["description_placeholders"]["error"]
    await finished(hass, await give(hass, result, pin="1234"), PIN_LOCKED)


async def test_a_name_is_wanted(hass: HomeAssistant, courier: Courier) -> None:
    result = await give(hass, await asked_for_code(hass, courier), code="123456", call=False)
    result = await give(hass, result, given_name="   ")
    assert result["errors"] == {"given_name": "name_missing"}
    await finished(hass, result)


async def test_a_service_that_goes_away_is_told_in_every_step(hass: HomeAssistant, courier: Courier) -> None:
    """And the dialog goes on where it was when it is back."""

    async def without_service(result: Result, **fields: object) -> Result:
        await courier.stop()
        refused = await give(hass, result, **fields)
        assert (refused["step_id"], refused["errors"]) == (result["step_id"], {"base": "cannot_connect"})
        await courier.again()
        return refused

    result = await choose(hass, await connected(hass, courier), "register")
    result = await without_service(result, number=NUMBER)
    result = await without_service(await give(hass, result, number=NUMBER), captcha=CAPTCHA)
    result = await without_service(await give(hass, result, captcha=CAPTCHA), code="123456", call=False)
    result = await give(hass, result, code="123456", call=False)
    result = await without_service(result, given_name="Our home")
    await finished(hass, result)


async def test_a_service_that_goes_away_before_the_pin_is_told(hass: HomeAssistant, courier: Courier) -> None:
    result = await give(hass, await asked_for_code(hass, courier, PIN_LOCKED), code="123456", call=False)
    await courier.stop()
    result = await give(hass, result, pin="1234")
    assert (result["step_id"], result["errors"]) == ("pin", {"base": "cannot_connect"})


async def test_whoever_closes_the_dialog_leaves_no_registration_behind(
    hass: HomeAssistant, courier: Courier, client: SignalCourierClient
) -> None:
    result = await asked_for_code(hass, courier)
    assert (await client.registrations.get(NUMBER)).state == "code_sent"
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    with pytest.raises(NotFound):
        await client.registrations.get(NUMBER)


async def test_closing_the_dialog_works_without_the_service(hass: HomeAssistant, courier: Courier) -> None:
    result = await asked_for_code(hass, courier)
    await courier.stop()
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()


async def test_an_account_without_a_name_is_asked_for_it(hass: HomeAssistant, courier: Courier) -> None:
    await courier.change("people", uuid_of(SECOND), "given_name", None)
    result = await choose(hass, await connected(hass, courier), "existing")
    result = await give(hass, result, account=SECOND)
    assert result["step_id"] == "profile"
    await finished(hass, result, SECOND)
