"""Repairs: dialogs that mend what `issues` tells of."""

from collections.abc import Mapping
from typing import Final

import probatio
from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.components.repairs.const import FlowType
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState, ConfigFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import TextSelector

from .client import CourierError, Problem
from .config_flow import CONF_RELINK
from .const import DOMAIN
from .coordinator import SignalCourierConfigEntry, SignalCourierData
from .flows.register import CONF_CAPTCHA, CONF_GIVEN_NAME, is_captcha
from .flows.take_over import TakeOverFlow
from .issues import CHALLENGE, PARKED, PROFILE_NAME, SAFETY_NUMBER, UNLINKED, Parked, async_refuse, parked_of
from .legacy.yaml import ISSUE_TAKE_OVER

CHALLENGE_URL: Final = "https://signalcaptchas.org/challenge/generate.html"
_MOST_SHOWN: Final = 10

type IssueData = Mapping[str, str | int | float | None]


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None) -> RepairsFlow:
    """The dialog for an issue."""
    if issue_id == ISSUE_TAKE_OVER:
        return TakeOverFlow()
    return _FLOWS[str(data["kind"])](data) if data is not None else ConfirmRepairFlow()


class _Repair(RepairsFlow):
    """A dialog about an issue of an account."""

    def __init__(self, about: IssueData) -> None:
        self._about = about
        self._errors: dict[str, str] = {}
        self._error = ""

    @property
    def _entry(self) -> SignalCourierConfigEntry | None:
        entry = self.hass.config_entries.async_get_entry(str(self._about["entry_id"]))
        return entry if entry is not None and entry.state is ConfigEntryState.LOADED else None

    @property
    def _entry_loaded(self) -> SignalCourierConfigEntry:
        assert self._entry is not None
        return self._entry

    @property
    def _running(self) -> SignalCourierData:
        return self._entry_loaded.runtime_data

    def _placeholders(self, **more: str) -> dict[str, str]:
        return {key: str(value) for key, value in self._about.items()} | {"error": self._error} | more

    def _failed(self, error: CourierError, field: str = "base") -> None:
        """Say what the service says: at the field that it concerns, else above the form."""
        kind = error.kind if isinstance(error, Problem) else ""
        self._error = str(error)
        self._errors = {field: "captcha_rejected"} if kind == "captcha-rejected" else {"base": "failed"}

    async def _async_done(self) -> RepairsFlowResult:
        """It is mended: what the service tells now decides about this and other issues."""
        await self._running.coordinator.async_request_refresh()
        return self.async_create_entry(data={})


class UnlinkedRepair(_Repair):
    """Leads to the dialog with the code; the issue goes when the account is linked again."""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Open the entry's own dialog."""
        entry = self.hass.config_entries.async_get_entry(str(self._about["entry_id"]))
        if entry is None:
            return self.async_create_entry(data={})
        following = await self.hass.config_entries.flow.async_init(
            DOMAIN, context=ConfigFlowContext(source=SOURCE_RECONFIGURE, entry_id=entry.entry_id), data={CONF_RELINK: True}
        )
        return self.async_abort(
            reason="goes_on",
            description_placeholders=self._placeholders(),
            next_flow=(FlowType.CONFIG_FLOW, following["flow_id"]),
        )


