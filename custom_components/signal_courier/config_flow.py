"""Setting up: the service is found or named, an account of it chosen, linked or registered; one entry is one account.

The steps are in `flows`, a family a module.
"""

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final, override

import probatio
from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigFlowResult, ConfigSubentryFlow, OptionsFlow
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import callback
from homeassistant.helpers.hassio import is_hassio
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from yarl import URL

from .client import CourierError
from .client.models import Account
from .const import CONF_ACCOUNT, CONF_APP, CONF_INSTANCE, DOMAIN, SUBENTRY_CONVERSATION
from .flows.app import AppSteps, async_connect_app
from .flows.connection import ConnectionFailed, async_connect, parse_url
from .flows.conversation import ConversationFlow
from .flows.link import LinkSteps
from .flows.options import SignalCourierOptionsFlow
from .flows.register import RegisterSteps

EXAMPLE_URL: Final = "http://192.168.1.20:8080"
CONF_RELINK: Final = "relink"
"""In the data of a reconfigure flow that a repair starts: go on to the code at once."""

_TOKEN: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))
_CONNECTION: Final = probatio.Schema(
    {
        probatio.Required(CONF_URL): TextSelector(),
        probatio.Optional(CONF_TOKEN): _TOKEN,
        probatio.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
    }
)
_FOUND: Final = probatio.Schema(
    {probatio.Optional(CONF_TOKEN): _TOKEN, probatio.Required(CONF_VERIFY_SSL, default=True): BooleanSelector()}
)
_ONLY_TOKEN: Final = probatio.Schema({probatio.Required(CONF_TOKEN): _TOKEN})


