"""The repair that takes over what `configuration.yaml` has of the built-in integration Signal Messenger."""

from typing import Any, Final

import probatio
from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.helpers.selector import SelectOptionDict, SelectSelector, SelectSelectorConfig, SelectSelectorMode

from ..const import CONF_ACCOUNT, CONF_NOTIFY_SERVICES, DOMAIN
from ..coordinator import SignalCourierConfigEntry
from ..legacy.yaml import async_not_taken_over, async_tell_of_notifiers, names_of, services_of

_CONF_ENTRY: Final = "config_entry_id"


class TakeOverFlow(RepairsFlow):
    """One form: which account sends for these actions from now on."""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_take_over()

    async def async_step_take_over(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask for the account, and take over."""
        accounts: list[SignalCourierConfigEntry] = self.hass.config_entries.async_entries(DOMAIN)
        notifiers = async_not_taken_over(self.hass)
        if not accounts or not notifiers:
            return self.async_abort(reason="nothing_to_take_over")
        if user_input is not None:
            entry = next(account for account in accounts if account.entry_id == user_input[_CONF_ENTRY])
            services = [*entry.options.get(CONF_NOTIFY_SERVICES, ()), *services_of(notifiers)]
            self.hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_NOTIFY_SERVICES: services})
            async_tell_of_notifiers(self.hass)
            return self.async_create_entry(data={})
        numbers = {one.number for one in notifiers}
        suggested = next((account for account in accounts if account.data[CONF_ACCOUNT] in numbers), accounts[0])
        options = [SelectOptionDict(value=account.entry_id, label=account.title) for account in accounts]
        selector = SelectSelector(SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN))
        return self.async_show_form(
            step_id="take_over",
            data_schema=probatio.Schema({probatio.Required(_CONF_ENTRY, default=suggested.entry_id): selector}),
            description_placeholders={"names": names_of(notifiers)},
        )
