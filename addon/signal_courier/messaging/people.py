"""What people and groups are called: signal-cli's lists, kept in memory and fetched anew when somebody unknown appears.

Asking never waits: who is not known yet has no name in this event, and has one in the next. So that this is rare, the lists are fetched as
soon as an account is there (`greet`) and somebody follows the events (`attend`). Who can wait a moment does so by `known`.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field

from signal_courier.engine.base import Engine, EngineState
from signal_courier.engine.commands import Commands
from signal_courier.engine.errors import EngineError
from signal_courier.model.events import Person

_LOGGER = logging.getLogger(__name__)

FRESH = 600.0
"""Seconds after which a list that is in use is fetched anew."""
PAUSE = 30.0
"""Seconds between two fetches for the sake of somebody unknown."""
PATIENCE = 2.0
"""Seconds that `known` waits at most."""


@dataclass(slots=True)
class _Known:
    people: dict[str, Person] = field(default_factory=dict)
    """By UUID and by number."""
    groups: dict[str, str] = field(default_factory=dict)
    """By internal id."""
    contacts: dict[str, str] = field(default_factory=dict)
    """Names that the account itself gave, by UUID and by number."""
    fetched: float = float("-inf")
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when signal-cli was asked for the first time, whatever it said."""


class People:
    """The names that each account knows. `run` is its task."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._commands = Commands(engine)
        self._known: dict[str, _Known] = {}
        self._wanted: set[str] = set()
        self._asked = asyncio.Event()
        self._there: set[str] = set()
        self._attended = False

    def person(self, account: str, uuid: str | None, number: str | None) -> Person | None:
        """Somebody by UUID or number; `None` when not known (yet)."""
        known = self._of(account)
        found = (known.people.get(uuid) if uuid else None) or (known.people.get(number) if number else None)
        self._perhaps(account, known, unknown=found is None)
        return found

    def contact_name(self, account: str, uuid: str | None, number: str | None) -> str | None:
        """The name under which the account has saved somebody; `None` for others, or when not known (yet)."""
        contacts = self._of(account).contacts
        return (contacts.get(uuid) if uuid else None) or (contacts.get(number) if number else None)

    def group(self, account: str, internal_id: str) -> str | None:
        """A group's name by its internal id; `None` when not known (yet)."""
        known = self._of(account)
        found = known.groups.get(internal_id)
        self._perhaps(account, known, unknown=found is None)
        return found

    def forget(self, account: str) -> None:
        """The lists of an account have changed: fetch them anew when they are needed next."""
        if account in self._known:
            self._known[account].fetched = float("-inf")

    def greet(self, account: str) -> None:
        """An account is there: learn whom it knows before the first of them writes, if anybody listens."""
        self._there.add(account)
        if self._attended:
            self._want(account)

    def attend(self) -> None:
        """Somebody listens from now on."""
        self._attended = True
        for account in self._there:
            self._want(account)

    async def known(self, account: str) -> None:
        """Wait for the names of an account until they were asked for once; a moment at most, and only while signal-cli can tell."""
        known = self._of(account)
        if known.asked.is_set() or self._engine.status.state is not EngineState.READY:
            return
        if known.fetched == float("-inf"):
            self._want(account)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await known.asked.wait()

    async def run(self) -> None:
        """Fetch what is asked for, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._wanted:
                await self._fetch(self._wanted.pop())

    def _want(self, account: str) -> None:
        self._wanted.add(account)
        self._asked.set()

    def _of(self, account: str) -> _Known:
        known = self._known.get(account)
        if known is None:
            known = self._known[account] = _Known()
        return known

    def _perhaps(self, account: str, known: _Known, *, unknown: bool) -> None:
        if time.monotonic() - known.fetched > (PAUSE if unknown else FRESH):
            self._want(account)

    async def _fetch(self, account: str) -> None:
        known = self._of(account)
        if self._engine.status.state is not EngineState.READY:  # for a name alone it is not started
            return
        known.fetched = time.monotonic()
        try:
            contacts = await self._commands.list_contacts(account, all_recipients=True)
            groups = await self._commands.list_groups(account)
        except EngineError as error:
            _LOGGER.debug("The names that %s knows could not be fetched: %s", account, error)
            known.asked.set()
            return
        people: dict[str, Person] = {}
        saved: dict[str, str] = {}
        for contact in contacts:
            profile = contact.profile
            own = " ".join(part for part in (profile.given_name, profile.family_name) if part) if profile is not None else ""
            person = Person(uuid=contact.uuid or None, number=contact.number or None, name=contact.name or own or None)
            for key in (contact.uuid, contact.number):
                if key:
                    people[key] = person
                if key and contact.name:
                    saved[key] = contact.name
        known.people, known.contacts = people, saved
        known.groups = {group.id: group.name for group in groups if group.name}
        known.asked.set()
