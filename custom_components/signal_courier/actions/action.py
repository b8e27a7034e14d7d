"""What an action is: declared once with its fields, called with what it is for already found.

    @action("leave_group", {probatio.Optional("forget", default=False): cv.boolean}, aim=Aim.ONE)
    async def leave_group(call: Call) -> ServiceResponse:
        await call.client.groups.leave(call.conversation.id)

The client's errors become translated ones here, in one place.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import probatio
from homeassistant.core import Context, HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.typing import VolSchemaType

from ..client import SignalCourierClient
from ..client.models import Conversation
from ..const import DOMAIN
from ..coordinator import SignalCourierConfigEntry
from ..errors import translated
from ..happenings.handles import MessageHandle
from ..written import async_tell_written
from .fields import ACCOUNT_FIELDS, CONVERSATION_FIELDS, MESSAGE_FIELDS
from .targets import async_find


class Aim(Enum):
    """What the common fields of an action choose."""

    ACCOUNT = "account"
    ANY = "any"
    """An account, and any number of its conversations, or none."""
    ONE = "one"
    """One conversation."""
    MANY = "many"
    """One conversation or more."""
    MESSAGE = "message"
    """A message: by its handle, or by its conversation, time and author."""


_FIELDS: Final[Mapping[Aim, Mapping[Any, Any]]] = {
    Aim.ACCOUNT: ACCOUNT_FIELDS,
    Aim.ANY: CONVERSATION_FIELDS,
    Aim.ONE: CONVERSATION_FIELDS,
    Aim.MANY: CONVERSATION_FIELDS,
    Aim.MESSAGE: MESSAGE_FIELDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of an action: validated data, and whom it is about."""

    hass: HomeAssistant
    data: Mapping[str, Any]
    context: Context
    entry: SignalCourierConfigEntry
    conversations: tuple[Conversation, ...]
    handle: MessageHandle | None = None

    @property
    def client(self) -> SignalCourierClient:
        """The service, as the account."""
        return self.entry.runtime_data.client

    @property
    def conversation(self) -> Conversation:
        """The only conversation."""
        return self.conversations[0]

    @property
    def message(self) -> MessageHandle:
        """The message that it is about."""
        assert self.handle is not None
        return self.handle

    @property
    def me(self) -> str:
        """The account's UUID, or its number where that is not known."""
        return self.entry.runtime_data.account_id

    def wrote(self) -> None:
        """Tell the entities of the conversations that something was written there."""
        for one in self.conversations:
            async_tell_written(self.hass, self.entry.entry_id, one.id)

    async def resolve(self, targets: list[str | int]) -> list[Conversation]:
        """The conversations that these names, numbers and ids mean."""
        return [await self.entry.runtime_data.conversations.async_resolve(one) for one in targets]

    async def addresses(self, field: str) -> list[str] | None:
        """The people in a field, as recipients; `None` where there are none."""
        return [one.id for one in await self.resolve(self.data.get(field, []))] or None


type Handler = Callable[[Call], Awaitable[ServiceResponse]]
type Check = Callable[[Mapping[str, Any]], None]


def refusal(key: str, **placeholders: str) -> ServiceValidationError:
    """The error of a call that makes no sense, in the user's language."""
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A declared action."""

    name: str
    run: Handler
    schema: VolSchemaType
    aim: Aim
    response: SupportsResponse
    check: Check | None

    async def handle(self, service_call: ServiceCall) -> ServiceResponse:
        """Run it."""
        hass, data = service_call.hass, service_call.data
        if self.check is not None:
            self.check(data)
        found = await async_find(hass, data)
        wanted = len(found.conversations)
        if self.aim in (Aim.ONE, Aim.MESSAGE) and wanted > 1:
            raise refusal("target_not_single")
        if self.aim in (Aim.ONE, Aim.MANY) and not wanted:
            raise refusal("target_missing")
        if self.aim is Aim.MESSAGE and found.message is None:
            raise refusal("message_missing")
        call = Call(
            hass=hass, data=data, context=service_call.context, entry=found.entry, conversations=found.conversations, handle=found.message
        )
        async with translated(hass, found.entry):
            return await self.run(call)


ACTIONS: Final[list[Action]] = []
"""All that were declared."""


def action(
    name: str,
    fields: Mapping[Any, Any],
    *,
    aim: Aim,
    response: SupportsResponse = SupportsResponse.OPTIONAL,
    check: Check | None = None,
) -> Callable[[Handler], Handler]:
    """Declare an action.

    Args:
        name: As in `services.yaml`.
        fields: Its own fields; those of the aim come on top.
        aim: What it is about.
        response: Whether it answers.
        check: What several fields must fulfil together; raises `ServiceValidationError`.
    """
    schema: VolSchemaType = probatio.Schema({**_FIELDS[aim], **fields})

    def declare(run: Handler) -> Handler:
        ACTIONS.append(Action(name=name, run=run, schema=schema, aim=aim, response=response, check=check))
        return run

    return declare