class SignalCourierConfigFlow(AppSteps, LinkSteps, RegisterSteps, domain=DOMAIN):
    """The dialog from the first question to the entry."""

    VERSION = 1

    def __init__(self) -> None:
        super().__init__()
        self._url = ""
        self._free: list[Account] = []
        self._discovered: HassioServiceInfo | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """The dialog of the options."""
        return SignalCourierOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """What can be added to an entry."""
        return {SUBENTRY_CONVERSATION: ConversationFlow}

    # -- by hand

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Begin: the app where apps can be, else an address."""
        if user_input is None and is_hassio(self.hass):
            return await self.async_step_supervisor()
        return await self._async_ask_for_connection("user", user_input)

    async def async_step_supervisor(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer the app, and what runs elsewhere."""
        return self.async_show_menu(step_id="supervisor", menu_options=["app", "manual"])

    async def async_step_manual(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a service that is not an app here."""
        return await self._async_ask_for_connection("manual", user_input)

    async def _async_ask_for_connection(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        placeholders = {"example": EXAMPLE_URL}
        if user_input is not None:
            try:
                self._connection = await async_connect(self.hass, self._with_known_token(user_input))
            except ConnectionFailed as failed:
                errors[failed.field] = failed.key
                placeholders |= failed.placeholders
            else:
                return await self.async_step_add_account()
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(_CONNECTION, user_input if user_input is not None else self._known_address()),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _known_address(self) -> dict[str, Any]:
        """Where the service of the latest account is: most have one service, and add another account of it."""
        latest = next(reversed(self._async_current_entries(include_ignore=False)), None)
        return {} if latest is None else {key: latest.data[key] for key in (CONF_URL, CONF_VERIFY_SSL) if key in latest.data}

    def _with_known_token(self, given: dict[str, Any]) -> dict[str, Any]:
        """What was given; where no token was, that with which another account of the service is used."""
        known = {entry.data[CONF_URL]: entry.data.get(CONF_TOKEN) for entry in self._async_current_entries(include_ignore=False)}
        with suppress(ValueError):
            url, pasted = parse_url(given[CONF_URL])
            if not (given.get(CONF_TOKEN) or "").strip() and pasted is None:
                return {**given, CONF_TOKEN: known.get(url)}
        return given

    # -- which account

    async def async_step_add_account(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer what is there, and what can be added."""
        try:
            self._free = await self._async_free_accounts()
        except CourierError as error:
            return self.async_abort(reason="account_failed", description_placeholders={"account": self.connection.url, "error": str(error)})
        if not self.connection.may_add:
            return await self.async_step_existing() if self._free else self.async_abort(reason="already_configured")
        return self.async_show_menu(
            step_id="add_account",
            menu_options=["existing", "link", "register"] if self._free else ["link", "register"],
            description_placeholders={"version": self.connection.status.version},
        )

    async def async_step_existing(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which of the accounts of the service."""
        if user_input is not None:
            self._number = user_input[CONF_ACCOUNT]
            return await self.async_step_finish()
        options = [SelectOptionDict(value=one.number, label=f"{one.name} ({one.number})" if one.name else one.number) for one in self._free]
        selector = SelectSelector(SelectSelectorConfig(options=options))
        schema = probatio.Schema({probatio.Required(CONF_ACCOUNT, default=self._free[0].number): selector})
        return self.async_show_form(step_id="existing", data_schema=schema)

    async def _async_free_accounts(self) -> list[Account]:
        """The accounts that have no entry yet. Raises `CourierError`."""
        taken = {entry.unique_id for entry in self._async_current_entries(include_ignore=False)}
        accounts = await self.connection.client.accounts.all()
        return [one for one in accounts if not {one.uuid, one.number} & taken and one.state != "unlinked"]

    # -- found

    @override
    async def async_step_hassio(self, discovery_info: HassioServiceInfo) -> ConfigFlowResult:
        """The app tells of itself: entries of it learn its new address and token; where there are none, it is offered."""
        await self.async_set_unique_id(discovery_info.uuid)
        self._abort_if_unique_id_configured()  # only where the user ignores it: what is set up has the account's id
        self._discovered = discovery_info
        try:
            self._connection = await async_connect_app(self.hass, discovery_info.config, discovery_info.slug)
        except ConnectionFailed, KeyError:
            return self.async_abort(reason="cannot_connect")
        address = self.connection.address()
        known = [entry for entry in self._async_current_entries(include_ignore=False) if self._is_of_service(entry)]
        for entry in known:
            if {**entry.data, **address} != entry.data or entry.state is ConfigEntryState.SETUP_RETRY:
                self.async_update(entry, address)
        if known:
            return self.async_abort(reason="already_configured")
        self.context["title_placeholders"] = self._about(discovery_info.name, self.connection.status.id)
        return await self.async_step_hassio_confirm()

    async def async_step_hassio_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the app that was found shall be used."""
        if user_input is not None:
            return await self.async_step_add_account()
        assert self._discovered is not None
        self._set_confirm_only()
        return self.async_show_form(step_id="hassio_confirm", description_placeholders={"app": self._discovered.name})

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """A service announces itself on the network: entries of it learn its new address, unless somebody chose a name for it."""
        told = discovery_info.properties
        if not (instance := told.get("id")):
            return self.async_abort(reason="not_signal_courier")
        host = f"[{discovery_info.host}]" if ":" in discovery_info.host else discovery_info.host
        scheme = "https" if str(told.get("tls", "")).lower() in ("1", "true", "yes") else "http"
        self._url = f"{scheme}://{host}:{discovery_info.port}"
        await self.async_set_unique_id(instance)
        self._abort_if_unique_id_configured()
        known = [entry for entry in self._async_current_entries(include_ignore=False) if entry.data.get(CONF_INSTANCE) == instance]
        for entry in known:
            moved = entry.data[CONF_URL] != self._url and not entry.data.get(CONF_APP) and _is_numeric(entry.data[CONF_URL], scheme)
            if moved or entry.state is ConfigEntryState.SETUP_RETRY:
                self.async_update(entry, {CONF_URL: self._url} if moved else {})
        if known:
            return self.async_abort(reason="already_configured")
        self.context["title_placeholders"] = self._about(discovery_info.host, instance)
        return await self.async_step_zeroconf_confirm()

    async def async_step_zeroconf_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the token of the service that was found."""
        errors: dict[str, str] = {}
        placeholders = {"url": self._url, "example": EXAMPLE_URL}
        if user_input is not None:
            try:
                self._connection = await async_connect(self.hass, {**user_input, CONF_URL: self._url})
            except ConnectionFailed as failed:
                errors["base" if failed.field == CONF_URL else failed.field] = failed.key
                placeholders |= failed.placeholders
            else:
                return await self.async_step_add_account()
        return self.async_show_form(step_id="zeroconf_confirm", data_schema=_FOUND, errors=errors, description_placeholders=placeholders)

    @callback
    def _is_of_service(self, entry: ConfigEntry) -> bool:
        """Whether an entry is of the service that the connection reaches."""
        mine = self.connection.address()
        same = (mine[key] is not None and entry.data.get(key) == mine[key] for key in (CONF_INSTANCE, CONF_URL, CONF_APP))
        return any(same)

    # -- put in order

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """The token is no longer taken, or the phone has removed this device."""
        try:
            self._connection = await async_connect(self.hass, entry_data, app=entry_data.get(CONF_APP))
        except ConnectionFailed:
            return await self.async_step_reauth_confirm()
        account = self.connection.account(entry_data[CONF_ACCOUNT])
        if account is not None and account.state != "unlinked":
            return await self.async_step_reauth_confirm()
        return await self.async_step_relink()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another token."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        placeholders = {"url": entry.data[CONF_URL], "account": entry.data[CONF_ACCOUNT], "example": EXAMPLE_URL}
        if user_input is not None:
            try:
                self._connection = await async_connect(self.hass, {**entry.data, **user_input}, app=entry.data.get(CONF_APP))
            except ConnectionFailed as failed:
                errors[failed.field if failed.field == CONF_TOKEN else "base"] = failed.key
                placeholders |= failed.placeholders
            else:
                self._number = entry.data[CONF_ACCOUNT]
                return await self.async_step_finish()
        return self.async_show_form(step_id="reauth_confirm", data_schema=_ONLY_TOKEN, errors=errors, description_placeholders=placeholders)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer another address or token, or a new link."""
        if user_input is not None and user_input.get(CONF_RELINK):
            return await self.async_step_relink()
        return self.async_show_menu(step_id="reconfigure", menu_options=["reconfigure_connection", "relink"])

    async def async_step_reconfigure_connection(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another address or token."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        placeholders = {"example": EXAMPLE_URL, "account": entry.data[CONF_ACCOUNT]}
        if user_input is not None:
            given = {**user_input, CONF_TOKEN: user_input.get(CONF_TOKEN) or entry.data.get(CONF_TOKEN)}
            try:
                self._connection = await async_connect(self.hass, given, app=_app_at(entry, given[CONF_URL]))
            except ConnectionFailed as failed:
                errors[failed.field] = failed.key
                placeholders |= failed.placeholders
            else:
                self._number = entry.data[CONF_ACCOUNT]
                return await self.async_step_finish()
        kept = {key: value for key, value in entry.data.items() if key != CONF_TOKEN}
        return self.async_show_form(
            step_id="reconfigure_connection",
            data_schema=self.add_suggested_values_to_schema(_CONNECTION, user_input or kept),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_relink(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Tell that the same phone has to scan a new code, then show it."""
        entry = self.renewed_entry
        assert entry is not None
        errors: dict[str, str] = {}
        placeholders = {"account": entry.data[CONF_ACCOUNT], "example": EXAMPLE_URL}
        if user_input is not None:
            try:
                self._connection = await async_connect(self.hass, entry.data, app=entry.data.get(CONF_APP))
            except ConnectionFailed as failed:
                errors["base"] = failed.key
                placeholders |= failed.placeholders
            else:
                return await self.async_step_link()
        return self.async_show_form(step_id="relink", data_schema=probatio.Schema({}), errors=errors, description_placeholders=placeholders)


def _app_at(entry: ConfigEntry, url: str) -> str | None:
    """The app that an entry is of, unless the address is another one now."""
    try:
        same = parse_url(url)[0] == entry.data[CONF_URL]
    except ValueError:
        return None
    return entry.data.get(CONF_APP) if same else None


def _is_numeric(url: str, scheme: str) -> bool:
    """Whether an address is one that a network gave by chance: a number, not a name that somebody chose."""
    found = URL(url)
    try:
        ip_address(found.host or "")
    except ValueError:
        return False
    return found.scheme == scheme
