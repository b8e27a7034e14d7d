"""What only a person can mend, told in Home Assistant's repairs and taken back as soon as it is mended.

| issue | raised while | mended in `repairs` by |
| --- | --- | --- |
| `unlinked` | the phone has removed this device, or the service has lost the account | scanning a new code |
| `challenge` | messages wait as Signal wants a captcha | the captcha |
| `safety_number` | somebody's safety number has changed, and messages wait for that, or came | trusting it, or not |
| `parked` | messages wait for another reason | trying again, or taking them back |
| `profile_name` | the account has no name | a name |
| `service_too_old`, `signal_cli_too_old` | they are | an update, elsewhere |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util.hass_dict import HassKey

from .client import CourierError
from .client.models import Account, OutboxMessage, Status
from .const import CONF_ACCOUNT, DOMAIN, LOGGER
from .coordinator import SignalCourierConfigEntry
from .flows.connection import MINIMUM_VERSION, is_older
from .receiving.events import CourierEvent

MINIMUM_SIGNAL_CLI: Final = "0.13.19"
"""Signal turns older versions away, and the service does not know their ways."""

UNLINKED: Final = "unlinked"
CHALLENGE: Final = "challenge"
SAFETY_NUMBER: Final = "safety_number"
PARKED: Final = "parked"
PROFILE_NAME: Final = "profile_name"
SERVICE_TOO_OLD: Final = "service_too_old"
SIGNAL_CLI_TOO_OLD: Final = "signal_cli_too_old"

_UNTRUSTED: Final = "untrusted_identity"
_MOST: Final = 200
"""Waiting messages that are looked at."""


@dataclass(frozen=True, slots=True)
class Parked:
    """Why messages wait for a person."""

    messages: tuple[OutboxMessage, ...]
    tokens: tuple[str, ...]
    """Of challenges that lift a rate limit."""
    untrusted: tuple[str, ...]
    """Whose safety number has changed."""
    others: tuple[OutboxMessage, ...]
    """Messages that wait for something else."""


def parked_of(messages: Iterable[OutboxMessage]) -> Parked:
    """Sort out what waits."""
    waiting, others = [], []
    tokens: dict[str, None] = {}
    untrusted: dict[str, None] = {}
    for message in messages:
        recipients = [one for one in message.recipients if one.state == "parked"]
        if not recipients:
            continue
        waiting.append(message)
        unexplained = False
        for one in recipients:
            if one.reason == _UNTRUSTED:
                untrusted[one.uuid or one.number or one.recipient] = None
            elif one.tokens:
                tokens |= dict.fromkeys(one.tokens)
            else:
                unexplained = True
        if unexplained:
            others.append(message)
    return Parked(tuple(waiting), tuple(tokens), tuple(untrusted), tuple(others))


def issue_id(entry: ConfigEntry, kind: str, who: str = "") -> str:
    """The name of an issue of an account."""
    return "_".join(filter(None, (kind, entry.entry_id, who)))


@callback
def async_setup_issues(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    """Keep an eye on a loaded entry."""
    keeper = _Keeper(hass, entry)
    data = entry.runtime_data
    hass.data.setdefault(_KEEPERS, {})[entry.entry_id] = keeper
    entry.async_on_unload(data.coordinator.async_add_listener(keeper.async_look))
    entry.async_on_unload(data.events.async_subscribe(keeper.async_notice, types={"account"}))
    entry.async_on_unload(data.events.async_subscribe(keeper.async_notice_message, types={"status"}))
    keeper.async_look()


@callback
def async_refuse(hass: HomeAssistant, entry: ConfigEntry, person: str) -> None:
    """Say no more of somebody's safety number until something new comes."""
    hass.data[_KEEPERS][entry.entry_id].async_refuse(person)


