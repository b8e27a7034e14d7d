"""Webhooks: who gets which events, in which form, and what became of each delivery. Plain values; times in ms since the epoch."""

import enum

import msgspec


class BodyForm(enum.StrEnum):
    """What a receiver gets as the body."""

    EVENT = "event"
    """`{"type", "timestamp", "data"}` of Standard Webhooks; `data` is the event as in `/api/v2/events`."""
    RPC = "rpc"
    """The JSON-RPC line of signal-cli, as the drop-in API's `RECEIVE_WEBHOOK_URL` posts it."""
    GATEWAY = "gateway"
    """The gateway's message object; one post for each attachment."""


class WebhookState(enum.StrEnum):
    """How an endpoint is."""

    ACTIVE = "active"
    RETRYING = "retrying"
    """The last attempt failed; the same delivery is tried again at the time that is told."""
    PAUSED = "paused"
    """Switched off by its owner."""
    GONE = "gone"
    """Switched off, because the receiver answered 410."""
    FAILED = "failed"
    """Switched off, because every attempt of the whole schedule failed."""
    REVOKED = "revoked"
    """Switched off, because the token that made it is no longer valid, or may no longer receive."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which events an endpoint gets; `None` = all."""

    accounts: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    conversations: tuple[str, ...] | None = None


class Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a webhook is signed with."""

    key: bytes
    until: int | None = None
    """When an old secret ends; `None` for the current one."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """The event that is being delivered and is not through yet."""

    event: int
    replay: int | None = None
    """Id of the replay that it belongs to."""
    part: int = 0
    """How many of its posts (gateway: one for each file) were delivered."""
    attempts: int = 0
    """Failed attempts of the current post."""
    refusals: int = 0
    """How many of those ended with an answer that speaks about this very body."""
    next_at: int = 0
    """When the next attempt is due."""


class Replay(msgspec.Struct, frozen=True):
    """Events that are delivered again."""

    id: int
    after: int
    """Id of the last event that was delivered again, or that before the first."""
    upto: int
    """Id of the last event that is wanted again."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, as it is stored."""

    number: int
    """For those who count (the gateway); 0 until it is stored."""
    id: str
    owner: str
    """Id of the token that made it; empty for trusted callers."""
    url: str
    description: str = ""
    form: BodyForm = BodyForm.EVENT
    links: bool = False
    """The gateway's form only: name media by address instead of carrying its bytes."""
    selection: Selection = Selection()
    local: bool = False
    """Whether it may lie on this very machine; only for callers who may do everything there."""
    off: WebhookState | None = None
    """Why it is switched off; `None` while it is on."""
    secrets: tuple[Secret, ...]
    """The current one first."""
    position: int
    """Id of the last event that was delivered or passed over."""
    pending: Pending | None = None
    missed: int = 0
    """Events, wanted or not, that retention had removed before they could be delivered."""
    delivered: int = 0
    failed: int = 0
    """Posts that were given up."""
    created_at: int
    updated_at: int
    success_at: int | None = None
    failure_at: int | None = None
    failure: str | None = None
    """What was wrong at the last failure."""

    @property
    def state(self) -> WebhookState:
        """How it is."""
        if self.off is not None:
            return self.off
        return WebhookState.RETRYING if self.pending is not None and self.pending.attempts else WebhookState.ACTIVE


class Cause(enum.StrEnum):
    """Why something is posted."""

    EVENT = "event"
    REPLAY = "replay"
    TEST = "test"


class Outcome(enum.StrEnum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    RETRYING = "retrying"
    """Tried again later."""
    REFUSED = "refused"
    """The receiver does not take this very body; it is passed over."""
    FAILED = "failed"
    """Not tried again, because the endpoint was switched off, or because it was a test."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, as the log has it."""

    id: int = 0
    webhook: str
    message: str
    """The header `webhook-id`: the same for every attempt and replay of one post."""
    event: int | None
    """Id of the event; `None` for a test."""
    cause: Cause
    attempt: int
    """The first is 1."""
    at: int
    duration_ms: int
    status: int | None
    """HTTP status; `None` when there was no answer."""
    error: str | None
    outcome: Outcome
    next_at: int | None = None
    """When it is tried again."""
