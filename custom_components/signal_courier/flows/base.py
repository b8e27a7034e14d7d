"""What the parts of the set-up dialog share: the service that was reached, and the end, an entry for one account of it."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    FlowType,
    SubentryFlowContext,
)
from homeassistant.const import CONF_NAME
from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowResultType

from ..client import CourierError
from ..client.models import Account
from ..const import CONF_ACCOUNT, CONF_INSTANCE, SUBENTRY_CONVERSATION
from .connection import Connection


class FlowBase(ConfigFlow):
    """A dialog about one service, and one account in the end."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._number: str | None = None
        self._failed: Mapping[str, str] = {}
        """Placeholders of a step that tells of a failure."""

    @property
    def connection(self) -> Connection:
        """The service; there once a step has reached it."""
        assert self._connection is not None
        return self._connection

    @property
    def renewed_entry(self) -> ConfigEntry | None:
        """The entry that this dialog is to put in order; `None` where a new one is to come."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        return self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None

    async def async_step_finish(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Make the entry of the account, or put the one in order that the dialog is about."""
        assert self._number is not None
        number = self._number
        try:
            account = await self.connection.client.accounts.get(number)
        except CourierError as error:
            return self.async_abort(reason="account_failed", description_placeholders={"account": number, "error": str(error)})
        if self.renewed_entry is not None:
            return self.async_renew(self.renewed_entry, account)
        if _lacks_name(account):
            return await self.async_step_profile()
        await self.async_set_unique_id(identity_of(account), raise_on_progress=False)
        if (entry := self.hass.config_entries.async_entry_for_domain_unique_id(self.handler, identity_of(account))) is not None:
            self.async_update(entry, self.connection.data(number))
            return self.async_abort(reason="already_configured")
        self._async_withdraw_offers()
        return self.async_create_entry(title=account.name or number, data=self.connection.data(number))

    @abstractmethod
    async def async_step_profile(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the name that others see; `RegisterSteps` does."""

    @staticmethod
    def _about(name: str, instance: str | None) -> dict[str, str]:
        """What the card of a service that was found shows, and by which its offer is known again."""
        return {CONF_NAME: name, CONF_INSTANCE: instance or ""}

    @callback
    def _async_withdraw_offers(self) -> None:
        """End the dialogs that offer the same service because it was found: it is set up now."""
        instance = self.connection.status.id
        for other in self._async_in_progress(include_uninitialized=True):
            if instance and other["context"].get("title_placeholders", {}).get(CONF_INSTANCE) == instance:
                self.hass.config_entries.flow.async_abort(other["flow_id"])

    @callback
    def async_renew(self, entry: ConfigEntry, account: Account) -> ConfigFlowResult:
        """Take a new connection or link over into the entry; it must be the same account."""
        if entry.unique_id not in (identity_of(account), account.number):
            return self.async_abort(
                reason="wrong_account", description_placeholders={"account": account.number, "expected": entry.data[CONF_ACCOUNT]}
            )
        self.async_update(entry, self.connection.data(account.number), unique_id=identity_of(account))
        return self.async_update_and_abort(entry)

    @callback
    def async_update(self, entry: ConfigEntry, data: Mapping[str, Any], *, unique_id: str | None = None) -> None:
        """Change what an entry keeps, and load it again: nothing else does where it was not loaded, or nothing has changed."""
        changed = self.hass.config_entries.async_update_entry(
            entry, data={**entry.data, **data}, unique_id=entry.unique_id if unique_id is None else unique_id
        )
        if not (changed and entry.update_listeners):
            self.hass.config_entries.async_schedule_reload(entry.entry_id)

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Lead on to the first conversation."""
        following = await self.hass.config_entries.subentries.async_init(
            (result["result"].entry_id, SUBENTRY_CONVERSATION), context=SubentryFlowContext(source=SOURCE_USER)
        )
        if following["type"] is FlowResultType.FORM:
            result["next_flow"] = (FlowType.CONFIG_SUBENTRIES_FLOW, following["flow_id"])
        return result


def identity_of(account: Account) -> str:
    """What stays when the number changes: the ACI; the number where it is not known."""
    return account.uuid or account.number


def _lacks_name(account: Account) -> bool:
    return account.linked is not True and any(problem.kind == "profile-name-missing" for problem in account.problems)