@callback
def async_raise_unlinked(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Tell that the phone has to scan a new code; also where the entry cannot be loaded for that."""
    _raise(hass, entry, UNLINKED)


@callback
def async_clear_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take everything back: the entry is removed."""
    hass.data.get(_KEEPERS, {}).pop(entry.entry_id, None)
    for domain, known in tuple(ir.async_get(hass).issues):
        if domain == DOMAIN and entry.entry_id in known:
            ir.async_delete_issue(hass, DOMAIN, known)


class _Keeper:
    """Compares what is with what was told."""

    def __init__(self, hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._changed: set[str] = set()
        """Whose messages came with a new safety number, until it is trusted, or refused."""
        self._looking = False
        self._again = False

    @callback
    def async_look(self) -> None:
        """The status is new."""
        coordinator = self._entry.runtime_data.coordinator
        if not coordinator.last_update_success:
            return
        self._look_at_status(coordinator.data)
        self._look_at_account(coordinator.account)
        if self._looking:
            self._again = True
            return
        self._looking = True
        self._entry.async_create_background_task(self._hass, self._async_look_at_parked(), "signal_courier waiting messages")

    @callback
    def async_refuse(self, person: str) -> None:
        """The user does not trust a safety number: say no more of it until something new comes."""
        self._changed.discard(person)

    @callback
    def async_notice(self, event: CourierEvent) -> None:
        """Somebody writes with a new safety number."""
        if event.account_change is not None and event.account_change.change == "identity" and event.sender is not None:
            self._changed.add(event.sender.uuid or event.sender.number or "")
            self.async_look()

    @callback
    def async_notice_message(self, event: CourierEvent) -> None:
        """A message waits: for something new, although there may be as many as before, and the status the same."""
        if event.status is not None and event.status.state == "parked":
            self.async_look()

    def _look_at_status(self, status: Status) -> None:
        self._tell(
            SERVICE_TOO_OLD, is_older(status.version, MINIMUM_VERSION), version=status.version, minimum=MINIMUM_VERSION, fixable=False
        )
        running = status.engine.version or ""
        too_old = is_older(running, MINIMUM_SIGNAL_CLI)
        self._tell(SIGNAL_CLI_TOO_OLD, too_old, version=running, minimum=MINIMUM_SIGNAL_CLI, fixable=False)

    def _look_at_account(self, account: Account | None) -> None:
        unlinked = account is None or account.state == "unlinked"
        if unlinked:
            async_raise_unlinked(self._hass, self._entry)
        else:
            self._clear(UNLINKED)
        kinds = set() if account is None else {problem.kind for problem in account.problems}
        self._tell(PROFILE_NAME, "profile-name-missing" in kinds)

    async def _async_look_at_parked(self) -> None:
        try:
            while True:
                self._again = False
                await self._async_tell_parked()
                if not self._again:
                    return
        except CourierError as error:
            LOGGER.debug("The waiting messages could not be looked at: %s", error)
        finally:
            self._looking = False

    async def _async_tell_parked(self) -> None:
        """Raises `CourierError`."""
        data = self._entry.runtime_data
        waits = data.coordinator.data.queues.count(self._entry.data[CONF_ACCOUNT], "parked")
        parked = parked_of(await data.client.messages.outbox(open_only=True, limit=_MOST) if waits else ())
        self._tell(CHALLENGE, bool(parked.tokens), count=str(len(parked.messages)))
        self._tell(PARKED, bool(parked.others), count=str(len(parked.others)))
        await self._async_tell_safety_numbers(set(parked.untrusted))

    async def _async_tell_safety_numbers(self, waited_for: set[str]) -> None:
        """Tell of those for whom messages wait, and who have written and are not trusted yet. Raises `CourierError`."""
        data = self._entry.runtime_data
        for person in tuple(self._changed):
            if not any(one.trust == "untrusted" for one in await data.client.identities.of(person)):
                self._changed.discard(person)
        people = waited_for | self._changed
        prefix = issue_id(self._entry, SAFETY_NUMBER) + "_"
        for domain, known in tuple(ir.async_get(self._hass).issues):
            if domain == DOMAIN and known.startswith(prefix) and known.removeprefix(prefix) not in people:
                ir.async_delete_issue(self._hass, DOMAIN, known)
        for person in people:
            conversation = data.conversations.get(person)
            _raise(self._hass, self._entry, SAFETY_NUMBER, who=person, name=conversation.name if conversation is not None else person)

    def _tell(self, kind: str, wrong: bool, *, fixable: bool = True, **placeholders: str) -> None:
        if wrong:
            _raise(self._hass, self._entry, kind, fixable=fixable, **placeholders)
        else:
            self._clear(kind)

    def _clear(self, kind: str) -> None:
        ir.async_delete_issue(self._hass, DOMAIN, issue_id(self._entry, kind))


def _raise(
    hass: HomeAssistant,
    entry: ConfigEntry,
    kind: str,
    *,
    who: str = "",
    fixable: bool = True,
    **placeholders: str,
) -> None:
    told: Mapping[str, str] = {"account": entry.title, **placeholders}
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id(entry, kind, who),
        data={"kind": kind, "entry_id": entry.entry_id, "who": who, **told},
        is_fixable=fixable,
        severity=ir.IssueSeverity.ERROR if kind == UNLINKED else ir.IssueSeverity.WARNING,
        translation_key=kind,
        translation_placeholders=dict(told),
    )


_KEEPERS: HassKey[dict[str, _Keeper]] = HassKey(f"{DOMAIN}_issues")
"""By entry."""
