"""The roll of accounts: which ones there are, and how each is, from what signal-cli has loaded and what is on disk."""

import logging
from collections.abc import Mapping
from typing import Final

from signal_courier.engine.accounts import AccountOnDisk
from signal_courier.engine.base import AccountState, Params

_log = logging.getLogger(__name__)

REGISTERING: Final = frozenset({"register", "verify", "finishLink", "finishChangeNumber", "unregister", "deleteLocalAccountData"})
"""Calls after which accounts come, go, or lose their receiver."""
BRINGING: Final = frozenset({"verify", "finishLink", "finishChangeNumber"})
"""Those of them after which an account is there that was not."""


class Roll:
    """Accounts by number. `reload_backoff`: first and longest time, in seconds, that one may be missing (see `is_overdue`)."""

    def __init__(self, reload_backoff: tuple[float, float]) -> None:
        self.states: dict[str, AccountState] = {}
        self.bringing = 0
        """Calls in flight by which an account comes; signal-cli writes it before it is one."""
        self._loaded: frozenset[str] = frozenset()
        self._missing_since: float | None = None
        self._registering: set[str] = set()
        self._reload_backoff = reload_backoff
        self._reload_pause = reload_backoff[0]

    @property
    def missing(self) -> list[str]:
        """Those that signal-cli could not load."""
        return [number for number, state in self.states.items() if state is AccountState.LOADING]

    def begin(self) -> None:
        """Another signal-cli, or the same after a new connection: nothing is known of what it has loaded."""
        self._loaded = frozenset()
        self._missing_since = None

    def note_call(self, method: str, params: Params) -> None:
        """Takes account of a call (of `REGISTERING`) that has ended, one way or the other."""
        account = params.get("account")
        if isinstance(account, str):
            if method == "register":
                self._registering.add(account)
            elif method in {"verify", "deleteLocalAccountData"}:
                self._registering.discard(account)
            if method in {"unregister", "deleteLocalAccountData"}:
                self.states.pop(account, None)

    def update(self, loaded: frozenset[str], disk: Mapping[str, AccountOnDisk] | None) -> bool:
        """Bring the states up to date; whether other accounts are loaded than before."""
        states = dict.fromkeys(sorted(loaded), AccountState.READY)
        if disk is not None:
            for number, facts in disk.items():
                if number not in loaded and (state := self._state_of_absent(number, facts)) is not None:
                    states[number] = state
        else:
            gone = self._loaded | {number for number, state in self.states.items() if state is AccountState.UNLINKED}
            states |= dict.fromkeys(gone - loaded, AccountState.UNLINKED)
        for number, state in states.items():
            if self.states.get(number) is not state and state is not AccountState.READY:
                _log.warning("Account …%s is %s", number[-2:], state)
        self.states = states
        changed = loaded != self._loaded
        self._loaded = loaded
        return changed

    def _state_of_absent(self, number: str, facts: AccountOnDisk) -> AccountState | None:
        """What to call an account that is on disk and not loaded; `None` for a registration that was never finished."""
        if number in self._registering:
            return None
        if not facts.registered:
            if self.bringing and number not in self.states:
                return None
            known = facts.linked or facts.uuid is not None or number in self._loaded or number in self.states
            return AccountState.UNLINKED if known else None
        if number in self._loaded or self.states.get(number) is AccountState.UNLINKED:
            return AccountState.UNLINKED
        return AccountState.LOADING

    def is_overdue(self, now: float) -> bool:
        """Whether an account has been missing for so long that signal-cli is worth a restart; `restarted` makes the time longer."""
        if not self.missing:
            self._missing_since = None
            self._reload_pause = self._reload_backoff[0]
            return False
        if self._missing_since is None:
            self._missing_since = now
        pause = self._reload_pause if self._loaded else self._reload_backoff[0]  # nobody is disturbed where nobody is loaded
        return now - self._missing_since >= pause

    def restarted(self) -> None:
        """It was restarted for the sake of what is missing."""
        self._reload_pause = min(self._reload_backoff[1], self._reload_pause * 2)
