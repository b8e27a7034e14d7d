"""The directory of the account's people and groups: names, and whom a user means.

conversation = data.conversations.resolve("Anna")        # what is known already; raises a translated error
conversation = await data.conversations.async_resolve(491510000001)   # asks the service where need be; ints that were numbers too
unsubscribe = data.conversations.async_add_listener(on_change)        # after each change: renamed, new, left, blocked
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.debounce import Debouncer

from .client import CourierError, SignalCourierClient
from .client.events import Event
from .client.models import Conversation
from .const import DOMAIN, LOGGER

_COOLDOWN: Final = 2.0
"""Seconds between two refreshes that events ask for."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()/.-]{2,20}")
_LISTS: Final = frozenset({"contacts", "groups", "blocked", "identity"})


class ConversationDirectory:
    """People and groups of one account, as the service knows them. `all` is by id; it is replaced, never changed."""

    def __init__(self, hass: HomeAssistant, client: SignalCourierClient) -> None:
        self.all: Mapping[str, Conversation] = MappingProxyType({})
        self._client = client
        self._met: dict[str, Conversation] = {}
        self._listeners: dict[int, Callable[[], None]] = {}
        self._next = 0
        self._debouncer = Debouncer(hass, LOGGER, cooldown=_COOLDOWN, immediate=False, function=self._async_refresh_quietly)

    def get(self, conversation_id: str) -> Conversation | None:
        """One of them by its id; `None` where it is unknown (left, deleted, or never met)."""
        return self.all.get(conversation_id) or self._met.get(conversation_id)

    def at(self, address: str) -> Conversation | None:
        """The same by what a subentry keeps: an id, or the number of somebody whose UUID was not known when it was added."""
        if (found := self.get(address)) is not None or not address.startswith("+"):
            return found
        return next((one for one in self.all.values() if one.number == address), None)

    def recent(self) -> list[Conversation]:
        """Who wrote since the start, the latest first; contacts or not."""
        return [self.all.get(one.id, one) for one in reversed(self._met.values())]

    @callback
    def async_add_listener(self, changed: Callable[[], None]) -> CALLBACK_TYPE:
        """Have `changed` called after each change; gives what ends it."""
        self._next += 1
        key = self._next
        self._listeners[key] = changed

        @callback
        def remove() -> None:
            self._listeners.pop(key, None)

        return remove

    async def async_refresh(self) -> None:
        """Ask the service for everything. Raises `CourierError`."""
        found = await self._client.conversations.all()
        fresh = {one.id: one for one in found}
        self._met = {met: one for met, one in self._met.items() if one.kind != "group" or met in fresh}  # no group that was left
        if fresh != dict(self.all):
            self.all = MappingProxyType(fresh)
            for listener in tuple(self._listeners.values()):
                listener()

    @callback
    def async_notice(self, event: Event) -> None:
        """Learn from an event: who wrote, and that a list has changed."""
        place = event.conversation
        if place is not None and event.type in ("message", "edit", "reaction", "poll", "call"):
            self._met.pop(place.id, None)
            self._met[place.id] = Conversation(
                id=place.id, kind=place.kind, name=place.name or place.number or place.id, number=place.number
            )
            while len(self._met) > 100:
                self._met.pop(next(iter(self._met)))
        change = event.account_change
        if event.type == "group" or (change is not None and change.change in _LISTS) or (place is not None and place.id not in self.all):
            self._debouncer.async_schedule_call()

    @callback
    def async_shutdown(self) -> None:
        """End what is planned."""
        self._debouncer.async_shutdown()

    # -- whom a user means

    def resolve(self, target: str | int) -> Conversation:
        """The conversation that an id, a UUID, a number (also as an int that has lost its `+`), a username or a name means.

        A number, UUID or group id that is not in the directory can be written to all the same: it becomes a conversation without a name.

        Raises:
            ServiceValidationError: nobody is called so (`conversation_unknown`), or several are (`conversation_ambiguous`).
        """
        text = str(target).strip()
        if (found := self._by_address(text)) is not None:
            return found
        named = self._by_name(text, self.all.values()) or self._by_name(text, self._met.values())
        if len(named) == 1:
            return named[0]
        if named:
            choices = ", ".join(f"{one.name} ({one.number or one.id})" for one in named)
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="conversation_ambiguous",
                translation_placeholders={"target": text, "choices": choices},
            )
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="conversation_unknown", translation_placeholders={"target": text}
        )

    async def async_resolve(self, target: str | int) -> Conversation:
        """The same, but the service is asked before nobody is found. Raises also `HomeAssistantError` (`cannot_connect`)."""
        try:
            return self.resolve(target)
        except ServiceValidationError as error:
            if error.translation_key != "conversation_unknown":
                raise
        try:
            await self.async_refresh()
            found = await self._client.conversations.all(search=str(target).strip(), everybody=True)
        except CourierError as error:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="cannot_connect", translation_placeholders={"error": str(error)}
            ) from error
        exact = self._by_name(str(target).strip(), found)
        return exact[0] if len(exact) == 1 else self.resolve(target)

    def _by_address(self, text: str) -> Conversation | None:
        if (found := self.get(text)) is not None:
            return found
        if text.startswith("group."):
            return Conversation(id=text, kind="group", name=text)
        if _UUID.fullmatch(text):
            return self.get(text.lower()) or Conversation(id=text.lower(), name=text.lower())
        if _NUMBER.fullmatch(text):
            number = "+" + re.sub(r"[^0-9]", "", text)
            known = (one for one in (*self.all.values(), *self._met.values()) if one.number == number)
            return next(known, None) or Conversation(id=number, name=number, number=number)
        bare = text.removeprefix("u:")
        return next((one for one in self.all.values() if one.person is not None and bare and one.person.username == bare), None)

    @staticmethod
    def _by_name(text: str, among: Iterable[Conversation]) -> list[Conversation]:
        wanted = _folded(text)
        return [one for one in among if wanted and _folded(one.name) == wanted]

    async def _async_refresh_quietly(self) -> None:
        try:
            await self.async_refresh()
        except CourierError as error:
            LOGGER.debug("The conversations could not be refreshed: %s", error)


def _folded(name: str) -> str:
    """A name without case, accents and doubled spaces."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(character for character in plain if not unicodedata.combining(character)).split())
