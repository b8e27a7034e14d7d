"""How each account is, and what somebody should do about it."""

import asyncio
import enum
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signal_courier.engine.accounts import AccountOnDisk, accounts_on_disk
from signal_courier.engine.answers import Profile
from signal_courier.engine.base import AccountState, Engine, EngineState
from signal_courier.engine.commands import Commands
from signal_courier.engine.errors import EngineError

IDLE_LIMIT: Final = 30 * 86400
"""Seconds without any contact after which Signal removes a linked device."""
WARN_BEFORE: Final = 10 * 86400
"""Seconds before that from which on it is told."""
_PROFILE_FRESH: Final = 600.0
_PROFILE_DEADLINE: Final = 3.0
"""Seconds: the state of an account does not wait long for its name."""


class Concern(enum.StrEnum):
    """What somebody should do something about."""

    UNLINKED = "unlinked"
    OFFLINE = "account-offline"
    PROFILE_NAME_MISSING = "profile-name-missing"
    DEVICE_EXPIRING = "device-expiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """How an account is."""

    number: str
    state: AccountState
    linked: bool | None
    """Whether a phone is its master; `None` if unknown."""
    name: str | None
    """Of its profile; `None` if unknown or not set."""
    concerns: Sequence[Concern]
    uuid: str | None = None
    """Its ACI; `None` if unknown."""
    link_end: float | None = None
    """When Signal removes this linked device unless it is in contact before, in seconds since the epoch; `None` for others."""
    expires: float | None = None
    """When Signal will remove this linked device if it stays unused, in seconds since the epoch; while that is a concern."""


@dataclass(frozen=True, slots=True)
class _Profile:
    until: float
    known: bool
    name: str | None
    uuid: str | None


class AccountStates:
    """Looks at the accounts."""

    def __init__(self, engine: Engine, commands: Commands, config_dir: Path) -> None:
        self._engine = engine
        self._commands = commands
        self._config_dir = config_dir
        self._profiles: dict[str, _Profile] = {}

    def forget(self, number: str) -> None:
        """The profile has changed."""
        self._profiles.pop(number, None)

    async def all(self) -> list[AccountReport]:
        """Every account that is loaded, or was, or is on disk; by number. Never fails, and starts nothing."""
        disk = await asyncio.to_thread(accounts_on_disk, self._config_dir) or {}
        states = dict(self._engine.status.accounts)
        if self._engine.status.state is not EngineState.READY:  # not loaded now: what the files say
            states |= {number: AccountState.LOADING for number, facts in disk.items() if facts.registered and number not in states}
        return [await self._look(number, state, disk.get(number)) for number, state in sorted(states.items())]

    async def one(self, number: str) -> AccountReport | None:
        """One account; `None` where there is no such."""
        return next((report for report in await self.all() if report.number == number), None)

    async def _look(self, number: str, state: AccountState, disk: AccountOnDisk | None) -> AccountReport:
        engine = self._engine.status.state
        concerns: list[Concern] = []
        expires = None
        if state is AccountState.UNLINKED:
            concerns.append(Concern.UNLINKED)
        if state is AccountState.LOADING and engine is EngineState.READY:
            concerns.append(Concern.OFFLINE)
        profile = await self._profile(number) if state is AccountState.READY and engine is EngineState.READY else None
        if profile is not None and profile.known and profile.name is None:
            concerns.append(Concern.PROFILE_NAME_MISSING)
        in_contact = engine is EngineState.READY and state is AccountState.READY
        link_end = None
        if disk is not None and disk.linked and state is not AccountState.UNLINKED and (in_contact or disk.last_used is not None):
            link_end = end = (time.time() if in_contact else disk.last_used or 0) + IDLE_LIMIT
            if end - time.time() < WARN_BEFORE:
                concerns.append(Concern.DEVICE_EXPIRING)
                expires = end
        return AccountReport(
            number=number,
            state=state,
            linked=disk.linked if disk is not None else number in self._engine.status.linked or None,
            name=profile.name if profile is not None else None,
            concerns=concerns,
            uuid=(disk.uuid if disk is not None else None) or (profile.uuid if profile is not None else None),
            link_end=link_end,
            expires=expires,
        )

    async def _profile(self, number: str) -> _Profile | None:
        """What the account calls itself: signal-cli tells it among the people that the account knows, once it was set or fetched."""
        kept = self._profiles.get(number)
        if kept is not None and kept.until > time.monotonic():
            return kept
        try:
            async with asyncio.timeout(_PROFILE_DEADLINE):
                found = await self._commands.list_contacts(number, recipient=[number], all_recipients=True)
        except (EngineError, TimeoutError):
            return kept
        own = next((contact for contact in found if contact.number == number), None)
        profile = own.profile if own is not None else None
        name = _name(profile) if profile is not None else None
        uuid = own.uuid if own is not None else None
        kept = self._profiles[number] = _Profile(time.monotonic() + _PROFILE_FRESH, profile is not None, name, uuid)
        return kept


def _name(profile: Profile) -> str | None:
    return " ".join(filter(None, (profile.given_name, profile.family_name))) or None
