"""Registering a number of one's own: number, captcha, SMS or call, code, PIN, name. What does not count is said at its field."""

import re
import time
from typing import Any, Final, override

import probatio
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import callback
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType
from homeassistant.util import dt as dt_util

from ..client import CourierError, Problem, RateLimited
from ..client.models import Registration
from ..const import LOGGER
from .base import FlowBase

CONF_NUMBER: Final = "number"
CONF_CAPTCHA: Final = "captcha"
CONF_CODE: Final = "code"
CONF_CALL: Final = "call"
CONF_PIN: Final = "pin"
CONF_GIVEN_NAME: Final = "given_name"

CAPTCHA_URL: Final = "https://signalcaptchas.org/registration/generate.html"
"""Where the service does not tell it."""
_CAPTCHA: Final = re.compile(r"(?:signalcaptcha://)?[\w-]+\.[\w.-]+", re.ASCII)
_PHONE: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.TEL, autocomplete="tel"))


class RegisterSteps(FlowBase):
    """The steps from the number to the registered account with a name."""

    def __init__(self) -> None:
        super().__init__()
        self._registration: Registration | None = None
        self._code = ""

    async def async_step_register(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the number."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            number = _dialled(user_input[CONF_NUMBER])
            if (known := self.connection.account(number)) is not None and known.state != "unlinked":
                errors[CONF_NUMBER] = "number_known"
            else:
                try:
                    return await self._async_begin(number)
                except CourierError as error:
                    field, key, placeholders = _refusal(error, CONF_NUMBER)
                    errors[field] = key
        return self.async_show_form(
            step_id="register",
            data_schema=self.add_suggested_values_to_schema(probatio.Schema({probatio.Required(CONF_NUMBER): _PHONE}), user_input),
            errors=errors,
            description_placeholders={"example": "+49 151 00000001", "error": "", **placeholders},
        )

    async def async_step_captcha(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a solved captcha, which only a browser can make."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            captcha = user_input[CONF_CAPTCHA].strip().strip("\"'<>")
            if not is_captcha(captcha):
                errors[CONF_CAPTCHA] = "captcha_no_link"
            else:
                try:
                    result = await self._async_begin(self._registering.number, captcha=captcha)
                except CourierError as error:
                    field, key, placeholders = _refusal(error, CONF_CAPTCHA)
                    errors[field] = key
                else:
                    if self._registering.state != "captcha_required":
                        return result
                    errors[CONF_CAPTCHA] = "captcha_rejected"
        return self.async_show_form(
            step_id="captcha",
            data_schema=probatio.Schema({probatio.Required(CONF_CAPTCHA): TextSelector()}),
            errors=errors,
            description_placeholders={
                "number": self._registering.number,
                "captcha_url": self._registering.captcha_url or CAPTCHA_URL,
                "error": "",
                **placeholders,
            },
        )

    async def async_step_voice(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Tell that no SMS goes there, and from when on Signal calls."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._async_begin(self._registering.number, voice=True)
            except CourierError as error:
                field, key, placeholders = _refusal(error, "base")
                errors[field] = key
        return self.async_show_form(
            step_id="voice",
            data_schema=probatio.Schema({}),
            errors=errors,
            description_placeholders={**self._about_registration(), **placeholders},
        )

    async def async_step_code(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the code, or whether Signal shall call."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            code = re.sub(r"[\s-]", "", user_input.get(CONF_CODE, ""))
            number = self._registering.number
            try:
                if user_input.get(CONF_CALL, False):
                    return await self._async_begin(number, voice=True)
                if code:
                    self._code = code
                    return await self._async_go_on(await self.connection.client.registrations.verify(number, code))
                errors[CONF_CODE] = "code_missing"
            except CourierError as error:
                field, key, placeholders = _refusal(error, CONF_CALL if user_input.get(CONF_CALL, False) else CONF_CODE)
                errors[field] = key
        schema = probatio.Schema({probatio.Optional(CONF_CODE): TextSelector(), probatio.Required(CONF_CALL, default=False): bool})
        return self.async_show_form(
            step_id="code",
            data_schema=schema,
            errors=errors,
            description_placeholders={**self._about_registration(), **placeholders},
        )

    async def async_step_pin(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the PIN with which the number is locked."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            pin: str = user_input[CONF_PIN]
            try:
                registration = await self.connection.client.registrations.verify(self._registering.number, self._code, pin=pin)
                result = await self._async_go_on(registration)
            except CourierError as error:
                field, key, placeholders = _refusal(error, CONF_PIN)
                errors[field] = key
            else:
                if registration.state != "pin_required":
                    return result
                errors[CONF_PIN] = "pin_rejected"
                placeholders = {"error": registration.problem.detail if registration.problem is not None else ""}
        secret = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))
        hours = self._registering.lock_hours
        return self.async_show_form(
            step_id="pin",
            data_schema=probatio.Schema({probatio.Required(CONF_PIN): secret}),
            errors=errors,
            description_placeholders={**self._about_registration(), "hours": "?" if hours is None else str(hours), **placeholders},
        )

    @override
    async def async_step_profile(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the name that others see; Signal wants one."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        assert self._number is not None
        if user_input is not None:
            if name := user_input[CONF_GIVEN_NAME].strip():
                try:
                    await self.connection.client.accounts.set_profile(given_name=name, account=self._number)
                    return await self.async_step_finish()
                except CourierError as error:
                    field, key, placeholders = _refusal(error, CONF_GIVEN_NAME)
                    errors[field] = key
            else:
                errors[CONF_GIVEN_NAME] = "name_missing"
        named = probatio.Schema({probatio.Required(CONF_GIVEN_NAME): TextSelector()})
        return self.async_show_form(
            step_id="profile",
            data_schema=self.add_suggested_values_to_schema(named, user_input or {CONF_GIVEN_NAME: self.hass.config.location_name}),
            errors=errors,
            description_placeholders={"number": self._number, "error": "", **placeholders},
        )

    @override
    @callback
    def async_remove(self) -> None:
        """Whoever closes the dialog begins anew next time."""
        super().async_remove()
        registration, self._registration = self._registration, None
        if registration is not None and registration.state != "registered":
            self.hass.async_create_task(self._async_forget(registration.number), "signal_courier registration end")

    @property
    def _registering(self) -> Registration:
        assert self._registration is not None
        return self._registration

    async def _async_begin(self, number: str, *, voice: bool = False, captcha: str | None = None) -> ConfigFlowResult:
        """Ask Signal for a code, and go on as it says. Raises `CourierError`."""
        return await self._async_go_on(await self.connection.client.registrations.begin(number, voice=voice, captcha=captcha))

    async def _async_go_on(self, registration: Registration) -> ConfigFlowResult:
        self._registration = registration
        match registration.state:
            case "captcha_required":
                return await self.async_step_captcha()
            case "voice_required":
                return await self.async_step_voice()
            case "pin_required":
                return await self.async_step_pin()
            case "registered":
                self._number = registration.number
                return await self.async_step_profile()
        return await self.async_step_code()

    def _about_registration(self) -> dict[str, str]:
        """Placeholders: the number, and from when on Signal would call."""
        after = self._registering.voice_after
        moment = time.time() if after is None else after / 1000
        return {
            "number": self._registering.number,
            "voice_after": dt_util.as_local(dt_util.utc_from_timestamp(moment)).strftime("%H:%M:%S"),
            "error": "",
        }

    async def _async_forget(self, number: str) -> None:
        try:
            await self.connection.client.registrations.forget(number)
        except CourierError as error:
            LOGGER.debug("A registration could not be forgotten: %s", error)


def is_captcha(text: str) -> bool:
    """Whether a text can be the link of a solved captcha, with or without its scheme."""
    return _CAPTCHA.fullmatch(text) is not None


def _dialled(text: str) -> str:
    """A number as people write it: `0049 151 …`, `+49 (151) …` → `+49151…`."""
    number = re.sub(r"[\s()/.-]", "", text)
    return f"+{number[2:]}" if number.startswith("00") else number


_AT_FIELD: Final = {
    "invalid-value": "invalid_number",
    "captcha-rejected": "captcha_rejected",
    "code-rejected": "code_rejected",
    "conflict": "too_early",
    "voice-required": "too_early",
}
"""Kinds of problems that concern what was just given."""


def _refusal(error: CourierError, field: str) -> tuple[str, str, dict[str, str]]:
    """The field, the text and its placeholders for an error of a step that asks for `field`."""
    if not isinstance(error, Problem):
        return "base", "cannot_connect", {}
    wait = error.details.retry_after
    placeholders = {"error": str(error), "seconds": "60" if wait is None else str(wait)}
    if isinstance(error, RateLimited):
        return "base", "rate_limited", placeholders
    if key := _AT_FIELD.get(error.kind):
        return field, key, placeholders
    return "base", "problem", placeholders
