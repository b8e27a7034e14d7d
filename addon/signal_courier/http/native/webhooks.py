"""`/api/v2/webhooks`: who gets which events posted, what became of it, and again."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.problems import MEDIA
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.webhooks.endpoint import Endpoint
from signal_courier.messaging.webhooks.registry import MOST_SELECTED, OLD_SECRET_DAYS, Made, selection_of
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.events import EventType
from signal_courier.model.webhooks import BodyForm, Cause, Delivery, Outcome, WebhookState

routes = RouteTable("Webhooks", face=Face.NATIVE)

_LONGEST_TEXT: Final = 200
_PAGE: Final = 200
_TIMES: Final = 2**53

Url = Annotated[
    str,
    Meta(
        description="Where to post; `http` and private networks are allowed. Refused, also when a name turns out to be one: link-local "
        "addresses, those of a cloud's metadata and of Home Assistant's Supervisor; this very machine, except for "
        "programs on it and the scope `admin`.",
        examples=["https://receiver.example/signal"],
        max_length=2000,
    ),
]
Description = Annotated[str, Meta(description="For people.", max_length=_LONGEST_TEXT)]
Form = Annotated[
    BodyForm,
    Meta(
        description="`event`: type, timestamp and the event; `rpc`: signal-cli's JSON-RPC line, as `RECEIVE_WEBHOOK_URL` posts it "
        "(received messages only); `gateway`: the message object of the gateway (messages only, one post a file)."
    ),
]
Links = Annotated[bool, Meta(description="Form `gateway`: name media by address instead of carrying its bytes.")]
Accounts = Annotated[list[str], Meta(description="Only of these accounts.", max_length=MOST_SELECTED, examples=[["+4915100000001"]])]
Types = Annotated[list[EventType], Meta(description="Only these types.", max_length=MOST_SELECTED)]
Conversations = Annotated[list[str], Meta(description="Only of these people (UUID or number) and groups.", max_length=MOST_SELECTED)]
GivenSecret = Annotated[
    str, Meta(description="A secret of your own: `whsec_` and the base64 of 24 to 64 bytes. Left out, one is made.", max_length=100)
]
Id = Annotated[str, Meta(examples=["wh_0123456789abcdef"])]
Time = Annotated[int, Meta(description="ms since 1970.")]
Instant = Annotated[int, Meta(description="ms since 1970.", ge=0, le=_TIMES)]


class NewWebhook(msgspec.Struct, kw_only=True):
    """A webhook to make."""

    url: Url
    description: Description = ""
    form: Form = BodyForm.EVENT
    links: Links = False
    accounts: Accounts | None = None
    types: Types | None = None
    conversations: Conversations | None = None
    active: bool = True
    secret: GivenSecret | None = None


class WebhookChange(msgspec.Struct, kw_only=True):
    """What to change; what is left out stays. `null` for a list: all."""

    url: Url | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    form: Form | UnsetType = UNSET
    links: Links | UnsetType = UNSET
    accounts: Accounts | UnsetType | None = UNSET
    types: Types | UnsetType | None = UNSET
    conversations: Conversations | UnsetType | None = UNSET
    active: Annotated[bool, Meta(description="`true` also begins the schedule anew with the event that failed.")] | UnsetType = UNSET


class WebhookEntry(msgspec.Struct, kw_only=True):
    """A webhook. Its secrets are not shown."""

    id: Id
    url: str
    description: str
    form: BodyForm
    links: bool
    accounts: Sequence[str] | None
    types: Sequence[str] | None
    conversations: Sequence[str] | None
    active: bool
    state: WebhookState
    owner: Annotated[str | None, Meta(description="Id of the token that made it.")]
    secrets: Annotated[int, Meta(description="How many secrets are valid now: 2 while one is being rotated.")]
    lag: Annotated[int, Meta(description="Events, wanted or not, that it is behind.")]
    replays: Annotated[int, Meta(description="Replays that are not through yet.")]
    delivered: Annotated[int, Meta(description="Posts that were taken.")]
    failed: Annotated[int, Meta(description="Posts that were given up.")]
    missed: Annotated[int, Meta(description="Events, wanted or not, that retention had removed before they could be delivered.")]
    attempts: Annotated[int, Meta(description="Failed attempts of the post that is being tried.")]
    next_attempt_at: Annotated[int | None, Meta(description="When it is tried again; ms since 1970.")]
    last_success_at: Annotated[int | None, Meta(description="ms since 1970.")]
    last_failure_at: Annotated[int | None, Meta(description="ms since 1970.")]
    last_failure: str | None
    created_at: Time
    updated_at: Time


class WebhookList(msgspec.Struct):
    """All webhooks that the caller may see."""

    webhooks: list[WebhookEntry]


class MadeWebhook(msgspec.Struct):
    """A new webhook, and its secret."""

    webhook: WebhookEntry
    secret: Annotated[str, Meta(description="Shown this once.")]


class Rotation(msgspec.Struct, kw_only=True):
    """How to change the secret."""

    keep: Annotated[
        int,
        Meta(description="Seconds that the old secret stays valid; until then there are two signatures.", ge=0, le=OLD_SECRET_DAYS * 86400),
    ] = 86400
    secret: GivenSecret | None = None


class Again(msgspec.Struct, kw_only=True):
    """What to deliver again: one event, or those stored within a time."""

    event: Annotated[int, Meta(description="Id of an event.", ge=1, le=_TIMES)] | None = None
    since: Instant | None = None
    until: Annotated[int, Meta(description="Not included; left out: until now. ms since 1970.", ge=0, le=_TIMES)] | None = None


class AgainEntry(msgspec.Struct):
    """What will be delivered again."""

    after: Annotated[int, Meta(description="Events behind this id …")]
    upto: Annotated[int, Meta(description="… up to this one, as far as the webhook gets them.")]


class DeliveryEntry(msgspec.Struct, kw_only=True):
    """One attempt."""

    id: int
    message: Annotated[str, Meta(description="The header `webhook-id`: the same at every attempt and replay of a post.")]
    event: Annotated[int | None, Meta(description="Id of the event; null for a test.")]
    cause: Cause
    attempt: Annotated[int, Meta(description="The first is 1.")]
    at: Time
    duration_ms: int
    status: Annotated[int | None, Meta(description="HTTP status; null when there was no answer.")]
    error: str | None
    outcome: Outcome
    next_at: Annotated[int | None, Meta(description="When it is tried again; ms since 1970.")]


class DeliveryList(msgspec.Struct):
    """Attempts, newest first."""

    deliveries: list[DeliveryEntry]
    before: Annotated[int | None, Meta(description="Ask with this `before` for the older ones; null when these are the last.")]


class DeliveryQuery(msgspec.Struct):
    """Which attempts."""

    before: Annotated[int, Meta(description="Only attempts with smaller ids.", ge=1)] = 0
    limit: Annotated[int, Meta(description="How many at most.", ge=1, le=_PAGE)] = 50
    outcome: Annotated[str, Meta(description="Only these: delivered, retrying, refused, failed.")] = ""


_ID: Final = "wh_0123456789abcdef"
_WEBHOOK: Final = {
    "id": _ID, "url": "https://receiver.example/signal", "description": "Doorbell", "form": "event", "links": False,
    "accounts": ["+4915100000001"], "types": ["message"], "conversations": None, "active": True, "state": "active", "owner": None,
    "secrets": 1, "lag": 0, "replays": 0, "delivered": 12, "failed": 0, "missed": 0, "attempts": 0, "next_attempt_at": None,
    "last_success_at": 1763700000000, "last_failure_at": None, "last_failure": None,
    "created_at": 1763600000000, "updated_at": 1763600000000,
}  # fmt: skip
_DELIVERY: Final = {
    "id": 7, "message": "msg_0123456789abcdef_1042", "event": 1042, "cause": "event", "attempt": 1, "at": 1763700000000,
    "duration_ms": 12, "status": 204, "error": None, "outcome": "delivered", "next_at": None,
}  # fmt: skip
_SECRET: Final = "whsec_ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8="  # noqa: S105  # an example


_MISSING: Final = Answer(404, "No such webhook.", media=MEDIA)
_INVALID: Final = Answer(400, "An address or a choice that cannot be; `field` names it.", media=MEDIA)


@routes.add(
    "GET", "/api/v2/webhooks", scope=Scope.RECEIVE, accounts=Reach.FREE,
    answers=[Answer(200, "The webhooks.", WebhookList, example={"webhooks": [_WEBHOOK]})],
)  # fmt: skip
async def list_webhooks(call: Call[None, None]) -> web.StreamResponse:
    """List webhooks.

    A token sees those that it made; the scope `admin` sees all.
    """
    found = [endpoint for endpoint in call.services.webhooks.all(_owner(call)) if _is_shown(call, endpoint)]
    return json_answer(WebhookList([_entry(call, endpoint) for endpoint in found]))


@routes.add(
    "POST", "/api/v2/webhooks", scope=Scope.RECEIVE, accounts=Reach.CHECKED, recipients=Reach.FREE,
    body=NewWebhook, body_example={"url": "https://receiver.example/signal", "types": ["message"], "accounts": ["+4915100000001"]},
    answers=[
        Answer(201, "The webhook, and its secret, shown this once.", MadeWebhook, example={"webhook": _WEBHOOK, "secret": _SECRET}),
        _INVALID,
    ],
)  # fmt: skip
async def create_webhook(call: Call[NewWebhook, None]) -> web.StreamResponse:
    """Make a webhook.

    Events from now on are posted to it in order, signed as Standard Webhooks 1.0.0 says. What fails is tried again after 5 s, 5 min,
    30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h (a longer `Retry-After` counts); then, or at the answer 410, the webhook is switched off,
    and what was not delivered waits. A body that is answered with 400, 413, 415 or 422 three times is passed over.
    """
    body = call.body
    made = await call.services.webhooks.create(
        body.url,
        owner=call.caller.token_id or "",
        local=call.may_name_this_machine,
        description=body.description,
        form=body.form,
        links=body.links,
        selection=selection_of(_accounts(call, body.accounts), body.types, body.conversations),
        secret=body.secret,
        active=body.active,
    )
    answer = json_answer(_made(call, made), 201)
    answer.headers["Location"] = f"/api/v2/webhooks/{made.webhook.id}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@routes.add(
    "GET", "/api/v2/webhooks/{webhook_id}", scope=Scope.RECEIVE, accounts=Reach.FREE,
    answers=[Answer(200, "The webhook.", WebhookEntry, example=_WEBHOOK), _MISSING],
)  # fmt: skip
async def get_webhook(call: Call[None, None]) -> web.StreamResponse:
    """Show a webhook and how it is.

    How far it is behind (`lag`), when it is tried next, and what was wrong last. Never its secret.
    """
    return json_answer(_entry(call, _endpoint(call)))


@routes.add(
    "PATCH", "/api/v2/webhooks/{webhook_id}", scope=Scope.RECEIVE, accounts=Reach.CHECKED, recipients=Reach.FREE,
    body=WebhookChange, body_example={"active": True, "accounts": ["+4915100000001"]},
    answers=[Answer(200, "The webhook.", WebhookEntry, example=_WEBHOOK), _INVALID, _MISSING],
)  # fmt: skip
async def change_webhook(call: Call[WebhookChange, None]) -> web.StreamResponse:
    """Change a webhook, or switch it on or off.

    Who switches one on again gets what was not delivered while it was off, as far as it is still stored.
    """
    body = call.body
    accounts = UNSET if body.accounts is UNSET else _accounts(call, body.accounts)
    endpoint = _endpoint(call)
    now = endpoint.webhook.selection
    changes: dict[str, object] = {
        name: value for name in ("url", "description", "form", "links") if (value := getattr(body, name)) is not UNSET
    }
    if accounts is not UNSET or body.types is not UNSET or body.conversations is not UNSET:
        changes["selection"] = selection_of(
            now.accounts if accounts is UNSET else accounts,
            now.types if body.types is UNSET else body.types,
            now.conversations if body.conversations is UNSET else body.conversations,
        )
    active = None if body.active is UNSET else body.active
    await call.services.webhooks.change(endpoint, changes, local=call.may_name_this_machine, active=active)
    return json_answer(_entry(call, endpoint))


@routes.add(
    "DELETE", "/api/v2/webhooks/{webhook_id}", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    answers=[Answer(204, "Deleted, with its log."), _MISSING],
)  # fmt: skip
async def delete_webhook(call: Call[None, None]) -> web.StreamResponse:
    """Delete a webhook.

    Nothing more is posted, not even what is under way to be tried again.
    """
    await call.services.webhooks.delete(_endpoint(call))
    return empty()


@routes.add(
    "POST", "/api/v2/webhooks/{webhook_id}/rotate", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    body=Rotation, body_optional=True, body_example={"keep": 86400},
    answers=[
        Answer(
            200, "The webhook, and its new secret, shown this once.", MadeWebhook,
            example={"webhook": _WEBHOOK | {"secrets": 2}, "secret": _SECRET},
        ),
        _MISSING,
    ],
)  # fmt: skip
async def rotate_webhook_secret(call: Call[Rotation, None]) -> web.StreamResponse:
    """Give a webhook a new secret.

    For a time (`keep`) every post carries two signatures, one with each secret, so that the receiver can change over.
    """
    made = await call.services.webhooks.rotate(_endpoint(call), keep_seconds=call.body.keep, secret=call.body.secret)
    answer = json_answer(_made(call, made))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@routes.add(
    "GET", "/api/v2/webhooks/{webhook_id}/deliveries", scope=Scope.RECEIVE, accounts=Reach.FREE, query=DeliveryQuery,
    answers=[Answer(200, "Attempts, newest first.", DeliveryList, example={"deliveries": [_DELIVERY], "before": None}), _MISSING],
)  # fmt: skip
async def list_webhook_deliveries(call: Call[None, DeliveryQuery]) -> web.StreamResponse:
    """List what became of a webhook's posts: its last 1000 attempts.

    The newest first, with status, duration and error of each. `outcome` chooses.
    """
    query = call.query
    if not 1 <= query.limit <= _PAGE:
        raise InvalidValue("limit", f"limit: must be 1 to {_PAGE}")
    if query.before < 0:
        raise InvalidValue("before", "before: must be an id")
    if query.outcome and query.outcome not in tuple(Outcome):
        raise InvalidValue("outcome", f"outcome: must be one of {', '.join(Outcome)}")
    found = await call.services.webhooks.deliveries(
        _endpoint(call), before=query.before or None, limit=query.limit, outcome=Outcome(query.outcome) if query.outcome else None
    )
    before = found[-1].id if len(found) == query.limit else None
    return json_answer(DeliveryList([_delivery(delivery) for delivery in found], before))


@routes.add(
    "POST", "/api/v2/webhooks/{webhook_id}/replay", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    body=Again, body_example={"since": 1763600000000, "until": 1763700000000},
    answers=[
        Answer(202, "They will be delivered again.", AgainEntry, example={"after": 1000, "upto": 1042}),
        Answer(400, "Neither an event nor a time, or both.", media=MEDIA),
        _MISSING,
        Answer(429, "Too many replays wait already.", media=MEDIA),
    ],
)  # fmt: skip
async def replay_webhook(call: Call[Again, None]) -> web.StreamResponse:
    """Deliver one event again, or all that were stored within a time.

    They come in order, before what has not been delivered yet, and with the `webhook-id` that they had. What a webhook does not get
    otherwise it does not get again.
    """
    body = call.body
    if (body.event is None) == (body.since is None and body.until is None):
        raise InvalidValue("since", "since: name an event, or the time from which on")
    found = await call.services.webhooks.replay(_endpoint(call), event=body.event, since=body.since, until=body.until)
    return json_answer(AgainEntry(found.after, found.upto), 202)


@routes.add(
    "POST", "/api/v2/webhooks/{webhook_id}/test", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    answers=[
        Answer(
            200, "What came of it.", DeliveryEntry,
            example=_DELIVERY | {"event": None, "cause": "test", "message": "msg_0123456789abcdef_test1763700000000"},
        ),
        _MISSING,
    ],
)  # fmt: skip
async def test_webhook(call: Call[None, None]) -> web.StreamResponse:
    """Post a test, and tell what the receiver answered.

    It is posted once, in the webhook's form, and also when the webhook is switched off. If the receiver takes it, what waits for its next
    attempt is tried at once.
    """
    return json_answer(_delivery(await _endpoint(call).test()))


def _owner[B, Q](call: Call[B, Q]) -> str | None:
    """Whose webhooks the caller deals with; `None` = everybody's."""
    return None if call.caller.may(Scope.ADMIN) else call.caller.token_id or ""


