"""Which accounts there are, and which one is meant when a request names none."""

import time

from signal_courier.engine.commands import Commands
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import parse_number

_FRESH = 2.0
"""Seconds for which the list of accounts is believed when it only serves to pick a sender; questions for the list itself always ask."""


class Accounts:
    """The accounts that signal-cli has loaded."""

    def __init__(self, commands: Commands, default: str | None) -> None:
        """`default`: the number (E.164) that the settings name."""
        self._commands = commands
        self._default = default
        self._known: list[str] = []
        self._known_until = 0.0

    async def loaded(self) -> list[str]:
        """The numbers of all loaded accounts. Raises an `EngineError`."""
        self._known = await self._commands.list_accounts()
        self._known_until = time.monotonic() + _FRESH
        return self._known

    async def meant(self, named: str | None, *, any_will_do: bool = False) -> str:
        """The account to act as: the one named, else the default, else the only one.

        With `any_will_do` the first of several is as good as any (questions that concern nobody's messages).

        Raises:
            InvalidValue: The name is no number; or none was named and there is no account, or more than one.
        """
        if named:
            return parse_number(named).e164
        if self._default is not None:
            return self._default
        numbers = self._known if time.monotonic() < self._known_until else await self.loaded()
        if len(numbers) == 1 or (numbers and any_will_do):
            return numbers[0]
        raise InvalidValue("number", "Couldn't process request - please provide a valid number")

    def forget(self) -> None:
        """The accounts have changed: ask again."""
        self._known_until = 0.0
