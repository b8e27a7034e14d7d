"""Those who wait for what becomes of a message: told when it moves on, when nothing more comes by itself, or when the time is over."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from signal_courier.model.errors import MissingThing
from signal_courier.model.outbox import DeliveryState, MessageStatus, message_number

_LADDER: Final = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)


class Waiting:
    """Wakes those who wait; `ended` and `moved` are told by the outbox."""

    def __init__(self, get: Callable[[str], Awaitable[MessageStatus]], is_open: Callable[[int], bool]) -> None:
        """`get` tells how far a message is, by its id; `is_open` whether the outbox still works on it, by its number."""
        self._get = get
        self._is_open = is_open
        self._ends: dict[int, asyncio.Event] = {}
        self._moves: dict[int, asyncio.Event] = {}
        """Set, and forgotten, when a message has moved on for which somebody waits."""
        self._watchers: dict[int, int] = {}
        self._released = False

    @property
    def messages(self) -> int:
        """For how many messages somebody waits to see them move."""
        return len(self._watchers)

    async def for_end(self, identifier: str, timeout: float) -> MessageStatus:
        """Wait until nothing of a message is open, at most so many seconds; gives what there is to tell then. Raises `MissingThing`."""
        number = number_of(identifier)
        if self._is_open(number) and not self._released:
            event = self._ends.setdefault(number, asyncio.Event())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), timeout)
        return await self._get(identifier)

    async def until(self, identifier: str, least: DeliveryState, timeout: float) -> MessageStatus:
        """Wait until everybody has come so far (sent, delivered, read), or nothing more comes of it by itself, at most so many seconds.

        Gives what there is to tell then: also what is parked, as somebody has to act. Raises `MissingThing`.
        """
        number = number_of(identifier)
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            moved = self._moves.setdefault(number, asyncio.Event())
            self._watchers[number] = self._watchers.get(number, 0) + 1
            try:
                status = await self._get(identifier)
                if self._released or _has_come(status, least):
                    return status
                async with asyncio.timeout_at(deadline):
                    await moved.wait()
            except TimeoutError:
                return status
            finally:
                self._watchers[number] -= 1
                if not self._watchers[number]:
                    del self._watchers[number]
                    self._moves.pop(number, None)

    def ended(self, number: int) -> None:
        """Nothing of this message is open any more."""
        if (end := self._ends.pop(number, None)) is not None:
            end.set()

    def moved(self, identifier: str) -> None:
        """There is something new to tell about this message."""
        if self._moves and (move := self._moves.pop(message_number(identifier) or 0, None)) is not None:
            move.set()

    def release(self) -> None:
        """Tell everybody now how far it is. Call before the HTTP server is stopped."""
        self._released = True
        for event in (*self._ends.values(), *self._moves.values()):
            event.set()


def number_of(identifier: str) -> int:
    """The number in a message's id. Raises `MissingThing`."""
    number = message_number(identifier)
    if number is None:
        raise MissingThing("id", f"There is no message '{identifier}'")
    return number


def _has_come(status: MessageStatus, least: DeliveryState) -> bool:
    """Whether everybody whom it reaches by itself has it, so far at least: for those who are parked, somebody has to act."""
    members = {one.group for one in status.recipients if one.group is not None}
    people = [one.state for one in status.recipients if one.recipient not in members or one.state.is_open]
    return not any(
        _LADDER.index(state) < _LADDER.index(least) if state.is_reached else state.is_open and state is not DeliveryState.PARKED
        for state in people
    )
