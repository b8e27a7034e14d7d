"""Triggers: a message, a reaction or a vote has come; a message that was sent has moved on.

`trigger.…` has everything that `happenings` tells, such as `trigger.text`, `trigger.sender`, and `trigger.handle`, by which every action
knows the message again. Unless an automation asks for it, only allowed senders trigger, and nothing that came late.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, override

import probatio
from homeassistant.const import CONF_OPTIONS
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import (
    NotTriggeredInfo,
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType

from .client.models import Recipient
from .coordinator import SignalCourierConfigEntry
from .happenings.feed import Happening, async_subscribe_happenings
from .happenings.filter import TARGET, TEXTS, TO, WHERE, WHO, HappeningFilter, check_account, spelled
from .happenings.happening import HappeningType
from .happenings.matching import TextFilter

CONF_EQUALS: Final = "equals"
CONF_CONTAINS: Final = "contains"
CONF_STARTS_WITH: Final = "starts_with"
CONF_MATCHES: Final = "matches"
CONF_COMMAND: Final = "command"
CONF_HAS_ATTACHMENT: Final = "has_attachment"
CONF_INCLUDE_OWN: Final = "include_own"
CONF_EMOJI: Final = "emoji"
CONF_INCLUDE_REMOVED: Final = "include_removed"
CONF_ON_OWN_MESSAGES: Final = "on_own_messages"
CONF_OPTION: Final = "option"
CONF_STATE: Final = "state"
CONF_MESSAGE_ID: Final = "message_id"

STATES: Final = ("queued", "sent", "delivered", "read", "parked", "failed", "expired", "cancelled", "unknown")


def _pattern(value: object) -> re.Pattern[str]:
    try:
        return re.compile(cv.string(value))
    except re.error as error:
        raise probatio.Invalid(f"no regular expression: {error}") from error


class _CourierTrigger(Trigger):
    """What all have in common."""

    kinds: ClassVar[tuple[HappeningType, ...]]
    schema: ClassVar[probatio.Schema]

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        checked: ConfigType = cls.schema(config)
        check_account(hass, checked[CONF_OPTIONS])
        return checked

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        super().__init__(hass, config)
        self._options: Mapping[str, Any] = config.options or {}
        self._filter = HappeningFilter.of(config.target, self._options)

    @override
    async def async_attach_runner(
        self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None
    ) -> CALLBACK_TYPE:
        @callback
        def told(happening: Happening) -> None:
            if not self._filter.concerns(self._hass, happening):
                return
            more = self._matched(happening)
            if more is None:
                return
            reason = self._filter.why_not(happening)
            if reason is None:
                run_action({**happening.payload, **more}, self._description(happening), happening.context)
            elif did_not_trigger is not None:
                did_not_trigger(NotTriggeredInfo(reason, {"time": happening.payload["time"]}), happening.context)

        return async_subscribe_happenings(self._hass, told, self.kinds)

    @abstractmethod
    def _matched(self, happening: Happening) -> Mapping[str, object] | None:
        """What the automation gets beside the payload; `None` where it waits for something else."""

    @abstractmethod
    def _description(self, happening: Happening) -> str:
        """What happened, in the automation's trace and in the logbook."""


def _who(happening: Happening) -> object:
    return happening.payload.get("sender") or "somebody"


class MessageReceived(_CourierTrigger):
    """A message has come."""

    kinds = (HappeningType.MESSAGE, HappeningType.SENT)
    schema = probatio.Schema(
        {
            **TARGET,
            probatio.Required(CONF_OPTIONS, default=dict): {
                **WHERE,
                **WHO,
                probatio.Optional(CONF_EQUALS): TEXTS,
                probatio.Optional(CONF_CONTAINS): TEXTS,
                probatio.Optional(CONF_STARTS_WITH): TEXTS,
                probatio.Optional(CONF_MATCHES): _pattern,
                probatio.Optional(CONF_COMMAND): TEXTS,
                probatio.Optional(CONF_HAS_ATTACHMENT): cv.boolean,
                probatio.Optional(CONF_INCLUDE_OWN, default=False): cv.boolean,
            },
        }
    )

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        super().__init__(hass, config)
        self._own: bool = self._options.get(CONF_INCLUDE_OWN, False)
        self._has_attachment: bool | None = self._options.get(CONF_HAS_ATTACHMENT)
        self._text = TextFilter(
            equals=self._options.get(CONF_EQUALS, ()),
            contains=self._options.get(CONF_CONTAINS, ()),
            starts_with=self._options.get(CONF_STARTS_WITH, ()),
            pattern=self._options.get(CONF_MATCHES),
            commands=self._options.get(CONF_COMMAND, ()),
        )

    @override
    def _matched(self, happening: Happening) -> Mapping[str, object] | None:
        message = happening.event.message
        if message is None or message.story or happening.event.edit is not None:
            return None
        if happening.kind is HappeningType.SENT and not self._own:
            return None
        if self._has_attachment is not None and self._has_attachment is not bool(message.attachments):
            return None
        return self._text.match(message.text)

    @override
    def _description(self, happening: Happening) -> str:
        return f"message of {_who(happening)}"


