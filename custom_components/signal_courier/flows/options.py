"""The options of an account: who may trigger something, and what is told to the others."""

from collections.abc import Sequence
from typing import Any, Final

import probatio
from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import UnitOfTime
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import (
    CONF_ALLOWED_SENDERS,
    CONF_DOWNLOAD_ATTACHMENTS,
    CONF_LATE_AFTER,
    CONF_READ_RECEIPTS,
    CONF_TYPING,
    DEFAULT_LATE_AFTER,
)
from ..coordinator import EVERYBODY, SignalCourierData
from .conversation import async_meant, choice_of, known, running

DEFAULTS: Final = {
    CONF_ALLOWED_SENDERS: [],
    CONF_READ_RECEIPTS: False,
    CONF_TYPING: False,
    CONF_LATE_AFTER: DEFAULT_LATE_AFTER,
    CONF_DOWNLOAD_ATTACHMENTS: False,
}
_LONGEST: Final = 7 * 86400


class SignalCourierOptionsFlow(OptionsFlow):
    """One form. A change loads the entry again, by its update listener."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the options, and take them."""
        errors: dict[str, str] = {}
        placeholders = {"sender": "", "error": ""}
        if (data := running(self.config_entry)) is None:
            return self.async_abort(reason="not_loaded")
        if user_input is not None:
            senders: dict[str, None] = {}
            for text in user_input[CONF_ALLOWED_SENDERS]:
                try:
                    senders[EVERYBODY if text.strip() == EVERYBODY else (await async_meant(data, text)).id] = None
                except HomeAssistantError as error:
                    errors[CONF_ALLOWED_SENDERS] = "sender_unknown"
                    placeholders = {"sender": text, "error": str(error)}
            if not errors:
                late_after = int(user_input[CONF_LATE_AFTER])
                return self.async_create_entry(
                    data={**self.config_entry.options, **user_input, CONF_ALLOWED_SENDERS: list(senders), CONF_LATE_AFTER: late_after}
                )
        kept = user_input or {**DEFAULTS, **self.config_entry.options}
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_schema(data, kept[CONF_ALLOWED_SENDERS]), kept),
            errors=errors,
            description_placeholders=placeholders,
        )


def _schema(data: SignalCourierData, listed: Sequence[str]) -> probatio.Schema:
    """The form; whoever is on the list already can be chosen, by name where there is one."""
    choices = {one.id: choice_of(one) for one in known(data) if one.kind != "self"}
    for sender in listed:
        choices.setdefault(sender, SelectOptionDict(value=sender, label=sender))
    senders = SelectSelectorConfig(options=list(choices.values()), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    seconds = NumberSelectorConfig(min=0, max=_LONGEST, mode=NumberSelectorMode.BOX, unit_of_measurement=UnitOfTime.SECONDS)
    return probatio.Schema(
        {
            probatio.Optional(CONF_ALLOWED_SENDERS, default=[]): SelectSelector(senders),
            probatio.Required(CONF_LATE_AFTER): NumberSelector(seconds),
            probatio.Required(CONF_READ_RECEIPTS): BooleanSelector(),
            probatio.Required(CONF_TYPING): BooleanSelector(),
            probatio.Required(CONF_DOWNLOAD_ATTACHMENTS): BooleanSelector(),
        }
    )
