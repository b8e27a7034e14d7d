"""Setting up: the address of the service, a token, and which of its accounts."""

from collections.abc import Mapping
from typing import Any, override

import probatio
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import SelectOptionDict, SelectSelector, SelectSelectorConfig

from .client import CourierError, Forbidden, SignalCourierClient, Unauthorized
from .client.models import Account
from .const import CONF_ACCOUNT, CONF_INSTANCE, DOMAIN

_CONNECTION = probatio.Schema(
    {
        probatio.Required(CONF_URL): str,
        probatio.Optional(CONF_TOKEN): str,
        probatio.Required(CONF_VERIFY_SSL, default=True): bool,
    }
)


class SignalCourierConfigFlow(ConfigFlow, domain=DOMAIN):
    """One entry is one account."""

    def __init__(self) -> None:
        self._connection: Mapping[str, Any] = {}
        self._accounts: dict[str, Account] = {}
        self._instance: str | None = None

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the service."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._connection = user_input
            try:
                status = await self._client().status()
            except Unauthorized, Forbidden:
                errors["base"] = "invalid_auth"
            except CourierError:
                errors["base"] = "cannot_connect"
            else:
                self._accounts = {one.number: one for one in status.accounts}
                self._instance = status.instance
                if self._accounts:
                    return await self.async_step_account()
                errors["base"] = "no_account"
        schema = self.add_suggested_values_to_schema(_CONNECTION, user_input)
        return self.async_show_form(
            step_id="user", data_schema=schema, errors=errors, description_placeholders={"example": "http://192.168.1.10:8080"}
        )

    async def async_step_account(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the account."""
        if user_input is not None:
            number: str = user_input[CONF_ACCOUNT]
            await self.async_set_unique_id(self._accounts[number].uuid or number)
            self._abort_if_unique_id_configured()
            data = {**self._connection, CONF_ACCOUNT: number, CONF_INSTANCE: self._instance}
            return self.async_create_entry(title=self._accounts[number].name or number, data=data)
        options = [
            SelectOptionDict(value=number, label=f"{one.name} ({number})" if one.name else number) for number, one in self._accounts.items()
        ]
        schema = probatio.Schema({probatio.Required(CONF_ACCOUNT): SelectSelector(SelectSelectorConfig(options=options))})
        return self.async_show_form(step_id="account", data_schema=schema)

    def _client(self) -> SignalCourierClient:
        session = async_get_clientsession(self.hass, verify_ssl=self._connection[CONF_VERIFY_SSL])
        return SignalCourierClient(session, self._connection[CONF_URL], token=self._connection.get(CONF_TOKEN))