def _endpoint[B, Q](call: Call[B, Q]) -> Endpoint:
    endpoint = call.services.webhooks.get(call.path["webhook_id"], _owner(call))
    if not _is_shown(call, endpoint):
        raise MissingThing("webhook_id", "There is no such webhook")
    return endpoint


def _is_shown[B, Q](call: Call[B, Q], endpoint: Endpoint) -> bool:
    """Whether it gets events of no other accounts than those that the caller may use."""
    accounts = endpoint.webhook.selection.accounts
    return call.caller.accounts is None or (accounts is not None and all(map(call.caller.may_use, accounts)))


def _accounts[B, Q](call: Call[B, Q], named: Sequence[str] | None) -> Sequence[str] | None:
    """The accounts that are meant: never more than the caller may use."""
    if named is None:
        return None if call.caller.accounts is None else sorted(call.caller.accounts)
    chosen = selection_of(named, None, None).accounts or ()
    return [call.check_account(account) for account in chosen]


def _made[B, Q](call: Call[B, Q], made: Made) -> MadeWebhook:
    return MadeWebhook(_entry(call, call.services.webhooks.get(made.webhook.id)), made.secret)


def _entry[B, Q](call: Call[B, Q], endpoint: Endpoint) -> WebhookEntry:
    webhook = endpoint.webhook
    selection, pending = webhook.selection, webhook.pending
    trying = pending if pending is not None and pending.attempts else None
    ended = webhook.off is None and not call.services.tokens.may_receive(webhook.owner)  # its own turn, when it sees that, may be far off
    return WebhookEntry(
        id=webhook.id,
        url=webhook.url,
        description=webhook.description,
        form=webhook.form,
        links=webhook.links,
        accounts=selection.accounts,
        types=selection.types,
        conversations=selection.conversations,
        active=webhook.off is None and not ended,
        state=WebhookState.REVOKED if ended else webhook.state,
        owner=webhook.owner or None,
        secrets=endpoint.valid_secrets,
        lag=endpoint.lag,
        replays=endpoint.replays,
        delivered=webhook.delivered,
        failed=webhook.failed,
        missed=webhook.missed,
        attempts=trying.attempts if trying is not None else 0,
        next_attempt_at=trying.next_at if trying is not None else None,
        last_success_at=webhook.success_at,
        last_failure_at=webhook.failure_at,
        last_failure=webhook.failure,
        created_at=webhook.created_at,
        updated_at=webhook.updated_at,
    )


def _delivery(delivery: Delivery) -> DeliveryEntry:
    return DeliveryEntry(**{name: getattr(delivery, name) for name in DeliveryEntry.__struct_fields__})
