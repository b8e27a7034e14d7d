"""Adding a conversation: somebody or a group, picked by name; whoever wrote last is suggested. With it, whether Assist answers there."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import probatio
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.data_entry_flow import section
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.selector import (
    AssistPipelineSelector,
    BooleanSelector,
    ConversationAgentSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..client import CourierError, NotFound
from ..client.models import Conversation
from ..const import (
    CONF_ALLOWED_SENDERS,
    CONF_ASSIST,
    CONF_ASSIST_AGENT,
    CONF_ASSIST_CONFIRM,
    CONF_ASSIST_ENABLED,
    CONF_ASSIST_PIPELINE,
    CONF_ASSIST_VOICE,
    CONF_CONVERSATION_ID,
    CONF_KIND,
    DOMAIN,
    SUBENTRY_CONVERSATION,
)
from ..errors import home_assistant_error

if TYPE_CHECKING:
    from ..coordinator import SignalCourierConfigEntry, SignalCourierData

CONF_CONVERSATION: Final = "conversation"
ASSIST_DEFAULTS: Final = {
    CONF_ASSIST_ENABLED: False,
    CONF_ASSIST_CONFIRM: True,
    CONF_ASSIST_VOICE: False,
    CONF_ALLOWED_SENDERS: [],
}
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_USERNAME: Final = re.compile(r"(?:u:)?[a-z_][a-z0-9_]{2,31}\.[0-9]{2,9}", re.IGNORECASE)
_MARKS: Final = {"group": "👥", "self": "📝"}


class ConversationFlow(ConfigSubentryFlow):
    """The dialog of one conversation."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask with whom."""
        entry: SignalCourierConfigEntry = self._get_entry()
        if (data := running(entry)) is None:
            return self.async_abort(reason="not_loaded")
        errors: dict[str, str] = {}
        placeholders = {"error": ""}
        taken = {str(one.unique_id) for one in entry.subentries.values() if one.subentry_type == SUBENTRY_CONVERSATION}
        taken |= {found.id for one in taken if (found := data.conversations.at(one)) is not None}  # who was added by a number
        choices = by_label([one for one in known(data) if one.id not in taken])
        if user_input is not None:
            chosen = user_input[CONF_CONVERSATION]
            try:
                found = await async_meant(data, choices.get(chosen, chosen))
            except HomeAssistantError as error:
                errors[CONF_CONVERSATION] = error.translation_key or "unknown"
                placeholders = {"error": str(error)}
            else:
                if found.id in taken:
                    errors[CONF_CONVERSATION] = "conversation_added"
                else:
                    return self.async_create_entry(
                        title=found.name,
                        unique_id=found.id,
                        data={
                            CONF_CONVERSATION_ID: found.id,
                            CONF_NAME: found.name,
                            CONF_KIND: found.kind,
                            CONF_ASSIST: user_input[CONF_ASSIST],
                        },
                    )
        schema = probatio.Schema(
            {
                probatio.Required(CONF_CONVERSATION): _select([SelectOptionDict(value=label, label=label) for label in choices]),
                probatio.Required(CONF_ASSIST): section(_assist_schema(data), {"collapsed": True}),
            }
        )
        suggested = user_input or {CONF_ASSIST: ASSIST_DEFAULTS, **_latest(data, choices)}
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(schema, suggested),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask how Assist shall answer there."""
        entry: SignalCourierConfigEntry = self._get_entry()
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            return self.async_update_and_abort(entry, subentry, data_updates={CONF_ASSIST: user_input})
        kept = {**ASSIST_DEFAULTS, **subentry.data.get(CONF_ASSIST, {})}
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(_assist_schema(running(entry)), kept),
            description_placeholders={"conversation": subentry.title},
        )


def running(entry: SignalCourierConfigEntry) -> SignalCourierData | None:
    """What runs for an entry; `None` where it is not loaded."""
    return entry.runtime_data if entry.state is ConfigEntryState.LOADED else None


def known(data: SignalCourierData) -> list[Conversation]:
    """Everybody and every group to choose from: who wrote last first, then by name; the blocked are left out."""
    recent = {one.id: one for one in data.conversations.recent()}
    others = sorted(data.conversations.all.values(), key=lambda one: (one.kind == "self", one.name.casefold()))
    return [one for one in {**recent, **{one.id: one for one in others}}.values() if not one.blocked]


async def async_meant(data: SignalCourierData, text: str) -> Conversation:
    """Whom a choice, or a number or username that was typed, means. Who is not known yet must be on Signal.

    Raises `HomeAssistantError` with a translation: conversation_unknown, conversation_ambiguous, cannot_connect, or what the service says.
    """
    text = text.strip()
    try:
        found = await data.conversations.async_resolve(text)
    except ServiceValidationError as error:
        if error.translation_key != "conversation_unknown" or not _USERNAME.fullmatch(text):
            raise
        return await _async_looked_up(data, text if text.startswith("u:") else f"u:{text}")
    if data.conversations.get(found.id) is not None:
        return found
    return await _async_looked_up(data, found.id)


def choice_of(one: Conversation) -> SelectOptionDict:
    """How somebody stands in a list: the name, and what tells two of the same name apart."""
    label = f"{_MARKS[one.kind]} {one.name}" if one.kind in _MARKS else one.name
    return SelectOptionDict(value=one.id, label=f"{label} ({one.number})" if one.number and one.number != one.name else label)


async def _async_looked_up(data: SignalCourierData, address: str) -> Conversation:
    """Somebody who is not in the directory, as Signal knows them."""
    unknown = ServiceValidationError(
        translation_domain=DOMAIN, translation_key="conversation_unknown", translation_placeholders={"target": address}
    )
    if address.startswith("group."):
        raise unknown
    conversations = data.client.conversations
    try:
        if _UUID.fullmatch(address):
            return await conversations.get(address)
        (person,) = await conversations.look_up([address])
    except NotFound as error:
        raise unknown from error
    except CourierError as error:
        raise home_assistant_error(error) from error
    if not person.registered:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="problem_not_on_signal",
            translation_placeholders={"recipients": address, "error": "", "retry_after": ""},
        )
    name = person.number or address.removeprefix("u:")
    return Conversation(id=person.uuid or address, name=name, number=person.number)


def by_label(conversations: Sequence[Conversation]) -> dict[str, str]:
    """The id behind each choice. A list that also takes what is typed shows the value that was chosen, so the value has to be readable."""
    found: dict[str, str] = {}
    for one in conversations:
        label = choice_of(one)["label"]
        found[f"{label} ({one.id[:13]})" if label in found else label] = one.id
    return found


def _latest(data: SignalCourierData, choices: Mapping[str, str]) -> dict[str, str]:
    """Who wrote last, if anybody who is there to choose."""
    labels = {conversation_id: label for label, conversation_id in choices.items()}
    latest = next((labels[one.id] for one in data.conversations.recent() if one.id in labels), None)
    return {} if latest is None else {CONF_CONVERSATION: latest}


def _select(options: list[SelectOptionDict], *, multiple: bool = False) -> SelectSelector:
    return SelectSelector(SelectSelectorConfig(options=options, custom_value=True, multiple=multiple, mode=SelectSelectorMode.DROPDOWN))


def _assist_schema(data: SignalCourierData | None) -> probatio.Schema:
    people = [one for one in known(data) if one.kind == "person"] if data is not None else []
    return probatio.Schema(
        {
            probatio.Required(CONF_ASSIST_ENABLED, default=False): BooleanSelector(),
            probatio.Optional(CONF_ASSIST_AGENT): ConversationAgentSelector(),
            probatio.Optional(CONF_ASSIST_PIPELINE): AssistPipelineSelector(),
            probatio.Optional(CONF_ALLOWED_SENDERS, default=[]): _select([choice_of(one) for one in people], multiple=True),
            probatio.Required(CONF_ASSIST_CONFIRM, default=True): BooleanSelector(),
            probatio.Required(CONF_ASSIST_VOICE, default=False): BooleanSelector(),
        }
    )
