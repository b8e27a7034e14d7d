"""`/api/v2/status` and `/api/v2/health`: how everything is."""

import time
from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier import __version__
from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.engine.base import AccountState, EngineState
from signal_courier.engine.versions import features_of
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.accounts import ACCOUNT_EXAMPLE, AccountEntry, account_entry
from signal_courier.http.native.common import ACCOUNT, trouble
from signal_courier.http.native.problems import ProblemFound, problem
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.services import Services

routes = RouteTable("Status", face=Face.NATIVE)


class EngineEntry(msgspec.Struct):
    """How signal-cli is."""

    state: EngineState
    version: Annotated[str | None, msgspec.Meta(description="Null until it is known.")]
    reason: Annotated[str | None, msgspec.Meta(description="Why it is not ready.")]
    restarts: int
    features: Annotated[dict[str, bool], msgspec.Meta(description="What this version can do, where versions differ.")]


class QueueEntry(msgspec.Struct):
    """What waits."""

    receiving: Annotated[int, msgspec.Meta(description="Received messages that are not stored yet.")]
    sending: Annotated[
        dict[str, dict[str, int]], msgspec.Meta(description="By account: for how many recipients something is queued, sending or parked.")
    ]


class StatusEntry(msgspec.Struct):
    """How everything is."""

    id: Annotated[str, msgspec.Meta(description="Names this service, for ever: 32 hexadecimal digits.")]
    version: Annotated[str, msgspec.Meta(description="Of this service.")]
    started: Annotated[int, msgspec.Meta(description="When the service was started: ms since 1970.")]
    engine: EngineEntry
    accounts: list[AccountEntry]
    queues: QueueEntry


_STARTED = int(time.time() * 1000)


@routes.add(
    "GET", "/api/v2/status", scope=Scope.RECEIVE, accounts=Reach.CHECKED,
    answers=[
        Answer(
            200, "How everything is.", StatusEntry,
            example={
                "id": "0123456789abcdef0123456789abcdef", "version": "0.1.0", "started": 1763700000000, "accounts": [ACCOUNT_EXAMPLE],
                "queues": {"receiving": 0, "sending": {ACCOUNT: {"queued": 1}}},
                "engine": {"state": "ready", "version": "0.14.6", "reason": None, "restarts": 0, "features": {"polls": True}},
            },
        )
    ],
)  # fmt: skip
async def get_status(call: Call[None, None]) -> web.StreamResponse:
    """Tell how the service, signal-cli and each account are.

    What a person should do something about stands in `problems` of an account, each with its `type`.
    """
    services = call.services
    engine = services.engine.status
    reports = [report for report in await services.account_states.all() if call.caller.may_use(report.number)]
    return json_answer(
        StatusEntry(
            id=services.figures.instance,
            version=__version__,
            started=_STARTED,
            engine=EngineEntry(engine.state, engine.version, engine.reason, engine.restarts, features_of(engine.version)),
            accounts=[await account_entry(services, report, call.caller) for report in reports],
            queues=QueueEntry(
                receiving=services.receiving.inbox.pending,
                sending={account: states for account, states in services.outbox.counts().items() if call.caller.may_use(account)},
            ),
        )
    )


class HealthEntry(msgspec.Struct):
    """Ready."""

    status: Annotated[str, msgspec.Meta(description="`ready`.")]


@routes.add(
    "GET", "/api/v2/health", scope=None, quiet=True,
    answers=[
        Answer(200, "Ready.", HealthEntry, example={"status": "ready"}),
        trouble("not-ready", "signal-cli is starting"),
    ],
)  # fmt: skip
async def get_health(call: Call[None, None]) -> web.StreamResponse:
    """Tell whether messages can be sent and received now, or why not.

    Ready means that signal-cli answers (or starts with the next call, where it runs only when needed), that what is received is stored,
    and that an account is there and loaded. `/v1/health` only tells that the service is alive.
    """
    if reason := _why_not(call.services):
        raise ProblemFound(problem("not-ready", reason))
    return json_answer(HealthEntry("ready"))


def _why_not(services: Services) -> str | None:
    engine = services.engine.status
    if engine.state in (EngineState.STARTING, EngineState.STOPPED):
        return f"signal-cli is {engine.state.value}" + (f": {engine.reason}" if engine.reason else "")
    if trouble := services.receiving.trouble:
        return f"what is received cannot be stored: {trouble}"
    if engine.state is EngineState.READY and AccountState.READY not in engine.accounts.values():
        return "no account is loaded" if engine.accounts else "there is no account: link or register one"
    return None