class ReactionReceived(_CourierTrigger):
    """Somebody has reacted to a message, or (if asked for) taken the reaction back."""

    kinds = (HappeningType.REACTION,)
    schema = probatio.Schema(
        {
            **TARGET,
            probatio.Required(CONF_OPTIONS, default=dict): {
                **WHERE,
                **WHO,
                probatio.Optional(CONF_EMOJI): TEXTS,
                probatio.Optional(CONF_ON_OWN_MESSAGES, default=False): cv.boolean,
                probatio.Optional(CONF_INCLUDE_REMOVED, default=False): cv.boolean,
            },
        }
    )

    @override
    def _matched(self, happening: Happening) -> Mapping[str, object] | None:
        reaction = happening.event.reaction
        if reaction is None or (reaction.removed and not self._options.get(CONF_INCLUDE_REMOVED)):
            return None
        if (wanted := self._options.get(CONF_EMOJI)) and not {_bare(one) for one in wanted} & {_bare(reaction.emoji)}:
            return None
        if self._options.get(CONF_ON_OWN_MESSAGES) and not self._is_own(happening):
            return None
        return {}

    def _is_own(self, happening: Happening) -> bool:
        reaction = happening.event.reaction
        author = reaction.target.author if reaction is not None else None
        entry = self._hass.config_entries.async_get_entry(happening.entry_id)
        own = {happening.event.account, entry.unique_id if entry is not None else None}
        return author is not None and bool({author.number, author.uuid} & (own - {None}))

    @override
    def _description(self, happening: Happening) -> str:
        return f"reaction {happening.payload['emoji']} of {_who(happening)}"


def _bare(emoji: str) -> str:
    """An emoji without colour of the skin and presentation, so that every thumb is a thumb."""
    return "".join(character for character in emoji.strip() if character != "\ufe0f" and not "\U0001f3fb" <= character <= "\U0001f3ff")


class PollAnswered(_CourierTrigger):
    """Somebody has voted in a poll."""

    kinds = (HappeningType.POLL_VOTE,)
    schema = probatio.Schema(
        {
            **TARGET,
            probatio.Required(CONF_OPTIONS, default=dict): {
                **WHERE,
                **WHO,
                probatio.Optional(CONF_OPTION): TEXTS,
            },
        }
    )

    @override
    def _matched(self, happening: Happening) -> Mapping[str, object] | None:
        poll = happening.event.poll
        if poll is None:
            return None
        wanted: list[str] = self._options.get(CONF_OPTION, [])
        if not wanted:
            return {}
        chosen = [str(vote) for vote in poll.votes]
        chosen += [poll.options[vote].strip().casefold() for vote in poll.votes if 0 <= vote < len(poll.options)]
        return {} if {one.strip().casefold() for one in wanted} & set(chosen) else None

    @override
    def _description(self, happening: Happening) -> str:
        return f"vote of {_who(happening)}"


class MessageStatus(_CourierTrigger):
    """A message that was sent has moved on: to the server, to the phone, before somebody's eyes; or it did not."""

    kinds = (HappeningType.STATUS,)
    schema = probatio.Schema(
        {
            probatio.Required(CONF_OPTIONS): {
                probatio.Required(CONF_STATE): probatio.All(probatio.EnsureList(), [probatio.In(STATES)]),
                **TO,
                probatio.Optional(CONF_MESSAGE_ID): TEXTS,
            },
        }
    )

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        super().__init__(hass, config)
        self._where, self._filter = self._filter.places, replace(self._filter, places=None, late=True)

    @override
    def _matched(self, happening: Happening) -> Mapping[str, object] | None:
        status = happening.event.status
        if status is None or status.kind not in (None, "message", "edit", "poll"):
            return None
        if (wanted := self._options.get(CONF_MESSAGE_ID)) and status.message not in wanted:
            return None
        reached = [
            one
            for one in status.recipients
            if one.state in self._options[CONF_STATE] and (self._where is None or self._where & self._names(happening, one))
        ]
        if not reached:
            return None
        return {"state": reached[0].state, "reached": [one.uuid or one.number or one.recipient for one in reached]}

    def _names(self, happening: Happening, one: Recipient) -> frozenset[str]:
        """All that a recipient is called."""
        addresses = [name for name in (one.uuid, one.number, one.recipient, one.group) if name]
        entry: SignalCourierConfigEntry | None = self._hass.config_entries.async_get_entry(happening.entry_id)
        known = entry.runtime_data.conversations.all.values() if entry is not None else ()
        names = [found.name for found in known if {found.id, found.number} & set(addresses)]
        return frozenset(spelled(name) for name in (*addresses, *names))

    @override
    def _description(self, happening: Happening) -> str:
        return f"message {happening.payload['message_id']} is {happening.payload['state']}"


TRIGGERS: Final[dict[str, type[Trigger]]] = {
    "message_received": MessageReceived,
    "reaction_received": ReactionReceived,
    "poll_answered": PollAnswered,
    "message_status": MessageStatus,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """The triggers of this integration."""
    return TRIGGERS
