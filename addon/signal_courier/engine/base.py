"""The one interface between the house and whatever speaks to Signal.

Two engines implement it: `engine.daemon.SignalCli` (the real signal-cli, supervised or attached to) and
`engine.simulator.Simulator` (an in-process Signal network). Both speak signal-cli's JSON-RPC vocabulary:
method names, parameters, results and error codes are those of signal-cli's multi-account daemon.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

type Json = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
type Params = Mapping[str, Json]
"""Parameters of one call, keys as signal-cli's JSON-RPC spells them (camelCase)."""

type EnvelopeSink = Callable[[bytes], None]
"""Takes the exact JSON bytes of one `{"envelope": …, "account": …}` object, as signal-cli reported it.

Called on the event loop, must not block. Frames arrive in the order in which signal-cli wrote them. May raise `AlreadyStored`.
"""


class AlreadyStored(Exception):
    """An envelope that an earlier run, killed before it could note so, has stored."""


class EngineState(enum.StrEnum):
    """What the engine is doing now."""

    STOPPED = "stopped"
    """Not running, and not meant to (before start, after stop, or a failure that a restart cannot mend)."""
    IDLE = "idle"
    """Not running, started by the next call (`MODE=normal` and `native`)."""
    STARTING = "starting"
    """Being started, or waiting to be started again after a crash."""
    READY = "ready"
    """Answers calls and reports envelopes."""


class AccountState(enum.StrEnum):
    """What became of an account that has data on disk."""

    READY = "ready"
    LOADING = "loading"
    """On disk, but not loaded by signal-cli (no network while it started); tried again until it is there."""
    UNLINKED = "unlinked"
    """Was loaded and vanished: the phone removed this device."""


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of the engine for people and for readiness checks."""

    state: EngineState
    version: str | None = None
    """Version of signal-cli, `None` until it has answered once."""
    reason: str | None = None
    """Why it is not ready, in words."""
    accounts: Mapping[str, AccountState] = msgspec.field(default_factory=dict)
    """State by account number."""
    linked: frozenset[str] = frozenset()
    """Accounts of which the engine itself knows that a phone is their master; of others their files tell."""
    restarts: int = 0


class Engine(Protocol):
    """What every engine offers."""

    @property
    def status(self) -> EngineStatus:
        """The state now; never blocks."""

    async def start(self, sink: EnvelopeSink) -> None:
        """Begin to work: returns at once, the engine becomes ready in the background. Envelopes go to `sink`."""

    async def stop(self) -> None:
        """End within 4 s; calls in flight fail with `EngineUnavailable`."""

    async def call(self, method: str, params: Params, *, timeout: float | None = None) -> msgspec.Raw:
        """One JSON-RPC call; gives the bytes of `result`.

        `timeout` is in seconds, `None` = the method's own deadline. Raises an `EngineError`.
        """

    def pause(self) -> None:
        """Ask for no more envelopes for now (the inbox cannot keep up); what comes stays with Signal's server."""

    def resume(self) -> None:
        """Ask for envelopes again."""

    def stored(self, count: int) -> None:
        """The next `count` of the envelopes that went to the sink are stored, in the order in which they went there.

        What is not may come again after a kill. An engine that keeps nothing by itself does nothing.
        """


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of an account as Signal knows them; `None` where they are not known."""

    discoverable_by_number: bool | None = None
    share_number: bool | None = None
    read_receipts: bool | None = None
    typing_indicators: bool | None = None
    link_previews: bool | None = None
    unidentified_delivery_indicators: bool | None = None


@runtime_checkable
class Configured(Protocol):
    """What an engine offers besides that knows the settings of accounts; signal-cli has no call for them."""

    async def configuration(self, account: str) -> Configuration:
        """The settings as they are now, as far as they can be told. Never fails."""


@runtime_checkable
class OnDemand(Protocol):
    """What an engine offers besides where it runs only when needed; one that always runs lacks it."""

    async def receive_for(self, seconds: float) -> None:
        """See to it that envelopes are being received from when this returns until `seconds` later.

        Starts the engine if need be. Raises an `EngineError` when it does not come up; may be cancelled.
        """