class ChallengeRepair(_Repair):
    """Takes a solved captcha; what waited for it goes out."""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin; what comes with it is nobody's answer."""
        return await self.async_step_captcha()

    async def async_step_captcha(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask for the captcha, once for each challenge."""
        if self._entry is None:
            return self.async_abort(reason="not_loaded")
        self._errors = {}
        if user_input is not None:
            captcha = user_input[CONF_CAPTCHA].strip().strip("\"'<>")
            if not is_captcha(captcha):
                self._errors = {CONF_CAPTCHA: "captcha_no_link"}
            else:
                try:
                    tokens = (await _async_parked(self._running)).tokens
                    if tokens:
                        await self._running.client.accounts.solve_challenge(tokens[0], captcha)
                    if len(tokens) <= 1:
                        return await self._async_done()
                except CourierError as error:
                    self._failed(error, CONF_CAPTCHA)
        return self.async_show_form(
            step_id="captcha",
            data_schema=probatio.Schema({probatio.Required(CONF_CAPTCHA): TextSelector()}),
            errors=self._errors,
            description_placeholders=self._placeholders(captcha_url=CHALLENGE_URL),
        )


class SafetyNumberRepair(_Repair):
    """Shows a changed safety number, and asks whether to trust it."""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin; what comes with it is nobody's answer."""
        return await self.async_step_decide()

    async def async_step_decide(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show the number, and what can be done."""
        if self._entry is None:
            return self.async_abort(reason="not_loaded")
        try:
            identities = await self._running.client.identities.of(str(self._about["who"]))
        except CourierError as error:
            return self.async_abort(reason="failed", description_placeholders={"error": str(error)})
        self._number = next((one.safety_number for one in identities if one.trust == "untrusted" and one.safety_number), None)
        if self._number is None:  # trusted elsewhere meanwhile
            return await self._async_done()
        return self.async_show_menu(
            step_id="decide",
            menu_options=["compared", "trusted", "refused"],
            description_placeholders=self._placeholders(safety_number=_in_lines(self._number)),
        )

    async def async_step_compared(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Both have compared it: it counts as verified."""
        return await self._async_trust(self._number)

    async def async_step_trusted(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Nobody has compared it: it is trusted all the same."""
        return await self._async_trust(None)

    async def async_step_refused(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """It is not trusted: nothing goes there, and what waits is taken back."""
        who = str(self._about["who"])
        try:
            for message in (await _async_parked(self._running)).messages:
                if any(one.state == "parked" and who in (one.uuid, one.number, one.recipient) for one in message.recipients):
                    await self._running.client.messages.cancel(message.id)
        except CourierError as error:
            return self.async_abort(reason="failed", description_placeholders={"error": str(error)})
        async_refuse(self.hass, self._entry_loaded, who)
        return await self._async_done()

    async def _async_trust(self, number: str | None) -> RepairsFlowResult:
        try:
            await self._running.client.identities.trust(str(self._about["who"]), safety_number=number)
        except CourierError as error:
            return self.async_abort(reason="failed", description_placeholders={"error": str(error)})
        return await self._async_done()


class ProfileNameRepair(_Repair):
    """Asks for the account's name."""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin; what comes with it is nobody's answer."""
        return await self.async_step_name()

    async def async_step_name(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask for it."""
        if self._entry is None:
            return self.async_abort(reason="not_loaded")
        self._errors = {}
        if user_input is not None:
            if name := user_input[CONF_GIVEN_NAME].strip():
                try:
                    await self._running.client.accounts.set_profile(given_name=name)
                    return await self._async_done()
                except CourierError as error:
                    self._failed(error)
            else:
                self._errors = {CONF_GIVEN_NAME: "name_missing"}
        return self.async_show_form(
            step_id="name",
            data_schema=probatio.Schema({probatio.Required(CONF_GIVEN_NAME, default=self.hass.config.location_name): TextSelector()}),
            errors=self._errors,
            description_placeholders=self._placeholders(),
        )


class ParkedRepair(_Repair):
    """Lists the messages that wait, to be tried again or taken back."""

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin; what comes with it is nobody's answer."""
        return await self.async_step_waiting()

    async def async_step_waiting(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """List them."""
        if self._entry is None:
            return self.async_abort(reason="not_loaded")
        try:
            self._waiting = (await _async_parked(self._running)).others
        except CourierError as error:
            return self.async_abort(reason="failed", description_placeholders={"error": str(error)})
        if not self._waiting:
            return await self._async_done()
        lines = []
        for message in self._waiting[:_MOST_SHOWN]:
            names = dict.fromkeys(self._name(one.uuid or one.recipient) for one in message.recipients if one.state == "parked")
            reasons = dict.fromkeys(one.reason or "?" for one in message.recipients if one.state == "parked")
            lines.append(f"- {', '.join(names)}: {', '.join(reasons)}")
        more = len(self._waiting) - _MOST_SHOWN
        return self.async_show_menu(
            step_id="waiting",
            menu_options=["retry", "cancel"],
            description_placeholders=self._placeholders(messages="\n".join([*lines, *([f"- … +{more}"] if more > 0 else [])])),
        )

    async def async_step_retry(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Try them all again."""
        try:
            for message in self._waiting:
                await self._running.client.messages.retry(message.id)
        except CourierError as error:
            return self.async_abort(reason="failed", description_placeholders={"error": str(error)})
        return await self._async_done()

    async def async_step_cancel(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Take them all back."""
        try:
            for message in self._waiting:
                await self._running.client.messages.cancel(message.id)
        except CourierError as error:
            return self.async_abort(reason="failed", description_placeholders={"error": str(error)})
        return await self._async_done()

    def _name(self, address: str) -> str:
        found = self._running.conversations.get(address)
        return found.name if found is not None else address


_FLOWS: Final[Mapping[str, type[_Repair]]] = {
    UNLINKED: UnlinkedRepair,
    CHALLENGE: ChallengeRepair,
    SAFETY_NUMBER: SafetyNumberRepair,
    PROFILE_NAME: ProfileNameRepair,
    PARKED: ParkedRepair,
}


async def _async_parked(data: SignalCourierData) -> Parked:
    """What waits now. Raises `CourierError`."""
    return parked_of(await data.client.messages.outbox(open_only=True, limit=200))


def _in_lines(number: str) -> str:
    """Sixty digits as phones show them: groups of five, four in a line."""
    digits = number.replace(" ", "")
    groups = [digits[start : start + 5] for start in range(0, len(digits), 5)]
    return "\n".join(" ".join(groups[start : start + 4]) for start in range(0, len(groups), 4))
